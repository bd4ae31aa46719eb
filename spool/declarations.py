"""The declarations of accepted files on their way to the routing queue.

One file a ticket holds them one after the other; where each begins and ends stands in the effect that forwards it.
The file is derived from what is in custody: it is written before the verdict, again if the verdict has to be made
again, and removed once the last declaration is confirmed. Of a large one the disk gets the beginning while the rest is
written, so that little is left to wait for.
"""

import errno
import os
import secrets
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Final

from spool.files import make_folder, sync_folder

_SWEPT_AT_ONCE: Final = 500
_BUFFER_BYTES: Final = 256 * 1024
_AHEAD_BYTES: Final = 4 * 1024**2


class DeclarationWriter:
    """Appends declarations; ``spans`` has offset and length in bytes of each."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        self._unwritten: list[bytes] = []
        self._size = self._written = 0
        self._fault: OSError | None = None
        self._ahead = _Ahead(self._descriptor)
        self.spans: list[tuple[int, int]] = []

    def append(self, declaration: bytes) -> None:
        """Add one declaration.

        Raises:
            OSError: it, or one before it, is not kept.
        """
        self.spans.append((self._size, len(declaration)))
        self._unwritten.append(declaration)
        self._size += len(declaration)
        if self._size - self._written >= _BUFFER_BYTES:
            self._write()
            self._ahead.sync(self._size)

    def close(self) -> None:
        """Make what was written durable.

        Raises:
            OSError: it is not.
        """
        self._write()
        self._ahead.close()
        os.fsync(self._descriptor)
        self._close()

    def drop(self) -> None:
        """Give the file up."""
        with suppress(OSError):
            self._ahead.close()
        self._close()

    def _write(self) -> None:
        if self._fault is not None:
            raise self._fault
        try:
            rest = memoryview(b"".join(self._unwritten))
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as fault:
            # Some of it may be there: nothing may be built on that file.
            self._fault = fault
            raise
        self._unwritten.clear()
        self._written = self._size

    def _close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


class _Ahead:
    """Puts a file that grows onto the disk, in a thread of its own."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._thread: ThreadPoolExecutor | None = None
        self._syncing: Future[None] | None = None
        self._fault: OSError | None = None
        self._next = _AHEAD_BYTES

    def sync(self, size: int) -> None:
        """Begin, if it has grown by much to this size and the last time has ended.

        Raises:
            OSError: the last time failed. The kernel says so once, and nothing may be built on that file.
        """
        if size < self._next or (self._syncing is not None and not self._syncing.done()):
            return
        self._next = size + _AHEAD_BYTES
        self._check()
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1)
        with suppress(RuntimeError):  # there is no room for a thread: who closes waits for the disk
            self._syncing = self._thread.submit(self._put)

    def close(self) -> None:
        """Wait for the last time to end.

        Raises:
            OSError: as :meth:`sync`.
        """
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None
        self._check()

    def _put(self) -> None:
        try:
            os.fdatasync(self._descriptor)
        except OSError as fault:
            # Kept here: the pool may still run what it said it had no thread for, and nobody has that future.
            self._fault = fault

    def _check(self) -> None:
        if self._fault is not None:
            raise self._fault


@contextmanager
def writing(path: Path) -> Iterator[DeclarationWriter]:
    """A writer whose file stands at ``path``, durable, when the block ends well; nothing stands there otherwise."""
    make_folder(path.parent)
    # Should two processes write it, each has its own until it has its name; both say the same.
    temporary = f"{path.parent}/.{path.name}-{secrets.token_hex(4)}"
    writer = DeclarationWriter(temporary)
    try:
        yield writer
        writer.close()
    except BaseException:
        writer.drop()
        Path(temporary).unlink(missing_ok=True)
        raise
    os.rename(temporary, path)  # noqa: PTH104 - for every submission
    sync_folder(path.parent)


def read(path: Path, offset: int, length: int) -> bytes:
    """One declaration of the file at ``path``.

    Raises:
        OSError: it is not there whole.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(descriptor, length, offset)
    finally:
        os.close(descriptor)
    if len(data) != length:
        raise OSError(errno.EIO, "the file of declarations is cut short")
    return data


def sweep(root: Path, needed: Callable[[Collection[str]], Collection[str]], older_than: float = float("inf")) -> None:
    """Remove the files of all tickets but those that ``needed`` answers; it is asked about some at a time.

    Only those last written before ``older_than`` (seconds since the epoch).
    """
    if not root.is_dir():
        return
    with os.scandir(root) as entries:
        names = (entry.name for entry in entries if _is_older(entry, older_than))
        while batch := list(islice(names, _SWEPT_AT_ONCE)):
            for name in set(batch) - set(needed(batch)):
                (root / name).unlink(missing_ok=True)


def _is_older(entry: os.DirEntry[str], moment: float) -> bool:
    try:
        return entry.stat(follow_symlinks=False).st_mtime < moment
    except FileNotFoundError:
        return False  # who forwards has dropped it meanwhile


class Backlog:
    """How many bytes of declarations wait to be forwarded, and whether they are too many to take in more.

    Measured on the disk, parked ones included, so that every process that shares the folder sees the same; asking
    costs nothing and is safe from any thread.  What is accepted between two measurements comes on top of ``limit``.
    """

    def __init__(self, root: Path, limit: int) -> None:
        self._root = root
        self.limit = limit
        self.size = 0
        self._next = 0.0

    @property
    def is_full(self) -> bool:
        """Whether intake has to stop until declarations have been forwarded."""
        return self.size > self.limit

    def measure(self) -> int:
        """Count the bytes anew, unless that was done a moment ago; answers how many there are.

        With a million files it takes seconds: at most a fiftieth of the time is spent on it.
        """
        started = time.monotonic()
        if started >= self._next:
            self.size = sum(_sizes(self._root))
            self._next = time.monotonic() + 49 * (time.monotonic() - started)
        return self.size


def _sizes(root: Path) -> Iterator[int]:
    try:
        with os.scandir(root) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    yield entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return
