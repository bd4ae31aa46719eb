"""The marks of the persons whom a set's forms name, on their way from the worker to the journal.

For each form that names somebody and each mark there is one record, the form's number and 32 bytes.  A few come with
what the worker answers.  A set may name hundreds of thousands: those go through a file beside that of its declarations.
The file is made anew whenever the set is judged, and is not made durable: it is read in the transaction of the verdict
and then removed.  What a crash leaves is replaced by the next judgement, or swept with the declarations that nobody
needs.
"""

import secrets
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from spool.files import make_folder

_RECORD: Final = struct.Struct(">I32s")
_RECORDS_AT_ONCE: Final = 2048
_FORM: Final = struct.Struct(">I")
_BUFFER_BYTES: Final = 256 * 1024
FEW_BYTES: Final = 16 * 1024
"""So many bytes of marks, which are those of 450 persons, come with the answer."""


class MarkWriter:
    """Takes the marks form by form.  Make it with :func:`writing`.

    ``few`` are all records as long as there is no file, None as soon as they are in one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = path
        self._file: BinaryIO | None = None
        self._form = 0
        self.few: bytes | None = b""

    def append(self, marks: Iterable[str]) -> None:
        """Add those of the next form; each is 64 hexadecimal digits."""
        self._form += 1
        form = _FORM.pack(self._form)
        records = b"".join([form + bytes.fromhex(mark) for mark in marks])
        if self.few is not None:
            self.few += records
            if len(self.few) <= FEW_BYTES:
                return
            self._file = self._begun()
            records, self.few = self.few, None
        if self._file is not None:
            self._file.write(records)

    def close(self) -> None:
        """Hand what was written to the operating system."""
        if self._file is not None:
            self._file.close()

    def give_name(self) -> None:
        """Let the file be seen, if there is one."""
        if self._file is not None:
            self._temporary.rename(self._path)

    def drop(self) -> None:
        """Give the file up, if there is one."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._temporary.unlink(missing_ok=True)

    def _begun(self) -> BinaryIO:
        make_folder(self._path.parent)
        # Should two processes judge one set, each has its own until it has its name; both say the same.
        self._temporary = self._path.with_name(f".{self._path.name}-{secrets.token_hex(4)}")
        return self._temporary.open("wb", buffering=_BUFFER_BYTES)


def beside(declarations: Path) -> Path:
    """Where the marks are that belong to a file of declarations."""
    return Path(f"{declarations}.marks")


@contextmanager
def writing(path: Path) -> Iterator[MarkWriter]:
    """A writer whose file stands at ``path`` when the block ends well, if it needed one; nothing does otherwise."""
    writer = MarkWriter(path)
    try:
        yield writer
        writer.close()
    except BaseException:
        writer.drop()
        raise
    writer.give_name()


def read(path: Path) -> Iterator[tuple[int, str]]:
    """The form, counted from 1, and a mark, for every record of a file.

    Raises:
        FileNotFoundError: the set was not judged since the file was last removed.
        ValueError: the file is cut short.
    """
    with path.open("rb") as file:
        while block := file.read(_RECORD.size * _RECORDS_AT_ONCE):
            yield from _records(block)


def _records(block: bytes) -> Iterator[tuple[int, str]]:
    if len(block) % _RECORD.size:
        raise ValueError("the file of marks is cut short")
    for form, mark in _RECORD.iter_unpack(block):
        yield form, mark.hex()


@contextmanager
def taking(path: Path, few: bytes | None) -> Iterator[Iterator[tuple[int, str]]]:
    """The form and a mark for every record, for the time of the block.

    Those of ``few`` if they came with the answer; else what :func:`read` answers, and after the block the file is gone,
    whether it was read, and there.
    """
    if few is not None:
        yield _records(few)
        return
    try:
        yield read(path)
    finally:
        path.unlink(missing_ok=True)
