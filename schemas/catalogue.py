"""Which types of message are there?

A type is data: a folder beside this file, or in a folder of the site's own, with a ``type.toml`` (`schemas.type_file`)
and its schemas, named ``<Root>_<version>.xsd``. A new type or version needs no code. One purpose may have several
types, each with a root element of its own. Source: the list of purposes and annex 11. What a schema demands is in the
schema; who may send a type is not known here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from config.errors import ConfigurationError, TemporaryError
from schemas import type_file, xsd
from schemas.message_type import Direction, MessageType
from schemas.rules import RULES
from schemas.xsd import State

__all__ = ["Catalogue", "Direction", "MessageType", "TypesUnusable", "check", "current", "faults_of", "load", "own"]

_BESIDE_THIS_FILE = Path(__file__).resolve().parent
_WITHOUT_SCHEMA = _BESIDE_THIS_FILE / "without_schema" / "types.toml"


class TypesUnusable(TemporaryError):  # noqa: N818 -- named for what it says, as TrustUnavailable is
    """The site's own types cannot be read just now; nothing is refused for that."""


class Catalogue:
    """All types of message; the order of the types of one purpose is that in which they were given."""

    def __init__(self, types: Iterable[MessageType]) -> None:
        self._types = tuple(sorted(types, key=lambda kind: kind.purpose))

    def find(self, purpose: str, direction: Direction = Direction.IN) -> MessageType | None:
        """The first type of a purpose that travels in this direction; without versions if its structure isn't known."""
        return next(iter(self.of_purpose(purpose, direction)), None)

    def of_purpose(self, purpose: str, direction: Direction = Direction.IN) -> tuple[MessageType, ...]:
        """Every type of a purpose that travels in this direction."""
        return tuple(kind for kind in self._types if kind.purpose == purpose and kind.direction.covers(direction))

    def __iter__(self) -> Iterator[MessageType]:
        return iter(self._types)


def load(*folders: Path) -> Catalogue:
    """Read every ``*/type.toml`` that is shipped, then those of each folder of the site's own.

    A type of a later folder with the purpose and root of an earlier one takes its place; versions it doesn't name stay.
    No schema is compiled: the first document of a type does that, and `check`.

    Raises `ConfigurationError` with all faults of all types.
    """
    types: dict[tuple[str, str], MessageType] = {}
    faults: list[str] = []
    for folder in (_BESIDE_THIS_FILE, *folders):
        read, refused = _read_folder(folder.resolve())
        faults += refused
        for key, kind in read.items():
            types[key] = _over(kind, types.get(key))
    if faults:
        raise ConfigurationError(faults)
    with_schema = {purpose for purpose, _ in types}
    without = [kind for kind in type_file.read_without_schema(_WITHOUT_SCHEMA) if kind.purpose not in with_schema]
    return Catalogue([*types.values(), *without])


def own(folder: Path) -> tuple[MessageType, ...]:
    """The types of a site's own folder alone, in no certain order.

    Raises `ConfigurationError` with all faults of all types.
    """
    types, faults = _read_folder(folder.resolve())
    if faults:
        raise ConfigurationError(faults)
    return tuple(types.values())


def current(*folders: Path) -> Catalogue:
    """As `load`, but read again only when a file of a folder has another name, size, date or inode than before.

    So a running gateway knows a type as soon as it is there, and a version from its first day on.

    Raises `TypesUnusable` when a folder or a type in it can't be read now.
    """
    try:
        return _remembered(folders, tuple(map(_fingerprint, folders)))
    except (OSError, ConfigurationError) as fault:
        raise TypesUnusable(str(fault)) from fault


@lru_cache(maxsize=4)
def _remembered(folders: tuple[Path, ...], _fingerprints: tuple[State, ...]) -> Catalogue:
    return load(*folders)


def _fingerprint(folder: Path) -> State:
    """Of everything that a type consists of; `OSError` when the folder isn't there."""
    present = sorted(file for kind in _folders(folder) for file in kind.iterdir())
    facts = ((str(file), file.stat()) for file in present)
    return tuple((name, found.st_size, found.st_mtime_ns, found.st_ino) for name, found in facts)


def _folders(folder: Path) -> Iterator[Path]:
    """The folders in it, but for hidden ones: a type that is being prepared is one."""
    return (entry for entry in sorted(folder.iterdir()) if not entry.name.startswith(".") and entry.is_dir())


def check(catalogue: Catalogue) -> None:
    """Compile every schema, and find in them the root and the elements that each type names.

    For the start of a gateway and for an operator who asks, not for every command.

    Raises `ConfigurationError` with every fault of every schema.
    """
    faults = [fault for kind in catalogue for fault in faults_of(kind)]
    if faults:
        raise ConfigurationError(faults)


def faults_of(kind: MessageType) -> Iterator[str]:
    """Every way in which a type and its schemas don't fit, and what keeps them from being compiled."""
    if unknown := sorted(set(kind.rules) - set(RULES)):
        yield f"{kind.purpose} {kind.root}: rules: there is no " + ", ".join(unknown)
    for version, path in kind.versions.items():
        try:
            for fault in _schema_faults(kind, path, newest=version == max(kind.versions)):
                yield f"{path}: {fault}"
        except xsd.SchemaUnusable as unusable:
            said = str(unusable)
            yield said if said.startswith(str(path)) else f"{path}: {said}"


def _read_folder(folder: Path) -> tuple[dict[tuple[str, str], MessageType], list[str]]:
    """The types by purpose and root, and what is wrong with the others."""
    types: dict[tuple[str, str], MessageType] = {}
    if not folder.is_dir():
        return types, [f"{folder}: there is no such folder"]
    faults: list[str] = []
    for file in (entry / "type.toml" for entry in _folders(folder) if (entry / "type.toml").is_file()):
        try:
            kind = type_file.read(file)
        except ConfigurationError as refused:
            faults.extend(refused.faults)
            continue
        key = kind.purpose, kind.root
        if key in types:
            faults.append(f"{file}: root: another type of {kind.purpose} has the root {kind.root} already")
        types[key] = kind
    return types, faults


def _over(kind: MessageType, earlier: MessageType | None) -> MessageType:
    """The type with the versions of an earlier one that it doesn't have itself."""
    if earlier is None:
        return kind
    versions = {**earlier.versions, **kind.versions}
    starts = {**earlier.starts, **kind.starts}
    return replace(kind, versions=dict(sorted(versions.items())), starts=starts)


def _schema_faults(kind: MessageType, path: Path, *, newest: bool) -> Iterator[str]:
    """Older versions needn't have every element that the type names."""
    xsd.compiled(path)
    if kind.root not in xsd.root_names(path):
        yield f"it declares no root {kind.root}"
    if xsd.namespace(path) != kind.namespace:
        yield f"its namespace is not that of the type: {xsd.namespace(path)}"
    named = {name for steps in kind.paths for name in steps.split("/")} | set(kind.identifiers)
    unknown = sorted(named - xsd.element_names(path)) if newest else []
    if unknown:
        yield "it declares no element " + ", ".join(unknown)
