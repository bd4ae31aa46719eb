"""How is a type of message written down?

A type is a folder with a ``type.toml``, a schema ``<Root>_<version>.xsd`` for each version, and samples. One
``type.toml`` is judged here by itself, and whether its schemas are there; whether the two fit is found by
`schemas.catalogue.check`. Types whose structure isn't public are tables of one file: `read_without_schema`. A type that
an operator adds is written by `write`.

Unknown keys are faults. Left out, as may be: ``namespace``, ``environments`` (all), ``signature_formats`` (any),
``employer``, ``reference``, ``rules``, ``limits`` and each limit, ``identifiers``. All of one, with invented numbers::

    purpose = "WECH"                  # in the file name
    root = "WECH001"                  # the root element; the folders of one purpose have different ones
    namespace = "http://example.be/x" # of the root
    form_codes = ["WECH001"]          # what Identification may say
    direction = "in"                  # "in" to the gateway, "out" of it, "both"
    environments = ["R", "T", "S"]
    signature = "required"            # or "optional"; a simulation never needs one
    signature_formats = ["cms"]       # of cms, xml, xades
    employer = ["EmployerDeclarationLink"]  # blocks, below Form, whose own children are the employer's numbers
    reference = ["Reference/ReferenceNbr"]  # where the sender's own reference stands, below Form
    rules = ["dmfa.net-amount"]       # checks across a form or a file

    [title]
    fr = "DRS, scénario 1"
    nl = "ASR, scenario 1"
    de = "MSR, Szenario 1"
    en = "Social risk, scenario 1"

    [versions]                        # year and quarter; taken from the first moment of that day on
    20231 = { starts = 2023-01-01 }

    [limits]                          # the site's own limits count besides
    max_bytes = 36_700_160            # of one part
    max_forms = 1                     # in one part
    max_declarations = 2000           # elements at `declarations` in one form
    declarations = "EmployerDeclaration/NaturalPerson/WorkerRecord"

    [identifiers]                     # what an element holds, wherever it stands
    INSS = "inss"
    CompanyID = "enterprise"
"""

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from config.errors import ConfigurationError
from schemas.identifiers import Kind
from schemas.message_type import Direction, FileLimits, MessageType

_Count = Annotated[int, Field(gt=0)]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Name = Annotated[str, StringConstraints(pattern="^[A-Za-z][0-9A-Za-z]*$")]
_Path = Annotated[str, StringConstraints(pattern="^[A-Za-z][0-9A-Za-z]*(/[A-Za-z][0-9A-Za-z]*)*$")]
_Purpose = Annotated[str, StringConstraints(pattern="^[A-Z]{4}$")]
_FormCode = Annotated[str, StringConstraints(pattern="^[0-9A-Z]{1,7}$")]
_Version = Annotated[str, StringConstraints(pattern="^[0-9]{4}[1-4]$")]
_Rule = Annotated[str, StringConstraints(pattern=r"^[a-z]+\.[a-z0-9]+(-[a-z0-9]+)*$")]


def read(file: Path) -> MessageType:
    """The type that a ``type.toml`` describes, with the schema files beside it.

    Raises `ConfigurationError` with every fault of the file, and one for each schema that is missing.
    """
    try:
        written = _TypeFile.model_validate(_tables(file))
    except ValidationError as refused:
        raise ConfigurationError(_told(file, refused)) from refused
    versions = {version: file.with_name(f"{written.root}_{version}.xsd") for version in sorted(written.versions)}
    missing = [f"{path}: there is no such schema" for path in versions.values() if not path.is_file()]
    if missing:
        raise ConfigurationError(missing)
    return MessageType(
        purpose=written.purpose,
        titles=written.title.model_dump(),
        root=written.root,
        form_codes=written.form_codes,
        versions=versions,
        starts={version: written.versions[version].starts for version in versions},
        namespace=written.namespace,
        direction=written.direction,
        environments=written.environments,
        signature_required=written.signature == "required",
        signature_formats=written.signature_formats,
        limits=FileLimits(**written.limits.model_dump()),
        employer=written.employer,
        reference=written.reference,
        rules=written.rules,
        identifiers=written.identifiers,
    )


def read_without_schema(file: Path) -> tuple[MessageType, ...]:
    """The types of a file with one table for each purpose: ``title``, ``form_codes`` and ``direction`` only.

    Raises `ConfigurationError` with every fault of the file.
    """
    types: list[MessageType] = []
    faults: list[str] = []
    for purpose, table in _tables(file).items():
        known = table if isinstance(table, dict) else {}
        try:
            written = _NoSchema.model_validate({**known, "purpose": purpose})
        except ValidationError as refused:
            faults += _told(file, refused, purpose)
            continue
        titles = written.title.model_dump()
        types.append(MessageType(purpose, titles, "", written.form_codes, {}, {}, direction=written.direction))
    if faults:
        raise ConfigurationError(faults)
    return tuple(types)


def write(kind: MessageType) -> str:
    """The text of a ``type.toml`` that says what is known of a type; its schemas have to be put beside it.

    What is left to its default isn't written.
    """
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in _top(kind) if value]
    versions = {version: f"{{ starts = {kind.starts[version].isoformat()} }}" for version in sorted(kind.versions)}
    lines += _written("title", {language: _string(title) for language, title in kind.titles.items()})
    lines += _written("versions", versions)
    limits = {key: limit for key, limit in asdict(kind.limits).items() if limit is not None}
    lines += _written("limits", {key: _string(limit) for key, limit in limits.items()})
    lines += _written("identifiers", {name: _string(held) for name, held in sorted(kind.identifiers.items())})
    return "\n".join([*lines, ""])


def _top(kind: MessageType) -> Iterator[tuple[str, object]]:
    yield "purpose", kind.purpose
    yield "root", kind.root
    yield "namespace", kind.namespace
    yield "form_codes", sorted(kind.form_codes)
    yield "direction", kind.direction
    yield "environments", [] if len(kind.environments) == len("RTS") else sorted(kind.environments)
    yield "signature", "required" if kind.signature_required else "optional"
    yield "signature_formats", sorted(kind.signature_formats)
    yield "employer", kind.employer
    yield "reference", kind.reference
    yield "rules", kind.rules


def _written(table: str, values: Mapping[str, str]) -> Iterable[str]:
    return ["", f"[{table}]", *(f"{key} = {value}" for key, value in values.items())] if values else []


def _string(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Titles(_Table):
    fr: _Text
    nl: _Text
    de: _Text
    en: _Text


class _Counting(_Table):
    starts: date


class _Limits(_Table):
    max_bytes: _Count | None = None
    max_forms: _Count | None = None
    max_declarations: _Count | None = None
    declarations: _Path | None = None

    @model_validator(mode="after")
    def _counts_something(self) -> Self:
        if (self.max_declarations is None) != (self.declarations is None):
            raise ValueError("max_declarations and declarations go together")
        return self


class _NoSchema(_Table):
    purpose: _Purpose
    title: _Titles
    form_codes: frozenset[_FormCode]
    direction: Direction


class _TypeFile(_NoSchema):
    root: _Name
    form_codes: Annotated[frozenset[_FormCode], Field(min_length=1)]
    namespace: _Text | None = None
    environments: Annotated[frozenset[Literal["R", "T", "S"]], Field(min_length=1)] = frozenset({"R", "T", "S"})
    signature: Literal["required", "optional"]
    signature_formats: frozenset[Literal["cms", "xml", "xades"]] = frozenset()
    employer: tuple[_Path, ...] = ()
    reference: tuple[_Path, ...] = ()
    rules: tuple[_Rule, ...] = ()
    versions: Annotated[dict[_Version, _Counting], Field(min_length=1)]
    limits: _Limits = _Limits()
    identifiers: dict[_Name, Kind] = Field(default_factory=dict)


def _tables(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as unreadable:
        raise ConfigurationError([f"{file}: {unreadable}"]) from unreadable


def _told(file: Path, refused: ValidationError, *within: str) -> list[str]:
    return [f"{file}: {'.'.join(map(str, (*within, *fault['loc'])))}: {fault['msg']}" for fault in refused.errors()]
