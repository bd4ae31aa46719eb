"""Which compiled schema belongs to an XSD file, and which elements does it declare?

The files lie beside the code or in a folder of the site's own. Each is compiled once per process. lxml keeps the error
log of ``XMLSchema.validate`` in the schema, so only the answer of that call may be used; a parser keeps its own.
A schema may include a file beside it; one that names anything else is found by `outside_references`, which has to be
asked before a schema of unknown origin is compiled.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from lxml import etree

from schemas.strict import STRICT

XSI = "http://www.w3.org/2001/XMLSchema-instance"
_XSD = "{http://www.w3.org/2001/XMLSchema}"
_ELEMENT = f"{_XSD}element"
_BESIDE = re.compile("[0-9A-Za-z_][0-9A-Za-z_.-]*")


@cache
def compiled(path: Path) -> etree.XMLSchema:
    """The schema in the file. `OSError` or `etree.LxmlError` when there is none."""
    return etree.XMLSchema(_document(path))


@cache
def element_names(path: Path) -> frozenset[str]:
    """The names of all elements that the file and those it includes declare: these may be told to a sender."""
    return frozenset(name for document in _documents(path) for name in _names(document.iter(_ELEMENT)))


@cache
def root_names(path: Path) -> frozenset[str]:
    """The names that the root of a document may have."""
    return frozenset(name for document in _documents(path) for name in _names(document.iterchildren(_ELEMENT)))


@cache
def namespace(path: Path) -> str | None:
    """The namespace that the elements of the file are in."""
    return _document(path).get("targetNamespace")


def outside_references(path: Path) -> tuple[str, ...]:
    """What the file, or one it includes, names that isn't a file beside it; `OSError` or `etree.LxmlError` as above."""
    places = (place for document in _documents(path) for place in _places(document))
    return tuple(sorted({place for place in places if not _BESIDE.fullmatch(place)}))


def _documents(path: Path) -> Iterator[etree._Element]:
    """The file and the files beside it that it includes, each once."""
    queue = [path]
    for file in queue:
        document = _document(file)
        yield document
        beside = (file.with_name(place) for place in _places(document) if _BESIDE.fullmatch(place))
        queue.extend(file for file in dict.fromkeys(beside) if file not in queue)


def _places(document: etree._Element) -> Iterator[str]:
    for reference in document.iterchildren(f"{_XSD}include", f"{_XSD}import", f"{_XSD}redefine"):
        place = reference.get("schemaLocation")
        if place is not None:
            yield place


def _names(elements: Iterable[etree._Element]) -> frozenset[str]:
    return frozenset(name for name in (element.get("name") for element in elements) if name is not None)


def _document(path: Path) -> etree._Element:
    return etree.fromstring(path.read_bytes(), etree.XMLParser(**STRICT), base_url=path.as_uri())
