"""How much of one sender waits, where several processes take it in?

One file a sender, ``incoming/<sender>/.tally``, has the counters; who changes them holds it locked (flock(2)) for
that moment.  So no two doors can pass a limit together, on whichever hosts they are.  What a process that died had
counted and not written stays counted until the disk is measured: now and then, when no upload of the sender is open,
for only then is on the disk what was counted.  The same heals what a power cut has left of the file.

A host that hangs with the file locked keeps it.  Meanwhile there is no room to be had; after a while another file is
put in its place, and what was counted is measured anew.
"""

import fcntl
import os
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from config.errors import TemporaryError
from spool.files import make_folder
from spool.mailbox import INBOXES, Mailbox
from spool.quota import Quota, full

TALLY: Final = ".tally"

_RECORD: Final = struct.Struct(f"<qq{len(INBOXES)}q")
_BYTES, _MEASURED_AT, _FILES = range(3)
_UNKNOWN: Final = -1
_UNCOUNTED: Final = [0, 0, *(_UNKNOWN for _ in INBOXES)]
_MEASURED_FOR: Final = 12  # times that a look is good for
_TRIES: Final = 50
_PAUSE: Final = 0.001
_PLENTY: Final = 64


class TallyHeldError(TemporaryError):
    """Another host holds the counters, and does not go on."""


class SharedQuota(Quota):
    """The same for several processes, with the counters of each sender in a file below ``root``.

    Args:
        limit: most bytes of one sender.
        root: the folder of all inboxes.
        seconds: for how long a look at the file is good; what it says is measured anew after twelve times that.
        hung: for how many seconds at most a host may hold it.
    """

    def __init__(self, limit: int, root: Path, seconds: float, hung: float) -> None:
        super().__init__(limit)
        self._root = root
        self._seconds = seconds
        self._hung = hung
        self._looked_at: dict[str, float] = {}
        self._guards: dict[str, threading.Lock] = {}
        self._paths: dict[str, str] = {}

    def knows(self, sender: str) -> bool:
        """Whether the bytes of ``sender`` were counted by somebody, a short while ago."""
        looked_at = self._looked_at.get(sender)
        return looked_at is not None and time.monotonic() - looked_at < self._seconds

    def count(self, sender: str, measure: Callable[[], int], is_quiet: Callable[[], bool]) -> None:
        """See that they are counted, and that the count is not too old."""
        if self.knows(sender):
            return
        measured_at = self._read(sender)[_MEASURED_AT]
        is_old = abs(time.time() - measured_at) >= _MEASURED_FOR * self._seconds
        if not measured_at or (is_old and is_quiet()):
            used = measure()
            self._change(sender, lambda record: _set(record, _BYTES, used) and _set(record, _MEASURED_AT, time.time()))
        self._looked_at[sender] = time.monotonic()

    def used(self, sender: str) -> int:
        """How many bytes wait."""
        return self._read(sender)[_BYTES]

    def take(self, sender: str, size: int, more: int) -> int:
        """Room for ``size`` bytes, and while there is plenty for ``more``, so that the file is asked seldom.

        Raises:
            MailboxRefusal: the sender would have more than it may.
            TallyHeldError: it cannot be told just now.
        """
        spare = 0

        def add(record: list[int]) -> bool:
            nonlocal spare
            left = self.limit - record[_BYTES] - size
            spare = more if left > _PLENTY * more else 0
            record[_BYTES] += size + spare
            return left >= 0

        if not self._change(sender, add):
            raise full(self.limit)
        return spare

    def give_back(self, sender: str, size: int) -> None:
        """``size`` bytes no longer wait."""
        # What cannot be told now is found when the disk is measured.
        with suppress(OSError, TallyHeldError):
            self._change(sender, lambda record: _set(record, _BYTES, max(0, record[_BYTES] - size)))

    def add_file(self, mailbox: Mailbox, most: int) -> bool:
        """Count one more file, for all."""
        place = _place_of(mailbox)

        def add(record: list[int]) -> bool:
            record[place] += 1
            self._files[mailbox] = record[place]
            return 0 < record[place] <= most

        return self._change(mailbox.sender, add)

    def set_files(self, mailbox: Mailbox, count: int) -> None:
        """So many wait there."""
        self._change(mailbox.sender, lambda record: _set(record, _place_of(mailbox), count))

    def _path(self, sender: str) -> str:
        return self._paths.setdefault(sender, f"{self._root}/{sender}/{TALLY}")

    def _read(self, sender: str) -> list[int]:
        try:
            descriptor = os.open(self._path(sender), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return list(_UNCOUNTED)
        try:
            return _record_in(descriptor)
        finally:
            os.close(descriptor)

    def _change(self, sender: str, act: Callable[[list[int]], bool]) -> bool:
        """Let ``act`` change the counters, and nobody else meanwhile; if it answers no, they stay as they are."""
        with self._guards.setdefault(sender, threading.Lock()):
            descriptor = self._locked(self._path(sender))
            try:
                record = _record_in(descriptor)
                is_done = act(record)
                if is_done:
                    os.pwrite(descriptor, _RECORD.pack(*record), 0)
                return is_done
            finally:
                os.close(descriptor)

    def _locked(self, path: str) -> int:
        for _ in range(_TRIES):
            descriptor = _opened(path)
            if _lock(descriptor):
                return descriptor
            time.sleep(_PAUSE)
        with suppress(FileNotFoundError):
            if time.time() - Path(path).stat().st_mtime > self._hung:
                Path(path).unlink()
        raise TallyHeldError("the counters of a sender are held by a host that does not go on")


def _place_of(mailbox: Mailbox) -> int:
    return _FILES + INBOXES.index(mailbox.directory)


def _set(record: list[int], place: int, value: float) -> bool:
    record[place] = int(value)
    return True


def _record_in(descriptor: int) -> list[int]:
    data = os.pread(descriptor, _RECORD.size, 0)
    return list(_RECORD.unpack(data)) if len(data) == _RECORD.size else list(_UNCOUNTED)


def _lock(descriptor: int) -> bool:
    """Whether the file is held now; if not, because another has it or it was taken away, it is closed."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_held = os.fstat(descriptor).st_nlink > 0
    except BlockingIOError:
        is_held = False
    except BaseException:
        os.close(descriptor)
        raise
    if not is_held:
        os.close(descriptor)
    return is_held


def _opened(path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o640)
    except FileNotFoundError:
        make_folder(Path(path).parent)
        return os.open(path, flags, 0o640)
