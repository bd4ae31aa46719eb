"""Which compiled schema belongs to an XSD file, and which elements does it declare?

The files lie beside the code or in a folder of the site's own. Each is compiled once per process, and again when it or
a file beside it has changed. lxml keeps the error log of ``XMLSchema.validate`` in the schema, so only the answer of
that call may be used; a parser keeps its own. A schema may include a file beside it; one that names anything else is
not compiled, since libxml2 would go and get it.
"""

import os
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from lxml import etree

from config.errors import TemporaryError
from schemas.strict import STRICT

XSI = "http://www.w3.org/2001/XMLSchema-instance"
XSD = "{http://www.w3.org/2001/XMLSchema}"
_ELEMENT = f"{XSD}element"
_BESIDE = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_.-]*\.xsd")
_BASE = "{http://www.w3.org/XML/1998/namespace}base"
_KEPT = 512

State = tuple[tuple[str, int, int, int], ...]


class SchemaUnusable(TemporaryError):  # noqa: N818 -- named for what it says, as TrustUnavailable is
    """A schema of ours cannot be compiled; its message says why. What it would judge has to wait for an operator."""


def state(path: Path) -> State:
    """Names, sizes, dates and inodes of the file and of all schemas beside it; other ones mean other schemas.

    Raises `SchemaUnusable` when there is no such file.
    """
    try:
        with os.scandir(path.parent) as present:
            facts = sorted((file.name, file.stat()) for file in present if file.name.endswith(".xsd"))
    except OSError as error:
        raise SchemaUnusable(str(error)) from error
    name = path.name
    if not any(name == known for known, _ in facts):
        raise SchemaUnusable(f"{path}: there is no such schema")
    return tuple((known, found.st_size, found.st_mtime_ns, found.st_ino) for known, found in facts)


def compiled(path: Path) -> etree.XMLSchema:
    """The schema in the file.

    Raises `SchemaUnusable` when there is none, or when it names a file that isn't beside it.
    """
    return _compiled(path, state(path))


def element_names(path: Path) -> frozenset[str]:
    """The names of all elements that the file and those it includes declare: these may be told to a sender."""
    return _element_names(path, state(path))


def root_names(path: Path) -> frozenset[str]:
    """The names that the root of a document may have."""
    return frozenset(name for document in documents(path) for name in _names(document.iterchildren(_ELEMENT)))


def namespace(path: Path) -> str | None:
    """The namespace that the elements of the file are in."""
    return next(documents(path)).get("targetNamespace")


def outside_references(path: Path) -> tuple[str, ...]:
    """What the file, or one it includes, names that isn't a file beside it; a document type may name anything."""
    return tuple(sorted({place for document in documents(path) for place in _outside(document)}))


def files(path: Path) -> tuple[Path, ...]:
    """The file and the files beside it that it includes, each once; raises as `documents`."""
    return tuple(file for file, _ in _read(path))


def documents(path: Path) -> Iterator[etree._Element]:
    """The same files, read.

    Raises `SchemaUnusable` when one of them isn't there or is no XML.
    """
    return (document for _, document in _read(path))


@lru_cache(maxsize=_KEPT)
def _compiled(path: Path, _state: State) -> etree.XMLSchema:
    outside = outside_references(path)
    if outside:
        raise SchemaUnusable(f"{path}: it reaches outside its folder: {', '.join(outside)}")
    try:
        return etree.XMLSchema(_document(path))
    except etree.LxmlError as error:
        raise SchemaUnusable(f"{path}: {error}") from error


@lru_cache(maxsize=_KEPT)
def _element_names(path: Path, _state: State) -> frozenset[str]:
    return frozenset(name for document in documents(path) for name in _names(document.iter(_ELEMENT)))


def _read(path: Path) -> Iterator[tuple[Path, etree._Element]]:
    queue = [path]
    for file in queue:
        document = _document(file)
        yield file, document
        beside = (file.with_name(place) for place in _places(document) if _BESIDE.fullmatch(place))
        queue.extend(file for file in dict.fromkeys(beside) if file not in queue)


def _places(document: etree._Element) -> Iterator[str]:
    for reference in document.iterchildren(f"{XSD}include", f"{XSD}import", f"{XSD}redefine"):
        place = reference.get("schemaLocation")
        if place is not None:
            yield place


def _outside(document: etree._Element) -> Iterator[str]:
    yield from (place for place in _places(document) if not _BESIDE.fullmatch(place))
    # libxml2 reckons the place of a reference from there.
    yield from (element.get(_BASE, "") for element in document.iter() if _BASE in element.attrib)
    if document.getroottree().docinfo.doctype:
        yield "a document type"


def _names(elements: Iterable[etree._Element]) -> frozenset[str]:
    return frozenset(name for name in (element.get("name") for element in elements) if name is not None)


def _document(path: Path) -> etree._Element:
    try:
        return etree.fromstring(path.read_bytes(), etree.XMLParser(**STRICT), base_url=path.as_uri())
    except (OSError, etree.LxmlError) as error:
        raise SchemaUnusable(f"{path}: {error}") from error
