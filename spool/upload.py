"""An upload in progress: which bytes of it came, and may more come?

A client has several requests under way and may send them in any order; SFTP knows no "end of file".  So the pieces are
kept account of: an upload that has a gap is not whole, and of one that was cut only the bytes before its first gap can
be gone on with.
"""

import math
import os
import shutil
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

from spool.declarations import Backlog
from spool.files import free_bytes, make_folder, size_of
from spool.mailbox import Mailbox, MailboxRefusal, Trouble
from spool.quota import Quota
from spool.settling import UNSETTLED
from spool.unsealed import Unsealed

_MAX_PIECES: Final = 256
_FRESH: Final = 0.1
_MOMENT: Final = 0.05
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Beginning(IntEnum):
    """What to do with the bytes that are there: there must be none; they are dropped; they are gone on with."""

    FIRST = os.O_EXCL
    ANEW = os.O_TRUNC
    RESUMED = 0


def _open() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """``file_bytes``: largest upload; ``files``: most waiting in a directory; ``reserve``: free bytes to keep.

    ``sender_bytes``: most that one sender may have waiting in its directories together.  ``backlog``: what was accepted
    and waits to be forwarded; while it is full nothing new is begun, and neither while ``unsealed`` stops intake.
    ``closed``: why no new set is begun just now, in words for its sender; empty if one may be.
    """

    file_bytes: int
    files: int
    reserve: int
    sender_bytes: int = 4 * 1024**3
    backlog: Backlog | None = None
    unsealed: Unsealed | None = None
    closed: Callable[[], str] = _open

    def is_held_up(self) -> bool:
        """Whether nothing new may be begun just now, whatever room there is."""
        unsealed = self.unsealed is not None and self.unsealed.stops_intake
        return unsealed or (self.backlog is not None and self.backlog.is_full) or bool(self.closed())


class Reserve:
    """What the disk under ``folder`` has to keep free: ``least`` bytes, which journal and answers need.

    While it has plenty it is asked ten times a second at most, and what is taken meanwhile is counted.
    """

    def __init__(self, folder: Path, least: int) -> None:
        self._folder = folder
        self._least = least
        self._left = 0
        self._asked = -_FRESH

    def check(self, size: int) -> None:
        """Take ``size`` bytes more.

        Raises:
            MailboxRefusal: the disk has no more than it has to keep.
        """
        now = time.monotonic()
        if self._left < size or now - self._asked >= _FRESH:
            self._left, self._asked = free_bytes(self._folder) - self._least, now
        if self._left < 0:
            raise MailboxRefusal(Trouble.FULL, "the gateway has no room left just now; try again later")
        self._left -= size


def check_room(reserve: Reserve, limits: IntakeLimits, is_begun: Callable[[], bool]) -> None:
    """Refuse another file while there is no room for it, or for what would become of it.

    While intake is closed only the files of a set that ``is_begun`` are taken.

    Raises:
        MailboxRefusal: intake is closed, the disk has no more than its reserve, too many declarations wait for the
            routing queue, or evidence cannot be written.
    """
    if (words := limits.closed()) and not is_begun():
        raise MailboxRefusal(Trouble.BUSY, words)
    reserve.check(0)
    if limits.backlog is not None and limits.backlog.is_full:
        raise MailboxRefusal(
            Trouble.FULL, "declarations that were accepted wait to be forwarded, and no more are taken; try again later"
        )
    if limits.unsealed is not None and limits.unsealed.stops_intake:
        raise MailboxRefusal(Trouble.FULL, "the gateway cannot write its evidence just now; try again later")


class Extent:
    """Which bytes are there: the first ``prefix`` ones, and pieces beyond a gap."""

    def __init__(self, prefix: int = 0) -> None:
        self.prefix = prefix
        self._pieces: list[tuple[int, int]] = []

    @property
    def is_whole(self) -> bool:
        """Whether there is no gap."""
        return not self._pieces

    @property
    def pieces(self) -> int:
        """How many pieces there are beyond the first gap."""
        return len(self._pieces)

    def add(self, start: int, end: int) -> None:
        """The bytes from ``start`` to ``end`` came."""
        if start > self.prefix:
            self._insert(start, end)
            return
        self.prefix = max(self.prefix, end)
        while self._pieces and self._pieces[0][0] <= self.prefix:
            self.prefix = max(self.prefix, self._pieces.pop(0)[1])

    def _insert(self, start: int, end: int) -> None:
        first = bisect_left(self._pieces, start, key=lambda piece: piece[1])
        last = first
        while last < len(self._pieces) and self._pieces[last][0] <= end:
            start, end = min(start, self._pieces[last][0]), max(end, self._pieces[last][1])
            last += 1
        self._pieces[first:last] = [(start, end)]

    def cut(self, size: int) -> None:
        """Nothing from ``size`` on is there any more."""
        self.prefix = min(self.prefix, size)
        self._pieces = [(start, min(end, size)) for start, end in self._pieces if start < size]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an upload may have: by the limits, of its sender's room, of the disk."""

    limits: IntakeLimits
    quota: Quota
    reserve: Reserve


class Upload:
    """An upload in progress; its bytes are nobody's until it is finished.

    Args:
        mailbox, name: what it is an upload of.
        path: where its bytes are kept.
        allowed: what it may have.
        how: what to do with the bytes that are there.

    Raises:
        FileExistsError: there are some, and there should be none.
    """

    def __init__(
        self, mailbox: Mailbox, name: str, path: Path, allowed: Allowance, how: Beginning = Beginning.ANEW
    ) -> None:
        self.mailbox = mailbox
        self.name = name
        self.path = path
        self._allowed = allowed
        self.descriptor = os.open(path, _FLAGS | how, UNSETTLED)
        self.is_first = how is Beginning.FIRST
        self.size = 0 if self.is_first else os.fstat(self.descriptor).st_size
        self._extent = Extent(self.size)
        self._touched = time.monotonic() if self.is_first else -math.inf

    @property
    def prefix(self) -> int:
        """How many bytes are there before the first gap."""
        return self._extent.prefix

    @property
    def is_whole(self) -> bool:
        """Whether there is no gap."""
        return self._extent.is_whole

    def write(self, offset: int, *pieces: bytes | memoryview) -> int:
        """Put ``pieces`` at ``offset`` bytes, in whatever order a client with several requests under way sends them.

        Answers how many bytes they have, all of which were written.

        Raises:
            MailboxRefusal: the file would be larger than allowed, its sender has too much waiting, or it comes in too
                many pieces.
        """
        size = sum(map(len, pieces))
        end = offset + size
        if not size:
            return 0
        if end > self._allowed.limits.file_bytes:
            raise MailboxRefusal(Trouble.FULL, f"a file may have at most {self._allowed.limits.file_bytes} bytes (184)")
        if end > self.size:
            self._grow(end)
        if self._extent.pieces >= _MAX_PIECES and offset > self._extent.prefix:
            raise MailboxRefusal(Trouble.DENIED, "this file comes in too many pieces; send it from beginning to end")
        _write(self.descriptor, offset, pieces, size)
        self._extent.add(offset, end)
        self._touched = time.monotonic()
        return size

    def _grow(self, end: int) -> None:
        sender, more = self.mailbox.sender, end - self.size
        # First what others may take meanwhile: that it is at hand was asked just now.
        self._allowed.quota.take(sender, more)
        try:
            self._allowed.reserve.check(more)
        except BaseException:
            self._allowed.quota.give_back(sender, more)
            raise
        self.size = end

    def missing_room(self, end: int) -> int:
        """How many bytes of its sender's room have to be fetched before it is written up to ``end``; mostly none."""
        more = end - self.size
        is_wanted = more > 0 and end <= self._allowed.limits.file_bytes
        return more if is_wanted and not self._allowed.quota.is_at_hand(self.mailbox.sender, more) else 0

    @property
    def is_fresh(self) -> bool:
        """Whether the time of its last change, as the disk has it, is that of this moment."""
        return time.monotonic() - self._touched < _MOMENT

    def truncate(self, size: int) -> None:
        """Cut the upload to ``size`` bytes; never makes it longer."""
        if size < self.size:
            os.ftruncate(self.descriptor, size)
            self._allowed.quota.give_back(self.mailbox.sender, self.size - size)
            self.size = size
            self._extent.cut(size)

    def close(self) -> None:
        """Give the descriptor back; harmless twice."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def _write(descriptor: int, offset: int, pieces: Sequence[bytes | memoryview], size: int) -> None:
    """Write all of ``pieces``, ``size`` bytes: several by one call, and what that leaves in one piece."""
    written = 0 if len(pieces) == 1 else os.pwritev(descriptor, pieces, offset)
    if written < size:
        left = memoryview(pieces[0] if len(pieces) == 1 else b"".join(pieces))[written:]
        while left:
            written = os.pwrite(descriptor, left, offset + size - len(left))
            left = left[written:]


def open_upload(mailbox: Mailbox, name: str, path: Path, waiting: Path, allowed: Allowance, *, resume: bool) -> Upload:
    """Begin an upload, or go on with what is at ``path``, or else with a copy of the file that waits at ``waiting``.

    Raises:
        MailboxRefusal: there is no room for a copy.
    """
    if not resume:
        with suppress(FileExistsError, FileNotFoundError):
            return Upload(mailbox, name, path, allowed, Beginning.FIRST)
    make_folder(path.parent)
    if not resume:
        allowed.quota.give_back(mailbox.sender, size_of(path))
    elif not path.exists():
        _copy(waiting, path, mailbox.sender, allowed.quota)
    return Upload(mailbox, name, path, allowed, Beginning.RESUMED if resume else Beginning.ANEW)


def _copy(waiting: Path, path: Path, sender: str, quota: Quota) -> None:
    size = size_of(waiting)
    quota.take(sender, size)
    try:
        if size:
            shutil.copyfile(waiting, path)
    except OSError:
        quota.give_back(sender, size)
        path.unlink(missing_ok=True)
        raise
