"""How are records read from files, and written to them?

CSV: one kind a file, named after the kind (``mandates.csv``) or by who reads it; the first line names the columns,
separated by commas or semicolons; lists are words with spaces between; what a spreadsheet would take for a formula has
an apostrophe before it.  JSON: one document, ``{"enterprises": [{...}],
"mandates": [{...}]}``, read record by record.  Both are UTF-8, of any length, and every record knows its line.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, TextIO

from gateway.register.bulk.kinds import LAYOUTS, Facts, Kind, moments

_LONGEST: Final = 65_536  # characters of one record
_PIECE: Final = 1 << 20
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_FORMULA: Final = re.compile(r"'*[=+@-]")


@dataclass(frozen=True, slots=True)
class Record:
    """What a file says of one thing; ``line`` is where that begins, ``values`` are as they stand there."""

    source: str
    kind: Kind
    line: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BadFile:
    """Why a file cannot be read on from a line."""

    source: str
    line: int
    words: str


def read_folder(folder: Path) -> Iterator[Record | BadFile]:
    """The records of every file in a folder that is named after a kind."""
    files = [(kind, folder / f"{kind}.csv") for kind in Kind if (folder / f"{kind}.csv").is_file()]
    if not files:
        yield BadFile(folder.name, 0, f"holds none of {', '.join(f'{kind}.csv' for kind in Kind)}")
    for kind, path in files:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from read_csv(file, path.name, kind)


def read_csv(file: TextIO, source: str, kind: Kind) -> Iterator[Record | BadFile]:
    """The records of a CSV file."""
    line = 1
    try:
        head = file.readline(_LONGEST)
        separator = ";" if ";" in head and "," not in head else ","
        names = [name.strip() for name in next(csv.reader([head], delimiter=separator, strict=True), [])]
        faults = _head_faults(names, kind)
        if faults:
            yield BadFile(source, 1, faults)
            return
        lines = _Lines(file)
        rows = csv.reader(lines, delimiter=separator, strict=True)
        for row in rows:
            lines.begin_record()
            line, begins = rows.line_num + 1, line + 1
            if len(row) == len(names):
                yield Record(source, kind, begins, dict(zip(names, map(_plain, row), strict=True)))
            elif row:
                yield BadFile(source, begins, f"has {len(row)} values, not {len(names)}")
    except (csv.Error, UnicodeDecodeError) as fault:
        words = "is not UTF-8" if isinstance(fault, UnicodeDecodeError) else f"is no CSV: {fault}"
        yield BadFile(source, line + 1, words)


def _head_faults(names: list[str], kind: Kind) -> str:
    known = LAYOUTS[kind].names
    if len(set(names)) < len(names):
        return "names a column twice"
    # A file without names begins with a record, which is not to be repeated: there may be a person in it.
    unknown = [str(place) for place, name in enumerate(names, 1) if name not in known]
    return f"column {', '.join(unknown)} is none of {', '.join(known)}" if unknown else ""


class _Lines(Iterator[str]):
    """The lines of a file, of which one record may have only so many characters."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._characters = 0

    def begin_record(self) -> None:
        """What comes next is of another record."""
        self._characters = 0

    def __next__(self) -> str:
        line = self._file.readline(_LONGEST)
        if not line:
            raise StopIteration
        self._characters += len(line)
        if self._characters >= _LONGEST:
            raise csv.Error("a record is too long")
        return line


def read_json(file: TextIO, source: str) -> Iterator[Record | BadFile]:
    """The records of a JSON document."""
    text = _Text(file)
    try:
        for kind in _members(text):
            for line, values in _elements(text):
                yield Record(source, kind, line, values)
        text.end()
    except _NotThisError as fault:
        yield BadFile(source, text.line, str(fault))
    except UnicodeDecodeError:
        yield BadFile(source, text.line, "is not UTF-8")


class _NotThisError(ValueError):
    """A document is not what is read here."""


class _Text:
    """The characters of a file from where it was read to, some at a time."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text = ""
        self._at = 0
        self._decoder = json.JSONDecoder()
        self.line = 1

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            self._fill()
            self._pass(_SPACE.match(self._text, self._at).end())  # type: ignore[union-attr]  # it matches nothing too
            if self._at < len(self._text) or not self._fill():
                return self._text[self._at : self._at + 1]

    def take(self, wanted: str) -> None:
        """Pass one character, which has to be this."""
        if self.peek() != wanted:
            raise _NotThisError(f"a {wanted} is missing")
        self._pass(self._at + 1)

    def end(self) -> None:
        """See that nothing follows."""
        if self.peek():
            raise _NotThisError("something stands behind the document")

    def value(self) -> Any:
        """Pass a value."""
        self.peek()
        self._fill()
        try:
            value, end = self._decoder.raw_decode(self._text, self._at)
        except json.JSONDecodeError as fault:
            raise _NotThisError(f"is no JSON: {fault.msg}") from None
        except RecursionError:
            raise _NotThisError("is no JSON: too deep") from None
        except ValueError:
            raise _NotThisError("has a number of too many digits") from None
        self._pass(end)
        return value

    def _pass(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def _fill(self) -> bool:
        """See to it that a whole record is there, or the end of the file; answers whether more was read."""
        if len(self._text) - self._at >= _LONGEST:
            return False
        more = self._file.read(_PIECE)
        self._text, self._at = self._text[self._at :] + more, 0
        return bool(more)


def _members(text: _Text) -> Iterator[Kind]:
    text.take("{")
    while text.peek() != "}":
        name = text.value()
        if name not in list(Kind):
            raise _NotThisError(f"there is nothing called so; there are {', '.join(Kind)}")
        text.take(":")
        yield Kind(name)
        if text.peek() != "}":
            text.take(",")
    text.take("}")


def _elements(text: _Text) -> Iterator[tuple[int, Mapping[str, Any]]]:
    text.take("[")
    while text.peek() != "]":
        line, value = text.line, text.value()
        if not isinstance(value, dict):
            raise _NotThisError("a record must be an object")
        yield line, value
        if text.peek() != "]":
            text.take(",")
    text.take("]")


# --- writing


def write_csv(file: IO[str], kind: Kind, records: Iterable[Facts]) -> int:
    """Write records of a kind; answers how many."""
    names = _written(kind)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(names)
    count = 0
    for facts in records:
        said = shown(kind, facts)
        writer.writerow([_shielded(_cell(said[name])) for name in names])
        count += 1
    return count


def write_json(file: IO[str], kinds: Iterable[tuple[Kind, Iterable[Facts]]]) -> None:
    """Write a document with these kinds, a record a line."""
    file.write("{")
    for place, (kind, records) in enumerate(kinds):
        file.write(f'{"," if place else ""}\n  "{kind}": [')
        file.writelines(
            f"{',' if number else ''}\n    {json.dumps(shown(kind, facts), ensure_ascii=False)}"
            for number, facts in enumerate(records)
        )
        file.write("\n  ]")
    file.write("\n}\n")


def shown(kind: Kind, facts: Mapping[str, Any]) -> Facts:
    """What of a record may be shown, with moments as they are written: in UTC."""
    times = set(moments(kind))
    return {name: _moment(value) if name in times else value for name, value in facts.items() if name in _written(kind)}


def one_line(value: Mapping[str, Any]) -> str:
    """As a line of JSON."""
    return json.dumps(value, ensure_ascii=False)


def text_of(raw: BinaryIO) -> TextIO:
    """What is piped in, as text."""
    return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")


def _written(kind: Kind) -> list[str]:
    return [name for name in LAYOUTS[kind].names if name not in LAYOUTS[kind].unseen]


def _moment(value: int | None) -> str | None:
    return None if value is None else (_EPOCH + timedelta(microseconds=value)).isoformat()


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(value) if isinstance(value, list | tuple) else "" if value is None else str(value)


def _shielded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: with an apostrophe before what begins like one."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _plain(cell: str) -> str:
    """What was meant by a cell, with or without that apostrophe."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
