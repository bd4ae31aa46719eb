"""How bytes get onto the disk so that a power cut cannot take them back.

The order is always the same: write under a name nobody looks at, fsync the file, rename, fsync the folder.
Without the last step a journalling file system may forget the rename (seen on xfs).
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.errors import ConfigurationError


def sync_file(path: Path) -> None:
    """Make the bytes of ``path`` durable."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Make the names in ``path`` durable."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path, mode: int = 0o750) -> None:
    """Create ``path`` and whatever is missing above it, each name durable in its parent."""
    if path.is_dir():
        return
    make_folder(path.parent, mode)
    path.mkdir(mode=mode, exist_ok=True)
    sync_folder(path.parent)


def write_durably(path: Path, data: bytes, mode: int = 0o640) -> None:
    """Put ``data`` at ``path``, whole or not at all; an older file of that name is replaced."""
    temporary = path.with_name(f".{path.name}.writing")
    # What a process that died has left may be read-only, also for us.
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    sync_folder(path.parent)


def move_durably(source: Path, target: Path) -> None:
    """Rename ``source`` to ``target``; both folders know it when this returns."""
    source.rename(target)
    sync_folder(target.parent)
    sync_folder(source.parent)


def free_bytes(path: Path) -> int:
    """How many bytes the disk under ``path`` has left for us."""
    facts = os.statvfs(path)
    return facts.f_bavail * facts.f_frsize


def size_of(path: Path) -> int:
    """How many bytes the file at ``path`` has; 0 if there is none."""
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def held_alone(folder: Path) -> Iterator[None]:
    """Hold ``folder`` for the time of the block, so that no second gateway works on it.

    The kernel lets go of it when the process ends, however it ends.

    Raises:
        ConfigurationError: another process holds it.
    """
    make_folder(folder)
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ConfigurationError([f"spool.path: another gateway is working on {folder}"]) from None
    try:
        yield
    finally:
        os.close(descriptor)
