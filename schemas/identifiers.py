"""Is this number one that could have been given out?

Each kind of number carries its own check digits, or bounds. Source: zones 00011, 00013, 00014, 00024, 00042, 00109,
00913 and 00948 of the glossary, and the arithmetic of the registers that give the numbers out. Whether a field may be
left out, or hold 0 for "none", is said by the schema of its message; whether the number belongs to anybody is known to
the registers alone.

Decided where the sources leave room:

- 0 is "none" for a person, an employer, an enterprise and an establishment: never a fault here.
- The lower end that the zone gives for provincial and local employers, 00000197, doesn't fit the arithmetic that the
  upper end and numbers in use fit. It is taken for the edge of a range, not for a number: the arithmetic counts.
- A Dimona period whose first ten digits leave no remainder may end in 00 or 97: no source says which.
- Establishments beginning with 8 have no known check digits, and two numbers of nines stand for places without one.
- A sign before a number, or more zeros before it than its kind has digits, is a fault.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from stdnum.be import ssn
from stdnum.exceptions import InvalidComponent, ValidationError

_WHITE_SPACE = " \t\r\n"
_INSS_DIGITS = 11
_CHECK_DIGITS = "the check digits don't fit the digits before them"
_NO_ESTABLISHMENT = frozenset({"9999999917", "9999999920"})


class Kind(StrEnum):
    """What kind of number an element holds."""

    INSS = "inss"
    ENTERPRISE = "enterprise"
    ONSS = "onss"
    PROVISIONAL_ONSS = "provisional_onss"
    PPL = "ppl"
    ESTABLISHMENT = "establishment"
    DIMONA_PERIOD = "dimona_period"
    QUARTER = "quarter"


ZONES: Mapping[Kind, tuple[str, ...]] = {
    Kind.INSS: ("00024", "00092", "00093", "00749", "00810"),
    Kind.ENTERPRISE: ("00014", "00131"),
    Kind.ONSS: ("00011",),
    Kind.PROVISIONAL_ONSS: ("00948",),
    Kind.PPL: ("00109",),
    Kind.ESTABLISHMENT: ("00042",),
    Kind.DIMONA_PERIOD: ("00913",),
    Kind.QUARTER: ("00013",),
}
"""The zones of the glossary that hold a number of each kind; a zone that isn't here may hold one too."""


def check(kind: Kind, value: str) -> str:
    """The rule that the number breaks, as an English sentence without the number in it; empty when it breaks none.

    ``value`` is the text of the element as it stands in the document; white space around it doesn't count.
    """
    if kind is Kind.INSS and len(value) == _INSS_DIGITS and value.isdecimal() and value.isascii() and _is_common(value):
        return ""
    number = value.strip(_WHITE_SPACE)
    form = _FORMS[kind]
    if form.zero_is_none and number == "0":
        return ""
    if _PATTERNS[kind].fullmatch(number) is None:
        return form.sentence
    return form.judge(number.zfill(form.digits))


def are_common(numbers: Sequence[str]) -> bool:
    """Whether all of these are good numbers of persons, as nearly all are; of others `check` knows."""
    for number in numbers:
        if len(number) != _INSS_DIGITS or not (number.isascii() and number.isdecimal() and _is_common(number)):
            return False
    return True


def _inss(number: str) -> str:
    """Zone 00024. In a BIS number the month of birth is 20 or 40 more; since 2000 a 2 is reckoned before the number.

    The library takes a number of one born since 2000 only when that year has come, by the clock of the machine.
    """
    if _is_common(number):
        return ""
    try:
        ssn.validate(number)
    except InvalidComponent:
        return "the third and fourth digits are no month, nor one plus 20 or 40"
    except ValidationError:
        return _CHECK_DIGITS
    return ""


def _is_common(number: str) -> bool:
    """Whether it is good, and that of somebody born in a known month before 2026.

    Nearly every number is, and the library, which agrees, needs ten times as long to say so: longer than the rest of
    the judgement of a small form.
    """
    first, last = divmod(int(number), 100)
    if last != 97 - first % 97 and (number[:2] >= "26" or last != 97 - (2_000_000_000 + first) % 97):
        return False
    return "01" <= number[2:4] <= "12"


def _enterprise(number: str) -> str:
    """Zone 00014. Not by the library, which takes 00, 98 and 99 for check digits too."""
    return _fits(int(number[8:]) == 97 - int(number[:8]) % 97)


def _onss(number: str) -> str:
    """Zone 00011."""
    if not 100_006 <= int(number) <= 199_999_934:
        return "it lies outside 100006 to 199999934"
    return _fits(int(number[7:]) == 96 - int(number[:7]) * 100 % 97)


def _provisional_onss(number: str) -> str:
    """Zone 00948."""
    if not 5_000_000_120 <= int(number) <= 5_999_999_989:
        return "it lies outside 5000000120 to 5999999989"
    return _fits(int(number[8:]) == 96 - int(number[:8]) * 100 % 97)


def _ppl(number: str) -> str:
    """Zone 00109."""
    return _fits(int(number[6:]) == (int(number[:6]) % 97 or 97))


def _establishment(number: str) -> str:
    """Zone 00042."""
    if number.startswith("8") or number in _NO_ESTABLISHMENT:
        return ""
    return _fits(int(number[8:]) == 97 - int(number[:8]) % 97)


def _dimona_period(number: str) -> str:
    """Zone 00913."""
    remainder = int(number[:10]) % 97
    return _fits(int(number[10:]) in {remainder, remainder or 97})


def _quarter(number: str) -> str:
    """Zone 00013."""
    return "" if int(number) >= 20_031 else "declarations by quarter begin with the first of 2003"


def _fits(fits: bool) -> str:
    return "" if fits else _CHECK_DIGITS


@dataclass(frozen=True, slots=True)
class _Form:
    """How a number is written: ``sentence`` says the pattern; ``judge`` gets it filled up with zeros to its digits."""

    digits: int
    pattern: str
    sentence: str
    judge: Callable[[str], str]
    zero_is_none: bool = False


_FORMS: Mapping[Kind, _Form] = {
    Kind.INSS: _Form(11, "[0-9]{11}", "it must have eleven digits", _inss, zero_is_none=True),
    Kind.ENTERPRISE: _Form(
        10, "[01]?[0-9]{9}", "it must have ten digits beginning with 0 or 1, or nine", _enterprise, zero_is_none=True
    ),
    Kind.ONSS: _Form(9, "[0-9]{1,9}", "it must have nine digits or fewer", _onss, zero_is_none=True),
    Kind.PROVISIONAL_ONSS: _Form(
        10, "5[0-9]{9}", "it must have ten digits, of which the first is 5", _provisional_onss
    ),
    Kind.PPL: _Form(8, "[0-9]{1,8}", "it must have eight digits or fewer", _ppl, zero_is_none=True),
    Kind.ESTABLISHMENT: _Form(
        10,
        "[28][0-9]{9}|" + "|".join(sorted(_NO_ESTABLISHMENT)),
        "it must have ten digits beginning with 2 or 8, or be 9999999917 or 9999999920",
        _establishment,
        zero_is_none=True,
    ),
    Kind.DIMONA_PERIOD: _Form(
        12, "(?!0+$)[0-9]{1,12}", "it must have twelve digits or fewer, and not be 0", _dimona_period
    ),
    Kind.QUARTER: _Form(5, "[0-9]{4}[1-4]", "it must be a year and a digit from 1 to 4", _quarter),
}

_PATTERNS = {kind: re.compile(form.pattern) for kind, form in _FORMS.items()}
