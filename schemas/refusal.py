"""What exactly is wrong with a file that was refused, and where?

The second reading of `schemas.validate`: form by form, each judged alone, so that one that is broken doesn't hide the
faults of another. Places are counted out in a last reading.

Source: annex 30, codes 102, 158, 205, 255, 312; structures A.3 for what a notification tells.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import BinaryIO, Final
from xml.parsers import expat

from schemas.anomaly import Anomaly, Broken, Severity
from schemas.choice import Chosen
from schemas.codes import Code, Finding
from schemas.forms import is_of_type, misplaced, too_many
from schemas.inspection import Inspection
from schemas.judgement import Judgement, is_valid
from schemas.lines import placed
from schemas.locate import SEPARATOR, Fault, Mark, Reading, faults_of
from schemas.splitting import Form, Splitter, pieces_of
from schemas.xsd import element_names

MAX_ANOMALIES: Final = 1000
"""As many anomalies are told in full; of the others, how many there are."""

MOST_COUNTED: Final = 10_000
"""As many anomalies that refuse a file are looked for."""

# What is told of a form as a whole.
_OF_FORMS: Final = {
    Code.NOT_A_FORM: "the root holds a block that is not a Form of its schema",
    Code.FORM_TYPE_MISMATCH: "a form is of another type",
}


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that is refused: why as a whole, and what is wrong at which place.

    ``total`` counts the anomalies, warnings among them, also those that are not told any more; looking for them ends
    with `MOST_COUNTED`. No anomalies: the file was refused before anybody looked into its forms.
    """

    findings: tuple[Finding, ...]
    anomalies: tuple[Anomaly, ...] = ()
    total: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most bytes and forms of one document."""

    max_bytes: int
    max_forms: int


def explain(content: BinaryIO, chosen: Chosen, encoding: str, bounds: Bounds, day: date) -> Refused:
    """Look for all that is wrong with the forms of a document from where ``content`` stands.

    Args:
        content: the document, which need not be well-formed to its end
        chosen: its type and schema
        encoding: as it declares it
        bounds: what it may have
        day: of receipt
    """
    start = content.tell()
    forms = _Forms(chosen, encoding, bounds, day)
    finding = forms.read(content)
    content.seek(start)
    if finding is not None:
        return place_finding(content, finding, encoding, forms.size)
    told = (forms.blocking + forms.warnings)[:MAX_ANOMALIES]
    anomalies = tuple(placed(content, told, encoding))
    return Refused(tuple(_findings(forms.blocking, chosen)), anomalies, len(forms.blocking) + forms.warned)


def _findings(faults: Sequence[Fault], chosen: Chosen) -> Iterator[Finding]:
    """What the acknowledgement says: a code for each kind of fault, and where the first of them is."""
    for code, detail in _OF_FORMS.items():
        if concerned := [fault for fault in faults if fault.broken.code == code]:
            yield Finding(code, f"{detail}: form {concerned[0].form}")
    others = [fault for fault in faults if fault.broken.code not in _OF_FORMS]
    if others:
        first = others[0]
        known = first.broken.element in element_names(chosen.schema)
        element = first.broken.element if known else "an unknown element"
        forms = len({fault.form for fault in others})
        where = f"first form {first.form}, {element}: {first.broken.rule}"
        many = f"{_counted(len(others), 'anomaly', 'anomalies')} in {_counted(forms, 'form', 'forms')}"
        yield Finding(Code.FORM_INVALID, f"{many}; {where}")
    elif not faults:
        yield Finding(Code.FILE_INVALID, "the document as a whole breaks its schema")


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


class _Forms:
    """Reads the forms of a document and keeps what is wrong with them."""

    def __init__(self, chosen: Chosen, encoding: str, bounds: Bounds, day: date) -> None:
        kind = chosen.kind
        self._kind = kind
        self._bounds = bounds
        self._reading = Reading(encoding, chosen.schema, kind.root, kind.namespace)
        self._splitter = Splitter(prefixed=kind.namespace is not None)
        self._inspection = Inspection(kind, encoding, day)
        self.blocking: list[Fault] = []
        self.warnings: list[Fault] = []
        self.warned = 0
        self.size = 0

    def read(self, content: BinaryIO) -> Finding | None:
        """Read to the end, or until enough is found; a finding that makes all others needless, if there is one."""
        wellformed = Judgement(None, self._reading.encoding)
        for piece in pieces_of(content):
            self.size += len(piece)
            if self.size > self._bounds.max_bytes:
                return Finding(Code.FILE_TOO_LARGE, f"more than {self._bounds.max_bytes} bytes")
            finding = wellformed.feed(piece) or self._take(piece)
            if finding is not None:
                return finding
            if len(self.blocking) >= MOST_COUNTED:
                return None
        return wellformed.close() or self._splitter.close() or self._empty()

    def _empty(self) -> Finding | None:
        return None if self._splitter.forms else Finding(Code.NO_DECLARATION, "the root element holds no form")

    def _take(self, piece: bytes) -> Finding | None:
        for form in self._splitter.feed(piece):
            finding = form if isinstance(form, Finding) else self._look_at(form)
            if finding is not None or len(self.blocking) >= MOST_COUNTED:
                return finding
        return None

    def _look_at(self, form: Form) -> Finding | None:
        finding = too_many(form, self._kind, self._bounds.max_forms)
        if finding is not None:
            return finding
        reading = self._reading
        if not is_valid(self._splitter.alone(form.content), reading.schema, reading.encoding):
            faults = faults_of(form, self._splitter, reading)
            self._keep(faults if is_of_type(form, self._kind) else _of_another_type(faults))
            return None
        inspected = self._inspection.inspect(form)
        if inspected.broken and (inspected.blocks or len(self.warnings) < MAX_ANOMALIES):
            self._keep(faults_of(form, self._splitter, reading, inspected.broken))
        else:
            self.warned += len(inspected.broken)
        return misplaced(form, inspected, self._kind, self._splitter, reading.encoding)

    def _keep(self, faults: Sequence[Fault]) -> None:
        self.blocking += [fault for fault in faults if fault.broken.severity is Severity.BLOCKING]
        warnings = [fault for fault in faults if fault.broken.severity is Severity.WARNING]
        self.warned += len(warnings)
        self.warnings += warnings[: max(0, MAX_ANOMALIES - len(self.warnings))]
        del self.blocking[MOST_COUNTED:]


def _of_another_type(faults: list[Fault]) -> list[Fault]:
    """A form of another type has one fault, its code; what else it has wrong follows from that."""
    codes = [fault for fault in faults if fault.broken.element == "Identification"]
    first = (codes or faults)[0]
    broken = Broken("form-type", Code.FORM_TYPE_MISMATCH, "Identification", first.broken.value, first.broken.expected)
    return [Fault(first.mark, broken, first.form)]


def place_finding(content: BinaryIO, finding: Finding, encoding: str, read: int) -> Refused:
    """The refusal of a file for one finding, with its place: where it isn't well-formed, or what block is no form.

    Args:
        content: the document
        finding: why it is refused; one of another code has no place
        encoding: as it declares it
        read: how many bytes were read when that was found; what comes after them is left alone
    """
    start = content.tell()
    match finding.code:
        case Code.XML_SYNTAX:
            broken, offset = Broken("syntax", Code.XML_SYNTAX, ""), _broken_at(content, encoding, read)
        case Code.NOT_A_FORM:
            broken, offset = Broken("not-a-form", Code.NOT_A_FORM, ""), _block_at(content, encoding, read)
        case _:
            return Refused((finding,))
    if offset is None:
        return Refused((finding,))
    content.seek(start)
    fault = Fault(Mark(offset, "", ()), broken, 0)
    return Refused((finding,), tuple(placed(content, [fault], encoding)), 1)


def _block_at(content: BinaryIO, encoding: str, read: int) -> int | None:
    """The offset of the first element below the root that isn't called Form, if there is one."""
    parser = expat.ParserCreate(encoding, SEPARATOR)
    depth = 0
    found: list[int] = []

    def start(name: str, _attributes: object) -> None:
        nonlocal depth
        if depth == 1 and not found and name.rpartition(SEPARATOR)[2] != "Form":
            found.append(parser.CurrentByteIndex)
        depth += 1

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    with suppress(expat.ExpatError):
        for piece in pieces_of(content):
            parser.Parse(piece[:read], False)
            read -= len(piece)
            if found or read <= 0:
                break
    return found[0] if found else None


def _broken_at(content: BinaryIO, encoding: str, read: int) -> int | None:
    """The offset at which another parser finds a document not well-formed, if it does."""
    parser = expat.ParserCreate(encoding, SEPARATOR)
    try:
        for piece in pieces_of(content):
            parser.Parse(piece[:read], False)
            read -= len(piece)
            if read < 0 or (not read and content.read(1)):
                return None
        parser.Parse(b"", True)
    except expat.ExpatError:
        return parser.ErrorByteIndex
    return None
