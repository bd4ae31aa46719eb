"""Where is it written what waits of a sender, for all processes that take it in, and who may change it?

One file a sender, ``incoming/<sender>/.tally``; who changes it holds it locked (flock(2)) for that moment.  A
thread waits for the lock a few seconds; who runs on an event loop does not wait at all.

A host that hangs with the file locked keeps it.  Each holder stamps the file, so who waits sees whether it goes from
hand to hand.  If it does not for longer than anybody may hold it, by the waiter's own clock, it is taken away, and
whoever comes next begins another, in which nothing was measured yet.
"""

import asyncio
import fcntl
import os
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from config.errors import TemporaryError
from spool.files import make_folder
from spool.mailbox import INBOXES, Mailbox

TALLY: Final = ".tally"

BYTES, MEASURED_AT, EPOCH, FILES = range(4)
"""Places in a record: bytes that wait or are promised, when they were measured (seconds since the epoch), a number that
is another after each time, 0 before the first; then the files of each inbox, or `UNKNOWN`."""

UNKNOWN: Final = -1
_RECORD: Final = struct.Struct(f"<qqq{len(INBOXES)}q")
_PATIENCE: Final = 3.0
_REMEMBERED: Final = 1.0
_SURE: Final = 1.0
_SOON: Final = 0.0005
_LATER: Final = 0.005

Stamp = tuple[int, int]


class TallyHeldError(TemporaryError):
    """The counters of a sender cannot be had without waiting, or without waiting longer."""


class Tally:
    """The counters of every sender below ``root``; ``hung`` is for how many seconds at most a host may hold them."""

    def __init__(self, root: Path, hung: float) -> None:
        self._root = root
        self._hung = hung
        self._paths: dict[str, str] = {}
        self._seen: dict[str, tuple[Stamp, float]] = {}
        self._refused: dict[str, float] = {}
        # The lock of the file would do; but of the threads of a process one at a time asks for it, so that few do.
        self._queues: dict[str, threading.Lock] = {}

    def read(self, sender: str) -> list[int]:
        """What they say; who changes them does so meanwhile."""
        try:
            descriptor = os.open(self._path(sender), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return new_record()
        try:
            return record_in(descriptor)
        finally:
            os.close(descriptor)

    @contextmanager
    def held(self, sender: str, *, patient: bool) -> Iterator[int]:
        """Hold them for the time of the block; gives the descriptor for :func:`record_in` and :meth:`put`.

        Raises:
            TallyHeldError: others hold them; after some seconds if ``patient``, and on no event loop, else at once.
        """
        patient = patient and may_wait()
        queue = self._queues.setdefault(sender, threading.Lock())
        if not queue.acquire(timeout=_PATIENCE if patient else 0):
            raise _held()
        try:
            descriptor = self._locked(sender, patient=patient)
            try:
                yield descriptor
            finally:
                os.close(descriptor)
        finally:
            queue.release()

    def _path(self, sender: str) -> str:
        return self._paths.setdefault(sender, f"{self._root}/{sender}/{TALLY}")

    def put(self, sender: str, descriptor: int, record: list[int]) -> bool:
        """Write it; answers whether that is still the file that counts, or others have gone on without us."""
        os.pwrite(descriptor, _RECORD.pack(*record), 0)
        return _is_at(self._path(sender), descriptor)

    def _locked(self, sender: str, *, patient: bool) -> int:
        begun = last_change = time.monotonic()
        if begun - self._refused.get(sender, -_REMEMBERED) < _REMEMBERED:
            raise _held()
        path, pause, seen = self._path(sender), _SOON, None
        while isinstance(stamp := _try(path), tuple):
            now = time.monotonic()
            if stamp != seen:
                seen, last_change = stamp, now
            watched = self._watch(sender, stamp, now)
            if not patient:
                raise _held()
            if watched > self._hung and now - last_change > min(_SURE, self._hung):
                _take_away(path, stamp)
            elif now - begun > _PATIENCE:
                self._refused[sender] = now
                raise _held()
            time.sleep(pause)
            pause = min(2 * pause, _LATER)
        self._seen.pop(sender, None)
        return stamp

    def _watch(self, sender: str, stamp: Stamp, now: float) -> float:
        """For how many seconds the file was seen with this stamp."""
        before, since = self._seen.get(sender, (stamp, now))
        if before != stamp:
            since = now
        self._seen[sender] = stamp, since
        return now - since


def new_record() -> list[int]:
    """Of what was never measured."""
    return [0, 0, 0, *(UNKNOWN for _ in INBOXES)]


def record_in(descriptor: int) -> list[int]:
    """What is written there; a new record if that is nothing, or not whole."""
    data = os.pread(descriptor, _RECORD.size, 0)
    return list(_RECORD.unpack(data)) if len(data) == _RECORD.size else new_record()


def place_of(mailbox: Mailbox) -> int:
    """Where in a record its files are."""
    return FILES + INBOXES.index(mailbox.directory)


def _held() -> TallyHeldError:
    return TallyHeldError("the counters of a sender are held by another")


def may_wait() -> bool:
    """Whether this thread may stand still: none may that runs an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return True
    return False


def _try(path: str) -> int | Stamp:
    """A descriptor of the file, locked; or, if others have it, which file that is and when they took it."""
    while True:
        descriptor = _opened(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, descriptor):
                os.utime(descriptor)
                return descriptor
        except BlockingIOError:
            facts = os.fstat(descriptor)
            os.close(descriptor)
            return facts.st_ino, facts.st_mtime_ns
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # it was taken away meanwhile, and another is there, or can be


def _is_at(path: str, descriptor: int) -> bool:
    # On NFS a file that was taken away may have a link still.
    try:
        return os.path.samestat(Path(path).stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _take_away(path: str, stamp: Stamp) -> None:
    with suppress(FileNotFoundError):
        facts = Path(path).stat()
        if (facts.st_ino, facts.st_mtime_ns) == stamp:
            Path(path).unlink()


def _opened(path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o640)
    except FileNotFoundError:
        make_folder(Path(path).parent)
        return os.open(path, flags, 0o640)
