"""What is wrong with a form that its schema accepts, and what is to be known of it?

Identifiers by their check digits, the rules of its type, the employers it names and the sender's own reference, all
from the same few elements of the form. Source: annex 30 (172), glossary (00024-004 and the like).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Final

from schemas import identifiers
from schemas.anomaly import Broken
from schemas.fields import Field, fields_of
from schemas.identifiers import Kind
from schemas.message_type import MessageType
from schemas.rules import RULES, Memory
from schemas.splitting import Form, Splitter

MAX_BROKEN: Final = 10_000
"""As many faults of one form are kept; a form that has more is refused all the same."""

_EMPLOYER_NUMBERS: Final = {
    "NOSSRegistrationNbr": Kind.ONSS,
    "ProvisionalNSSONbr": Kind.PROVISIONAL_ONSS,
    "NOSSLPARegistrationNbr": Kind.PPL,
    "CompanyID": Kind.ENTERPRISE,
}


@dataclass(frozen=True, slots=True)
class Employer:
    """An employer as a declaration names it: a kind of number and the number, without zeros before it."""

    kind: Kind
    number: str


@dataclass(frozen=True, slots=True)
class Inspected:
    """What was found in one form."""

    identification: str | None
    broken: tuple[tuple[Field, Broken], ...]
    employers: tuple[Employer, ...]
    reference: str | None
    declarations: int


class Inspection:
    """Looks at the valid forms of one file, one after the other."""

    def __init__(self, kind: MessageType, day: date) -> None:
        self._kind = kind
        self._day = day
        self._rules = [(RULES[name], Memory()) for name in kind.rules]
        self._employer_blocks = frozenset(path.rpartition("/")[2] for path in kind.employer)
        self._references = frozenset(path.rpartition("/")[2] for path in kind.reference)
        counted = (kind.limits.declarations or "").rpartition("/")[2]
        self._counted = re.compile(rf"<{re.escape(counted)}[ \\t\\r\\n/>]".encode()) if counted else None
        asked = {"Identification", *kind.identifiers} | self._employer_blocks | self._references
        if self._employer_blocks:
            asked |= set(_EMPLOYER_NUMBERS)
        self._names = frozenset(asked.union(*(rule.names for rule, _ in self._rules)))

    def inspect(self, form: Form, splitter: Splitter, encoding: str) -> Inspected:
        """Look at the next form of the file."""
        fields = fields_of(form, self._names, splitter, encoding)
        return Inspected(
            identification=next((field.value for field in fields if field.name == "Identification"), None),
            broken=tuple(islice(self._broken(fields), MAX_BROKEN)),
            employers=tuple(dict.fromkeys(self._employers(fields))),
            reference=next((field.value for field in fields if field.name in self._references), None),
            declarations=len(self._counted.findall(form.content)) if self._counted else 0,
        )

    def _broken(self, fields: Sequence[Field]) -> Iterator[tuple[Field, Broken]]:
        for field in fields:
            kind = self._kind.identifiers.get(field.name)
            if kind is not None and identifiers.check(Kind(kind), field.value):
                yield field, Broken(f"identifier.{kind}", "004", field.name, field.value)
        for rule, memory in self._rules:
            yield from rule.check(fields, memory, self._day)

    def _employers(self, fields: Sequence[Field]) -> Iterator[Employer]:
        """The first number of each kind behind the start of each block that names an employer."""
        wanted: set[str] = set()
        for field in fields:
            if field.name in self._employer_blocks:
                wanted = set(_EMPLOYER_NUMBERS)
            elif field.name in wanted:
                wanted.discard(field.name)
                number = field.value.lstrip("0")
                if number:
                    yield Employer(_EMPLOYER_NUMBERS[field.name], number)
