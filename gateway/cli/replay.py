"""``gateway replay``: what was parked because nobody took it, and sending it again."""

import getpass
from collections.abc import Iterator, Sequence
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any, Final

import click

from gateway.cli.output import print_rows, with_config, with_json
from gateway.register.actor import Actor, Operator
from gateway.register.history import record
from gateway.site import open_site, settings_file
from spool import effects, submissions
from spool.effects import Kind, Standing
from spool.journal import Journal

_PAGE: Final = 500


@click.command(short_help="List messages that nobody took, and send them again.")
@click.option("--ticket", help="Those of this ticket.")
@click.option("--all", "every", is_flag=True, help="All of them.")
@click.option("--because", metavar="WORDS", help="Those whose reason has these words.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="List so many at most.")
@click.option("--reason", default="", metavar="WORDS", help="Why they are sent again, for the history.")
@with_json
@with_config
def replay(  # noqa: PLR0913, PLR0917 - one parameter for each option
    ticket: str | None,
    every: bool,
    because: str | None,
    limit: int,
    reason: str,
    config: Path | None,
    as_json: bool,
) -> None:
    """List the messages to the routing queue that are parked, or have some of them sent again.

    A message is parked when it failed too often: no queue wants it, say, or its queue is full.  Mend that first.  With
    --ticket, --because or --all those that fit get their first attempt again, which needs a --reason for the history.
    They keep their message ids, and doing it twice does no harm.
    """
    _, journal = open_site(settings_file(config))
    if not (ticket or every or because):
        rows = [_facts(standing) for standing in islice(chain.from_iterable(_pages(journal, None, None)), limit)]
        print_rows(rows, ("message_id", "exchange", "routing_key", "attempts", "reason"), as_json=as_json)
        return
    if not reason:
        raise click.UsageError("say with --reason why they are sent again")
    who = Operator(getpass.getuser())
    count = sum(send_again(journal, page, who, reason) for page in _pages(journal, ticket, because) if page)
    click.echo(f"{count} messages will be sent again.")


def _pages(journal: Journal, ticket: str | None, because: str | None) -> Iterator[list[Standing]]:
    """The parked messages that fit, some at a time."""
    last = 0
    while True:
        with journal.read() as connection:
            page = effects.parked(connection, Kind.FORWARD, _PAGE, after=last, ticket=ticket)
        if not page:
            return
        last = page[-1].effect.number
        yield [standing for standing in page if because is None or because in (standing.reason or "")]


def send_again(journal: Journal, page: Sequence[Standing], who: Actor, reason: str) -> int:
    """Give parked messages their first attempt again, and note it; answers how many of them were still parked."""
    count = 0
    with journal.write() as connection:
        for ticket, standings in groupby(sorted(page, key=_ticket), key=_ticket):
            if messages := effects.replay(connection, list(standings)):  # none if somebody else did so just now
                submissions.note(connection, ticket, "declarations.replayed", count=messages, reason=reason)
                record(connection, who, "messages.replayed", f"ticket:{ticket}", reason, None, {"messages": messages})
            count += messages
    return count


def _ticket(standing: Standing) -> str:
    return standing.effect.ticket


def _facts(standing: Standing) -> dict[str, Any]:
    effect = standing.effect
    return {
        "message_id": f"{effect.ticket}-{effect.ordinal:06d}",
        "ticket": effect.ticket,
        "form": effect.ordinal,
        "exchange": effect.facts.get("exchange"),
        "routing_key": effect.facts["routing_key"],
        "attempts": effect.attempts,
        "reason": standing.reason,
    }
