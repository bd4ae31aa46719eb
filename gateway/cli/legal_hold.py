"""``gateway legal-hold``: what is kept however old it is."""

import getpass
from pathlib import Path

import click

from gateway import legal_holds
from gateway.cli.acting import acting, granted, with_reason
from gateway.cli.covering import check_sender, lasting, row_of, with_cover
from gateway.cli.output import RefusedError, print_rows, with_config, with_json
from gateway.register.actor import Operator
from gateway.site import open_site, settings_file
from spool import legal_holds as held
from spool import submissions
from spool.holds import Selection
from spool.journal import now


@click.group("legal-hold", short_help="Keep what a purge would take away.")
def legal_hold() -> None:
    """Keep files, answers and evidence from being purged; what is held is judged and answered as ever."""


@legal_hold.command()
@with_cover("lifted")
@with_reason
@with_config
def place(selection: Selection, ends_at: int | None, reason: str, config: Path | None) -> None:
    """Keep TICKET, or what is of a sender or a type, however old it is; to say so twice does nothing more."""
    with acting(config) as (connection, _):
        if selection.ticket is not None and submissions.load(connection, selection.ticket) is None:
            raise RefusedError(f"there is no submission {selection.ticket}")
        check_sender(connection, selection)
        placed = legal_holds.place(connection, Operator(getpass.getuser()), selection, reason, ends_at)
    until = lasting(placed, "until it is lifted")
    click.echo(f"Legal hold {placed.number} keeps it {until}; what is gone already does not come back.")


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
        rows = [row_of(one) for one in held.in_force(connection, now())]
    columns = ("hold", "ticket", "sender", "type", "environment", "since", "until", "by", "reason")
    print_rows(rows, columns, as_json=as_json)
