"""How bytes get onto the disk so that a power cut cannot take them back.

The order is always the same: write under a name nobody looks at, fsync the file, rename, fsync the folder.
Without the last step a journalling file system may forget the rename (seen on xfs).
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    """Put ``data`` at ``path``, whole or not at all; an older file of that name is replaced.  One at a time."""
    write_hidden(path.parent, path.name, data, mode)
    give_name(path.parent, path.name)
    sync_folder(path.parent)


def write_unseen(folder: Path, name: str, data: bytes, mode: int = 0o640) -> None:
    """Put ``data`` under ``name`` in a folder that nobody looks into before it is moved; an older file is replaced."""
    _write(f"{folder}/{name}", data, mode)
    sync_folder(folder)


def write_hidden(folder: Path, name: str, data: bytes, mode: int = 0o640) -> None:
    """Have ``data`` on the disk for :func:`give_name`."""
    _write(_hidden(folder, name), data, mode)


def _write(path: str, data: bytes, mode: int) -> None:
    descriptor = _create(path, mode)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        if data:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def give_name(folder: Path, name: str) -> None:
    """Let what was written hidden be seen; durable once ``folder`` is synced.  An older file is replaced."""
    os.rename(_hidden(folder, name), f"{folder}/{name}")  # noqa: PTH104 - called for every file of every submission


def give_name_alone(folder: Path, name: str) -> None:
    """The same of a file without bytes, of which nothing has to be written before; an older one is as good."""
    with suppress(FileExistsError):
        os.close(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640))


def _hidden(folder: Path, name: str) -> str:
    return f"{folder}/.{name}.writing"


def move_durably(source: Path, target: Path) -> None:
    """Rename ``source`` to ``target``; both folders know it when this returns."""
    os.rename(source, target)  # noqa: PTH104 - as above
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
    """Hold ``folder`` for the time of the block, so that no gateway works on it meanwhile.

    The kernel lets go of it when the process ends, however it ends.

    Raises:
        ConfigurationError: a gateway, or another who wants to be alone, works on it.
    """
    with locked_file(folder / ".lock", fcntl.LOCK_EX, f"spool.path: another gateway is working on {folder}"):
        yield


@contextmanager
def held_together(folder: Path) -> Iterator[None]:
    """Work on ``folder`` for the time of the block, beside other gateways but nobody who has to be alone.

    Raises:
        ConfigurationError: somebody holds it alone.
    """
    with locked_file(folder / ".lock", fcntl.LOCK_SH, f"spool.path: a command is working alone on {folder}"):
        yield


def _create(path: str, mode: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(path, flags, mode)
    except FileExistsError:
        # What a process that died has left may be read-only, also for us.
        os.unlink(path)  # noqa: PTH108 - as above
        return os.open(path, flags, mode)


def is_locked(path: Path) -> bool:
    """Whether somebody has the file at ``path`` locked alone; one that cannot be looked at counts as locked."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # no descriptor left, or no right to look: whoever holds it may live
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def locked_file(path: Path, how: int, refusal: str) -> Iterator[None]:
    """Lock the file at ``path`` for the time of the block, alone (``LOCK_EX``) or with others (``LOCK_SH``).

    Raises:
        ConfigurationError: others don't let us; it says ``refusal``.
    """
    make_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError([refusal]) from None
        yield
    finally:
        os.close(descriptor)
