"""``gateway send-again``: declarations that were confirmed by a broker which has lost them."""

import asyncio
import getpass
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from config.errors import ConfigurationError
from config.settings import Settings
from gateway.cli.acting import with_reason
from gateway.cli.moments import WHEN, counted, microseconds_of
from gateway.cli.output import with_config
from gateway.forward_again import NotAgainError, Resender
from gateway.register.actor import Operator
from gateway.site import open_site, settings_file
from gateway.workers import WorkerFailedError, WorkerLimits, open_workers
from spool.journal import Journal


@click.command("send-again", short_help="Send again what a broker has confirmed and lost.")
@click.option(
    "--since", required=True, type=WHEN, metavar="WHEN", help="Confirmed from then on, or so long ago, such as 2h."
)
@click.option("--ticket", help="Of this ticket alone.")
@with_reason
@with_config
def send_again(since: datetime | timedelta, ticket: str | None, reason: str, config: Path | None) -> None:
    """Have declarations sent again that the broker confirmed, for one that has lost its queue.

    They are cut out of the files in custody, keep their message ids, and are sent by `gateway serve`: a consumer that
    has them drops them.  What was parked is `gateway replay`'s.  Exit status 1 if some cannot be sent again; the others
    are.  Doing it twice sends them twice.
    """
    settings, journal = open_site(settings_file(config))
    if not settings.broker.urls:
        raise ConfigurationError(["broker.urls: names no broker; the embedded queue has lost nothing"])
    from_then = counted(-since if isinstance(since, timedelta) else since, datetime.now(UTC))
    failed = asyncio.run(_send(settings, journal, ticket, microseconds_of(from_then) or 0, reason))
    if failed:
        raise click.exceptions.Exit(1)


async def _send(settings: Settings, journal: Journal, ticket: str | None, since: int, reason: str) -> int:
    judging, who = settings.judging, Operator(getpass.getuser())
    count, failed = 0, 0
    limits = WorkerLimits(1, judging.worker_memory_bytes, judging.worker_seconds)
    async with open_workers(limits) as workers:
        resender = Resender(settings, journal, workers)
        tickets: Iterable[str] = resender.tickets(since) if ticket is None else [ticket]
        for each in tickets:
            try:
                count += await resender.send(each, who, reason, since)
            except (NotAgainError, WorkerFailedError) as fault:
                click.echo(f"{each}: {fault}", err=True)
                failed += 1
    click.echo(f"{count} messages will be sent again{f'; of {failed} tickets none' if failed else ''}.")
    return failed
