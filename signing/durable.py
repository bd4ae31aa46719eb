"""How is a file written so that a power cut leaves either all of it or none?

Temporary name, exclusive create, fsync, rename, fsync of the folder. A half-written list of authorities or key would be
worse than an old one.
"""

import contextlib
import os
import secrets
from pathlib import Path


def write_new(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Create a file that is complete when it appears, and never replace one.

    Args:
        mode: permission bits, whatever the umask

    Raises:
        FileExistsError: if there is one of that name
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        _write(temporary, content, mode)
        os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with contextlib.closing(os.fdopen(descriptor, "wb")) as file:
        file.write(content)
        file.flush()
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
