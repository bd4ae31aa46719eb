"""Who may change what waits in a mailbox just now, and which uploads are open: in this process, and in others.

Several doors may share one spool.  Then a mailbox is held by a lock on a file of its folder too, and so is the file of
every upload that is open.  The kernel, or the server of a shared volume, lets go of them when a process ends.
"""

import fcntl
import os
import threading
from pathlib import Path
from typing import Final

from spool.files import is_locked, make_folder
from spool.layout import Layout
from spool.mailbox import Mailbox
from spool.upload import Upload

LOCK: Final = ".lock"


class MailboxLock:
    """The lock of one mailbox; whoever has it may take it again.

    Args:
        folder: the mailbox's, if other processes use it too.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._threads = threading.RLock()
        self._folder = folder
        self._depth = 0
        self._descriptor = -1

    def acquire(self, *, blocking: bool = True) -> bool:
        """Take it; without ``blocking`` only if nobody else has it.  Answers whether it was taken."""
        if not self._threads.acquire(blocking=blocking):
            return False
        if self._depth == 0 and self._folder is not None and not self._take(self._folder, blocking=blocking):
            self._threads.release()
            return False
        self._depth += 1
        return True

    def release(self) -> None:
        """Give it back, once for each time it was taken."""
        self._depth -= 1
        if self._depth == 0 and self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._threads.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _take(self, folder: Path, *, blocking: bool) -> bool:
        descriptor = _opened(folder)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if blocking else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True


def _opened(folder: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(folder / LOCK, flags, 0o640)
    except FileNotFoundError:
        make_folder(folder)
        return os.open(folder / LOCK, flags, 0o640)


class InUse:
    """The mailboxes that are held and the uploads that are open, of one tree of inboxes.  Safe from several threads.

    Args:
        layout: where they are.
        is_shared: whether other processes use them too.
    """

    def __init__(self, layout: Layout, *, is_shared: bool) -> None:
        self._layout = layout
        self._is_shared = is_shared
        self._uploads: dict[tuple[Mailbox, str], Upload] = {}
        self._locks: dict[Mailbox, MailboxLock] = {}
        self._guard = threading.Lock()

    def lock(self, mailbox: Mailbox) -> MailboxLock:
        """The lock of ``mailbox``."""
        with self._guard:
            if mailbox not in self._locks:
                self._locks[mailbox] = MailboxLock(self._layout.folder(mailbox) if self._is_shared else None)
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
