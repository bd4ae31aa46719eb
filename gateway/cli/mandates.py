"""``gateway mandate``: which provider may act for which employer, from when to when."""

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from gateway.cli.acting import acting, actor_of, granted, looking, with_actor, with_reason
from gateway.cli.moments import microseconds_of, period_of, with_end, with_period
from gateway.cli.output import print_rows, when, with_config, with_json
from gateway.register import mandates
from gateway.register.enterprises import quality_for
from gateway.register.mandates import Mandate
from gateway.register.rights import Act
from spool.journal import now


@click.group()
def mandate() -> None:
    """Give, end and list mandates of providers.

    EMPLOYER and PROVIDER are numbers of qualities. An employer has at most one approved social secretariat and one
    other provider at a time. What is received counts by the mandates of that moment.
    """


@mandate.command()
@click.argument("employer", type=click.IntRange(1))
@click.argument("provider", type=click.IntRange(1))
@with_period
@with_reason
@with_actor
@with_config
def notify(  # noqa: PLR0913, PLR0917 - a command line has as many options as it has
    employer: int,
    provider: int,
    start: datetime | None,
    end: datetime | None,
    reason: str,
    as_user: str | None,
    config: Path | None,
) -> None:
    """Let PROVIDER act for EMPLOYER, as the form says by which it was named."""
    with acting(config) as (connection, _):
        act = mandates.notify_mandate
        given = granted(act(connection, actor_of(as_user), employer, provider, period_of(start, end), reason=reason))
    _say(given)


@mandate.command()
@click.argument("employer", type=click.IntRange(1))
@click.argument("secretariat", type=click.IntRange(1))
@with_period
@with_reason
@with_actor
@with_config
def affiliate(  # noqa: PLR0913, PLR0917 - a command line has as many options as it has
    employer: int,
    secretariat: int,
    start: datetime | None,
    end: datetime | None,
    reason: str,
    as_user: str | None,
    config: Path | None,
) -> None:
    """Say that EMPLOYER is affiliated to the approved social SECRETARIAT, which may act for it thereby."""
    with acting(config) as (connection, _):
        act = mandates.affiliate
        given = granted(act(connection, actor_of(as_user), employer, secretariat, period_of(start, end), reason=reason))
    _say(given)


@mandate.command()
@click.argument("number", type=click.IntRange(1))
@with_end
@with_reason
@with_actor
@with_config
def end(number: int, at: datetime | None, reason: str, as_user: str | None, config: Path | None) -> None:
    """End mandate NUMBER; employer and provider both may."""
    moment = microseconds_of(at)
    with acting(config) as (connection, _):
        moment = now() if moment is None else moment
        ended = granted(mandates.end_mandate(connection, actor_of(as_user), number, moment, reason=reason))
    click.echo(f"Mandate {number} ends at {when(ended.period.end)}.")


@mandate.command("list")
@click.argument("quality", type=click.IntRange(1))
@click.option("--current", is_flag=True, help="Only those that count now.")
@click.option("--after", type=click.IntRange(0), default=0, metavar="NUMBER", help="Only those entered after this one.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="So many at most.")
@with_actor
@with_json
@with_config
def list_mandates(  # noqa: PLR0913 - a command line has as many options as it has
    quality: int, after: int, limit: int, as_user: str | None, config: Path | None, *, current: bool, as_json: bool
) -> None:
    """List the mandates that QUALITY has given or holds, also those that have ended."""
    with looking(config) as (connection, _):
        granted(quality_for(connection, actor_of(as_user), Act.CHANGE_QUALITY, quality))
        at = now() if current else None
        rows = [_facts(one) for one in mandates.mandates_of(connection, quality, at=at, after=after, limit=limit)]
    print_rows(rows, ("mandate", "employer", "provider", "means", "from", "to"), as_json=as_json)


def _say(given: Mandate) -> None:
    until = f" until {when(given.period.end)}" if given.period.end is not None else ""
    words = f"{given.provider} may act for {given.employer} from {when(given.period.start)}{until}"
    click.echo(f"Mandate {given.number}: {words}.")


def _facts(one: Mandate) -> dict[str, Any]:
    return {
        "mandate": one.number,
        "employer": one.employer,
        "provider": one.provider,
        "means": one.means.value,
        "from": when(one.period.start),
        "to": when(one.period.end),
    }
