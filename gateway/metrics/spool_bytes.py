"""How many bytes does each part of the spool hold?

Walking through it takes as long as it takes, so it is done in a thread of its own and at most a fiftieth of the time;
whoever asks is told what was found last.  A day of custody that is over is not walked through again unless its folder
has changed.
"""

import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

PARTS: Final = ("incoming", "custody", "declarations", "answers", "messages", "back", "evidence")
_SHARE: Final = 49
_SOONEST: Final = 15.0


class SpoolBytes:
    """Measures one spool.

    Args:
        spool: its folder.
        soonest: seconds after which it is worth while to measure again.
    """

    def __init__(self, spool: Path, soonest: float = _SOONEST) -> None:
        self._spool = spool
        self._soonest = soonest
        self._known: Mapping[str, int] = {}
        self._next = 0.0
        self._days: dict[str, tuple[int, int]] = {}
        self._measuring = threading.Lock()

    def known(self) -> Mapping[str, int]:
        """The bytes of each part as they were found last; none before the first time."""
        if time.monotonic() >= self._next and self._measuring.acquire(blocking=False):
            threading.Thread(target=self._measure, name="spool bytes", daemon=True).start()
        return self._known

    def _measure(self) -> None:
        try:
            self._known = self.measured()
        finally:
            self._measuring.release()

    def measured(self) -> Mapping[str, int]:
        """Count now."""
        begun = time.monotonic()
        found = {part: self._custody() if part == "custody" else _bytes(self._spool / part) for part in PARTS}
        self._next = time.monotonic() + max(self._soonest, _SHARE * (time.monotonic() - begun))
        return found

    def _custody(self) -> int:
        days: dict[str, tuple[int, int]] = {}
        for entry in _entries(self._spool / "custody"):
            changed = _changed(entry)
            before = self._days.get(entry.name)
            size = before[1] if before is not None and before[0] == changed else _size(entry)
            days[entry.name] = (changed, size)
        self._days = days
        return sum(size for _, size in days.values())


def _bytes(folder: Path | str) -> int:
    return sum(map(_size, _entries(folder)))


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return _bytes(entry.path) if entry.is_dir(follow_symlinks=False) else entry.stat(follow_symlinks=False).st_size
    except OSError:
        return 0  # it went its way meanwhile


def _changed(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_mtime_ns
    except OSError:
        return 0


def _entries(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError:
        return
