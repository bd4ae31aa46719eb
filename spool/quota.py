"""How much of one sender waits in its inboxes, bytes and files, and may more come?

Counted in memory: once from the disk, then with every change.  The counters are exact, for nobody else changes the
folders; what a client sends is counted before it is written, so that no two connections can pass the limit together.
Where other processes change them too, :mod:`spool.shared_quota` counts for all.
"""

import threading
from collections.abc import Callable

from spool.mailbox import Mailbox, MailboxRefusal, Trouble


class Quota:
    """What waits of every sender, at most ``limit`` bytes of each.  Safe from several threads."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._used: dict[str, int] = {}
        self._files: dict[Mailbox, int] = {}
        self._guard = threading.Lock()

    def knows(self, sender: str) -> bool:
        """Whether the bytes of ``sender`` were counted."""
        return sender in self._used

    def see_that_it_may_wait(self) -> None:
        """See that the disk may be counted here; alone nobody counts where it may not."""

    def count(self, sender: str, measure: Callable[[], int], is_quiet: Callable[[], bool]) -> None:
        """Count the bytes of ``sender`` from the disk, if that has to be done.

        Args:
            sender: whose; all its mailboxes are held by the caller.
            measure: answers how many bytes there are.
            is_quiet: answers whether no upload of it is open; only then what is measured is what is counted.
        """
        if not self.knows(sender):
            used = measure()
            with self._guard:
                self._used.setdefault(sender, used)

    def used(self, sender: str) -> int:
        """How many bytes wait; 0 before they were counted."""
        return self._used.get(sender, 0)

    def is_at_hand(self, sender: str, size: int) -> bool:
        """Whether :meth:`take` for so much would ask nobody else, and so not wait."""
        return True

    def fetch(self, sender: str, size: int) -> None:
        """See that so much is at hand; may wait for others."""

    def take(self, sender: str, size: int) -> None:
        """Room for ``size`` bytes.

        Raises:
            MailboxRefusal: the sender would have more than it may.
        """
        with self._guard:
            used = self._used.get(sender, 0) + size
            if used > self.limit:
                raise full(self.limit)
            self._used[sender] = used

    def give_back(self, sender: str, size: int) -> None:
        """``size`` bytes no longer wait; nothing to do for a sender that was not counted yet."""
        with self._guard:
            if sender in self._used:
                self._used[sender] = max(0, self._used[sender] - size)

    def has_room(self, mailbox: Mailbox, most: int) -> bool:
        """Whether less than ``most`` files wait in ``mailbox``, as far as is known; no before they were counted."""
        return self._files.get(mailbox, most) < most

    def add_file(self, mailbox: Mailbox, most: int) -> bool:
        """Count one more file, if there are not ``most`` already and they were counted; for who holds ``mailbox``."""
        if not self.has_room(mailbox, most):
            return False
        self._files[mailbox] += 1
        return True

    def set_files(self, mailbox: Mailbox, count: int) -> None:
        """So many wait there; to be called by who holds ``mailbox``."""
        self._files[mailbox] = count


def full(limit: int) -> MailboxRefusal:
    """What a sender is refused with that would have more than ``limit`` bytes waiting."""
    return MailboxRefusal(
        Trouble.FULL,
        f"your IN directories may hold {limit} bytes together, and they are full; send the GO of what is whole, or "
        "delete what you do not need",
    )
