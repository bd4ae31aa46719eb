"""A clock that jumps: what a process is told of the time, by a file that others may write at any time.

A process that installs it is told the true time and what the file adds to it, by :mod:`time`, by ``datetime`` in the
product's modules, and as the times of files: those written before a jump keep the time that they were written at.  What
only counts seconds (the monotonic clock) does not jump, as on a real machine.  The clock of the machine stays as it is.

There is a time zone of its own too, :data:`ZONE`, in which summer time begins and ends every few hours.
"""

import datetime as dates
import json
import os
import struct
import sys
import time
import zoneinfo
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import Any, Final

SECOND: Final = 1_000_000_000
"""Nanoseconds, which is what this clock counts."""
ZONE: Final = "Jumping"
_EVERY: Final = 6 * 3600
_CHANGES: Final = 400
_ROOMS: Final = ("channels", "config", "gateway", "schemas", "signing", "spool")
_EPOCH: Final = dates.datetime(1970, 1, 1, tzinfo=dates.UTC)
_time_ns: Final = time.time_ns
_stat: Final = os.stat


@dataclass(slots=True)
class Clock:
    """The clock that ``file`` tells of; it need not be there, and then nothing has jumped yet."""

    file: Path
    _stamp: tuple[int, int] = (0, 0)
    _moments: list[int] = field(default_factory=list)
    _ahead: list[int] = field(default_factory=list)

    def told(self, at: int) -> int:
        """What it showed, or will show, at a true moment (nanoseconds since the epoch)."""
        self._read()
        place = bisect_right(self._moments, at)
        return at + (self._ahead[place - 1] if place else 0)

    def now(self) -> int:
        """What it shows."""
        return self.told(_time_ns())

    @property
    def ahead(self) -> int:
        """By how much it is ahead of the true time (nanoseconds)."""
        return self.told(moment := _time_ns()) - moment

    def jump(self, by: int) -> None:
        """Let it jump, for everybody whom the file tells of it."""
        moment = _time_ns()
        known = [*zip(self._moments, self._ahead, strict=True), (moment, self.ahead + by)]
        new = self.file.with_suffix(".new-clock")
        new.write_text(json.dumps(known), encoding="utf-8")
        new.rename(self.file)

    def _read(self) -> None:
        try:
            facts = _stat(self.file)
        except FileNotFoundError:
            return
        stamp = facts.st_mtime_ns, facts.st_ino
        if stamp != self._stamp:
            known = json.loads(self.file.read_text(encoding="utf-8"))
            self._moments, self._ahead = [moment for moment, _ in known], [ahead for _, ahead in known]
            self._stamp = stamp


def install(clock: Clock) -> None:
    """Let this process be told the time by ``clock``; to be called once all of the product is imported."""
    replaced: list[tuple[Any, str, Any]] = [
        (time, "time_ns", clock.now),
        (time, "time", lambda: clock.now() / SECOND),
        *((os, name, _shown(clock, getattr(os, name))) for name in ("stat", "lstat", "fstat")),
        (os, "scandir", _listed(clock, os.scandir)),
    ]
    told = _moments(clock)
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in _ROOMS and getattr(module, "datetime", None) is dates.datetime:
            replaced.append((module, "datetime", told))
    for owner, name, value in replaced:
        setattr(owner, name, value)


def _shown(clock: Clock, original: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
    """A function that tells of files, with their times as the clock showed them."""

    def shown(*args: Any, **kwargs: Any) -> os.stat_result:
        facts = original(*args, **kwargs)
        return _moved(facts, clock) if clock.told(facts.st_mtime_ns) != facts.st_mtime_ns else facts

    return shown


class _Entry:
    """What a folder has, as :class:`os.DirEntry` tells of it."""

    def __init__(self, entry: os.DirEntry[Any], clock: Clock) -> None:
        self._entry = entry
        self.stat = _shown(clock, entry.stat)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._entry, name)

    def __fspath__(self) -> Any:
        return os.fspath(self._entry)


class _Entries(ExitStack):
    """A folder, as :func:`os.scandir` tells of it."""

    def __init__(self, entries: Any, clock: Clock) -> None:
        super().__init__()
        self._entries, self._clock = self.enter_context(entries), clock

    def __iter__(self) -> Iterator[_Entry]:
        return self

    def __next__(self) -> _Entry:
        return _Entry(next(self._entries), self._clock)


def _listed(clock: Clock, original: Callable[..., Any]) -> Callable[..., _Entries]:
    return lambda *args: _Entries(original(*args), clock)


def _moved(facts: os.stat_result, clock: Clock) -> os.stat_result:
    more = {name: getattr(facts, name) for name in dir(facts) if name.startswith("st_")}
    for name in ("st_atime", "st_mtime", "st_ctime"):
        at = clock.told(more[f"{name}_ns"])
        more |= {name: at / SECOND, f"{name}_ns": at}
    whole = [int(more[name]) for name in ("st_atime", "st_mtime", "st_ctime")]
    return os.stat_result((*facts[:7], *whole), more)


def _moments(clock: Clock) -> type:
    """What stands for ``datetime`` where it asks for the present, and is it in all else."""

    class Kind(type):
        def __call__(cls, *args: Any, **kwargs: Any) -> dates.datetime:
            return dates.datetime(*args, **kwargs)  # noqa: DTZ001 - the caller says which zone

        def __instancecheck__(cls, what: object) -> bool:
            return isinstance(what, dates.datetime)

        def __getattr__(cls, name: str) -> Any:
            return getattr(dates.datetime, name)

    class Moment(metaclass=Kind):
        @staticmethod
        def now(tz: dates.tzinfo | None = None) -> dates.datetime:
            present = _EPOCH + dates.timedelta(microseconds=clock.now() // 1000)
            return present.astimezone(tz) if tz is not None else present.astimezone().replace(tzinfo=None)

    return Moment


# --- a zone


def know_zone(folder: Path) -> None:
    """Let this process know :data:`ZONE`, which lies in ``folder``; the first process that comes writes it there."""
    file = folder / ZONE
    if not file.exists():
        folder.mkdir(exist_ok=True)
        new = file.with_suffix(f".{os.getpid()}")
        new.write_bytes(_zone(_changes(_time_ns() // SECOND)))
        new.rename(file)
    others = [place for place in zoneinfo.TZPATH if not Path(place, ZONE).exists()]
    zoneinfo.reset_tzpath([str(folder.absolute()), *others])
    zoneinfo.ZoneInfo.clear_cache(only_keys=[ZONE])


def next_change(at: int, *, to_summer: bool) -> int:
    """When summer time begins, or ends, next in that zone (nanoseconds since the epoch)."""
    beginning = at // SECOND // _EVERY * _EVERY + _EVERY
    return SECOND * (beginning if _is_summer(beginning) is to_summer else beginning + _EVERY)


def _is_summer(change: int) -> bool:
    return change // _EVERY % 2 == 0


def _changes(at: int) -> list[int]:
    first = (at // _EVERY - _CHANGES // 4) * _EVERY
    return list(islice(count(first, _EVERY), _CHANGES))


def _zone(changes: Sequence[int]) -> bytes:
    """A zone an hour ahead of UTC, and two in summer, in the first version of the format (RFC 8536)."""
    kinds = [(3600, 0, 0), (7200, 1, 4)]
    names = b"AAA\0BBB\0"
    head = struct.pack(">4sc15x6l", b"TZif", b"\0", 0, 0, 0, len(changes), len(kinds), len(names))
    moments = struct.pack(f">{len(changes)}l", *changes)
    which = bytes(_is_summer(change) for change in changes)
    return head + moments + which + b"".join(struct.pack(">lbb", *kind) for kind in kinds) + names
