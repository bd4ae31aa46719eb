"""Which files does the folder of a set hold, and what are their bytes?

What the gateway itself writes beside them has a name that begins with a dot, and does not count.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from spool.submissions import StoredFile

# Most files are small; the buffer for a large one takes longer to get than they take to hash.
_SMALL: Final = 65_536
_PIECE: Final = 1024**2


def names_in(folder: Path) -> list[str]:
    """What the files that came are called, in no order; nothing if ``folder`` is gone."""
    try:
        return [name for name in os.listdir(folder) if not name.startswith(".")]  # noqa: PTH208 - names, and quickly
    except FileNotFoundError:
        return []


def received_names(folder: Path) -> list[str]:
    """The same in order; raises FileNotFoundError if ``folder`` is gone."""
    return [name for name in sorted(os.listdir(folder)) if not name.startswith(".")]  # noqa: PTH208 - likewise


def received_files(folder: Path) -> list[Path]:
    """The files that came, by name; raises as :func:`received_names`."""
    return [folder / name for name in received_names(folder)]


def stored_file(path: Path) -> StoredFile:
    """Size and digest of a file, read to its end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return stored_as(path.name, descriptor)
    finally:
        os.close(descriptor)


def stored_as(name: str, descriptor: int) -> StoredFile:
    """The same of a file that is open at its beginning, under this name."""
    digest, size = hashlib.sha256(), 0
    while data := os.read(descriptor, _PIECE if size else _SMALL):
        digest.update(data)
        size += len(data)
    return StoredFile(name, size, digest.hexdigest())


def content_of(stored: Iterable[StoredFile]) -> str:
    """One SHA-256 (hex) over those of the FI files, empty without any."""
    data = [file.sha256 for file in stored if file.name.startswith("FI.")]
    return hashlib.sha256("".join(data).encode()).hexdigest() if data else ""
