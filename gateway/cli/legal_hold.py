"""``gateway legal-hold``: what is kept however old it is."""

import getpass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from gateway import legal_holds, parties
from gateway.cli.acting import acting, granted, with_reason
from gateway.cli.moments import MOMENT, microseconds_of
from gateway.cli.output import RefusedError, print_rows, when, with_config, with_json
from gateway.register.actor import Operator
from gateway.site import open_site, settings_file
from spool import legal_holds as held
from spool import submissions
from spool.holds import Hold, Selection
from spool.journal import now


@click.group("legal-hold", short_help="Keep what a purge would take away.")
def legal_hold() -> None:
    """Keep files, answers and evidence from being purged; what is held is judged and answered as ever."""


@legal_hold.command()
@click.argument("ticket", required=False)
@click.option("--sender", metavar="NUMBER", help="All of this sender.")
@click.option("--type", "purpose", metavar="TYPE", help="All of this type, such as DMFA.")
@click.option("--environment", type=click.Choice(["R", "T", "S"]), help="Of it only what is of this environment.")
@click.option("--until", type=MOMENT, metavar="WHEN", help="Until then.  [default: until it is lifted]")
@with_reason
@with_config
def place(  # noqa: PLR0913, PLR0917 - one parameter for each option
    ticket: str | None,
    sender: str | None,
    purpose: str | None,
    environment: str | None,
    until: datetime | None,
    reason: str,
    config: Path | None,
) -> None:
    """Keep TICKET, or what is of a sender or a type, however old it is; to say so twice does nothing more."""
    if (ticket is None) == (sender is None and purpose is None) or (ticket is not None and environment is not None):
        raise click.UsageError("name a TICKET, or a --sender, a --type or both")
    ends_at = microseconds_of(until)
    if ends_at is not None and ends_at <= now():
        raise click.UsageError("--until is past")
    with acting(config) as (connection, _):
        if ticket is not None and submissions.load(connection, ticket) is None:
            raise RefusedError(f"there is no submission {ticket}")
        if sender is not None and parties.find_sender(connection, sender) is None:
            raise RefusedError(f"there is no sender {sender}")
        selection = Selection(ticket, sender, purpose, environment)
        placed = legal_holds.place(connection, Operator(getpass.getuser()), selection, reason, ends_at)
    end = "until it is lifted" if placed.ends_at is None else f"until {when(placed.ends_at)}"
    click.echo(f"Legal hold {placed.number} keeps it {end}; what is gone already does not come back.")


@legal_hold.command()
@click.argument("number", type=int)
@with_reason
@with_config
def lift(number: int, reason: str, config: Path | None) -> None:
    """End the legal hold NUMBER; what it kept goes with the next purge that finds it due."""
    with acting(config) as (connection, _):
        granted(legal_holds.lift(connection, Operator(getpass.getuser()), number, reason))
    click.echo(f"Legal hold {number} is lifted.")


@legal_hold.command("list")
@with_json
@with_config
def list_(config: Path | None, *, as_json: bool) -> None:
    """List the legal holds in force."""
    _, journal = open_site(settings_file(config))
    with journal.read() as connection:
        rows = [_row(one) for one in held.in_force(connection, now())]
    columns = ("hold", "ticket", "sender", "type", "environment", "since", "until", "by", "reason")
    print_rows(rows, columns, as_json=as_json)


def _row(one: Hold) -> dict[str, Any]:
    return {
        **legal_holds.facts(one),
        "since": when(one.placed_at),
        "until": when(one.ends_at),
        "by": one.word.actor,
        "reason": one.word.reason,
    }
