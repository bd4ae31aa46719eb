"""What is wrong at one place of a declaration, said so that a program and a payroll clerk can act on it?

An anomaly is what a notification reports (structures A.3, AnomalyReport): a code made of the zone's number in the
glossary and a code of annex 30, the place, the value, and what would be right. How it reads in a language is in
`schemas.wording`.

Codes of annex 30: 090 cardinality, 091 sequence, 092 unknown element, 093 length. A value that breaks its format or
range has 008 (outside the permitted domain), a wrong check digit 004.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

MAX_VALUE: Final = 64
_UNKNOWN_ZONE: Final = "00000"


class Severity(StrEnum):
    """The class of an anomaly (zone 00497): one that refuses the declaration, or one that only warns."""

    BLOCKING = "B"
    WARNING = "W"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an element stands in its file.

    ``line`` and ``column`` count characters from 1, ``offset`` bytes from 0; they are those of its start tag. ``path``
    names it from the root on, as XPath; ``position`` counts the elements on each level from 1, the root's own first.
    """

    line: int
    column: int
    offset: int
    path: str
    position: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule broken by one element, before anybody looked where it stands.

    ``rule`` names the rule (`schemas.wording` has words for it), ``code`` is that of annex 30, ``expected`` says what
    would be right, without words of any language.
    """

    rule: str
    code: str
    element: str
    value: str = ""
    expected: str = ""
    severity: Severity = Severity.BLOCKING
    zone: str = ""

    @property
    def error_id(self) -> str:
        """The zone's number and the code, such as ``00024-004``."""
        return f"{self.zone or zones().get(self.element, _UNKNOWN_ZONE)}-{self.code}"


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A rule broken, and where: in which form of the file, counted from 1, and at which place."""

    broken: Broken
    form: int
    place: Place


@cache
def zones() -> Mapping[str, str]:
    """The five digits that the glossary gives each element."""
    with Path(__file__).with_name("zones.toml").open("rb") as file:
        known: dict[str, str] = tomllib.load(file)["zones"]
    return known
