"""``gateway quarantine``: what could not be judged and waits for a person."""

import getpass
from pathlib import Path
from typing import Any

import click
from sqlalchemy.engine import Connection

from gateway import holding
from gateway.cli.acting import acting, granted, looking, with_reason
from gateway.cli.output import print_rows, when, with_config, with_json
from gateway.register.actor import Operator
from spool import holds, submissions
from spool.submissions import State, Submission


@click.group(short_help="List, return and drop what could not be judged.")
def quarantine() -> None:
    """What failed too often to be judged.  What its sender sends later under the same name waits behind it."""


@quarantine.command("list")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="So many at most.")
@with_json
@with_config
def list_(limit: int, config: Path | None, *, as_json: bool) -> None:
    """List what is quarantined, newest first, what failed, and who waits behind it."""
    with looking(config) as (connection, _):
        found = submissions.search(connection, state=State.QUARANTINED, limit=limit)
        rows = [_facts(connection, one) for one in list(found)]
    print_rows(rows, ("ticket", "received", "sender", "name", "reason", "behind"), as_json=as_json)


@quarantine.command("return")
@click.argument("ticket")
@with_reason
@with_config
def return_(ticket: str, reason: str, config: Path | None) -> None:
    """Have TICKET judged again at once, after what made it fail was mended."""
    with acting(config) as (connection, _):
        granted(holding.give_back(connection, Operator(getpass.getuser()), ticket, reason))
    click.echo(f"{ticket} will be judged again.")


@quarantine.command()
@click.argument("ticket")
@with_reason
@with_config
def drop(ticket: str, reason: str, config: Path | None) -> None:
    """Refuse TICKET: its sender gets one acknowledgement, with 277, and may use the name again.

    Its files stay in custody.  What waited behind it is judged.  Dropping it twice does nothing more.
    """
    with acting(config) as (connection, _):
        granted(holding.drop(connection, Operator(getpass.getuser()), ticket, reason))
    click.echo(f"{ticket} will be refused, with 277.")


def _facts(connection: Connection, submission: Submission) -> dict[str, Any]:
    last = [event for event in submissions.timeline(connection, submission.ticket) if "reason" in event.facts][-1:]
    return {
        "ticket": submission.ticket,
        "received": when(submission.received_at),
        "sender": submission.sender,
        "name": submission.name,
        "attempts": submission.attempts,
        "reason": last[0].facts["reason"] if last else None,
        "behind": holds.behind(connection, submission),
    }
