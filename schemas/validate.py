"""Is a file a valid document of its type, and which declarations does it hold?

One pass over the bytes, in memory for one form: libxml2 judges (`schemas.judgement`, of a large file in a thread:
`schemas.ahead`), forms are cut out beside it (`schemas.splitting`) and looked at (`schemas.inspection`). A file in
which something is wrong is read again, to say where and what, for every form (`schemas.refusal`). Runs in a worker
process with limits of its own, since libxml2 reads the bytes of a stranger here and keeps every element name it ever
met: such a process should be replaced now and then.

Source: annex 30, codes 088, 089, 102, 134 to 139, 157, 158, 172, 184, 205, 246, 255, 275, 312. What this does not do:
signatures and mandates.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import BinaryIO, Final, NamedTuple

from schemas import refusal
from schemas.ahead import Judged, JudgedPieces
from schemas.anomaly import Anomaly
from schemas.choice import Chosen, choose
from schemas.codes import Code, Finding
from schemas.forms import misplaced, too_many
from schemas.inspection import Employer, Inspected, Inspection
from schemas.judgement import Judgement
from schemas.lines import placed
from schemas.locate import Fault, Reading, faults_of
from schemas.message_type import MessageType
from schemas.prolog import read_opening
from schemas.refusal import MAX_ANOMALIES, Bounds, Refused
from schemas.splitting import Form, Splitter, pieces_of

__all__ = ["Limits", "Refused", "Validated", "validate"]

_DECLARED: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'


@dataclass(frozen=True, slots=True)
class Limits:
    """The most bytes a file and the most forms a document may have; a type may allow less."""

    max_bytes: int
    max_forms: int


@dataclass(frozen=True, slots=True)
class Validated:
    """A valid document.

    The root and the schema version it names, how many forms it holds, the SHA-256 (hex) of the bytes read, every
    employer that a form names, and the references that the sender gave its forms. ``anomalies`` only warn; there are
    ``warnings`` of them, of which the first `MAX_ANOMALIES` are told.
    """

    root: str
    schema_version: str
    forms: int
    sha256: str
    employers: frozenset[Employer] = frozenset()
    references: tuple[str, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()
    warnings: int = 0


class _SomethingWrongError(Exception):
    """A form is not what it should be; where and why is found out by another reading."""


def validate(
    content: BinaryIO,
    kinds: Sequence[MessageType],
    limits: Limits,
    declared: Callable[[bytes], None],
    day: date,
    noticed: Callable[[Inspected], None] | None = None,
) -> Validated | Refused:
    """Judge the document that ``content`` holds from where it stands to its end.

    ``declared`` is called with each form, in order, as a UTF-8 document that is valid by itself: the root with its
    attributes and namespaces, and that one form as it was written, but for comments and instructions; ``noticed`` right
    before it, with what was found in the form. What they get is provisional: a later fault refuses the whole file, and
    the caller has to throw away what came before.

    Args:
        content: a file that can be read twice
        kinds: the types of the purpose in the file's name, at least one
        limits: what the site takes
        declared: what becomes of a form
        day: of receipt; it decides which versions count
        noticed: what becomes of what is to be known of a form

    Raises only what ``content``, ``declared`` or ``noticed`` raise.
    """
    start = content.tell()
    size = content.seek(0, io.SEEK_END) - start
    content.seek(start)
    pieces = pieces_of(content)
    head = next(pieces)
    opening = read_opening(head)
    if isinstance(opening, Finding):
        return Refused((opening,))
    chosen = choose(opening, kinds, day)
    if isinstance(chosen, tuple):
        return Refused(chosen)
    max_bytes = min(limits.max_bytes, chosen.kind.limits.max_bytes or limits.max_bytes)
    bounds = Bounds(max_bytes, limits.max_forms)
    pass_ = _Pass(chosen, opening.encoding, bounds, _Sinks(declared, noticed), day)
    try:
        finding = pass_.read(chain([head], pieces), size)
    except _SomethingWrongError:
        content.seek(start)
        return refusal.explain(content, chosen, opening.encoding, bounds, day)
    content.seek(start)
    if finding is not None:
        return refusal.place_finding(content, finding, opening.encoding, pass_.size)
    return pass_.validated(content)


class _Sinks(NamedTuple):
    """What becomes of a form, and of what is to be known of it."""

    declared: Callable[[bytes], None]
    noticed: Callable[[Inspected], None] | None


class _Pass:
    """One pass over a document; it ends at the first thing that is wrong."""

    def __init__(self, chosen: Chosen, encoding: str, bounds: Bounds, sinks: _Sinks, day: date) -> None:
        kind = chosen.kind
        self._chosen = chosen
        self._encoding = encoding
        self._bounds = bounds
        self._sinks = sinks
        self._settle: Callable[[], None] = _nothing_runs
        self._splitter = Splitter(prefixed=kind.namespace is not None)
        self._inspection = Inspection(kind, encoding, day)
        self._sha256 = ""
        self._employers: set[Employer] = set()
        self._last_employers: tuple[Employer, ...] = ()
        self._references: list[str] = []
        self._warnings: list[Fault] = []
        self._warned = 0
        self._is_too_large = False
        self.size = 0

    def read(self, pieces: Iterator[bytes], size: int) -> Finding | None:
        """Read to the end, of about ``size`` bytes; the finding that refuses the file as a whole, if there is one."""
        with JudgedPieces(Judgement(self._chosen.schema, self._encoding), size) as judging:
            self._settle = judging.settle
            for judged in judging.of(self._small_enough(pieces)):
                self.size += len(judged.piece)
                finding = _checked(judged) or self._take(judged.piece)
                if finding is not None:
                    return finding
            if self._is_too_large:
                return Finding(Code.FILE_TOO_LARGE, f"more than {self._bounds.max_bytes} bytes")
            finding = _checked(judging.close())
            self._sha256 = judging.sha256
        return finding or self._splitter.close() or self._empty()

    def _small_enough(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The pieces until the file is too large."""
        read = 0
        for piece in pieces:
            read += len(piece)
            if read > self._bounds.max_bytes:
                self._is_too_large = True
                return
            yield piece

    def validated(self, content: BinaryIO) -> Validated:
        """What was read, when nothing was wrong; ``content`` is read again to place warnings, if there are any."""
        return Validated(
            root=self._chosen.kind.root,
            schema_version=self._chosen.version,
            forms=self._splitter.forms,
            sha256=self._sha256,
            employers=frozenset(self._employers),
            references=tuple(self._references),
            anomalies=tuple(placed(content, self._warnings[:MAX_ANOMALIES], self._encoding)),
            warnings=self._warned,
        )

    def _empty(self) -> Finding | None:
        return None if self._splitter.forms else Finding(Code.NO_DECLARATION, "the root element holds no form")

    def _take(self, piece: bytes) -> Finding | None:
        for form in self._splitter.feed(piece):
            finding = form if isinstance(form, Finding) else self._hand_out(form)
            if finding is not None:
                return finding
        return None

    def _hand_out(self, form: Form) -> Finding | None:
        kind = self._chosen.kind
        inspected = self._inspection.inspect(form)
        finding = too_many(form, kind, self._bounds.max_forms)
        finding = finding or misplaced(form, inspected, kind, self._splitter, self._encoding)
        if finding is not None:
            return finding
        if inspected.broken:
            self._warn(form, inspected)
        if inspected.employers is not self._last_employers:
            self._last_employers = inspected.employers
            self._employers.update(inspected.employers)
        if inspected.reference is not None:
            self._references.append(inspected.reference)
        if self._sinks.noticed is not None:
            self._sinks.noticed(inspected)
        self._sinks.declared(self._document(form))
        return None

    def _warn(self, form: Form, inspected: Inspected) -> None:
        if inspected.blocks:
            raise _SomethingWrongError
        self._settle()
        self._warned += len(inspected.broken)
        if len(self._warnings) < MAX_ANOMALIES:
            reading = Reading(self._encoding, self._chosen.schema, self._chosen.kind.root, self._chosen.kind.namespace)
            self._warnings += faults_of(form, self._splitter, reading, inspected.broken)

    def _document(self, form: Form) -> bytes:
        document = self._splitter.alone(form.written_plainly(), _DECLARED)
        return document.decode("latin-1").encode() if self._encoding == "ISO-8859-1" else document


def _checked(judged: Judged) -> Finding | None:
    if judged.is_broken:
        raise _SomethingWrongError
    return judged.finding


def _nothing_runs() -> None:
    """What there is to wait for before the reading begins."""
