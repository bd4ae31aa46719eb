"""Who may change what waits in a mailbox just now, and which uploads are open: in this process, and in others.

Several doors may share one spool.  Then a mailbox is held by a lock on a file of its folder too, and so is the file of
every upload that is open.  The kernel, or the server of a shared volume, lets go of them when a process ends.

A host that hangs keeps its locks.  Who has waited for a mailbox for longer than anybody holds one puts another file in
the place of the one that is locked; the host that hung sees so when it goes on, and leaves off.
"""

import errno
import fcntl
import os
import threading
import time
from pathlib import Path
from typing import Final

import structlog

from spool.files import is_locked, make_folder
from spool.layout import Layout
from spool.mailbox import Mailbox
from spool.upload import Upload

log = structlog.get_logger()

LOCK: Final = ".lock"
HUNG_SECONDS: Final = 30.0
"""Who holds a mailbox for so long is taken to hang."""

_SOON: Final = 0.001
_LATER: Final = 0.05


class MailboxLock:
    """The lock of one mailbox; whoever has it may take it again.

    Args:
        folder: the mailbox's, if other processes use it too.
        hung: for how many seconds at most one of these may hold it.
    """

    def __init__(self, folder: Path | None = None, hung: float = HUNG_SECONDS) -> None:
        self._threads = threading.RLock()
        self._folder = None if folder is None else str(folder)
        self._hung = hung
        self._depth = 0
        self._descriptor = -1
        self._number = 0

    def acquire(self, *, blocking: bool = True) -> bool:
        """Take it; without ``blocking`` only if nobody else has it.  Answers whether it was taken."""
        if not self._threads.acquire(blocking=blocking):
            return False
        try:
            if self._depth == 0 and self._folder is not None and not self._take(self._folder, blocking=blocking):
                self._threads.release()
                return False
        except BaseException:
            self._threads.release()
            raise
        self._depth += 1
        return True

    def release(self) -> None:
        """Give it back, once for each time it was taken."""
        self._depth -= 1
        if self._depth == 0 and self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._threads.release()

    def check(self) -> None:
        """See that it is ours still; to be called right before something gets its name.

        Raises:
            OSError: this host hung for so long that others have gone on without it (ESTALE).
        """
        if self._folder is not None and _is_there(_file(self._folder, self._number + 1)):
            raise OSError(errno.ESTALE, "others hold this mailbox: this host stood still for too long")

    def __enter__(self) -> "MailboxLock":
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _take(self, folder: str, *, blocking: bool) -> bool:
        seen, since, pause = (-1, 0), time.monotonic(), _SOON
        while True:
            number = _newest(folder)
            descriptor, taken_at = _locked(_file(folder, number))
            if descriptor is None:
                if not blocking:
                    return False
                if seen != (number, taken_at):
                    seen, since = (number, taken_at), time.monotonic()
                elif time.monotonic() - since > self._hung:
                    _supersede(folder, number)
                time.sleep(pause)
                pause = min(2 * pause, _LATER)
            elif not _is_there(_file(folder, number + 1)):
                self._descriptor, self._number = descriptor, number
                return True
            else:
                os.close(descriptor)


def _file(folder: str, number: int) -> str:
    return f"{folder}/{LOCK}-{number}" if number else f"{folder}/{LOCK}"


def _newest(folder: str) -> int:
    """The number of the file that is locked now: each that hung has left one with a lower number."""
    number = 0
    while _is_there(_file(folder, number + 1)):
        number += 1
    return number


def _is_there(file: str) -> bool:
    try:
        os.stat(file)  # noqa: PTH116 - asked several times for each file of a submission
    except FileNotFoundError:
        return False
    return True


def _locked(file: str) -> tuple[int | None, int]:
    """A descriptor of the file, locked, or None if somebody else has it; and when it was taken (nanoseconds)."""
    descriptor = _opened(file)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.utime(descriptor)  # who waits sees that it goes from hand to hand
    except BlockingIOError:
        taken_at = os.fstat(descriptor).st_mtime_ns
        os.close(descriptor)
        return None, taken_at
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, 0


def _supersede(folder: str, number: int) -> None:
    """Put another in its place; of several who wait all do the same."""
    os.close(_opened(_file(folder, number + 1)))
    _, sender, directory = folder.rsplit("/", 2)
    log.warning("mailbox.taken_over", sender=sender, directory=directory)


def _opened(file: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(file, flags, 0o640)
    except FileNotFoundError:
        make_folder(Path(file).parent)
        return os.open(file, flags, 0o640)


class InUse:
    """The mailboxes that are held and the uploads that are open, of one tree of inboxes.  Safe from several threads.

    Args:
        layout: where they are.
        is_shared: whether other processes use them too.
        hung: for how many seconds at most one of these may hold a mailbox.
    """

    def __init__(self, layout: Layout, *, is_shared: bool, hung: float = HUNG_SECONDS) -> None:
        self._layout = layout
        self._is_shared = is_shared
        self._hung = hung
        self._uploads: dict[tuple[Mailbox, str], Upload] = {}
        self._locks: dict[Mailbox, MailboxLock] = {}
        self._guard = threading.Lock()

    def lock(self, mailbox: Mailbox) -> MailboxLock:
        """The lock of ``mailbox``."""
        known = self._locks.get(mailbox)
        if known is not None:
            return known
        with self._guard:
            if mailbox not in self._locks:
                self._locks[mailbox] = MailboxLock(
                    self._layout.folder(mailbox) if self._is_shared else None, self._hung
                )
            return self._locks[mailbox]

    def begun(self, upload: Upload) -> None:
        """It is open from now on."""
        if self._is_shared:
            try:
                fcntl.flock(upload.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                upload.close()
                raise
        self._uploads[upload.mailbox, upload.name] = upload

    def ended(self, upload: Upload) -> None:
        """It is open no more."""
        self._uploads.pop((upload.mailbox, upload.name), None)
        upload.close()

    def find(self, mailbox: Mailbox, name: str) -> Upload | None:
        """The upload that this process has open under that name."""
        return self._uploads.get((mailbox, name))

    def is_open(self, mailbox: Mailbox, name: str) -> bool:
        """Whether ``name`` is being uploaded, here or in another process."""
        here = (mailbox, name) in self._uploads
        return here or (self._is_shared and is_locked(self._layout.growing(mailbox, name)))

    def names(self, mailbox: Mailbox) -> list[str]:
        """Everything that is being uploaded into ``mailbox``."""
        here = [name for box, name in list(self._uploads) if box == mailbox]
        there = self._layout.uploads(mailbox) if self._is_shared else []
        return here + [name for name in there if self.is_open(mailbox, name)]
