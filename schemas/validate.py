"""Is a file a valid document of its type, and which declarations does it hold?

One pass over the bytes, in bounded memory. Runs in a worker process with limits of its own, since libxml2 reads the
bytes of a stranger here and keeps every element name it ever met: such a process should be replaced now and then.

Source: annex 30, codes 088, 089, 102, 134 to 139, 157, 158, 184, 205, 275, 312. What this does not do: signatures,
mandates, the check digits of identifiers, and findings for single zones. The first fault ends the reading, but for
those of the root element, which are told together.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from schemas.catalogue import MessageType
from schemas.codes import Code, Finding
from schemas.declarations import Declarations
from schemas.prolog import HEAD_BYTES, Opening, read_opening
from schemas.xsd import XSI

_PIECE_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Limits:
    """The most bytes a file and the most forms a document may have."""

    max_bytes: int
    max_forms: int


@dataclass(frozen=True, slots=True)
class Validated:
    """A valid document: the schema version chosen, how many forms it holds, the SHA-256 (hex) of the bytes read."""

    schema_version: str
    forms: int
    sha256: str


def validate(
    content: BinaryIO, kind: MessageType, limits: Limits, declared: Callable[[bytes], None]
) -> Validated | tuple[Finding, ...]:
    """Judge the document that ``content`` gives from where it stands to its end.

    ``declared`` is called with each form, in order, as a UTF-8 document that is valid by itself: the same root with
    the same attributes and namespaces, and that one form; comments and processing instructions are left out. What it
    gets is provisional: a later fault refuses the whole file, and the caller has to throw away what came before.

    Answers `Validated` or the findings. Raises only what ``content`` or ``declared`` raise.
    """
    pieces = _pieces(content)
    head = next(pieces)
    opening = read_opening(head)
    if isinstance(opening, Finding):
        return (opening,)
    chosen = _choose_schema(opening, kind)
    if isinstance(chosen, tuple):
        return chosen
    declarations = Declarations(kind, kind.versions[chosen], opening.encoding, limits.max_forms, declared)
    digest = hashlib.sha256()
    size = 0
    for piece in chain([head], pieces):
        size += len(piece)
        if size > limits.max_bytes:
            return (Finding(Code.FILE_TOO_LARGE, f"more than {limits.max_bytes} bytes"),)
        digest.update(piece)
        finding = declarations.feed(piece)
        if finding is not None:
            return (finding,)
    finding = declarations.close()
    return (finding,) if finding is not None else Validated(chosen, declarations.forms, digest.hexdigest())


def _pieces(content: BinaryIO) -> Iterator[bytes]:
    """The head, then pieces of `_PIECE_BYTES`, also from a stream that gives fewer bytes at a time."""
    yield _read(content, HEAD_BYTES)
    while piece := _read(content, _PIECE_BYTES):
        yield piece


def _read(content: BinaryIO, size: int) -> bytes:
    read = bytearray()
    while len(read) < size and (more := content.read(size - len(read))):
        read += more
    return bytes(read)


def _choose_schema(opening: Opening, kind: MessageType) -> str | tuple[Finding, ...]:
    """The version of the schema that the root names, or every fault of the root."""
    findings = list(_root_findings(opening.root, kind))
    version = _version(opening, kind)
    if isinstance(version, Finding):
        findings.append(version)
    return version if isinstance(version, str) and not findings else tuple(findings)


def _root_findings(root: str, kind: MessageType) -> Iterator[Finding]:
    if root.startswith("{"):
        yield Finding(Code.NAMESPACE_WRONG, "the root element must be in no namespace")
    if root.rpartition("}")[2] != kind.root:
        yield Finding(Code.ROOT_UNKNOWN, f"the root element is not {kind.root}")


def _version(opening: Opening, kind: MessageType) -> str | Finding:
    named = opening.attributes.get(f"{{{XSI}}}noNamespaceSchemaLocation")
    if _names_otherwise(opening):
        return Finding(Code.SCHEMA_STANDARD_UNKNOWN, "the schema is to be named by xsi:noNamespaceSchemaLocation only")
    if named is None:
        return Finding(Code.SCHEMA_NOT_NAMED, "the root element has no xsi:noNamespaceSchemaLocation")
    name = named.strip(" \t\r\n")
    for version, path in kind.versions.items():
        if name == path.name:
            return version
    shaped = re.fullmatch(r"([A-Za-z][0-9A-Za-z]*)_[0-9]{5}\.xsd", name)
    if shaped is not None and shaped[1] != kind.root:
        return Finding(Code.SCHEMA_MISMATCH, f"the schema named is not one of {kind.purpose}")
    return Finding(Code.SCHEMA_UNKNOWN, "the schema named is none of " + ", ".join(_file_names(kind)))


def _names_otherwise(opening: Opening) -> bool:
    """Whether the root names a schema by ``schemaLocation`` or in the words of another standard."""
    locations = {"schemaLocation", "noNamespaceSchemaLocation"}
    ours = f"{{{XSI}}}noNamespaceSchemaLocation"
    return any(name.rpartition("}")[2] in locations and name != ours for name in opening.attributes)


def _file_names(kind: MessageType) -> Iterator[str]:
    return (path.name for path in kind.versions.values())
