"""How does a command do an act of the register: in whose name, for what reason, and what is said when it is refused?"""

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from sqlalchemy.engine import Connection

from config.settings import Settings
from gateway.cli.output import RefusedError
from gateway.register.actor import Actor, Operator, Person, Refusal
from gateway.register.enterprises import enterprise_number
from gateway.register.rights import Role
from gateway.register.standing import Holding
from gateway.site import open_site, settings_file

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


class EnterpriseNumber(click.ParamType[str]):
    """A number of the Crossroads Bank for Enterprises, as it may be written."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Its ten digits."""
        number = enterprise_number(str(value))
        if number is None:
            self.fail("an enterprise number has ten digits, of which the last two check the others", param, ctx)
        return number


def with_actor(function: F) -> F:
    """Add ``--as``, by which a command is judged by the rights of a person of the register."""
    return click.option(
        "--as",
        "as_user",
        metavar="USER",
        help="Act as this person, with his rights and no more.  [default: as operator]",
    )(function)


def with_reason(function: F) -> F:
    """Add ``--reason``, which every change needs: it stands in the history."""
    return click.option("--reason", required=True, help="Why; it stands in the history.")(function)


def actor_of(as_user: str | None) -> Actor:
    """Who acts: the person named, or else the operator at the machine, by the name he has there."""
    return Operator(getpass.getuser()) if as_user is None else Person(as_user)


@contextmanager
def acting(config: Path | None) -> Iterator[tuple[Connection, Settings]]:
    """One transaction on the journal of a site, in which an act is done, or nothing."""
    settings, journal = open_site(settings_file(config))
    with journal.write() as connection:
        yield connection, settings


@contextmanager
def looking(config: Path | None) -> Iterator[tuple[Connection, Settings]]:
    """One transaction on the journal of a site, in which nothing is changed."""
    settings, journal = open_site(settings_file(config))
    with journal.read() as connection:
        yield connection, settings


def granted(result: T | Refusal) -> T:
    """What an act answers.

    Raises:
        RefusedError: it was refused.
    """
    if isinstance(result, Refusal):
        raise RefusedError(result.words)
    return result


def words_of(held: Holding) -> str:
    """A role in words."""
    where = f"enterprise {held.enterprise}" if held.quality is None else f"quality {held.quality}"
    access = f" ({', '.join(sorted(held.applications)) or 'no application'})" if held.quality is not None else ""
    return f"{_WORDS[held.role]} of {where}{access}"


_WORDS = {
    Role.RAE: "RAE",
    Role.CO_RAE: "Co-RAE",
    Role.GL: "GL",
    Role.CO_GL: "Co-GL",
    Role.USER: "user",
}
