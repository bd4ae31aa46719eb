"""What does a form say of itself that an answer about it repeats?

Its five identification fields and the references its sender gave it, so that the sender finds it again, and the numbers
and codes by which a place in it goes in the business of its sender: quarter, employer, worker, occupation. They are
echoed as they stand, whatever the schema says of them; whether they may stand in the answer is judged there
(`schemas.notification`). Source: structures A.3, HandledOriginalForm, Reference and Path.
"""

from collections import ChainMap
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO, Final
from xml.parsers import expat

from schemas.codes import Finding
from schemas.prolog import HEAD_BYTES, Opening, read_opening
from schemas.splitting import Form, Splitter

FIELDS: Final = ("Identification", "FormCreationDate", "FormCreationHour", "AttestationStatus", "TypeForm")

PATH_KEYS: Final = (
    "Quarter",
    "NOSSRegistrationNbr",
    "NOSSLPARegistrationNbr",
    "Trusteeship",
    "CompanyID",
    "NaturalPersonSequenceNbr",
    "INSS",
    "EmployerClass",
    "WorkerCode",
    "OccupationSequenceNbr",
    "ServiceSequenceNbr",
    "ServiceCode",
    "RemunSequenceNbr",
    "RemunCode",
    "DeductionCode",
    "DeductionDetailSequenceNbr",
    "CompanyVehicleSequenceNbr",
)
"""The elements by which a block of a declaration is told from its siblings, in the order of the notification's Path."""

MAX_VALUE: Final = 64
_KEYS: Final = frozenset(PATH_KEYS)
_REFERENCE: Final = ("ReferenceType", "ReferenceOrigin", "ReferenceNbr")
_MOST_REFERENCES: Final = 4
_PIECE_BYTES: Final = 131072
_BELOW_FORM: Final = 2
_BELOW_REFERENCE: Final = 3

Position = tuple[int, ...]
Values = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class OriginalForm:
    """Names and values: the identification ``fields``, the parts of each reference, and the ``keys`` of each place.

    What isn't there, or has more than `MAX_VALUE` characters, is left out.
    """

    fields: Values = ()
    references: tuple[Values, ...] = ()
    keys: Mapping[Position, Values] = field(default_factory=dict)


@dataclass(slots=True)
class _Open:
    """An element whose end has not come yet, with the keys that stand directly below it."""

    name: str
    position: Position
    keys: dict[str, str] = field(default_factory=dict)
    children: int = 0


class _Reader:
    """Notes what stands directly below a form and its references, and the keys on the way to each place."""

    def __init__(self, number: int, places: Collection[Position]) -> None:
        self._number = number
        self._places = places
        self._ways: dict[Position, list[dict[str, str]]] = {}
        self._open: list[_Open] = []
        self._fields: dict[str, str] = {}
        self._references: list[dict[str, str]] = []
        self.text: list[str] = []

    def start(self, name: str, _attributes: object) -> None:
        """A start tag."""
        element = _Open(name.rpartition("}")[2], self._next_position())
        if len(self._open) == _BELOW_FORM and element.name == "Reference":
            self._references.append({})
        self._open.append(element)
        if element.position in self._places:
            self._ways[element.position] = [each.keys for each in self._open]
        self.text.clear()

    def _next_position(self) -> Position:
        if not self._open:
            return (1,)
        parent = self._open[-1]
        parent.children += 1
        return (*parent.position, self._number if len(self._open) == 1 else parent.children)

    def end(self, _name: str) -> None:
        """An end tag."""
        element = self._open.pop()
        value = "".join(self.text).strip()
        self.text.clear()
        if self._open and not element.children and 0 < len(value) <= MAX_VALUE:
            self._note(element.name, value)

    def _note(self, name: str, value: str) -> None:
        parent = self._open[-1]
        if name in _KEYS:
            parent.keys.setdefault(name, value)
        if len(self._open) == _BELOW_FORM and name in FIELDS:
            self._fields.setdefault(name, value)
        elif len(self._open) == _BELOW_REFERENCE and parent.name == "Reference" and name in _REFERENCE:
            self._references[-1].setdefault(name, value)

    def original(self) -> OriginalForm:
        """What was noted."""
        references = [reference for reference in self._references if reference][:_MOST_REFERENCES]
        keys = {place: _in_order(dict(ChainMap(*reversed(way))), PATH_KEYS) for place, way in self._ways.items()}
        return OriginalForm(
            _in_order(self._fields, FIELDS),
            tuple(_in_order(reference, _REFERENCE) for reference in references),
            {place: found for place, found in keys.items() if found},
        )


def _in_order(values: Mapping[str, str], names: tuple[str, ...]) -> Values:
    return tuple((name, values[name]) for name in names if name in values)


def originals(content: BinaryIO, places: Mapping[int, Collection[Position]]) -> dict[int, OriginalForm]:
    """What forms of a document say of themselves, as far as the document has them.

    Args:
        content: a document from where it stands; it need not be valid, nor well-formed to its end
        places: those to tell the keys of, by the number of their form; numbers count from 1
    """
    start = content.tell()
    opening = read_opening(content.read(HEAD_BYTES))
    if isinstance(opening, Finding):
        return {}
    content.seek(start)
    found: dict[int, OriginalForm] = {}
    for form, splitter in _forms(content, opening):
        if form.number in places:
            reader = _Reader(form.number, frozenset(places[form.number]))
            _read(reader, splitter.root_tag + form.content, opening.encoding)
            found[form.number] = reader.original()
        if form.number >= max(places, default=0):
            break
    return found


def _forms(content: BinaryIO, opening: Opening) -> Iterator[tuple[Form, Splitter]]:
    splitter = Splitter(prefixed=opening.root.startswith("{"))
    while piece := content.read(_PIECE_BYTES):
        for form in splitter.feed(piece):
            if isinstance(form, Finding):
                return
            yield form, splitter


def _read(reader: _Reader, document: bytes, encoding: str) -> None:
    """Read on to where a document isn't well-formed, at the latest to the end of its form."""
    parser = expat.ParserCreate(encoding, "}")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text.append
    with suppress(expat.ExpatError):
        parser.Parse(document, False)
