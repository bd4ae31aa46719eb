"""How does an operator's word name what it covers, and until when: a ticket, or what is of a sender or a type?"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, TypeVar

import click
from sqlalchemy.engine import Connection

from gateway import parties
from gateway.cli.moments import WHEN, counted, microseconds_of
from gateway.cli.output import RefusedError, when
from spool.holds import Hold, Selection
from spool.journal import now

F = TypeVar("F", bound=Callable[..., Any])


def with_cover(ends: str) -> Callable[[F], F]:
    """Add TICKET, ``--sender``, ``--type``, ``--environment`` and ``--until``.

    The command gets ``selection`` and ``ends_at``, in microseconds since the epoch or None.

    Args:
        ends: what ends it when no --until does, such as "released".
    """
    covered = (
        click.argument("ticket", required=False),
        click.option("--sender", metavar="NUMBER", help="All of this sender."),
        click.option("--type", "purpose", metavar="TYPE", help="All of this type, such as DMFA."),
        click.option("--environment", type=click.Choice(["R", "T", "S"]), help="Of it only what is of this one."),
        click.option(
            "--until",
            type=WHEN,
            metavar="WHEN",
            help=f"Until then, or for so long, such as 2h.  [default: until it is {ends}]",
        ),
    )

    def decorate(function: F) -> F:
        @wraps(function)
        def command(
            *,
            ticket: str | None,
            sender: str | None,
            purpose: str | None,
            environment: str | None,
            until: datetime | timedelta | None,
            **others: Any,
        ) -> Any:
            selection = Selection(ticket, sender, purpose, environment)
            return function(selection=_checked(selection), ends_at=_ends_at(until), **others)

        for option in reversed(covered):
            command = option(command)
        return command  # type: ignore[return-value]  # options are added: what click calls is the same command

    return decorate


def row_of(placed: Hold) -> dict[str, Any]:
    """One of a listing."""
    return {
        "hold": placed.number,
        "ticket": placed.selection.ticket,
        "sender": placed.selection.sender,
        "type": placed.selection.purpose,
        "environment": placed.selection.environment,
        "since": when(placed.placed_at),
        "until": when(placed.ends_at),
        "by": placed.word.actor,
        "reason": placed.word.reason,
    }


def check_sender(connection: Connection, selection: Selection) -> None:
    """Refuse what nothing can come of.

    Raises:
        RefusedError: it names a sender that there is not.
    """
    if selection.sender is not None and parties.find_sender(connection, selection.sender) is None:
        raise RefusedError(f"there is no sender {selection.sender}")


def lasting(placed: Hold, until: str) -> str:
    """How long it lasts, in words; ``until`` says how when it has no end."""
    return until if placed.ends_at is None else f"until {when(placed.ends_at)}"


def _checked(selection: Selection) -> Selection:
    broad = selection.sender is not None or selection.purpose is not None
    if (selection.ticket is not None) == broad or (selection.ticket is not None and selection.environment is not None):
        raise click.UsageError("name a TICKET, or a --sender, a --type or both")
    return selection


def _ends_at(until: datetime | timedelta | None) -> int | None:
    ends_at = None if until is None else microseconds_of(counted(until, datetime.now(UTC)))
    if ends_at is not None and ends_at <= now():
        raise click.UsageError("--until is past")
    return ends_at
