"""May a sender put one more file into its inboxes, and how much room has it left?"""

from collections.abc import Callable

from spool.files import free_bytes, size_of
from spool.layout import Layout
from spool.mailbox import INBOXES, Mailbox, MailboxRefusal, Room, Trouble
from spool.quota import Quota
from spool.shared_quota import UncountedError
from spool.upload import Allowance, IntakeLimits, Reserve, check_room


class InboxRoom:
    """The room of every sender in the inboxes of ``layout``.

    ``allowed`` is what an upload that begins now may have; one that has begun keeps the limits that it began with.
    """

    def __init__(self, layout: Layout, limits: IntakeLimits, quota: Quota) -> None:
        self._layout = layout
        self.quota = quota
        self.allowed = Allowance(limits, quota, Reserve(layout.root, limits.reserve))

    def take_over(self, limits: IntakeLimits) -> None:
        """Let other limits count from now on; what waits already stays."""
        self.quota.limit = limits.sender_bytes
        self.allowed = Allowance(limits, self.quota, Reserve(self._layout.root, limits.reserve))

    def is_known(self, mailbox: Mailbox) -> bool:
        """Whether what the sender has was counted, so that one more file can be begun without counting."""
        return self.quota.has_room(mailbox, self.allowed.limits.files) and self.quota.knows(mailbox.sender)

    def measured(self, sender: str) -> int:
        """How many bytes of ``sender`` are on the disk."""
        files = self._layout.waiting_files
        boxes = (Mailbox(sender, directory) for directory in INBOXES)
        return sum(size_of(path) for box in boxes for path in files(box))

    def take(self, mailbox: Mailbox, is_begun: Callable[[], bool]) -> None:
        """Room for one more file in ``mailbox``, which the caller holds.

        Args:
            mailbox: where it goes.
            is_begun: answers whether its set is begun; while intake is closed others are not.

        Raises:
            MailboxRefusal: there is none.
        """
        limits = self.allowed.limits
        check_room(self.allowed.reserve, limits, is_begun)
        # An upload adds one file at most, so the disk need not be counted again before that room is used up.
        if not self.quota.add_file(mailbox, limits.files):
            self.quota.see_that_it_may_wait()
            self.quota.set_files(mailbox, self._count(mailbox))
            if not self.quota.add_file(mailbox, limits.files):
                raise MailboxRefusal(Trouble.FULL, "too many files are waiting in this directory; send their GO first")

    def fetch(self, sender: str, size: int, count: Callable[[str], None]) -> None:
        """See that ``size`` bytes are at hand; ``count`` has what waits of ``sender`` counted if it was not.

        Raises:
            MailboxRefusal: the sender would have more than it may.
            TallyHeldError, UncountedError: it cannot be told just now.
        """
        try:
            self.quota.fetch(sender, size)
        except UncountedError:
            count(sender)
            self.quota.fetch(sender, size)

    def left(self, mailbox: Mailbox) -> Room:
        """How much more the sender may put into ``mailbox``."""
        limits = self.allowed.limits
        left = max(0, limits.sender_bytes - self.quota.used(mailbox.sender))
        files = limits.files - self._count(mailbox)
        free = max(0, free_bytes(self._layout.root) - limits.reserve)
        return Room(limits.sender_bytes, min(left, free), limits.files, max(0, files))

    def _count(self, mailbox: Mailbox) -> int:
        return sum(1 for _ in self._layout.waiting_files(mailbox))
