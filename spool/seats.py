"""How many of something are there, in all processes of all hosts that share the spool?

A seat is a byte of one file that its holder has locked (fcntl(2), advisory record locks); each key has a row of its
own, far from all others.  Nothing is ever written, and the kernel, or the server of a shared volume, gives back the
seats of a process that ends, however it ends.
"""

import errno
import fcntl
import hashlib
import os
from pathlib import Path
from typing import Final

from spool.files import make_folder

SEATS: Final = ".seats"

_ROWS: Final = 5  # bytes of a digest that say which row
_ROW_BITS: Final = 20
_TAKEN: Final = frozenset({errno.EACCES, errno.EAGAIN})


class Seats:
    """The seats of the file at ``path``.  One object a process, to be used on one thread."""

    def __init__(self, path: Path) -> None:
        make_folder(path.parent)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._mine: set[int] = set()

    def close(self) -> None:
        """Give everything back."""
        os.close(self._descriptor)
        self._mine.clear()

    def take(self, key: str, most: int) -> int | None:
        """One of the ``most`` seats of ``key``, or None if all are taken; it never waits.

        Raises:
            OSError: the file system has no locks.
        """
        row = int.from_bytes(hashlib.sha256(key.encode()).digest()[:_ROWS], "big") << _ROW_BITS
        # Each process begins elsewhere, so that it seldom asks for one that another has.
        for number in range(os.getpid(), os.getpid() + most):
            seat = row + number % most
            if seat not in self._mine and self._lock(seat):
                self._mine.add(seat)
                return seat
        return None

    def give_back(self, seat: int) -> None:
        """It may be another's; harmless once everything was given back."""
        if seat in self._mine:
            self._mine.remove(seat)
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, seat)

    def _lock(self, seat: int) -> bool:
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, seat)
        except OSError as fault:
            if fault.errno in _TAKEN:
                return False
            raise
        return True
