"""What exactly is wrong with a file that was refused, and where?

The second reading of `schemas.validate`: form by form, each judged alone, so that one that is broken doesn't hide the
faults of another. Places are counted out in a last reading.

Source: annex 30, codes 102, 158, 205, 255, 312; structures A.3 for what a notification tells.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import BinaryIO, Final
from xml.parsers import expat

from schemas.anomaly import Anomaly, Broken, Place
from schemas.choice import Chosen
from schemas.codes import Code, Finding
from schemas.forms import is_of_type
from schemas.inspection import Inspection
from schemas.judgement import Judgement, is_valid
from schemas.locate import Fault, Reading, faults_of, placed
from schemas.splitting import Form, Splitter
from schemas.xsd import element_names

MAX_ANOMALIES: Final = 1000
"""As many anomalies are told in full; of the others, how many there are."""

MOST_COUNTED: Final = 10_000
"""As many anomalies are looked for."""

# What is told of a form as a whole.
_OF_FORMS: Final = {
    Code.NOT_A_FORM: "the root holds a block that is not a Form of its schema",
    Code.FORM_TYPE_MISMATCH: "a form is of another type",
}
_PIECE_BYTES: Final = 65536


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that is refused: why as a whole, and what is wrong at which place.

    ``total`` counts the anomalies, also those that are not told any more; looking for them ends at `MOST_COUNTED`. No
    anomalies: the file was refused before anybody looked into its forms.
    """

    findings: tuple[Finding, ...]
    anomalies: tuple[Anomaly, ...] = ()
    total: int = 0


def explain(content: BinaryIO, chosen: Chosen, encoding: str, day: date) -> Refused:
    """Look for all that is wrong with the forms of a document from where ``content`` stands.

    Args:
        content: the document, which need not be well-formed to its end
        chosen: its type and schema
        encoding: as it declares it
        day: of receipt
    """
    start = content.tell()
    forms = _Forms(content, chosen, encoding, day)
    faults = list(islice(forms.faults(), MOST_COUNTED))
    content.seek(start)
    if forms.finding is not None:
        return place_syntax(content, forms.finding, encoding, forms.read)
    anomalies = tuple(placed(content, faults[:MAX_ANOMALIES], encoding))
    return Refused(tuple(_findings(faults, chosen)), anomalies, len(faults))


def _findings(faults: list[Fault], chosen: Chosen) -> Iterator[Finding]:
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
        yield Finding(Code.FORM_INVALID, f"{len(others)} anomalies in {forms} forms; {where}")
    elif not faults:
        yield Finding(Code.FILE_INVALID, "the document as a whole breaks its schema")


class _Forms:
    """The forms of a document, and the finding that ended their reading, if one did."""

    def __init__(self, content: BinaryIO, chosen: Chosen, encoding: str, day: date) -> None:
        self._content = content
        self._chosen = chosen
        self._reading = Reading(encoding, chosen.schema, chosen.kind.root, chosen.kind.namespace)
        self._splitter = Splitter()
        self._inspection = Inspection(chosen.kind, day)
        self.finding: Finding | None = None
        self.read = 0

    def faults(self) -> Iterator[Fault]:
        """Every fault of every form, those of a form in the order of their places."""
        wellformed = Judgement(None, self._reading.encoding)
        while piece := self._content.read(_PIECE_BYTES):
            self.read += len(piece)
            self.finding = wellformed.feed(piece)
            if self.finding is not None:
                return
            for form in self._splitter.feed(piece):
                if isinstance(form, Finding):
                    self.finding = form
                    return
                yield from self._faults_of(form)
        self.finding = wellformed.close() or self._splitter.close() or self._empty()

    def _empty(self) -> Finding | None:
        return None if self._splitter.forms else Finding(Code.NO_DECLARATION, "the root element holds no form")

    def _faults_of(self, form: Form) -> list[Fault]:
        reading = self._reading
        if not is_valid(self._splitter.alone(form.content), reading.schema, reading.encoding):
            faults = faults_of(form, self._splitter, reading, (), is_valid=False)
            return faults if is_of_type(form, self._chosen.kind) else _of_another_type(faults)
        broken = self._inspection.inspect(form, self._splitter, reading.encoding).broken
        return faults_of(form, self._splitter, reading, broken, is_valid=True) if broken else []


def _of_another_type(faults: list[Fault]) -> list[Fault]:
    """A form of another type has one fault, its code; what else it has wrong follows from that."""
    codes = [fault for fault in faults if fault.broken.element == "Identification"]
    first = (codes or faults)[0]
    broken = Broken("form-type", Code.FORM_TYPE_MISMATCH, "Identification", first.broken.value, first.broken.expected)
    return [Fault(first.mark, broken, first.form)]


def place_syntax(content: BinaryIO, finding: Finding, encoding: str, read: int) -> Refused:
    """The refusal of a file for one finding; if it isn't well-formed, with the place where it stops to be.

    Args:
        content: the document
        finding: why it is refused
        encoding: as it declares it
        read: how many bytes were read when that was found; what comes after them is left alone
    """
    if finding.code is not Code.XML_SYNTAX:
        return Refused((finding,))
    parser = expat.ParserCreate(encoding)
    left = read
    try:
        while piece := content.read(min(_PIECE_BYTES, left)):
            parser.Parse(piece, False)
            left -= len(piece)
        if not content.read(1):
            parser.Parse(b"", True)
    except expat.ExpatError as error:
        place = Place(error.lineno, error.offset + 1, parser.ErrorByteIndex, "", ())
        return Refused((finding,), (Anomaly(Broken("syntax", Code.XML_SYNTAX, ""), 0, place),), 1)
    return Refused((finding,))
