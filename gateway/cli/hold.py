"""``gateway hold``, ``holds`` and ``release``: what waits by an operator's word, and no longer."""

import getpass
from pathlib import Path

import click

from config.settings import Settings
from gateway import holding
from gateway.cli.acting import acting, granted, with_reason
from gateway.cli.covering import check_sender, lasting, row_of, with_cover
from gateway.cli.output import RefusedError, print_rows, with_config, with_json
from gateway.register.actor import Operator
from gateway.site import open_site, own_types, settings_file
from schemas import catalogue
from spool import holds
from spool.holds import Selection
from spool.journal import now


@click.command(short_help="Let a submission, a sender or a type wait.")
@with_cover("released")
@with_reason
@with_config
def hold(selection: Selection, ends_at: int | None, reason: str, config: Path | None) -> None:
    """Let TICKET wait, or what a sender sends, or what is of a type: neither judged, nor refused, nor lost.

    What comes is taken into custody as ever, and its sender reads in STATUS that it is held.  It is judged when the
    hold ends or is released.  To hold the same twice does nothing more; with another --until it lasts so long instead.
    """
    with acting(config) as (connection, settings):
        check_sender(connection, selection)
        _check_type(selection.purpose, settings)
        placed = granted(holding.hold(connection, Operator(getpass.getuser()), selection, reason, ends_at))
    click.echo(f"Hold {placed.number}: {_words(selection)} waits {lasting(placed, 'until it is released')}.")


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
            row_of(one) | {"waiting": sum(one.selection.covers(each) for each in waiting)}
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
