"""Which checks go across the elements of a form, or across the forms of a file?

A type names its rules (``rules`` in type.toml); each is a short function here. It is given the elements it asks for, in
the order of the form, once for every form, and a set to remember things in from form to form. The schema has accepted
the form already, so a number is a number.

Source: glossary of the DmfA, the errors named at each function. Check digits are `schemas.identifiers`'.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from schemas.anomaly import Broken
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

Memory = set[int]
Finds = Iterator[tuple[Field, Broken]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A check, and the names of the elements that it asks for; it is called with form, memory and day of receipt."""

    names: frozenset[str]
    check: Callable[[Sequence[Field], Memory, date], Finds]


def net_amount(form: Sequence[Field], _memory: Memory, _day: date) -> Finds:
    """00015-007: the net amount is the sum of the contributions less that of the deductions, in cents."""
    owed = 0
    for field in form:
        if field.name in _CONTRIBUTIONS:
            owed += int(field.value)
        elif field.name == "DeductionAmount":
            owed -= int(field.value)
    for field in form:
        if field.name == "NetOwedAmount" and int(field.value) != owed:
            yield field, Broken("dmfa.net-amount", "007", field.name, field.value, str(owed))


def sequence_numbers(form: Sequence[Field], _memory: Memory, _day: date) -> Finds:
    """00023-006: no two persons of a declaration have the same sequence number."""
    seen: set[int] = set()
    for field in form:
        if field.name == "NaturalPersonSequenceNbr":
            if int(field.value) in seen:
                yield field, Broken("dmfa.sequence-numbers", "006", field.name, field.value)
            seen.add(int(field.value))


def inss_once(form: Sequence[Field], memory: Memory, _day: date) -> Finds:
    """00024-006: a person stands once in all declarations of a file for one employer and quarter; 0 is nobody."""
    whose = tuple((field.name, int(field.value)) for field in form if field.name in {"Quarter", *_EMPLOYER})
    for field in form:
        if field.name == "INSS" and int(field.value):
            key = hash((whose, int(field.value)))
            if key in memory:
                yield field, Broken("dmfa.inss-once", "006", field.name, field.value)
            memory.add(key)


def quarter_bounds(form: Sequence[Field], _memory: Memory, day: date) -> Finds:
    """00013-008: a quarter declared lies between the first of 2003 and the last one that has ended."""
    year, ended = (day.year, (day.month - 1) // 3) if day.month > _QUARTER_MONTHS else (day.year - 1, 4)
    last = year * 10 + ended
    for field in form:
        if field.name == "Quarter" and not 20031 <= int(field.value) <= last:
            yield field, Broken("dmfa.quarter-bounds", "008", field.name, field.value, f"20031 … {last}")


RULES: Final[Mapping[str, Rule]] = {
    "dmfa.net-amount": Rule(_CONTRIBUTIONS | {"DeductionAmount", "NetOwedAmount"}, net_amount),
    "dmfa.sequence-numbers": Rule(frozenset({"NaturalPersonSequenceNbr"}), sequence_numbers),
    "dmfa.inss-once": Rule(frozenset({"INSS", "Quarter", *_EMPLOYER}), inss_once),
    "dmfa.quarter-bounds": Rule(frozenset({"Quarter"}), quarter_bounds),
}
"""Every rule by the name that types give it."""
