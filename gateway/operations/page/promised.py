"""How were the answers of a day against the promise, as far as a page may ask?

The same figures as ``gateway report``, of the newest submissions of the day: at so many a page stops, and says so.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway import answer_times
from gateway.answer_times import Line, Promise, Report
from gateway.metrics.timed import timed
from spool.tables import submissions

MOST: Final = 10_000
"""So many submissions of a day a page measures; ``gateway report`` measures them all."""

WORST: Final = 20
HELD: Final = 50
_SECOND: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class OfDay:
    """A day's report, with some of those that were held, and how many were.

    ``since`` is the moment before which nothing was looked at, None where all was.
    """

    day: date
    promise: Promise
    report: Report
    held: int
    since: int | None
    at: int

    @property
    def whole(self) -> Line:
        """The line of every type together."""
        return self.report.lines[-1]


def look(connection: Connection, day: date, promise: Promise, at: int) -> OfDay:
    """The report of ``day`` (UTC) at ``at`` (microseconds)."""
    start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * _SECOND
    end = start + int(timedelta(days=1).total_seconds()) * _SECOND
    since = _beyond(connection, start, end)
    found = timed(connection, start if since is None else since, end)
    report = answer_times.report(found, promise, at, WORST)
    return OfDay(day, promise, replace(report, held=report.held[:HELD]), len(report.held), since, at)


def _beyond(connection: Connection, start: int, end: int) -> int | None:
    """From when on the newest `MOST` came, None if there are no more."""
    received = submissions.c.received_at
    query = sa.select(received).where(received >= start, received < end).order_by(received.desc())
    last: int | None = connection.execute(query.offset(MOST).limit(1)).scalar()
    return None if last is None else last + 1
