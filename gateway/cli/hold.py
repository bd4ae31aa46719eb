"""``gateway hold``, ``holds`` and ``release``: what waits by an operator's word, and no longer."""

import getpass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from config.settings import Settings
from gateway import holding, parties
from gateway.cli.acting import acting, granted, with_reason
from gateway.cli.moments import MOMENT, microseconds_of
from gateway.cli.output import RefusedError, print_rows, when, with_config, with_json
from gateway.register.actor import Operator
from gateway.site import open_site, own_types, settings_file
from schemas import catalogue
from spool import holds
from spool.holds import Hold, Selection
from spool.journal import now


@click.command(short_help="Let a submission, a sender or a type wait.")
@click.argument("ticket", required=False)
@click.option("--sender", metavar="NUMBER", help="All that this sender sends.")
@click.option("--type", "purpose", metavar="TYPE", help="All of this type, such as DMFA.")
@click.option("--environment", type=click.Choice(["R", "T", "S"]), help="Of it only what is of this environment.")
@click.option("--until", type=MOMENT, metavar="WHEN", help="Until then.  [default: until it is released]")
@with_reason
@with_config
def hold(  # noqa: PLR0913, PLR0917 - one parameter for each option
    ticket: str | None,
    sender: str | None,
    purpose: str | None,
    environment: str | None,
    until: datetime | None,
    reason: str,
    config: Path | None,
) -> None:
    """Let TICKET wait, or what a sender sends, or what is of a type: neither judged, nor refused, nor lost.

    What comes is taken into custody as ever, and its sender reads in STATUS that it is held.  It is judged when the
    hold ends or is released.  To hold the same twice does nothing more; with another --until it lasts so long instead.
    """
    selection = Selection(ticket, sender, purpose, environment)
    if (ticket is None) == (sender is None and purpose is None) or (ticket is not None and environment is not None):
        raise click.UsageError("name a TICKET, or a --sender, a --type or both")
    ends_at = microseconds_of(until)
    if ends_at is not None and ends_at <= now():
        raise click.UsageError("--until is past")
    with acting(config) as (connection, settings):
        if sender is not None and parties.find_sender(connection, sender) is None:
            raise RefusedError(f"there is no sender {sender}")
        _check_type(purpose, settings)
        placed = granted(holding.hold(connection, Operator(getpass.getuser()), selection, reason, ends_at))
    click.echo(f"Hold {placed.number}: {_words(selection)} waits {_until(placed)}.")


def _check_type(purpose: str | None, settings: Settings) -> None:
    if purpose is not None and not catalogue.current(*own_types(settings)).of_purpose(purpose):
        raise RefusedError(f"there is no type {purpose}; see `gateway schemas list`")


@click.command("holds", short_help="List what is held by an operator's word.")
@with_json
@with_config
def holds_(config: Path | None, *, as_json: bool) -> None:
    """List the holds in force, and how many submissions each keeps waiting."""
    _, journal = open_site(settings_file(config))
    with journal.read() as connection:
        waiting = list(holds.waiting(connection))
        rows = [
            _facts(one) | {"waiting": sum(one.selection.covers(each) for each in waiting)}
            for one in holds.in_force(connection, now())
        ]
    columns = ("hold", "ticket", "sender", "type", "environment", "since", "until", "waiting", "by", "reason")
    print_rows(rows, columns, as_json=as_json)


@click.command(short_help="Have held submissions judged at once.")
@click.argument("ticket", required=False)
@click.option("--hold", "number", type=int, metavar="NUMBER", help="End this hold; see `gateway holds`.")
@with_reason
@with_config
def release(ticket: str | None, number: int | None, reason: str, config: Path | None) -> None:
    """Have TICKET, held or quarantined, judged again at once; or end a hold, and have all that it kept judged."""
    if (ticket is None) == (number is None):
        raise click.UsageError("name a TICKET or a --hold")
    who = Operator(getpass.getuser())
    with acting(config) as (connection, _):
        if ticket is not None:
            granted(holding.release_ticket(connection, who, ticket, reason))
            words = f"{ticket} will be judged again."
        else:
            count = granted(holding.release_hold(connection, who, number or 0, reason))
            words = f"Hold {number} has ended; {count} submissions will be judged."
    click.echo(words)


def _words(selection: Selection) -> str:
    if selection.ticket is not None:
        return selection.ticket
    parts = (
        ("all", True),
        (f"of type {selection.purpose}", selection.purpose),
        (f"from sender {selection.sender}", selection.sender),
        (f"in environment {selection.environment}", selection.environment),
    )
    return " ".join(words for words, wanted in parts if wanted)


def _until(placed: Hold) -> str:
    return "until it is released" if placed.ends_at is None else f"until {when(placed.ends_at)}"


def _facts(one: Hold) -> dict[str, Any]:
    return {
        "hold": one.number,
        "ticket": one.selection.ticket,
        "sender": one.selection.sender,
        "type": one.selection.purpose,
        "environment": one.selection.environment,
        "since": when(one.placed_at),
        "until": when(one.ends_at),
        "by": one.word.actor,
        "reason": one.word.reason,
    }
