"""How does an operator's command change what is registered, write that down, and say who is not?"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from sqlalchemy.engine import Connection

from config.settings import Settings
from gateway import parties
from gateway.accounts import UnknownUserError
from gateway.cli.acting import actor_of
from gateway.cli.output import RefusedError
from gateway.parties import UnknownSenderError
from gateway.register.history import record
from gateway.site import open_site, settings_file

F = TypeVar("F", bound=Callable[..., Any])


def with_note(function: F) -> F:
    """Add ``--reason``, for acts that need none."""
    return click.option("--reason", default="", metavar="WORDS", help="Why; it stands in the history.")(function)


@contextmanager
def changing(config: Path | None) -> Iterator[tuple[Connection, Settings]]:
    """One transaction on the journal of a site; who is unknown is a refusal."""
    settings, journal = open_site(settings_file(config))
    try:
        with journal.write() as connection:
            yield connection, settings
    except UnknownUserError as fault:
        raise RefusedError(f"there is no user {fault}") from None
    except UnknownSenderError as fault:
        raise RefusedError(f"there is no sender {fault}") from None


def add_user(connection: Connection, sender: str, username: str, keys: Sequence[str]) -> None:
    """Name a technical user of a sender, and add public keys.

    Raises:
        RefusedError: the name is another sender's, or a person's.
    """
    try:
        parties.add_user(connection, sender, username, keys)
    except ValueError as fault:
        raise RefusedError(str(fault)) from fault


def write_down(
    connection: Connection,
    act: str,
    subject: str,
    reason: str,
    after: Mapping[str, Any],
    before: Mapping[str, Any] | None = None,
) -> None:
    """Let the history say what the operator has changed; of ``before`` and ``after`` only what differs."""
    if before is None:
        record(connection, actor_of(None), act, subject, reason, None, after)
        return
    changed = {name for name, value in after.items() if before.get(name) != value}
    if changed:
        was, is_ = ({name: facts[name] for name in sorted(changed)} for facts in (before, after))
        record(connection, actor_of(None), act, subject, reason, was, is_)
