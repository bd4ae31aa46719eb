"""What is known of a type of message beside its schemas?

Source: the list of purposes, annex 11 (the code in the file name is not the code in the form) and the glossary, which
says what each element holds. How it is written down is in `schemas.type_file`, which types there are in
`schemas.catalogue`; what a document of a type has to look like is in the schemas alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path

from schemas.identifiers import Kind


class Direction(StrEnum):
    """Which way messages of a type travel, seen from the gateway."""

    IN = "in"
    OUT = "out"
    BOTH = "both"

    def covers(self, other: "Direction") -> bool:
        """Whether a message that travels the other way can be of such a type."""
        return self in {other, Direction.BOTH}


@dataclass(frozen=True, slots=True)
class FileLimits:
    """The most bytes and forms in one part, and elements at the path ``declarations`` in one form; None is no limit."""

    max_bytes: int | None = None
    max_forms: int | None = None
    max_declarations: int | None = None
    declarations: str | None = None


@dataclass(frozen=True, slots=True)
class MessageType:
    """One type of message.

    ``purpose`` is the code in the file name, ``titles`` its name in fr, nl, de and en, ``root`` the name of the root
    element in ``namespace``, ``form_codes`` what the Identification of a form may say, ``versions`` the schema file of
    each version, such as ``20231``, and ``starts`` the day from which each counts. ``employer`` and ``reference`` are
    paths of elements below Form. No ``signature_formats`` means any. A type whose structure isn't known has no
    versions and an empty root.
    """

    purpose: str
    titles: Mapping[str, str] = field(hash=False)
    root: str
    form_codes: frozenset[str]
    versions: Mapping[str, Path] = field(hash=False)
    starts: Mapping[str, date] = field(hash=False)
    namespace: str | None = None
    direction: Direction = Direction.IN
    environments: frozenset[str] = frozenset("RTS")
    signature_required: bool = True
    signature_formats: frozenset[str] = frozenset()
    limits: FileLimits = FileLimits()
    employer: tuple[str, ...] = ()
    reference: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    identifiers: Mapping[str, Kind] = field(default_factory=dict, hash=False)

    @property
    def title(self) -> str:
        """Its name in English."""
        return self.titles["en"]

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path of elements below Form that it names."""
        counted = (self.limits.declarations,) if self.limits.declarations else ()
        return self.employer + self.reference + counted

    def versions_at(self, day: date) -> Mapping[str, Path]:
        """The versions that count on a day, with their schema files, oldest first; older ones stay valid."""
        return {version: path for version, path in self.versions.items() if self.starts[version] <= day}
