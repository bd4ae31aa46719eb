"""What does a form say of itself that an answer about it repeats?

Its five identification fields and the references its sender gave it, so that the sender finds it again. They are echoed
as they stand, whatever the schema says of them; whether they may stand in the answer is judged there
(`schemas.notification`). Source: structures A.3, HandledOriginalForm, Reference and Path.
"""

from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

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
_REFERENCE: Final = ("ReferenceType", "ReferenceOrigin", "ReferenceNbr")
_MOST_REFERENCES: Final = 4
_HEAD_BYTES: Final = 65536
_FIELD_DEPTH: Final = 3


@dataclass(frozen=True, slots=True)
class OriginalForm:
    """Names and values: the identification ``fields`` and, for each reference, its parts.

    What isn't there, or has more than `MAX_VALUE` characters, is left out.
    """

    fields: tuple[tuple[str, str], ...] = ()
    references: tuple[tuple[tuple[str, str], ...], ...] = ()


@dataclass(slots=True)
class _Reader:
    """Notes what stands directly below a form, and below its references."""

    way: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    references: list[dict[str, str]] = field(default_factory=list)

    def start(self, name: str, _attributes: object) -> None:
        self.way.append(name.rpartition("}")[2])
        self.text.clear()
        if len(self.way) == _FIELD_DEPTH and self.way[-1] == "Reference":
            self.references.append({})

    def end(self, _name: str) -> None:
        name = self.way.pop()
        value = "".join(self.text).strip()
        self.text.clear()
        if not 0 < len(value) <= MAX_VALUE:
            return
        if len(self.way) == _FIELD_DEPTH - 1 and name in FIELDS:
            self.fields.setdefault(name, value)
        elif len(self.way) == _FIELD_DEPTH and self.way[-1] == "Reference" and name in _REFERENCE:
            self.references[-1].setdefault(name, value)

    def original(self) -> OriginalForm:
        return OriginalForm(
            _in_order(self.fields, FIELDS),
            tuple(_in_order(reference, _REFERENCE) for reference in self.references[:_MOST_REFERENCES] if reference),
        )


def _in_order(values: dict[str, str], names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((name, values[name]) for name in names if name in values)


def original_of(form: Form, splitter: Splitter, encoding: str) -> OriginalForm:
    """What a form says of itself in its first 64 KB; it need not be valid, and where it isn't well-formed, that ends
    it.

    Args:
        form: as it stands in its document
        splitter: what cut it out
        encoding: of the document
    """
    reader = _Reader()
    parser = expat.ParserCreate(encoding, "}")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text.append
    try:
        parser.Parse(splitter.root_tag + form.content[:_HEAD_BYTES], False)
    except expat.ExpatError:
        return reader.original()
    return reader.original()
