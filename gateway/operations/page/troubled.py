"""Which senders have trouble: locked out, failing to log in, with declarations that no queue took, held by a person?

Senders go by their number.  Addresses and names stay out: they may be a person's; ``gateway defender list`` has them.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool import effects, holds
from spool.effects import Kind
from spool.holds import Hold
from spool.tables import failed_logins, submissions, technical_users

LISTED: Final = 50
_PARKED: Final = 500
_ROWS: Final = 50_000
_DAY: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Lock:
    """Too many log-ins failed: of which sender (None: of no technical user), what is locked, and until when."""

    sender: str | None
    what: str
    failures: int
    until: int


@dataclass(frozen=True, slots=True)
class Failing:
    """How many log-ins of a sender have failed since the last that was good, at most a day ago."""

    sender: str
    failures: int
    last_at: int


@dataclass(frozen=True, slots=True)
class Parked:
    """How many messages of a sender are parked, of the oldest few hundred, and the ticket of the first."""

    sender: str
    count: int
    ticket: str
    reason: str


@dataclass(frozen=True, slots=True)
class Troubled:
    """Everything that is known; ``more_parked`` says that more is parked than was looked at."""

    locks: tuple[Lock, ...]
    failing: tuple[Failing, ...]
    parked: tuple[Parked, ...]
    holds: tuple[Hold, ...]
    more_parked: bool = False


def look(connection: Connection, at: int) -> Troubled:
    """What stands at ``at`` (microseconds)."""
    found = effects.parked(connection, Kind.FORWARD, _PARKED)
    return Troubled(
        locks=tuple(_locks(connection, at)),
        failing=tuple(_failing(connection, at)),
        parked=tuple(_parked(connection, found)),
        holds=tuple(holds.in_force(connection, at)[:LISTED]),
        more_parked=len(found) == _PARKED,
    )


def _locks(connection: Connection, at: int) -> Iterable[Lock]:
    rows = failed_logins.c
    query = (
        sa.select(technical_users.c.sender, rows.username, rows.source, rows.failures, rows.locked_until)
        .select_from(failed_logins)
        .outerjoin(technical_users, technical_users.c.username == rows.username)
        .where(rows.locked_until > at)
        .order_by(rows.locked_until.desc())
        .limit(LISTED)
    )
    for sender, username, source, failures, until in connection.execute(query):
        yield Lock(sender, _locked(username, source), failures, until)


def _locked(username: str, source: str) -> str:
    if not username:
        return "an address, whatever the name"
    return "a name at an address" if source else "a name, wherever it is tried from"


def _failing(connection: Connection, at: int) -> Iterable[Failing]:
    rows = failed_logins.c
    some = (
        sa.select(rows.username, rows.failures, rows.failed_at)
        .where(rows.username != "", rows.source != "", rows.failures > 0, rows.failed_at > at - _DAY)
        .limit(_ROWS)
        .subquery()
    )
    failures = sa.func.sum(some.c.failures)
    query = (
        sa.select(technical_users.c.sender, failures, sa.func.max(some.c.failed_at))
        .join(technical_users, technical_users.c.username == some.c.username)
        .where(technical_users.c.sender.is_not(None))
        .group_by(technical_users.c.sender)
        .order_by(failures.desc(), technical_users.c.sender)
        .limit(LISTED)
    )
    return [Failing(sender, int(count), last) for sender, count, last in connection.execute(query)]


def _parked(connection: Connection, found: Iterable[Any]) -> Iterable[Parked]:
    tickets: dict[str, Any] = {}
    counts: Counter[str] = Counter()
    for one in found:
        tickets.setdefault(one.effect.ticket, one)
        counts[one.effect.ticket] += 1
    of = sa.select(submissions.c.ticket, submissions.c.sender).where(submissions.c.ticket.in_(tickets))
    senders: dict[str, str] = {row.ticket: row.sender for row in connection.execute(of)}
    lines: dict[str, Parked] = {}
    for ticket, first in tickets.items():
        sender = senders.get(ticket, "")
        before = lines.get(sender)
        count = counts[ticket] + (0 if before is None else before.count)
        lines[sender] = (
            Parked(sender, count, ticket, first.reason or "")
            if before is None
            else Parked(sender, count, before.ticket, before.reason)
        )
    return sorted(lines.values(), key=lambda line: (-line.count, line.sender))[:LISTED]
