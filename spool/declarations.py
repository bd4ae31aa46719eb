"""The declarations of accepted files on their way to the routing queue.

One file a ticket holds them one after the other; where each begins and ends stands in the effect that forwards it.
The file is derived from what is in custody: it is written before the verdict, again if the verdict has to be made
again, and removed once the last declaration is confirmed.
"""

import errno
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from spool.files import make_folder, sync_folder


class DeclarationWriter:
    """Appends declarations; ``spans`` has offset and length in bytes of each."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self.spans: list[tuple[int, int]] = []

    def append(self, declaration: bytes) -> None:
        """Add one declaration."""
        self.spans.append((self._file.tell(), len(declaration)))
        self._file.write(declaration)

    def close(self) -> None:
        """Make what was written durable."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def drop(self) -> None:
        """Give the file up."""
        self._file.close()


@contextmanager
def writing(path: Path) -> Iterator[DeclarationWriter]:
    """A writer whose file stands at ``path``, durable, when the block ends well; nothing stands there otherwise."""
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}")
    writer = DeclarationWriter(temporary)
    try:
        yield writer
        writer.close()
    except BaseException:
        writer.drop()
        temporary.unlink(missing_ok=True)
        raise
    temporary.rename(path)
    sync_folder(path.parent)


def read(path: Path, offset: int, length: int) -> bytes:
    """One declaration of the file at ``path``.

    Raises:
        OSError: it is not there whole.
    """
    with path.open("rb") as file:
        data = os.pread(file.fileno(), length, offset)
    if len(data) != length:
        raise OSError(errno.EIO, "the file of declarations is cut short")
    return data


def sweep(root: Path, needed: Collection[str]) -> None:
    """Remove the files of all tickets but the ``needed`` ones."""
    if root.is_dir():
        for path in root.iterdir():
            if path.name not in needed:
                path.unlink(missing_ok=True)
