"""``gateway reconcile``: is everything that was promised kept?"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from channels.mq.addresses import brokers_of
from channels.mq.looking import Lying, lying
from config.errors import ConfigurationError
from config.settings import Settings
from gateway import reconcile as comparing
from gateway.cli.output import print_json, print_rows, with_config, with_json
from gateway.reconcile import Comparison, Sent, Tally
from gateway.reconcile_queue import compare_queue
from gateway.site import open_site, settings_file
from schemas.filename import is_safe
from spool.journal import Journal
from spool.reconciliation import Mismatch

F = TypeVar("F", bound=Callable[..., Any])

_LONGEST_TICKET: Final = 13
_MOST_LYING: Final = 1_000_000


def with_lists(function: F) -> F:
    """Add what else is compared: a sender's own list, and the broker's queue."""
    for option in (
        click.option(
            "--queue",
            "queue",
            is_flag=True,
            help="Look at the messages in the broker's routing queue too; they are marked as redelivered.",
        ),
        click.option("--sender", help="Whose list it is; without, names are looked for among all senders'."),
        click.option(
            "--sent",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help="A sender's own list (CSV): the name of a file it was told OK for, and its ticket or nothing.",
        ),
    ):
        function = option(function)
    return function


@click.command(short_help="Compare what was promised with what was done, ticket by ticket.")
@click.option("--hash", "hashes", is_flag=True, help="Read every file in custody and compare its SHA-256.")
@with_lists
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="Name so many at most.")
@with_json
@with_config
def reconcile(  # noqa: PLR0913, PLR0917 - one parameter for each option
    hashes: bool, sent: Path | None, sender: str | None, queue: bool, limit: int, config: Path | None, as_json: bool
) -> None:
    """Compare journal, custody, answers, messages and the embedded queue; exit status 1 if something does not fit.

    It reads only, and the gateway may be at work: what does not fit is read again before it is named.
    """
    settings, journal = open_site(settings_file(config))
    lists = Lists(sent, sender, settings.routing.queue if queue else None)
    if compared(settings, journal, lists, hashes=hashes, limit=limit, as_json=as_json):
        raise click.exceptions.Exit(1)


@dataclass(frozen=True, slots=True)
class Lists:
    """What is compared besides the site itself: a sender's list, whose it is, and a queue of the broker; or None."""

    sent: Path | None = None
    sender: str | None = None
    queue: str | None = None


def refuse_odd(settings: Settings, lists: Lists) -> None:
    """See that ``lists`` can be compared, before anything else is done.

    Raises:
        ConfigurationError: a queue is to be looked at, and there is no broker.
        click.UsageError: a line of the sender's list is none.
        OSError: the list cannot be read.
    """
    if lists.queue and not settings.broker.urls:
        raise ConfigurationError(["broker.urls: names no broker whose queue could be looked at"])
    if lists.sent:
        for _ in _lines(lists.sent):
            pass


def compared(
    settings: Settings,
    journal: Journal,
    lists: Lists,
    *,
    hashes: bool = False,
    limit: int = 1000,
    as_json: bool = False,
) -> int:
    """Compare, print what does not fit, and answer how much that is.

    Raises:
        ConfigurationError, click.UsageError, OSError: as :func:`refuse_odd`.
        BrokerUnavailable: the queue cannot be looked at.
    """
    refuse_odd(settings, lists)
    comparison = Comparison(journal, settings.spool.path, hashes=hashes, is_embedded=not settings.broker.urls)
    tally, named, count = Tally(), list[Mismatch](), 0
    listed = comparing.compare_sent(comparison, _lines(lists.sent), lists.sender) if lists.sent else ()
    queued = compare_queue(journal, _lying(settings, lists.queue)) if lists.queue else ()
    for mismatch in chain(comparing.reconcile(comparison, tally), listed, queued):
        count += 1
        if len(named) < limit:
            named.append(mismatch)
    if as_json:
        print_json(_facts(tally) | {"count": count, "mismatches": [_row(mismatch) for mismatch in named]})
    else:
        _print(tally, named, count)
    return count


def _lying(settings: Settings, queue: str) -> Iterator[Lying]:
    return lying(brokers_of(settings.broker).addresses, queue, _MOST_LYING)


def _lines(path: Path) -> Iterator[Sent]:
    """The lines of a sender's list; a first line that names the columns is none."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        try:
            for number, row in enumerate(csv.reader(file), 1):
                cells = [cell.strip() for cell in row]
                if any(cells) and not (number == 1 and cells[0].lower() == "name"):
                    yield _sent(number, cells)
        except csv.Error as fault:
            raise click.UsageError(f"--sent: {fault}") from None


def _sent(number: int, cells: list[str]) -> Sent:
    name, ticket = (*cells, "")[:2]
    if len(cells) > 2 or not is_safe(name):
        raise click.UsageError(f"--sent, line {number}: expected the name of a file, a comma, and a ticket or nothing")
    if ticket and not (len(ticket) <= _LONGEST_TICKET and ticket.isascii() and ticket.isalnum()):
        raise click.UsageError(f"--sent, line {number}: the second column is no ticket")
    return Sent(name, ticket)


def _facts(tally: Tally) -> dict[str, Any]:
    return {
        "submissions": tally.submissions,
        "states": dict(sorted(tally.states.items())),
        "undecided": tally.undecided,
        "answers_to_give": tally.to_answer,
        "messages_to_forward": tally.to_forward,
        "messages_parked": tally.parked,
        "purged": tally.purged,
    }


def _row(mismatch: Mismatch) -> dict[str, str]:
    return {
        "ticket": mismatch.ticket,
        "mismatch": mismatch.misfit.value,
        "detail": mismatch.detail,
        "what_to_do": mismatch.advice,
    }


def _print(tally: Tally, named: list[Mismatch], count: int) -> None:
    if named:
        print_rows([_row(one) for one in named], ("ticket", "mismatch", "detail", "what_to_do"), as_json=False)
    states = ", ".join(f"{number} {state}" for state, number in sorted(tally.states.items()))
    click.echo(f"{tally.submissions} submissions{f' ({states})' if states else ''}")
    click.echo(f"{tally.to_answer} answers to give, {tally.to_forward} messages to forward, {tally.parked} parked")
    if count > len(named):
        click.echo(f"{count - len(named)} more do not fit; --limit names more of them")
    click.echo(f"{count} do not fit" if count else "Everything fits.")
