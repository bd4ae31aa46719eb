"""``gateway party technical``: the technical user of a quality."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from gateway.cli.acting import acting, actor_of, granted, with_actor, with_reason
from gateway.cli.output import with_config
from gateway.cli.party_persons import draw, show_first
from gateway.register import technical as acts
from gateway.register.technical import Technical
from gateway.site import open_site, settings_file


@click.group()
def technical() -> None:
    """Name, block, unblock and delete the technical user of a quality.

    Its keys are registered by `gateway user key`, its channels and certificates by `gateway sender`.
    """


@technical.command()
@click.argument("quality", type=int)
@click.argument("username")
@with_reason
@with_actor
@with_config
def name(quality: int, username: str, reason: str, as_user: str | None, config: Path | None) -> None:
    """Let USERNAME be the technical user of QUALITY."""
    with acting(config) as (connection, _):
        named = granted(acts.name(connection, actor_of(as_user), quality, username, reason=reason))
    click.echo(f"Technical user {username} of quality {quality}, {_sender(named)}.")


@technical.command()
@click.argument("username")
@with_reason
@with_actor
@with_config
def password(username: str, reason: str, as_user: str | None, config: Path | None) -> None:
    """Give USERNAME a first password, shown here and never again; it has to be changed at its first use."""
    settings, journal = open_site(settings_file(config))
    first = draw(settings, username)
    with journal.write() as connection:
        granted(acts.give_password(connection, actor_of(as_user), username, first, reason=reason))
    show_first(first, settings)


def _deciding(command_name: str, act: Callable[..., Any], words: str, purpose: str) -> None:
    """Add a command that decides about a technical user."""

    @technical.command(command_name, help=purpose)
    @click.argument("username")
    @with_reason
    @with_actor
    @with_config
    def command(username: str, reason: str, as_user: str | None, config: Path | None) -> None:
        with acting(config) as (connection, _):
            granted(act(connection, actor_of(as_user), username, reason=reason))
        click.echo(f"Technical user {username} is {words}.")


_deciding("block", acts.block, "blocked", "Let USERNAME in at no door; open sessions end.")
_deciding("unblock", acts.unblock, "active", "Let USERNAME in again, with the keys and the password it has.")
_deciding("delete", acts.delete, "deleted", "Let USERNAME be a technical user no longer; the name isn't given again.")
_deciding(
    "lost",
    acts.report_lost,
    "blocked; its keys have ended and its password is void",
    "Report that what USERNAME logs in with is lost or misused: it is good for nothing from now on.",
)


def facts(known: Technical) -> dict[str, Any]:
    """A technical user as it is listed."""
    return {"user": known.username, "quality": known.quality, "sender": known.sender, "state": known.state}


def _sender(known: Technical) -> str:
    return "which has no channel yet" if known.sender is None else f"sender {known.sender}"
