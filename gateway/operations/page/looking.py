"""How does a page read the journal so that nobody else notices?

In a transaction that only reads, ended by the database itself after some seconds, whatever was asked; and what was read
a moment ago is good enough for the next who asks: however many look, the journal is asked once.  Whether it can be
written is no question of a page: the overview hears it of the processes (`gateway.health`).
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Generic, TypeVar

from sqlalchemy.engine import Connection

from spool.journal import Journal

T = TypeVar("T")

PATIENCE: Final = 5.0
_STEPS: Final = 10_000
# Every question of a page has an index: a plan that reads a table from its beginning is never the right one.  Such a
# plan counts as very dear, and what is dear PostgreSQL would compile first.
_BY_INDEX: Final = ("enable_seqscan = off", "jit = off")
_DAYS_KEPT: Final = 16


@contextmanager
def looking(journal: Journal, seconds: float = PATIENCE) -> Iterator[Connection]:
    """A transaction that only reads, and in which the questions together have so many seconds.

    Raises:
        JournalError: the journal cannot be read, or the time was up.
    """
    with journal.read() as connection:
        if connection.dialect.name != "sqlite":
            for setting in (f"statement_timeout = {round(seconds * 1000)}", *_BY_INDEX):
                connection.exec_driver_sql(f"SET LOCAL {setting}")
            yield connection
            return
        end = time.monotonic() + seconds
        own: Any = connection.connection.driver_connection
        own.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
        try:
            yield connection
        finally:
            # The connection is another's next.
            own.set_progress_handler(None, 0)


class Recent(Generic[T]):
    """What was found for a key a moment ago; from any thread, and found by one of them while others wait for it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[float, T]] = OrderedDict()

    def get(self, key: str, seconds: float, find: Callable[[], T]) -> T:
        """What ``find`` answers, or has answered within so many seconds."""
        with self._lock:
            at = self._clock()
            known = self._known.get(key)
            if known is not None and at - known[0] < seconds:
                return known[1]
            found = find()
            self._known[key] = (at, found)
            self._known.move_to_end(key)
            while len(self._known) > _DAYS_KEPT:
                self._known.popitem(last=False)
            return found
