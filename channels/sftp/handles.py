"""What is behind the handle of an open file?

Handles are plain objects: asyncssh takes one that counts as false for an unknown one.
"""

import os
import time
from typing import Final

from channels.sftp.place import Place
from channels.sftp.refusal import TRY_AGAIN
from spool.intake import Upload
from spool.mailbox import Entry, MailboxRefusal, Trouble
from spool.tally import TallyHeldError

MAX_READ: Final = 255 * 1024


class _Transfer:
    """What goes over the wire for one handle: so many bytes, since it was opened."""

    def __init__(self) -> None:
        self._opened = time.monotonic()
        self._moved = 0

    @property
    def transfer(self) -> dict[str, float]:
        """Its seconds and bytes so far, as they are logged."""
        return {"seconds": round(time.monotonic() - self._opened, 3), "bytes": self._moved}


class Incoming(_Transfer):
    """The handle of an upload.  Once a write has failed, nothing of it can become a file any more."""

    def __init__(self, place: Place, upload: Upload, *, append: bool) -> None:
        super().__init__()
        self.place = place
        self.upload = upload
        self.broken: MailboxRefusal | None = None
        self._append = append

    def start(self, offset: int) -> int:
        """Where bytes go that the client sends for ``offset``."""
        return self.upload.size if self._append else offset

    def write(self, offset: int, *data: bytes | memoryview) -> None:
        """Put ``data`` where it belongs."""
        self.check()
        try:
            self._moved += self.upload.write(self.start(offset), *data)
        except TallyHeldError:
            raise  # before anything was written: somebody has taken the room meanwhile, and it is fetched again
        except Exception as error:
            self.break_off(error)
            raise

    def sync(self) -> None:
        """Make what was written so far durable."""
        self.check()
        try:
            os.fsync(self.upload.descriptor)
        except OSError as error:
            # The kernel reports lost pages once, and a second fsync would succeed without them.
            self.break_off(error)
            raise

    @property
    def entry(self) -> Entry:
        """The upload as it is now."""
        return Entry(self.place.name, self.upload.size, time.time())

    def check(self) -> None:
        """Raises the reason if this upload has failed."""
        if self.broken is not None:
            raise MailboxRefusal(self.broken.trouble, self.broken.words)

    def break_off(self, error: Exception) -> None:
        """Bytes were lost: a later success must not hide it."""
        self.broken = error if isinstance(error, MailboxRefusal) else MailboxRefusal(Trouble.BUSY, TRY_AGAIN)


class Outgoing(_Transfer):
    """The handle of a download."""

    def __init__(self, place: Place, descriptor: int, modified: float | None = None) -> None:
        super().__init__()
        self.place = place
        self.descriptor = descriptor
        facts = os.fstat(descriptor)
        self.entry = Entry(place.name, facts.st_size, facts.st_mtime if modified is None else modified)
        self.reached = 0
        self._first = facts.st_size

    @property
    def is_complete(self) -> bool:
        """Whether it was read to its end, from its beginning or from where an earlier download was cut."""
        return self.reached >= self.entry.size and self._moved >= self.entry.size - self._first

    def read(self, offset: int, size: int) -> bytes:
        """At most ``size`` bytes from ``offset``; none at the end."""
        if offset >= self.entry.size:
            return b""
        data = os.pread(self.descriptor, min(size, MAX_READ), offset)
        self._first = min(self._first, offset)
        self._moved += len(data)
        self.reached = max(self.reached, offset + len(data))
        return data
