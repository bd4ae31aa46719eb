"""``gateway party rae``, ``co-rae``, ``gl``, ``co-gl`` and ``user``: who holds which role.

A person who is new is entered with the role, and gets a first password, which is shown once.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
from sqlalchemy.engine import Connection

from gateway.cli.acting import EnterpriseNumber, acting, actor_of, granted, with_actor, with_reason, words_of
from gateway.cli.output import with_config
from gateway.cli.party_persons import draw, entry_of, show_first, with_entry
from gateway.register import persons, roles
from gateway.register.actor import Actor, Refusal
from gateway.register.persons import Candidate
from gateway.register.rights import EVERYTHING
from gateway.register.standing import Holding
from gateway.site import open_site, settings_file

Naming = Callable[[Connection, Actor, str | Candidate], Holding | Refusal]

_applications = click.option(
    "--application", "applications", multiple=True, help="A purpose such as DIMN, an application, or * for all."
)


@click.command()
@click.argument("number", type=EnterpriseNumber())
@click.argument("username")
@with_entry
@with_reason
@with_actor
@with_config
def rae(number: str, username: str, reason: str, **said: Any) -> None:
    """Let USERNAME be the RAE of enterprise NUMBER, instead of the one before; for operators."""
    _name(username, said, lambda connection, actor, who: roles.name_rae(connection, actor, number, who, reason=reason))


@click.group("co-rae")
def co_rae() -> None:
    """Add and delete Co-RAEs of an enterprise."""


@co_rae.command("add")
@click.argument("number", type=EnterpriseNumber())
@click.argument("username")
@with_entry
@with_reason
@with_actor
@with_config
def add_co_rae(number: str, username: str, reason: str, **said: Any) -> None:
    """Let USERNAME be a Co-RAE of enterprise NUMBER."""
    _name(
        username, said, lambda connection, actor, who: roles.add_co_rae(connection, actor, number, who, reason=reason)
    )


@co_rae.command("delete")
@click.argument("number", type=EnterpriseNumber())
@click.argument("username")
@with_reason
@with_actor
@with_config
def delete_co_rae(number: str, username: str, reason: str, as_user: str | None, config: Path | None) -> None:
    """Let USERNAME be a Co-RAE of enterprise NUMBER no longer."""
    with acting(config) as (connection, _):
        ended = granted(roles.delete_co_rae(connection, actor_of(as_user), number, username, reason=reason))
    _say_ended(ended)


@click.command()
@click.argument("quality", type=int)
@click.argument("username")
@_applications
@with_entry
@with_reason
@with_actor
@with_config
def gl(quality: int, username: str, applications: tuple[str, ...], reason: str, **said: Any) -> None:
    """Let USERNAME be the GL of QUALITY, instead of the one before; without --application with access to all.

    Named again, the GL gets another access. What Co-GLs and users have beyond it they lose.
    """
    access = applications or (EVERYTHING,)
    _name(
        username,
        said,
        lambda connection, actor, who: roles.name_gl(connection, actor, quality, who, access, reason=reason),
    )


@click.group("co-gl")
def co_gl() -> None:
    """Add and delete Co-GLs of a quality."""


@co_gl.command("add")
@click.argument("quality", type=int)
@click.argument("username")
@with_entry
@with_reason
@with_actor
@with_config
def add_co_gl(quality: int, username: str, reason: str, **said: Any) -> None:
    """Let USERNAME be a Co-GL of QUALITY, with the access of the GL."""
    _name(
        username, said, lambda connection, actor, who: roles.add_co_gl(connection, actor, quality, who, reason=reason)
    )


@co_gl.command("delete")
@click.argument("quality", type=int)
@click.argument("username")
@with_reason
@with_actor
@with_config
def delete_co_gl(quality: int, username: str, reason: str, as_user: str | None, config: Path | None) -> None:
    """Let USERNAME be a Co-GL of QUALITY no longer."""
    with acting(config) as (connection, _):
        ended = granted(roles.delete_co_gl(connection, actor_of(as_user), quality, username, reason=reason))
    _say_ended(ended)


@click.group("user")
def user() -> None:
    """Add and delete users of a quality, and say what they have access to."""


@user.command("add")
@click.argument("quality", type=int)
@click.argument("username")
@_applications
@with_entry
@with_reason
@with_actor
@with_config
def add_user(quality: int, username: str, applications: tuple[str, ...], reason: str, **said: Any) -> None:
    """Let USERNAME be a user of QUALITY with access to just these applications."""
    _name(
        username,
        said,
        lambda connection, actor, who: roles.add_user(connection, actor, quality, who, applications, reason=reason),
    )


@user.command("applications")
@click.argument("quality", type=int)
@click.argument("username")
@click.argument("applications", nargs=-1)
@with_reason
@with_actor
@with_config
def set_applications(
    quality: int, username: str, applications: tuple[str, ...], reason: str, as_user: str | None, config: Path | None
) -> None:
    """Give USERNAME access to just these APPLICATIONS of QUALITY."""
    with acting(config) as (connection, _):
        held = granted(
            roles.set_applications(connection, actor_of(as_user), quality, username, applications, reason=reason)
        )
    click.echo(f"{username} is {words_of(held)}.")


@user.command("delete")
@click.argument("quality", type=int)
@click.argument("username")
@with_reason
@with_actor
@with_config
def delete_user(quality: int, username: str, reason: str, as_user: str | None, config: Path | None) -> None:
    """Let USERNAME be a user of QUALITY no longer."""
    with acting(config) as (connection, _):
        ended = granted(roles.delete_user(connection, actor_of(as_user), quality, username, reason=reason))
    _say_ended(ended)


COMMANDS: Final = (rae, co_rae, gl, co_gl, user)


def facts(held: Holding) -> dict[str, Any]:
    """A role as it is listed."""
    return {
        "user": held.username,
        "role": held.role.value,
        "quality": held.quality,
        "applications": sorted(held.applications),
        "given_by": held.given_by,
    }


def _name(username: str, said: dict[str, Any], naming: Naming) -> None:
    """Give a role to a known person, or to a new one together with a first password."""
    settings, journal = open_site(settings_file(said["config"]))
    entry, actor = entry_of(username, said), actor_of(said["as_user"])
    first = None if entry is None else draw(settings, username)
    with journal.write() as connection:
        who = username if entry is None else entry.candidate(connection, settings)
        held = granted(naming(connection, actor, who))
        if first is not None:
            granted(persons.give_password(connection, actor, username, first, reason="entered"))
    click.echo(f"{username} is {words_of(held)}.")
    if first is not None:
        show_first(first, settings)


def _say_ended(held: Holding) -> None:
    click.echo(f"{held.username} is no longer {words_of(held).partition(' (')[0]}.")
