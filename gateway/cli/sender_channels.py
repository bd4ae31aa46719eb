"""``gateway sender channel``: by what a quality sends and receives, in which environment, from when to when."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from gateway.cli.acting import acting, actor_of, granted, looking, with_actor, with_reason
from gateway.cli.certificates import SenderNumber
from gateway.cli.moments import microseconds_of, period_of, with_end, with_period
from gateway.cli.output import print_rows, when, with_config, with_json
from gateway.openings import Channel, Opening, openings_of
from gateway.register import channels, credentials
from gateway.register.channels import ENVIRONMENTS
from spool.journal import now

_channel = click.Choice([each.value for each in Channel])
_environment = click.Choice(list(ENVIRONMENTS))


def remark_on_broker(opened: Iterable[Channel]) -> None:
    """What is still to do at the broker when one of these channels was opened."""
    if Channel.MQ in opened:
        click.echo("gateway: now run `gateway mq declare`, which makes its queue and exchange at the broker", err=True)


@click.group()
def channel() -> None:
    """Open, close and list channels; the first one of a quality gives it its sender number."""


@channel.command("open")
@click.argument("quality", type=click.IntRange(1))
@click.argument("kind", type=_channel)
@click.argument("environment", type=_environment)
@with_period
@with_reason
@with_actor
@with_config
def open_channel(  # noqa: PLR0913, PLR0917 - a command line has as many options as it has
    quality: int,
    kind: str,
    environment: str,
    start: datetime | None,
    end: datetime | None,
    reason: str,
    as_user: str | None,
    config: Path | None,
) -> None:
    """Open a channel of this KIND for QUALITY in ENVIRONMENT (R, T, S)."""
    opening = Opening(Channel(kind), environment, period_of(start, end))
    with acting(config) as (connection, _):
        number = granted(channels.open_channel(connection, actor_of(as_user), quality, opening, reason=reason))
    click.echo(f"Sender {number}: {kind} in {environment} is open for quality {quality}.")
    remark_on_broker([opening.channel])


@channel.command()
@click.argument("quality", type=click.IntRange(1))
@click.argument("kind", type=_channel)
@click.argument("environment", type=_environment)
@with_end
@with_reason
@with_actor
@with_config
def close(  # noqa: PLR0913, PLR0917 - a command line has as many options as it has
    quality: int,
    kind: str,
    environment: str,
    at: datetime | None,
    reason: str,
    as_user: str | None,
    config: Path | None,
) -> None:
    """Close that channel; what is received from then on is refused, while logging in stays possible."""
    moment = microseconds_of(at)
    opening = Opening(Channel(kind), environment)
    with acting(config) as (connection, _):
        moment = now() if moment is None else moment
        act = channels.close_channel
        number = granted(act(connection, actor_of(as_user), quality, opening, moment, reason=reason))
    click.echo(f"Sender {number}: {kind} in {environment} is closed from {when(moment)}.")


@channel.command("list")
@click.argument("number", type=SenderNumber())
@with_actor
@with_json
@with_config
def list_channels(number: str, as_user: str | None, config: Path | None, *, as_json: bool) -> None:
    """List the channels of sender NUMBER, also those that were closed."""
    with looking(config) as (connection, _):
        if (refused := credentials.sender_refusal(connection, actor_of(as_user), number)) is not None:
            granted(refused)
        rows = [_facts(one, now()) for one in openings_of(connection, number)]
    print_rows(rows, ("channel", "environment", "from", "to", "open"), as_json=as_json)


def _facts(one: Opening, at: int) -> dict[str, Any]:
    return {
        "channel": one.channel.value,
        "environment": one.environment,
        "from": when(one.period.start),
        "to": when(one.period.end),
        "open": at in one.period,
    }
