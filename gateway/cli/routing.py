"""``gateway routing``: to whom, and by what, goes what comes back about an employer."""

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from gateway.cli.acting import acting, actor_of, granted, looking, with_actor, with_reason
from gateway.cli.moments import microseconds_of, period_of, with_end, with_period
from gateway.cli.output import print_rows, when, with_config, with_json
from gateway.openings import Channel
from gateway.register import choices
from gateway.register.channels import ENVIRONMENTS
from gateway.register.choices import EVERY_TYPE, Choice, Route
from gateway.register.enterprises import quality_for
from gateway.register.rights import Act
from spool.journal import now

_environment = click.Choice(list(ENVIRONMENTS))


@click.group()
def routing() -> None:
    """Choose to whom, and by what, goes what comes back about an employer.

    EMPLOYER is the number of its quality. Without a choice a message goes to who sent what it is about, or to the
    employer. A choice counts only while the recipient has its mandate and its channel.
    """


@routing.command()
@click.argument("employer", type=click.IntRange(1))
@click.option(
    "--recipient", type=click.IntRange(1), metavar="QUALITY", help="Itself or a provider.  [default: EMPLOYER]"
)
@click.option("--purpose", default=EVERY_TYPE, show_default=True, help="Only messages of this type, such as NOTI.")
@click.option("--environment", type=_environment, default="R", show_default=True, help="Of which environment.")
@click.option(
    "--channel", type=click.Choice([each.value for each in Channel]), required=True, help="The e-Box, or its channel."
)
@with_period
@with_reason
@with_actor
@with_config
def choose(  # noqa: PLR0913, PLR0917 - a command line has as many options as it has
    employer: int,
    recipient: int | None,
    purpose: str,
    environment: str,
    channel: str,
    start: datetime | None,
    end: datetime | None,
    reason: str,
    as_user: str | None,
    config: Path | None,
) -> None:
    """Let messages about EMPLOYER go there; the GL and the Co-GLs of EMPLOYER choose."""
    period = period_of(start, end)
    route = Route(employer, recipient or employer, purpose, environment, Channel(channel), period)
    with acting(config) as (connection, _):
        chosen = granted(choices.choose(connection, actor_of(as_user), route, reason=reason))
    to = f"{chosen.route.recipient} by {chosen.route.channel}"
    click.echo(f"Choice {chosen.number}: {purpose} of {environment} about {employer} goes to {to}.")


@routing.command()
@click.argument("number", type=click.IntRange(1))
@with_end
@with_reason
@with_actor
@with_config
def end(number: int, at: datetime | None, reason: str, as_user: str | None, config: Path | None) -> None:
    """End choice NUMBER."""
    moment = microseconds_of(at)
    with acting(config) as (connection, _):
        moment = now() if moment is None else moment
        ended = granted(choices.end_choice(connection, actor_of(as_user), number, moment, reason=reason))
    click.echo(f"Choice {number} ends at {when(ended.route.period.end)}.")


@routing.command("list")
@click.argument("employer", type=click.IntRange(1))
@with_actor
@with_json
@with_config
def list_choices(employer: int, as_user: str | None, config: Path | None, *, as_json: bool) -> None:
    """List every choice made for EMPLOYER, in their order; of two that count at a moment the later one decides."""
    with looking(config) as (connection, _):
        granted(quality_for(connection, actor_of(as_user), Act.CHANGE_QUALITY, employer))
        rows = [_facts(one) for one in choices.choices_of(connection, employer)]
    print_rows(rows, ("choice", "purpose", "environment", "recipient", "channel", "from", "to"), as_json=as_json)


@routing.command()
@click.argument("employer", type=click.IntRange(1))
@click.argument("purpose")
@click.argument("environment", type=_environment)
@with_actor
@with_json
@with_config
def explain(
    employer: int, purpose: str, environment: str, as_user: str | None, config: Path | None, *, as_json: bool
) -> None:
    """Say where a message of PURPOSE about EMPLOYER goes now that is about nothing anybody has sent."""
    with looking(config) as (connection, _):
        granted(quality_for(connection, actor_of(as_user), Act.CHANGE_QUALITY, employer))
        found = choices.recipient_of(connection, employer, purpose, environment, now())
    row = {"recipient": found.quality, "channel": found.channel.value, "sender": found.sender, "chosen": found.chosen}
    print_rows([row], ("recipient", "channel", "sender", "chosen"), as_json=as_json)


def _facts(one: Choice) -> dict[str, Any]:
    route = one.route
    return {
        "choice": one.number,
        "purpose": route.purpose,
        "environment": route.environment,
        "recipient": route.recipient,
        "channel": route.channel.value,
        "from": when(route.period.start),
        "to": when(route.period.end),
    }
