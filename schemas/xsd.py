"""Which compiled schema belongs to an XSD file, and which elements does it declare?

The files are our own and lie beside the code. Each is compiled once per process. lxml keeps the error log of
``XMLSchema.validate`` in the schema, so only the answer of that call may be used; a parser keeps its own.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from lxml import etree

from schemas.strict import STRICT

XSI = "http://www.w3.org/2001/XMLSchema-instance"
_ELEMENT = "{http://www.w3.org/2001/XMLSchema}element"


@cache
def compiled(path: Path) -> etree.XMLSchema:
    """The schema in the file. `OSError` or `etree.LxmlError` when there is none."""
    return etree.XMLSchema(_document(path))


@cache
def element_names(path: Path) -> frozenset[str]:
    """The names of all elements that the file declares: these may be told to a sender."""
    return _names(_document(path).iter(_ELEMENT))


@cache
def root_names(path: Path) -> frozenset[str]:
    """The names that the root of a document may have."""
    return _names(_document(path).iterchildren(_ELEMENT))


def _names(elements: Iterable[etree._Element]) -> frozenset[str]:
    return frozenset(name for name in (element.get("name") for element in elements) if name is not None)


def _document(path: Path) -> etree._Element:
    return etree.fromstring(path.read_bytes(), etree.XMLParser(**STRICT), base_url=path.as_uri())
