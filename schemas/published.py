"""Which type of message do schemas make, as they are published?

A folder of schemas named ``<Root>_<version>.xsd`` says much of its type: the root, the versions, the namespace, what
``Identification`` may hold, and, by the names of its elements, which of them hold numbers with check digits and which
block names the employer, since names mean the same in every message. What is known of the type already is kept. What
cannot be known has to be said. With a ``type.toml`` beside them nothing is guessed.

Source: annex 11 and the glossary. Whether the schemas are good ones is `schemas.structure`'s, and whether the type and
its schemas fit `schemas.catalogue`'s question.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Final

from config.errors import ConfigurationError
from schemas import anomaly, structure, type_file, xsd
from schemas.catalogue import Catalogue
from schemas.identifiers import ZONES, Kind
from schemas.message_type import Direction, MessageType

LANGUAGES: Final = ("fr", "nl", "de", "en")
_NAME: Final = re.compile(r"([A-Za-z][0-9A-Za-z]*)_([0-9]{4}[1-4])\.xsd")
_OF_EMPLOYERS: Final = frozenset({Kind.ONSS, Kind.PROVISIONAL_ONSS, Kind.PPL, Kind.ENTERPRISE})
_FORM: Final = "Form/"
# Not the firm that hires workers from theirs.
_EMPLOYER: Final = re.compile("(?!Using).*Employer.*")
_REFERENCE: Final = "Reference/ReferenceNbr"


class Quarter(StrEnum):
    """A version counts from the first day of the quarter that it is named for, or of the next one."""

    OWN = "quarter"
    NEXT = "next-quarter"


@dataclass(frozen=True, slots=True)
class Said:
    """What an operator says of a type; what is left out is known already, or is found in the schemas.

    ``starts`` are the first days of versions, ``otherwise`` that of each version which isn't among them; an identifier
    that is None is none, whatever its name is elsewhere.
    """

    purpose: str | None = None
    root: str | None = None
    titles: Mapping[str, str] = field(default_factory=dict)
    form_codes: Sequence[str] = ()
    direction: Direction | None = None
    signature_required: bool | None = None
    starts: Mapping[str, date] = field(default_factory=dict)
    otherwise: date | Quarter | None = None
    employer: Sequence[str] = ()
    reference: Sequence[str] = ()
    identifiers: Mapping[str, Kind | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Published:
    """A type, its schemas where they were found, and the other files that belong to them."""

    kind: MessageType
    files: tuple[Path, ...]


def read(folder: Path, known: Catalogue, said: Said) -> Published:
    """The type that the files of a folder make.

    Args:
        folder: with schemas, and perhaps with a ``type.toml``
        known: the types that there are
        said: what the operator says besides

    Raises `ConfigurationError` with every fault of the schemas, and with all that has to be said and isn't.
    """
    folder = folder.resolve()
    file = folder / "type.toml"
    if file.exists():
        kind = type_file.read(file)
        _refuse([fault for path in kind.versions.values() for fault in structure.faults(path)])
        return _published(_overruled(kind, said), folder.glob("samples/*.xml"))
    versions = _versions(folder, said.root)
    _refuse([fault for path in versions.values() for fault in structure.faults(path)])
    return _published(_Guess(versions, known, said).kind())


def start_of(version: str, otherwise: date | Quarter) -> date:
    """The first day of a version, such as ``20231``, that has no day of its own."""
    if isinstance(otherwise, date):
        return otherwise
    quarters = int(version[:4]) * 4 + int(version[4]) - 1 + (otherwise is Quarter.NEXT)
    return date(quarters // 4, quarters % 4 * 3 + 1, 1)


def _refuse(faults: Iterable[str]) -> None:
    told = list(dict.fromkeys(faults))
    if told:
        raise ConfigurationError(told)


def _overruled(kind: MessageType, said: Said) -> MessageType:
    """The type with what is said of it in the place of what is known."""
    return replace(
        kind,
        purpose=said.purpose or kind.purpose,
        titles={**kind.titles, **said.titles},
        form_codes=frozenset(said.form_codes) or kind.form_codes,
        starts={**kind.starts, **{version: day for version, day in said.starts.items() if version in kind.starts}},
        direction=said.direction or kind.direction,
        signature_required=kind.signature_required if said.signature_required is None else said.signature_required,
        employer=tuple(said.employer) or kind.employer,
        reference=tuple(said.reference) or kind.reference,
        identifiers=_held({**kind.identifiers, **said.identifiers}),
    )


def _held(identifiers: Mapping[str, Kind | None]) -> dict[str, Kind]:
    return {name: number for name, number in identifiers.items() if number is not None}


def _published(kind: MessageType, samples: Iterable[Path] = ()) -> Published:
    files = {file for path in kind.versions.values() for file in xsd.files(path)} | set(samples)
    _refuse(f"{file}: a link, and not a file" for file in sorted(files) if file.is_symlink())
    return Published(kind, tuple(sorted(files)))


def _versions(folder: Path, root: str | None) -> dict[str, Path]:
    named = [(_NAME.fullmatch(file.name), file) for file in sorted(folder.glob("*.xsd"))]
    found = [(match[1], match[2], file) for match, file in named if match is not None]
    roots = sorted({name for name, _, _ in found})
    if not found:
        raise ConfigurationError([f"{folder}: there is no schema whose name is <Root>_<version>.xsd"])
    if root is None and len(roots) > 1:
        raise ConfigurationError([f"{folder}: there are schemas of several types; say which: {', '.join(roots)}"])
    versions = {version: file.resolve() for name, version, file in found if name == (root or roots[0])}
    if not versions:
        raise ConfigurationError([f"{folder}: there is no schema of {root}"])
    return versions


class _Guess:
    """What schemas, the types that are known and the operator say together."""

    def __init__(self, versions: Mapping[str, Path], known: Catalogue, said: Said) -> None:
        self._versions = versions
        self._known = known
        self._said = said
        newest = versions[max(versions)]
        self._root = newest.stem.rpartition("_")[0]
        self._newest = newest
        self._demands = structure.demands(newest, self._root) if self._root in xsd.root_names(newest) else {}
        self._faults: list[str] = []

    def kind(self) -> MessageType:
        """The type; `ConfigurationError` with all that has to be said besides."""
        said = self._said
        form_codes = frozenset(said.form_codes) or self._form_codes()
        purpose = said.purpose or self._purpose(form_codes)
        earlier = self._earlier(purpose)
        kind = replace(
            earlier or MessageType(purpose, {}, "", frozenset(), {}, {}),
            root=self._root,
            titles=self._titles(earlier),
            # An older version may have forms that a newer one has no more.
            form_codes=form_codes | (earlier.form_codes if earlier else frozenset()),
            versions=dict(self._versions),
            starts=self._starts(earlier),
            namespace=xsd.namespace(self._newest),
        )
        if not kind.form_codes:
            self._faults.append("the schema doesn't say what Identification may hold: say --form-code")
        _refuse(self._faults)
        held = _held({**self._identifiers(earlier), **kind.identifiers, **said.identifiers})
        if not (earlier and earlier.root):
            reference = (_REFERENCE,) if _FORM + _REFERENCE in self._demands else ()
            kind = replace(kind, employer=tuple(self._employers(held)), reference=reference)
        kind = replace(kind, identifiers=held)
        return _overruled(kind, said)

    def _form_codes(self) -> frozenset[str]:
        named = self._demands.get(f"{_FORM}Identification")
        return frozenset(named.facets.get("enumeration", ())) if named else frozenset()

    def _purpose(self, form_codes: frozenset[str]) -> str:
        """That of the root, else that of the codes of its forms."""
        of_root = {kind.purpose for kind in self._known if kind.root == self._root}
        purposes = of_root or {kind.purpose for kind in self._known if kind.form_codes & form_codes}
        if len(purposes) != 1:
            self._faults.append(f"{self._root} is of no purpose that is known: say --purpose")
        return min(purposes, default="")

    def _earlier(self, purpose: str) -> MessageType | None:
        """What is known of the type, or of its purpose as long as its structure wasn't."""
        same = [kind for kind in self._known if kind.purpose == purpose]
        return next((kind for kind in same if kind.root in {self._root, ""}), None)

    def _titles(self, earlier: MessageType | None) -> dict[str, str]:
        titles = {**(earlier.titles if earlier else {}), **self._said.titles}
        missing = [language for language in LANGUAGES if language not in titles]
        if missing:
            self._faults.append(f"it has no title: say --title {missing[0]}=…, and so for {', '.join(LANGUAGES)}")
        return {language: titles[language] for language in LANGUAGES if language in titles}

    def _starts(self, earlier: MessageType | None) -> dict[str, date]:
        known = {**(earlier.starts if earlier else {}), **self._said.starts}
        otherwise = self._said.otherwise
        starts: dict[str, date] = {}
        for version in self._versions:
            if version in known:
                starts[version] = known[version]
            elif otherwise is not None:
                starts[version] = start_of(version, otherwise)
            else:
                self._faults.append(f"no first day of version {version} is known: say --starts")
        return starts

    def _identifiers(self, earlier: MessageType | None) -> dict[str, Kind]:
        """What elements hold, new ones if the type is known: as those of other types, or by their zone."""
        elsewhere: dict[str, set[Kind]] = {}
        for kind in self._known:
            for name, number in kind.identifiers.items():
                elsewhere.setdefault(name, set()).add(number)
        of_zone = {zone: number for number, zones in ZONES.items() for zone in zones}
        found: dict[str, Kind] = {}
        known = {name for path in (earlier.versions.values() if earlier else ()) for name in xsd.element_names(path)}
        for name in sorted(xsd.element_names(self._newest) - known):
            numbers = elsewhere.get(name, set())
            zone = of_zone.get(anomaly.zones().get(name, ""))
            if len(numbers) == 1:
                found[name] = min(numbers)
            elif not numbers and zone is not None:
                found[name] = zone
        return found

    def _employers(self, identifiers: Mapping[str, Kind]) -> Iterator[str]:
        """Blocks that are named for an employer and hold a number of one."""
        taken: list[str] = []
        for path in self._demands:
            block, _, name = path.rpartition("/")
            is_number = identifiers.get(name) in _OF_EMPLOYERS
            within = any(block.startswith(f"{outer}/") for outer in taken)
            if is_number and block not in taken and not within and _EMPLOYER.fullmatch(block.rpartition("/")[2]):
                taken.append(block)
                yield block.removeprefix(_FORM)
