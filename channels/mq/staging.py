"""Where the body of a message is between the broker and custody: a small one in memory, a large one on disk at once.

On disk, below the folder that a staging is given: one file a large body, `<number>`.  Nothing in there is promised to
anybody, for the broker keeps every message until it is acknowledged; so nothing is synced here, and what a process that
died has left is removed at the next start.  What is taken is put elsewhere by `Body.place`, and synced there.

There is room for so many bytes altogether, and none while the disk is nearly full: then bodies are withheld, not
stored, and the message has to be delivered again.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from itertools import count
from pathlib import Path
from time import monotonic
from typing import BinaryIO, Final

from spool.files import free_bytes, make_folder
from spool.syncing import write_read_only

IN_MEMORY: Final = 64 * 1024
"""Bodies of at most so many bytes stay in memory."""

_FRESH: Final = 0.1
"""So many seconds a look at the disk holds."""


class Room(Enum):
    """Whether there is room for more."""

    ENOUGH = "enough"
    DISK_FULL = "the disk is nearly full"
    MUCH_IN_HAND = "much is in hand already"
    NOT_WANTED = "intake is held up"


@dataclass(frozen=True, slots=True)
class StagingLimits:
    """In bytes: the largest body that is kept, all bodies together, and what has to stay free on the disk."""

    body: int
    together: int
    reserve: int


def _never() -> bool:
    return False


class Staging:
    """The bodies in hand; used by the event loop only, but for what `Body` says of itself.

    Args:
        folder: where large bodies go; what is in there is removed.
        limits: how much may be there.
        is_held_up: whether intake is to wait, whatever room there is.
    """

    def __init__(self, folder: Path, limits: StagingLimits, is_held_up: Callable[[], bool] = _never) -> None:
        if folder.exists():
            shutil.rmtree(folder)
        make_folder(folder)
        self.folder = folder
        self.limits = limits
        self._is_held_up = is_held_up
        self._numbers = count(1)
        self._used = 0
        self._looked_at = -_FRESH
        self._seen_free = 0

    def room(self, size: int = 0) -> Room:
        """Whether a body of ``size`` bytes may come."""
        if self._is_held_up():
            return Room.NOT_WANTED
        if self._used and self._used + size > self.limits.together:
            return Room.MUCH_IN_HAND
        if self._free(size) < self.limits.reserve + size:
            return Room.DISK_FULL
        return Room.ENOUGH

    def _free(self, size: int) -> int:
        """The bytes that the disk has left; for a body that stays in memory, those that it had a moment ago."""
        if size > IN_MEMORY or monotonic() - self._looked_at > _FRESH:
            self._looked_at = monotonic()
            self._seen_free = free_bytes(self.folder)
        return self._seen_free

    def open(self, size: int) -> "Body":
        """A body of ``size`` bytes begins to come."""
        too_large = size > self.limits.body
        withheld = not too_large and self.room(size) is not Room.ENOUGH
        body = Body(self, next(self._numbers), size, is_too_large=too_large, is_withheld=withheld)
        self._used += body.held
        return body

    def give_back(self, size: int) -> None:
        """``size`` bytes are gone."""
        self._used -= size


class Body:
    """The body of one message.

    ``size`` is in bytes, as announced.  One that ``is_too_large`` was not kept; one that ``is_withheld`` neither, for
    want of room: `read` then answers nothing.
    """

    def __init__(self, staging: Staging, number: int, size: int, *, is_too_large: bool, is_withheld: bool) -> None:
        self.number = number
        self.size = size
        self.is_too_large = is_too_large
        self.is_withheld = is_withheld
        self.held = 0 if is_too_large or is_withheld else size
        self._staging = staging
        self._path = staging.folder / str(number)
        self._in_memory = bytearray()
        self._file: BinaryIO | None = None
        self._digest = sha256()

    @property
    def sha256(self) -> str:
        """The SHA-256 of the body in hex."""
        return self._digest.hexdigest()

    def write(self, fragment: bytes) -> None:
        """Take the next bytes."""
        if not self.held:
            return
        self._digest.update(fragment)
        if self.held <= IN_MEMORY:
            self._in_memory += fragment
            return
        try:
            if self._file is None:
                self._file = self._path.open("xb", buffering=0)
            _write_all(self._file, fragment)
        except OSError:
            # The disk may be full all the same: as if there had been no room.
            self.is_withheld = True

    def close(self) -> None:
        """Everything came."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def read(self) -> bytes:
        """The bytes; may block on the disk."""
        if not self.held or self.is_withheld:
            return b""
        return bytes(self._in_memory) if self.held <= IN_MEMORY else self._path.read_bytes()

    def place(self, path: Path) -> None:
        """Put the bytes at ``path``, where nothing is, read-only; syncs nothing, may be done again elsewhere.  Blocks.

        Raises:
            OSError: the disk did not take them.
        """
        data = self._in_memory
        if self.held > IN_MEMORY:
            os.link(self._path, path)
            path.chmod(0o440)
        elif len(data) == self.size:
            write_read_only(str(path), data)
        else:
            raise FileNotFoundError("the body is no longer here")

    def drop(self) -> None:
        """The body is not needed here any more; harmless twice."""
        self.close()
        held, self.held = self.held, 0
        self._in_memory = bytearray()
        if held > IN_MEMORY:
            self._path.unlink(missing_ok=True)
        self._staging.give_back(held)


def _write_all(file: BinaryIO, fragment: bytes) -> None:
    view = memoryview(fragment)
    while view:
        view = view[file.write(view) :]
