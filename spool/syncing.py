"""How do many small files get onto the disk at once, so that a power cut cannot take them back?

Each ``fsync`` waits for the disk by itself; ``syncfs`` waits once for all that was written on a file system.  It is
what :func:`spool.files.sync_file` is for one file, at the price of waiting for what others have written there as well,
and so it is for many files only.

Source: syncfs(2): it waits until everything is on the disk, and since Linux 5.8 tells of bytes that could not be
written since the descriptor was opened.
"""

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_LIBRARY: Final = ctypes.CDLL(None, use_errno=True)


Sync = Callable[[], None]


@contextmanager
def to_sync(folder: Path) -> Iterator[Sync]:
    """What makes durable all that was written since the block began on the file system of ``folder``.

    It raises OSError if some of that may not be durable, also if somebody else was told so meanwhile.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield lambda: _sync(descriptor)
    finally:
        os.close(descriptor)


def _sync(descriptor: int) -> None:
    if _LIBRARY.syncfs(descriptor):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def reaches_the_disk(mounts: str, device: int) -> bool:
    """Whether ``syncfs`` of the file system on ``device`` asks whoever keeps the bytes: with FUSE it does not.

    ``mounts`` is what /proc/self/mountinfo says.
    """
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.splitlines():
        mount, _, rest = line.partition(" - ")
        if mount.split()[2] == number and rest.startswith("fuse"):
            return False
    return True


def write_read_only(path: str, data: bytes | bytearray) -> None:
    """Make a file of ``data`` at ``path``, where nothing is, that nobody writes again; syncs nothing."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o440)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)
