"""Which checks go across the elements of a form, or across the forms of a file?

A type names its rules (``rules`` in type.toml); each is a short function here, and those `OF_EVERY_TYPE` count for all
that senders send. A rule is given the values of the elements it asks for, by their names and in their order, once for
every form, and a memory that it keeps from form to form. A schema has accepted the form already; what is no whole
number all the same counts as 0.

Source: glossary of the DmfA, the errors named at each function. Check digits are `schemas.identifiers`'.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Final

from schemas.anomaly import Broken, Severity
from schemas.fields import Field

_CONTRIBUTIONS: Final = frozenset(
    {
        "ContributionAmount",
        "StudentContributionAmount",
        "GrossRefRemunContributionAmount",
        "EarlyRetirementContributionAmount",
        "UnrelatedAmount",
    }
)
_EMPLOYER: Final = ("NOSSRegistrationNbr", "NOSSLPARegistrationNbr", "CompanyID")

_QUARTER_MONTHS: Final = 3


@dataclass(frozen=True, slots=True)
class Memory:
    """What a rule remembers of the forms of one file, in numbers as small as can be: a file may name many persons."""

    seen: set[int] = field(default_factory=set)
    same: dict[int, int] = field(default_factory=dict)


Form = Mapping[str, Sequence[str]]
Finds = Iterator[tuple[Field, Broken]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A check, and the names of the elements that it asks for; it is called with form, memory and day of receipt."""

    names: frozenset[str]
    check: Callable[[Form, Memory, date], Finds]


def creation_date(form: Form, _memory: Memory, day: date) -> Finds:
    """00218-008, a warning: a form was made this year or last year, and not after the day of its receipt."""
    name = "FormCreationDate"
    first, last = _creation_days(day)
    for at, value in enumerate(form.get(name, ())):
        if not first <= value.strip() <= last:
            broken = Broken("form.creation-date", "008", name, value.strip(), f"{first} … {last}", Severity.WARNING)
            yield Field(name, at), broken


def net_amount(form: Form, _memory: Memory, _day: date) -> Finds:
    """00015-007: the net amount is the sum of the contributions less that of the deductions, in cents."""
    owed = sum(sum(_numbers(form[name])) for name in _CONTRIBUTIONS if name in form)
    owed -= sum(_numbers(form.get("DeductionAmount", ())))
    values = form.get("NetOwedAmount", ())
    for at, amount in enumerate(_numbers(values)):
        if amount != owed:
            yield _broken("dmfa.net-amount", "007", "NetOwedAmount", at, values[at], str(owed))


def sequence_numbers(form: Form, _memory: Memory, _day: date) -> Finds:
    """00023-006: no two persons of a declaration have the same sequence number."""
    name = "NaturalPersonSequenceNbr"
    values = form.get(name, ())
    numbers = _numbers(values)
    seen: set[int] = set()
    for at, number in enumerate(numbers) if len(set(numbers)) < len(numbers) else ():
        if number in seen:
            yield _broken("dmfa.sequence-numbers", "006", name, at, values[at])
        seen.add(number)


def inss_once(form: Form, memory: Memory, _day: date) -> Finds:
    """00024-006: a person stands once in all declarations of a file for one employer and quarter; 0 is nobody.

    An employer may be named by two numbers; one of them in common is enough.
    """
    quarter = sum(_numbers(form.get("Quarter", ())[:1]))
    numbers = ((name, *_numbers(form[name][:1])) for name in _EMPLOYER if name in form)
    # Far apart: a person added to the number of one employer is not met among the persons of another.
    whose = [hash((quarter, *number)) for number in numbers if number[1]]
    employers = {memory.same.setdefault(employer, whose[0]) for employer in whose}
    values = form.get("INSS", ())
    persons = _numbers(values)
    keys = [employer + person for employer in employers for person in persons if person]
    if len(set(keys)) == len(keys) and memory.seen.isdisjoint(keys):
        memory.seen.update(keys)
        return
    for at, person in enumerate(persons):
        keys = [employer + person for employer in employers if person]
        if not memory.seen.isdisjoint(keys):
            yield _broken("dmfa.inss-once", "006", "INSS", at, values[at])
        memory.seen.update(keys)


def quarter_bounds(form: Form, _memory: Memory, day: date) -> Finds:
    """00013-008: a quarter declared lies between the first of 2003 and the last one that has ended."""
    year, ended = (day.year, (day.month - 1) // 3) if day.month > _QUARTER_MONTHS else (day.year - 1, 4)
    last = year * 10 + ended
    values = form.get("Quarter", ())
    for at, quarter in enumerate(_numbers(values)):
        if not 20031 <= quarter <= last:
            yield _broken("dmfa.quarter-bounds", "008", "Quarter", at, values[at], f"20031 … {last}")


@lru_cache(maxsize=8)
def _creation_days(day: date) -> tuple[str, str]:
    return f"{day.year - 1}-01-01", f"{day}"


def _broken(rule: str, code: str, name: str, at: int, value: str, expected: str = "") -> tuple[Field, Broken]:
    return Field(name, at), Broken(rule, code, name, value.strip(), expected)


def _numbers(values: Sequence[str]) -> Sequence[int]:
    try:
        return [*map(int, values)]
    except ValueError:
        return [*map(_number, values)]


def _number(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        return 0


OF_EVERY_TYPE: Final = ("form.creation-date",)
"""The rules for all that senders send, named by no type."""

RULES: Final[Mapping[str, Rule]] = {
    "form.creation-date": Rule(frozenset({"FormCreationDate"}), creation_date),
    "dmfa.net-amount": Rule(_CONTRIBUTIONS | {"DeductionAmount", "NetOwedAmount"}, net_amount),
    "dmfa.sequence-numbers": Rule(frozenset({"NaturalPersonSequenceNbr"}), sequence_numbers),
    "dmfa.inss-once": Rule(frozenset({"INSS", "Quarter", *_EMPLOYER}), inss_once),
    "dmfa.quarter-bounds": Rule(frozenset({"Quarter"}), quarter_bounds),
}
"""Every rule by its name."""
