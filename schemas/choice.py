"""Which type of message and which schema does a document name?

One purpose may have several types, told apart by the root. What is wrong with the root element is told together.
Source: annex 30, codes 088, 089, 135, 136, 137, 139.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from schemas.codes import Code, Finding
from schemas.message_type import MessageType
from schemas.prolog import Opening
from schemas.xsd import XSI


@dataclass(frozen=True, slots=True)
class Chosen:
    """The type, the version and the schema file of a document."""

    kind: MessageType
    version: str
    schema: Path


def choose(opening: Opening, kinds: Sequence[MessageType], day: date) -> Chosen | tuple[Finding, ...]:
    """The schema that a root element names, of the versions that count on a day, or every fault of the root.

    Args:
        opening: how the document begins
        kinds: the types of its purpose, at least one
    """
    if not any(kind.versions for kind in kinds):
        return (Finding(Code.SCHEMA_UNKNOWN, f"no schema of {kinds[0].purpose} is known here"),)
    kind = next((kind for kind in kinds if kind.root == opening.root.rpartition("}")[2]), kinds[0])
    findings = list(_root_findings(opening.root, kind))
    version = _version(opening, kind, day)
    if isinstance(version, Finding):
        findings.append(version)
    elif not findings:
        return Chosen(kind, version, kind.versions[version])
    return tuple(findings)


def _root_findings(root: str, kind: MessageType) -> Iterator[Finding]:
    namespace, _, name = root.removeprefix("{").rpartition("}")
    if namespace != (kind.namespace or ""):
        wanted = f"the namespace {kind.namespace}" if kind.namespace else "no namespace"
        yield Finding(Code.NAMESPACE_WRONG, f"the root element must be in {wanted}")
    if name != kind.root:
        yield Finding(Code.ROOT_UNKNOWN, f"the root element is not {kind.root}")


def _version(opening: Opening, kind: MessageType, day: date) -> str | Finding:
    attribute = "schemaLocation" if kind.namespace else "noNamespaceSchemaLocation"
    if _names_otherwise(opening, attribute):
        return Finding(Code.SCHEMA_STANDARD_UNKNOWN, f"the schema is to be named by xsi:{attribute} only")
    named = opening.attributes.get(f"{{{XSI}}}{attribute}")
    if named is None:
        return Finding(Code.SCHEMA_NOT_NAMED, f"the root element has no xsi:{attribute}")
    name = (named.split() or [""])[-1]
    versions = kind.versions_at(day)
    for version, path in versions.items():
        if name == path.name:
            return version
    shaped = re.fullmatch(r"([A-Za-z][0-9A-Za-z]*)_[0-9]{5}\.xsd", name)
    if shaped is not None and shaped[1] != kind.root:
        return Finding(Code.SCHEMA_MISMATCH, f"the schema named is not one of {kind.purpose}")
    return Finding(Code.SCHEMA_UNKNOWN, "the schema named is none of " + ", ".join(p.name for p in versions.values()))


def _names_otherwise(opening: Opening, attribute: str) -> bool:
    """Whether the root names a schema by the other attribute or in the words of another standard."""
    locations = {"schemaLocation", "noNamespaceSchemaLocation"}
    ours = f"{{{XSI}}}{attribute}"
    return any(name.rpartition("}")[2] in locations and name != ours for name in opening.attributes)
