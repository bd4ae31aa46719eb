"""``gateway maintenance``: when nothing new is taken in, and telling so beforehand."""

import getpass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from gateway import maintenance as intake
from gateway.cli.acting import acting, granted, looking, with_reason
from gateway.cli.moments import WHEN, counted, microseconds_of
from gateway.cli.output import print_json, when, with_config, with_json
from gateway.register.actor import Operator
from spool import maintenance as windows
from spool.journal import now
from spool.maintenance import Window


@click.group(short_help="Close the intake for a time, and say so beforehand.")
def maintenance() -> None:
    """Close the intake for a time.  What is in hand is finished, and it opens by itself at the end."""


@maintenance.command()
@click.option(
    "--from",
    "start",
    type=WHEN,
    metavar="WHEN",
    help="From then on: a moment, or 30m for in half an hour; a bare date is UTC.  [default: now]",
)
@click.option(
    "--until",
    "end",
    type=WHEN,
    required=True,
    metavar="WHEN",
    help="It opens again by itself then; 2h is two hours after it began.",
)
@with_reason
@with_config
def on(start: datetime | timedelta | None, end: datetime | timedelta, reason: str, config: Path | None) -> None:
    """Announce maintenance, or begin it at once.  Senders read the reason: say what they may know.

    It stands in the SFTP banner, in STATUS/today.json and in the senders' queues of notices from now on.  Another one
    takes its place.
    """
    at = datetime.now(UTC)
    begins = at if start is None else counted(start, at)
    starts_at, ends_at = microseconds_of(begins) or 0, microseconds_of(counted(end, begins)) or 0
    with acting(config) as (connection, _):
        who = Operator(getpass.getuser())
        window = granted(intake.announce(connection, who, starts_at, ends_at, reason))
    click.echo(f"Nothing new is taken from {when(window.starts_at)} until {when(window.ends_at)}.")


@maintenance.command()
@with_reason
@with_config
def off(reason: str, config: Path | None) -> None:
    """End maintenance now, or call off what was announced.  Where there is none, nothing happens."""
    with acting(config) as (connection, _):
        window = intake.call_off(connection, Operator(getpass.getuser()), reason)
    click.echo("No maintenance was on or announced." if window is None else "The intake is open.")


@maintenance.command()
@with_json
@with_config
def show(config: Path | None, *, as_json: bool) -> None:
    """Show the maintenance that is on or announced."""
    at = now()
    with looking(config) as (connection, _):
        window = windows.planned(connection, at)
    if as_json:
        print_json(None if window is None else _facts(window, at))
        return
    if window is None:
        click.echo("No maintenance is on or announced.")
        return
    state = "on" if window.is_closed(at) else "announced"
    click.echo(f"{state}: from {when(window.starts_at)} until {when(window.ends_at)}, {window.actor}: {window.reason}")


def _facts(window: Window, at: int) -> dict[str, Any]:
    return {
        "from": when(window.starts_at),
        "until": when(window.ends_at),
        "closed": window.is_closed(at),
        "by": window.actor,
        "reason": window.reason,
    }
