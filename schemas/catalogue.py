"""Which types of message does the gateway take, and what belongs to each?

A type is data: a folder beside this file with a ``type.toml`` and its schemas, named ``<root>_<version>.xsd``. A new
type or version needs no code. Source: the list of purposes and annex 11 (the code in the file name is not the code
in the form). What a schema demands is in the schema; who may send a type is not known here.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from lxml import etree
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from config.errors import ConfigurationError
from schemas import xsd

_BESIDE_THIS_FILE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class MessageType:
    """One type of message.

    ``purpose`` is the code in the file name, ``form_codes`` what the Identification of a form may say, ``root`` the
    name of the root element, ``versions`` the schema file of each version, such as ``20231``.
    """

    purpose: str
    title: str
    root: str
    form_codes: frozenset[str]
    versions: Mapping[str, Path]


class Catalogue:
    """All types of message, in the order of their purposes."""

    def __init__(self, types: Mapping[str, MessageType]) -> None:
        self._types = types

    def find(self, purpose: str) -> MessageType | None:
        """The type with this purpose."""
        return self._types.get(purpose)

    def __iter__(self) -> Iterator[MessageType]:
        return (self._types[purpose] for purpose in sorted(self._types))


def load(folder: Path | None = None) -> Catalogue:
    """Read every ``*/type.toml`` of the folder (the shipped ones by default) and compile every schema.

    Raises `ConfigurationError` with all faults of all types.
    """
    types: dict[str, MessageType] = {}
    faults: list[str] = []
    for file in sorted((folder or _BESIDE_THIS_FILE).resolve().glob("*/type.toml")):
        try:
            kind = _read(file)
        except ConfigurationError as refused:
            faults.extend(refused.faults)
            continue
        if kind.purpose in types:
            faults.append(f"{file}: purpose: another type is {kind.purpose} already")
        types[kind.purpose] = kind
    if faults:
        raise ConfigurationError(faults)
    return Catalogue(types)


class _TypeFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    purpose: Annotated[str, StringConstraints(pattern="^[A-Z]{4}$")]
    title: Annotated[str, StringConstraints(min_length=1)]
    root: Annotated[str, StringConstraints(pattern="^[A-Za-z][0-9A-Za-z]*$")]
    form_codes: Annotated[frozenset[Annotated[str, StringConstraints(pattern="^[0-9A-Z]{1,7}$")]], Field(min_length=1)]
    versions: Annotated[list[Annotated[str, StringConstraints(pattern="^[0-9]{4}[1-4]$")]], Field(min_length=1)]


def _read(file: Path) -> MessageType:
    try:
        written = _TypeFile.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except ValidationError as refused:
        lines = [f"{file}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in refused.errors()]
        raise ConfigurationError(lines) from refused
    except (OSError, ValueError) as unreadable:
        raise ConfigurationError([f"{file}: {unreadable}"]) from unreadable
    versions = {version: file.with_name(f"{written.root}_{version}.xsd") for version in written.versions}
    faults = [f"{path}: {fault}" for path in versions.values() for fault in _schema_faults(path, written.root)]
    if faults:
        raise ConfigurationError(faults)
    return MessageType(written.purpose, written.title, written.root, written.form_codes, versions)


def _schema_faults(path: Path, root: str) -> list[str]:
    try:
        xsd.compiled(path)
    except (OSError, etree.LxmlError) as unusable:
        return [str(unusable)]
    return [] if root in xsd.root_names(path) else [f"it declares no root {root}"]
