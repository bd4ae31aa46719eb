"""When is the intake closed, who said so and why?

A window is announced before or as it begins; intake is closed from its start (inclusive) to its end (exclusive), so
that nobody has to open it again. There is one at most that is not past: another takes its place.

Every function takes the connection of a transaction. Times are microseconds since the epoch.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool.operator_tables import maintenance_windows as windows


@dataclass(frozen=True, slots=True)
class Window:
    """A window of maintenance; ``reason`` is for senders to read."""

    starts_at: int
    ends_at: int
    reason: str
    actor: str = ""

    def is_closed(self, at: int) -> bool:
        """Whether intake is closed then."""
        return self.starts_at <= at < self.ends_at


def planned(connection: Connection, at: int) -> Window | None:
    """The window that is on or to come, None if there is none."""
    query = sa.select(windows.c.starts_at, windows.c.ends_at, windows.c.reason, windows.c.actor).where(
        windows.c.called_off_at.is_(None), windows.c.ends_at > at
    )
    row = connection.execute(query.order_by(windows.c.number.desc()).limit(1)).first()
    return None if row is None else Window(*row)


@dataclass(frozen=True, slots=True)
class News:
    """What was said last of maintenance that is not past; without ``window``, that it was called off."""

    number: int
    window: Window | None


def news(connection: Connection, at: int) -> News | None:
    """What is to be known of maintenance at ``at``; None if nothing is."""
    query = sa.select(windows).where(windows.c.ends_at > at).order_by(windows.c.number.desc()).limit(1)
    row = connection.execute(query).first()
    if row is None:
        return None
    window = Window(row.starts_at, row.ends_at, row.reason, row.actor)
    return News(row.number, window if row.called_off_at is None else None)


def announce(connection: Connection, window: Window, at: int) -> Window | None:
    """Let ``window`` be the one that is on or to come; answers the one whose place it takes."""
    before = call_off(connection, at)
    connection.execute(
        sa.insert(windows).values(
            starts_at=window.starts_at,
            ends_at=window.ends_at,
            reason=window.reason,
            actor=window.actor,
            announced_at=at,
        )
    )
    return before


def call_off(connection: Connection, at: int) -> Window | None:
    """Let no window be on or to come; answers the one that was.  Harmless twice."""
    before = planned(connection, at)
    if before is not None:
        ahead = windows.c.called_off_at.is_(None) & (windows.c.ends_at > at)
        connection.execute(sa.update(windows).where(ahead).values(called_off_at=at))
    return before


def terms(window: Window, zone: tzinfo) -> dict[str, Any]:
    """What was announced, as senders read it, times in ``zone``."""
    return {
        "from": _moment(window.starts_at, zone).isoformat(),
        "until": _moment(window.ends_at, zone).isoformat(),
        "reason": window.reason,
    }


def facts(window: Window, at: int, zone: tzinfo) -> dict[str, Any]:
    """A window as senders read it, and whether it is on at ``at``."""
    return {**terms(window, zone), "closed": window.is_closed(at)}


def words(window: Window, at: int, zone: tzinfo = UTC) -> str:
    """A window as a sentence for senders."""
    start, end = (_moment(moment, zone).strftime(_SHOWN) for moment in (window.starts_at, window.ends_at))
    if window.is_closed(at):
        return f"maintenance until {end} ({window.reason}): nothing new is taken; send it again after that"
    return f"maintenance from {start} until {end} ({window.reason}): nothing new will be taken then"


_SHOWN: Final = "%Y-%m-%d %H:%M %Z"


def _moment(at: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(at // 1_000_000, zone)
