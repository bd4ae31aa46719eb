"""The marks of the persons whom a set's forms name, on their way from the worker to the journal.

A set may name hundreds of thousands, so they go through a file beside that of its declarations: for each form that
names somebody and each mark one record, the form's number and 32 bytes.  The file is made anew whenever the set is
judged, and is not made durable: it is read in the transaction of the verdict and then removed.  What a crash leaves is
replaced by the next judgement, or swept with the declarations that nobody needs.
"""

import secrets
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from spool.files import make_folder

_RECORD: Final = struct.Struct(">I32s")
_RECORDS_AT_ONCE: Final = 2048
_FORM: Final = struct.Struct(">I")
_BUFFER_BYTES: Final = 256 * 1024


class MarkWriter:
    """Takes the marks form by form.  Make it with :func:`writing`."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=_BUFFER_BYTES)
        self._form = 0

    def append(self, marks: Iterable[str]) -> None:
        """Add those of the next form; each is 64 hexadecimal digits."""
        self._form += 1
        form = _FORM.pack(self._form)
        self._file.write(b"".join([form + bytes.fromhex(mark) for mark in marks]))

    def close(self) -> None:
        """Hand what was written to the operating system."""
        self._file.close()


def beside(declarations: Path) -> Path:
    """Where the marks are that belong to a file of declarations."""
    return declarations.with_name(f"{declarations.name}.marks")


@contextmanager
def writing(path: Path) -> Iterator[MarkWriter]:
    """A writer whose file stands at ``path`` when the block ends well; nothing stands there otherwise."""
    make_folder(path.parent)
    # Should two processes judge one set, each has its own until it has its name; both say the same.
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    writer = MarkWriter(temporary)
    try:
        yield writer
        writer.close()
    except BaseException:
        writer.close()
        temporary.unlink(missing_ok=True)
        raise
    temporary.rename(path)


def read(path: Path) -> Iterator[tuple[int, str]]:
    """The form, counted from 1, and a mark, for every record.

    Raises:
        FileNotFoundError: the set was not judged since the file was last removed.
        ValueError: the file is cut short.
    """
    with path.open("rb") as file:
        while block := file.read(_RECORD.size * _RECORDS_AT_ONCE):
            if len(block) % _RECORD.size:
                raise ValueError("the file of marks is cut short")
            for form, mark in _RECORD.iter_unpack(block):
                yield form, mark.hex()


@contextmanager
def taking(path: Path) -> Iterator[Iterator[tuple[int, str]]]:
    """What :func:`read` answers, for the time of the block; then the file is gone, whether it was read, and there."""
    try:
        yield read(path)
    finally:
        path.unlink(missing_ok=True)
