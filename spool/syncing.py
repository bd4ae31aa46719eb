"""How do many small files get onto the disk at once, so that a power cut cannot take them back?

Each ``fsync`` waits for the disk by itself; ``syncfs`` waits once for all that was written on a file system.  It is
what :func:`spool.files.sync_file` is for one file, at the price of waiting for what others have written there as well,
and so it is for many files only.

Source: syncfs(2): it waits until everything is on the disk, and since Linux 5.8 tells of bytes that could not be
written since the descriptor was opened.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_LIBRARY: Final = ctypes.CDLL(None, use_errno=True)


@contextmanager
def synced_together(folder: Path) -> Iterator[None]:
    """Make durable, at the end of the block, what was written in it on the file system of ``folder``.

    Raises:
        OSError: some of it may not be durable.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield
        if _LIBRARY.syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)


def write_read_only(path: str, data: bytes | bytearray) -> None:
    """Make a file of ``data`` at ``path``, where nothing is, that nobody writes again; syncs nothing."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o440)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)
