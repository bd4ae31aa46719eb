"""What is wrong with a form that its schema accepts, and what is to be known of it?

Identifiers by their check digits, the rules of its type, the employers and the persons it names and the sender's own
reference, all from the same few elements of the form. Source: annex 30 (172), glossary (00024-004 and the like).
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache, partial
from itertools import islice
from typing import Final, NamedTuple

from schemas import identifiers
from schemas.anomaly import Broken, Severity
from schemas.fields import Field, fields_of
from schemas.identifiers import Kind
from schemas.message_type import Direction, MessageType
from schemas.rules import OF_EVERY_TYPE, RULES, Memory
from schemas.splitting import Form

MAX_BROKEN: Final = 10_000
"""As many faults of one form are kept; a form that has more is refused all the same."""

_EMPLOYER_NUMBERS: Final = {
    "NOSSRegistrationNbr": Kind.ONSS,
    "ProvisionalNSSONbr": Kind.PROVISIONAL_ONSS,
    "NOSSLPARegistrationNbr": Kind.PPL,
    "CompanyID": Kind.ENTERPRISE,
}
_REMEMBERED: Final = 4096  # numbers that were checked; those of employers and places come again and again
_REMEMBERED_EMPLOYERS: Final = 256
_REMEMBERED_TYPES: Final = 256
_MOST: Final = 16  # elements about employers in a form, for its employers to be remembered


@dataclass(frozen=True, slots=True)
class Employer:
    """An employer as a declaration names it: a kind of number and the number, without zeros before it."""

    kind: Kind
    number: str


class Inspected(NamedTuple):
    """What was found in one form; ``persons`` are INSS, ``declarations`` counts what the type wants counted."""

    identification: str | None
    broken: tuple[tuple[Field, Broken], ...]
    employers: tuple[Employer, ...]
    persons: tuple[str, ...]
    reference: str | None
    declarations: int

    @property
    def blocks(self) -> bool:
        """Whether something broken refuses the form."""
        return any(broken.severity is Severity.BLOCKING for _, broken in self.broken)


class _Asked(NamedTuple):
    """What is looked for in the forms of a type, whichever file they are in."""

    names: frozenset[str]
    identifiers: tuple[tuple[str, Kind], ...]
    persons: tuple[str, ...]
    rules: tuple[str, ...]
    employer_blocks: frozenset[str]
    of_employers: frozenset[str]
    references: tuple[str, ...]
    counted: str


@lru_cache(maxsize=_REMEMBERED_TYPES)
def _asked(kind: MessageType) -> _Asked:
    rules = (*OF_EVERY_TYPE, *kind.rules) if kind.direction.covers(Direction.IN) else kind.rules
    blocks = frozenset(path.rpartition("/")[2] for path in kind.employer)
    references = tuple(path.rpartition("/")[2] for path in kind.reference)
    counted = (kind.limits.declarations or "").rpartition("/")[2]
    names = {"Identification", counted, *kind.identifiers, *references, *blocks}
    if blocks:
        names |= set(_EMPLOYER_NUMBERS)
    return _Asked(
        names=frozenset(names.union(*(RULES[name].names for name in rules)) - {""}),
        identifiers=tuple((name, Kind(number)) for name, number in kind.identifiers.items()),
        persons=tuple(name for name, number in kind.identifiers.items() if number == Kind.INSS),
        rules=rules,
        employer_blocks=blocks,
        of_employers=blocks.union(_EMPLOYER_NUMBERS),
        references=references,
        counted=counted,
    )


class Inspection:
    """Looks at the valid forms of one file, one after the other."""

    def __init__(self, kind: MessageType, encoding: str, day: date) -> None:
        self._encoding = encoding
        self._prefixed = kind.namespace is not None
        self._day = day
        self._asked = _asked(kind)
        remembering = lru_cache(maxsize=_REMEMBERED)(identifiers.check)
        self._identifiers = [
            (name, number, identifiers.check if number is Kind.INSS else remembering)
            for name, number in self._asked.identifiers
        ]
        self._rules = [(RULES[name], Memory()) for name in self._asked.rules]
        # Form after form names the same ones, and then they are the same objects.
        in_blocks = partial(_employers_in, self._asked.employer_blocks)
        self._employers = lru_cache(maxsize=_REMEMBERED_EMPLOYERS)(in_blocks)

    def inspect(self, form: Form) -> Inspected:
        """Look at the next form of the file."""
        asked = self._asked
        fields = fields_of(form, asked.names, self._encoding, prefixed=self._prefixed)
        named: dict[str, list[str]] = defaultdict(list)
        for name, value in fields:
            named[name].append(value)
        references = (named[name][0].strip() for name in asked.references if name in named)
        return Inspected(
            identification=named["Identification"][0].strip() if "Identification" in named else None,
            broken=tuple(islice(self._broken(named), MAX_BROKEN)),
            employers=self._named_employers(fields) if asked.employer_blocks else (),
            persons=tuple(dict.fromkeys(self._inss(named))),
            reference=next(references, None),
            declarations=len(named.get(asked.counted, ())),
        )

    def _broken(self, named: Mapping[str, Sequence[str]]) -> Iterator[tuple[Field, Broken]]:
        for name, kind, fault_of in self._identifiers:
            if name not in named or (kind is Kind.INSS and identifiers.are_common(named[name])):
                continue
            for at, value in enumerate(named[name]):
                if fault_of(kind, value):
                    yield Field(name, at), Broken(f"identifier.{kind}", "004", name, value.strip())
        for rule, memory in self._rules:
            yield from rule.check(named, memory, self._day)

    def _inss(self, named: Mapping[str, Sequence[str]]) -> Iterator[str]:
        for name in self._asked.persons:
            for value in named.get(name, ()):
                number = value.strip()
                if number != "0":  # nobody
                    yield number

    def _named_employers(self, fields: Sequence[tuple[str, str]]) -> tuple[Employer, ...]:
        naming = tuple([field for field in fields if field[0] in self._asked.of_employers])
        return self._employers(naming) if len(naming) <= _MOST else _employers_in(self._asked.employer_blocks, naming)


def _employers_in(blocks: Collection[str], fields: Sequence[tuple[str, str]]) -> tuple[Employer, ...]:
    """The first number of each kind behind the start of each of the blocks that name an employer, each once."""
    found: dict[Employer, None] = {}
    wanted: set[str] = set()
    for name, value in fields:
        if name in blocks:
            wanted = set(_EMPLOYER_NUMBERS)
        elif name in wanted:
            wanted.discard(name)
            number = value.strip().lstrip("0")
            if number:
                found[Employer(_EMPLOYER_NUMBERS[name], number)] = None
    return tuple(found)
