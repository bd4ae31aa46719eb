"""How many bytes of one sender wait in its inboxes, and may more come?

Counted in memory: once from the disk, then with every change.  The counters are exact while nobody else changes the
folders, and counted anew now and then where others do; what a client sends is counted before it is written, so that no
two connections can pass the limit together.
"""

import math
import threading
import time
from collections.abc import Callable

from spool.mailbox import MailboxRefusal, Trouble


class Quota:
    """The bytes that wait of every sender, at most ``limit`` of each.  Safe from several threads.

    A count from the disk is good for ``seconds``: for ever, unless other processes change the folders too.
    """

    def __init__(self, limit: int, seconds: float = math.inf) -> None:
        self.limit = limit
        self._seconds = seconds
        self._used: dict[str, int] = {}
        self._counted_at: dict[str, float] = {}
        self._guard = threading.Lock()

    def knows(self, sender: str) -> bool:
        """Whether the bytes of ``sender`` were counted, and not too long ago."""
        return sender in self._used and time.monotonic() - self._counted_at[sender] < self._seconds

    def count(self, sender: str, measure: Callable[[], int]) -> None:
        """Count the bytes of ``sender`` from the disk, if that was not done; nothing of it may change meanwhile."""
        if not self.knows(sender):
            used = measure()
            with self._guard:
                if not self.knows(sender):
                    self._counted_at[sender], self._used[sender] = time.monotonic(), used

    def used(self, sender: str) -> int:
        """How many bytes wait; 0 before they were counted."""
        return self._used.get(sender, 0)

    def take(self, sender: str, size: int) -> None:
        """Room for ``size`` bytes more.

        Raises:
            MailboxRefusal: the sender would have more than it may.
        """
        with self._guard:
            used = self._used.get(sender, 0) + size
            if used > self.limit:
                raise MailboxRefusal(
                    Trouble.FULL,
                    f"your IN directories may hold {self.limit} bytes together, and they are full; send the GO of what "
                    "is whole, or delete what you do not need",
                )
            self._used[sender] = used

    def give_back(self, sender: str, size: int) -> None:
        """``size`` bytes no longer wait; nothing to do for a sender that was not counted yet."""
        with self._guard:
            if sender in self._used:
                self._used[sender] = max(0, self._used[sender] - size)
