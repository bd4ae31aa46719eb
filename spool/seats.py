"""How many of something are there, in all processes of all hosts that share the spool?

A seat is a byte of one file that its holder has locked (fcntl(2), advisory record locks); each key has a row of its
own, far from all others.  Nothing is ever written, and the kernel, or the server of a shared volume, gives back the
seats of a process that ends, however it ends.  All that a process has are lost, too, when it closes any other
descriptor of the file: nothing else may open it.
"""

import errno
import fcntl
import hashlib
import os
import time
from pathlib import Path
from typing import Final

from config.errors import ConfigurationError
from spool.files import make_folder

SEATS: Final = ".seats"

_ROWS: Final = 5  # bytes of a digest that say which row
_ROW_BITS: Final = 20
_TAKEN: Final = frozenset({errno.EACCES, errno.EAGAIN})
_NOBODYS: Final = (1 << (8 * _ROWS + _ROW_BITS)) + os.getpid() % (1 << _ROW_BITS)
_FULL_FOR: Final = 0.1


class Seats:
    """The seats of the file at ``path``.  One object a process, to be used on one thread.

    Raises:
        ConfigurationError: the volume has no locks of that kind.
    """

    def __init__(self, path: Path) -> None:
        make_folder(path.parent)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._mine: set[int] = set()
        self._full: dict[str, float] = {}
        try:
            if self._lock(_NOBODYS):
                self._unlock(_NOBODYS)
        except OSError:
            os.close(self._descriptor)
            words = (
                f"spool.path: the volume of {path} has no locks of parts of a file (fcntl), which several doors need"
            )
            raise ConfigurationError([words]) from None

    def close(self) -> None:
        """Give everything back."""
        os.close(self._descriptor)
        self._mine.clear()

    def take(self, key: str, most: int) -> int | None:
        """One of the ``most`` seats of ``key``, or None if all are taken, now or a tenth of a second ago.

        Raises:
            OSError: the locks of the volume cannot be had.
        """
        now = time.monotonic()
        if self._full.get(key, 0.0) > now:
            return None  # each look at the seats of others asks the volume
        row = int.from_bytes(hashlib.sha256(key.encode()).digest()[:_ROWS], "big") << _ROW_BITS
        # Each process begins elsewhere, so that it seldom asks for one that another has.
        for number in range(os.getpid(), os.getpid() + most):
            seat = row + number % most
            if seat not in self._mine and self._lock(seat):
                self._mine.add(seat)
                return seat
        self._full = {full: until for full, until in self._full.items() if until > now} | {key: now + _FULL_FOR}
        return None

    def give_back(self, seat: int) -> None:
        """It may be another's; harmless once everything was given back."""
        if seat in self._mine:
            self._mine.remove(seat)
            self._full.clear()
            self._unlock(seat)

    def _unlock(self, seat: int) -> None:
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, seat)

    def _lock(self, seat: int) -> bool:
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, seat)
        except OSError as fault:
            if fault.errno in _TAKEN:
                return False
            raise
        return True
