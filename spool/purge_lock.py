"""Who purges just now, and who must not have anything taken away meanwhile?

A lock on one file of the spool: a purge holds it alone for the time of a step, on whatever host; a backup holds it with
others for as long as it copies. The kernel lets go of it when the process ends, however it ends.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from spool.files import make_folder

LOCK: Final = ".purge.lock"


@contextmanager
def purging(spool: Path) -> Iterator[bool]:
    """Be the only one who purges for the time of the block; it is told False if somebody else has the lock."""
    with _opened(spool) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextmanager
def undiminished(spool: Path) -> Iterator[None]:
    """Have nothing purged for the time of the block; waits for the step that is being done."""
    with _opened(spool) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield


@contextmanager
def _opened(spool: Path) -> Iterator[int]:
    make_folder(spool)
    descriptor = os.open(spool / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
