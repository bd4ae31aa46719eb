"""Is the intake closed for maintenance, and what are senders told of it?

What was announced stands in the journal, and is looked up every few seconds; whether it is on just now is a matter of
the clock, so intake closes and opens in time also while the journal is away, and is closed still after a restart.
While it is closed nothing new is taken by any door: a set that was begun may be finished, and what is in custody is
judged, answered and forwarded as ever.
"""

import asyncio
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, Final

import structlog
from sqlalchemy.engine import Connection

from config.errors import TemporaryError
from gateway.holding import word_of
from gateway.register.actor import Operator, Refusal, Why
from gateway.register.history import record
from spool import maintenance
from spool.journal import Journal, now
from spool.maintenance import Window

log = structlog.get_logger()

_LOOK_SECONDS: Final = 2.0
_SUBJECT: Final = "gateway:intake"


class Calendar:
    """The window of maintenance that is on or to come, as the doors ask for it: asking is safe from any thread."""

    def __init__(self, journal: Journal, zone: tzinfo) -> None:
        self._journal = journal
        self._zone = zone
        self._window: Window | None = None
        self._was_closed = False

    def look(self) -> None:
        """See what is announced now.  Blocks on the journal.

        Raises:
            JournalError: it can't be read.
        """
        with self._journal.read() as connection:
            self._window = maintenance.planned(connection, now())

    @property
    def is_closed(self) -> bool:
        """Whether intake is closed just now."""
        return self._window is not None and self._window.is_closed(now())

    def refusal(self) -> str:
        """Why nothing new is taken just now, in words for its sender; empty if it is."""
        window, at = self._window, now()
        return maintenance.words(window, at, self._zone) if window is not None and window.is_closed(at) else ""

    def banner(self) -> str:
        """What a client is told when it comes: the maintenance that is on or announced; empty if none is."""
        window, at = self._window, now()
        return maintenance.words(window, at, self._zone) if window is not None and at < window.ends_at else ""

    async def follow(self) -> None:
        """Look again and again; never ends by itself."""
        while True:
            try:
                await asyncio.to_thread(self.look)
            except TemporaryError as fault:
                log.warning("maintenance.unknown", fault=type(fault).__name__)
            self._tell()
            await asyncio.sleep(_LOOK_SECONDS)

    def _tell(self) -> None:
        if self.is_closed != self._was_closed:
            self._was_closed = not self._was_closed
            log.info("maintenance.begun" if self._was_closed else "maintenance.ended")


def open_calendar(journal: Journal, zone: tzinfo) -> Calendar:
    """A calendar that knows what is announced.

    Raises:
        JournalError: it can't be read.
    """
    calendar = Calendar(journal, zone)
    calendar.look()
    return calendar


def announce(connection: Connection, who: Operator, starts_at: int, ends_at: int, reason: str) -> Window | Refusal:
    """Close the intake from one moment to another (microseconds); takes the place of what was announced before."""
    at, word = now(), word_of(who, reason)
    window = Window(starts_at, ends_at, word.reason, word.actor)
    if ends_at <= max(at, starts_at):
        return Refusal(Why.INVALID, "maintenance has to end after it has begun, and not in the past")
    known = maintenance.planned(connection, at)
    if known is not None and _facts(known) == _facts(window):
        return known
    maintenance.announce(connection, window, at)
    before = None if known is None else _facts(known)
    record(connection, who, "maintenance.announced", _SUBJECT, reason, before, _facts(window))
    return window


def call_off(connection: Connection, who: Operator, reason: str) -> Window | None:
    """Open the intake, or leave it open; answers the window that was on or to come."""
    window = maintenance.call_off(connection, now())
    if window is not None:
        record(connection, who, "maintenance.called-off", _SUBJECT, reason, _facts(window), None)
    return window


def _facts(window: Window) -> Mapping[str, Any]:
    return {"from": window.starts_at, "until": window.ends_at, "reason": window.reason}
