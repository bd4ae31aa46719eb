"""What worker processes do with an institution's message: hold it against its schema, and read whom it names.

Runs in a limited process (:mod:`gateway.workers`) and answers values that can be sent back. The schema decides and
nothing else: an institution may well tell that a number is wrong, so check digits and rules of a type aren't asked.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Final

from lxml import etree

from schemas import catalogue
from schemas.codes import Code, Finding
from schemas.identifiers import Kind
from schemas.inspection import Employer
from schemas.message_type import Direction, MessageType
from schemas.strict import STRICT
from schemas.validate import Limits, Refused, validate

_NOBODY: Final = "0"


@dataclass(frozen=True, slots=True)
class VettingRules:
    """What a message is held against.

    ``purpose`` is what the message says that it is, ``limits`` what a message may hold, ``day`` that of
    receipt, ``types`` the folder with types of the site's own. ``mark`` turns an INSS into its keyed hash.
    """

    purpose: str
    limits: Limits
    day: date
    types: Path
    mark: Callable[[str], str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Vetted:
    """A message that its schema allows.

    ``employers`` are those that it names, ``marks`` the persons, as the form's number from 1 and a keyed hash.
    """

    schema_version: str
    forms: int
    employers: frozenset[Employer]
    marks: tuple[tuple[int, str], ...]


def vet(message: bytes, rules: VettingRules) -> Vetted | tuple[Finding, ...]:
    """Whether ``message`` is a valid document of its type; the findings if it isn't.

    Raises:
        TypesUnusable: the types of message can't be read now.
    """
    kinds = catalogue.current(rules.types).of_purpose(rules.purpose, Direction.OUT)
    if not kinds:
        return (Finding(Code.FORM_TYPE_MISMATCH, "no type of message that travels outwards has this purpose"),)
    persons = _Persons(kinds, rules.mark)
    unruled = [replace(kind, identifiers={}, rules=()) for kind in kinds]
    result = validate(io.BytesIO(message), unruled, rules.limits, persons.note, rules.day)
    if isinstance(result, Refused):
        return result.findings
    return Vetted(result.schema_version, result.forms, result.employers, tuple(persons.marks))


class _Persons:
    """Whom the forms of a message name, form by form."""

    def __init__(self, kinds: tuple[MessageType, ...], mark: Callable[[str], str]) -> None:
        self._names = {name for kind in kinds for name, number in kind.identifiers.items() if number == Kind.INSS}
        self._mark = mark
        self._form = 0
        self.marks: list[tuple[int, str]] = []

    def note(self, document: bytes) -> None:
        """Mark the persons of the next form, given as a valid document of its own."""
        self._form += 1
        if self._names:
            self.marks += ((self._form, self._mark(inss)) for inss in dict.fromkeys(self._numbers(document)))

    def _numbers(self, document: bytes) -> Iterator[str]:
        root = etree.fromstring(document, etree.XMLParser(**STRICT))
        for element in root.iter(*(f"{{*}}{name}" for name in self._names)):
            number = (element.text or "").strip()
            if number.isdecimal() and number != _NOBODY:
                yield number
