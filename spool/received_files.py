"""Which files does the folder of a set hold, and what are their bytes?

What the gateway itself writes beside them has a name that begins with a dot, and does not count.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from spool.submissions import StoredFile

_SMALL: Final = 65_536


def received_files(folder: Path) -> list[Path]:
    """The files that came, by name."""
    return [folder / name for name in sorted(os.listdir(folder)) if not name.startswith(".")]  # noqa: PTH208 - quickly


def stored_file(path: Path) -> StoredFile:
    """Size and digest of a file, read to its end."""
    with path.open("rb") as file:
        # The buffer for a large file takes longer to get than a small one takes to hash.
        small = os.fstat(file.fileno()).st_size <= _SMALL
        digest = hashlib.sha256(file.read()) if small else hashlib.file_digest(file, "sha256")
        return StoredFile(path.name, file.tell(), digest.hexdigest())


def content_of(stored: Iterable[StoredFile]) -> str:
    """One SHA-256 (hex) over those of the FI files, empty without any."""
    data = [file.sha256 for file in stored if file.name.startswith("FI.")]
    return hashlib.sha256("".join(data).encode()).hexdigest() if data else ""
