"""``gateway submissions``: what was sent, newest first; ``gateway show`` tells more of one."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from gateway.cli.output import print_rows, when, with_config, with_json
from gateway.site import open_site, settings_file
from spool import submissions as journal_of
from spool.submissions import State, Submission


@click.command("submissions")
@click.option("--state", type=click.Choice([state.value for state in State]), help="Only those in this state.")
@click.option("--sender", help="Only those of this sender number.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Only those received on this day (UTC).")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="So many at most.")
@with_json
@with_config
def submissions(
    state: str | None, sender: str | None, day: datetime | None, limit: int, config: Path | None, *, as_json: bool
) -> None:
    """List submissions, newest first."""
    _, journal = open_site(settings_file(config))
    with journal.read() as connection:
        found = journal_of.search(
            connection,
            state=State(state) if state else None,
            sender=sender,
            between=_microseconds_of(day) if day else None,
            limit=limit,
        )
        rows = [facts_of(submission) | {"codes": [code for code, _ in submission.findings]} for submission in found]
    print_rows(rows, ("ticket", "received", "state", "sender", "name", "forms", "codes"), as_json=as_json)


def _microseconds_of(day: datetime) -> tuple[int, int]:
    start = day.replace(tzinfo=UTC)
    return int(start.timestamp() * 1_000_000), int((start + timedelta(days=1)).timestamp() * 1_000_000)


def facts_of(submission: Submission) -> dict[str, Any]:
    """A submission as listings have it."""
    return {
        "ticket": submission.ticket,
        "state": submission.state.value,
        "sender": submission.sender,
        "user": submission.username,
        "directory": submission.directory,
        "name": submission.name,
        "received": when(submission.received_at),
        "verdict": when(submission.verdict_at),
        "closed": when(submission.closed_at),
        "forms": submission.forms,
    }
