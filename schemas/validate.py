"""Is a file a valid document of its type, and which declarations does it hold?

One pass over the bytes, in memory for one form: libxml2 judges (`schemas.judgement`), forms are cut out beside it
(`schemas.splitting`) and looked at (`schemas.inspection`). A file in which something is wrong is read again, to say
where and what, for every form (`schemas.refusal`). Runs in a worker process with limits of its own, since libxml2 reads
the bytes of a stranger here and keeps every element name it ever met: such a process should be replaced now and then.

Source: annex 30, codes 088, 089, 102, 134 to 139, 157, 158, 172, 184, 205, 246, 255, 275, 312. What this does not do:
signatures and mandates.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import BinaryIO

from schemas import refusal
from schemas.choice import Chosen, choose
from schemas.codes import Code, Finding
from schemas.forms import bounds_broken, misplaced, without_comments
from schemas.inspection import Employer, Inspection
from schemas.judgement import Judgement
from schemas.message_type import MessageType
from schemas.prolog import HEAD_BYTES, read_opening
from schemas.refusal import Refused
from schemas.splitting import Form, Splitter

__all__ = ["Limits", "Refused", "Validated", "validate"]

_PIECE_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Limits:
    """The most bytes a file and the most forms a document may have; a type may allow less."""

    max_bytes: int
    max_forms: int


@dataclass(frozen=True, slots=True)
class Validated:
    """A valid document.

    The root and the schema version it names, how many forms it holds, the SHA-256 (hex) of the bytes read, every
    employer that a form names, and the references that the sender gave its forms.
    """

    root: str
    schema_version: str
    forms: int
    sha256: str
    employers: frozenset[Employer] = frozenset()
    references: tuple[str, ...] = ()


class _SomethingWrongError(Exception):
    """A form is not what it should be; where and why is found out by another reading."""


def validate(
    content: BinaryIO, kinds: Sequence[MessageType], limits: Limits, declared: Callable[[bytes], None], day: date
) -> Validated | Refused:
    """Judge the document that ``content`` holds from where it stands to its end.

    ``declared`` is called with each form, in order, as a UTF-8 document that is valid by itself: the root with its
    attributes and namespaces, and that one form as it was written, but for comments and instructions. What it gets is
    provisional: a later fault refuses the whole file, and the caller has to throw away what came before.

    Args:
        content: a file that can be read twice
        kinds: the types of the purpose in the file's name, at least one
        limits: what the site takes
        declared: what becomes of a form
        day: of receipt; it decides which versions count

    Raises only what ``content`` or ``declared`` raise.
    """
    start = content.tell()
    pieces = _pieces(content)
    head = next(pieces)
    opening = read_opening(head)
    if isinstance(opening, Finding):
        return Refused((opening,))
    chosen = choose(opening, kinds, day)
    if isinstance(chosen, tuple):
        return Refused(chosen)
    reading = _Reading(chosen, opening.encoding, limits, declared, day)
    try:
        finding = reading.read(chain([head], pieces))
    except _SomethingWrongError:
        content.seek(start)
        return refusal.explain(content, chosen, opening.encoding, day)
    if finding is not None:
        content.seek(start)
        return refusal.place_syntax(content, finding, opening.encoding, reading.size)
    return reading.validated()


class _Reading:
    """One pass over a document; it ends at the first thing that is wrong."""

    def __init__(
        self, chosen: Chosen, encoding: str, limits: Limits, declared: Callable[[bytes], None], day: date
    ) -> None:
        self._chosen = chosen
        self._encoding = encoding
        self._max_bytes = min(limits.max_bytes, chosen.kind.limits.max_bytes or limits.max_bytes)
        self._max_forms = limits.max_forms
        self._declared = declared
        self._judgement = Judgement(chosen.schema, encoding)
        self._splitter = Splitter()
        self._inspection = Inspection(chosen.kind, day)
        self._digest = hashlib.sha256()
        self._employers: set[Employer] = set()
        self._references: list[str] = []
        self.size = 0

    def read(self, pieces: Iterator[bytes]) -> Finding | None:
        """Read to the end; the finding that refuses the file as a whole, if there is one."""
        for piece in pieces:
            self.size += len(piece)
            if self.size > self._max_bytes:
                return Finding(Code.FILE_TOO_LARGE, f"more than {self._max_bytes} bytes")
            self._digest.update(piece)
            finding = self._judgement.feed(piece)
            self._check_schema()
            finding = finding or self._take(piece)
            if finding is not None:
                return finding
        finding = self._judgement.close()
        self._check_schema()
        return finding or self._splitter.close() or self._empty()

    def validated(self) -> Validated:
        """What was read, when nothing was wrong."""
        return Validated(
            root=self._chosen.kind.root,
            schema_version=self._chosen.version,
            forms=self._splitter.forms,
            sha256=self._digest.hexdigest(),
            employers=frozenset(self._employers),
            references=tuple(self._references),
        )

    def _check_schema(self) -> None:
        if self._judgement.rule_broken:
            raise _SomethingWrongError

    def _empty(self) -> Finding | None:
        return None if self._splitter.forms else Finding(Code.NO_DECLARATION, "the root element holds no form")

    def _take(self, piece: bytes) -> Finding | None:
        for form in self._splitter.feed(piece):
            finding = form if isinstance(form, Finding) else self._hand_out(form)
            if finding is not None:
                return finding
        return None

    def _hand_out(self, form: Form) -> Finding | None:
        inspected = self._inspection.inspect(form, self._splitter, self._encoding)
        finding = bounds_broken(form, inspected, self._chosen.kind, self._max_forms)
        finding = finding or misplaced(form, inspected, self._chosen.kind, self._splitter, self._encoding)
        if finding is not None:
            return finding
        if inspected.broken:
            raise _SomethingWrongError
        self._employers.update(inspected.employers)
        if inspected.reference is not None:
            self._references.append(inspected.reference)
        self._declared(self._document(form))
        return None

    def _document(self, form: Form) -> bytes:
        document = self._splitter.alone(form.content)
        if not form.plain:
            return without_comments(document, self._encoding)
        if self._encoding == "ISO-8859-1":
            document = document.decode("latin-1").encode()
        return b'<?xml version="1.0" encoding="UTF-8"?>\n' + document


def _pieces(content: BinaryIO) -> Iterator[bytes]:
    """The head, then pieces of `_PIECE_BYTES`, also from a stream that gives fewer bytes at a time."""
    yield _read(content, HEAD_BYTES)
    while piece := _read(content, _PIECE_BYTES):
        yield piece


def _read(content: BinaryIO, size: int) -> bytes:
    read = bytearray()
    while len(read) < size and (more := content.read(size - len(read))):
        read += more
    return bytes(read)
