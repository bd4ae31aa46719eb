"""How is what is wrong said to a sender, in French, Dutch, German or English?

The words are in ``wording.toml``. Each code of the channel has a sentence; each rule that an element can break has one
too, with what would be right where that is known. The value itself stands in no sentence: it is personal data, and goes
into a field of its own. Source: annex 30 for the codes, structures A.3 (AnomalyLabel) for the anomalies.
"""

import tomllib
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

from schemas.anomaly import Broken
from schemas.codes import Code

_FILE: Final = Path(__file__).with_name("wording.toml")


class Language(StrEnum):
    """The three languages of the country, and English."""

    FR = "fr"
    NL = "nl"
    DE = "de"
    EN = "en"


def code_text(code: Code, language: Language) -> str:
    """What a code of the channel says; one sentence."""
    sentence: str = _words()["codes"][code.value][language]
    return sentence


def anomaly_text(broken: Broken, language: Language) -> str:
    """What is wrong with an element, and what would be right; one sentence without the element's value.

    Raises `LookupError` for a rule that has no words.
    """
    rule = _words()["rules"][broken.rule]
    sentence: str = rule["expected" if broken.expected and "expected" in rule else "text"][language]
    return sentence.format(element=broken.element, expected=expected_text(broken.expected, language))


def expected_text(expected: str, language: Language) -> str:
    """What would be right (`Broken.expected`) in words of a language; as it stands where it has none."""
    values = _words()["values"]
    if expected in values:
        phrase: str = values[expected][language]
        return phrase
    what, sign, bound = expected.partition(" ≤ ")
    return f"{values[f'{what} ≤'][language]} {bound}" if sign and f"{what} ≤" in values else expected


@cache
def _words() -> dict[str, Any]:
    with _FILE.open("rb") as file:
        return tomllib.load(file)
