"""What does a schema demand, element by element, and what is wrong with it as a schema?

A second engine reads the file: xmlschema, which finds faults that libxml2 overlooks and tells all of them. It is slow
and only for operators. Read are the file and what lies beside it; what reaches further is refused before it starts.

Source: XML Schema 1.0, parts 1 and 2.
"""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from lxml import etree
from xmlschema import XMLSchema10, XMLSchemaException
from xmlschema.validators import (
    XsdAnyElement,
    XsdComplexType,
    XsdElement,
    XsdEnumerationFacets,
    XsdGroup,
    XsdPatternFacets,
    XsdSimpleType,
)

from schemas import xsd
from schemas.strict import STRICT

_MOST_BYTES: Final = 16 * 1024**2
_MOST_ELEMENTS: Final = 50_000
_DEEPEST: Final = 64
_WHITE_SPACE: Final = "whiteSpace"


class TooLargeError(Exception):
    """A schema describes more elements than are compared."""


@dataclass(frozen=True, slots=True)
class Demands:
    """What a schema demands of one element.

    ``least`` and ``most`` (None: any number) say how often it may stand in its parent; ``base`` is the built-in type
    of its value, empty for a block; ``facets`` the bounds of the value; ``content`` the order of a block's children.
    """

    least: int
    most: int | None
    base: str = ""
    facets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    content: str = ""


def faults(path: Path) -> Iterator[str]:
    """Everything that is wrong with the schema in a file, by both engines, a line each."""
    try:
        if any(file.stat().st_size > _MOST_BYTES for file in (path, *path.parent.glob("*.xsd"))):
            yield f"{path}: more than {_MOST_BYTES} bytes"
            return
        outside = xsd.outside_references(path)
    except (OSError, xsd.SchemaUnusable) as unusable:
        yield str(unusable)
        return
    if outside:
        yield f"{path}: it reaches outside its folder: {', '.join(outside)}"
        return
    yield from (f"{path}: {said}" for said in dict.fromkeys((*_of_libxml2(path), *_of_xmlschema(path))))


def demands(path: Path, root: str) -> dict[str, Demands]:
    """What the schema demands of every element that may stand below the root, by its path from the root.

    Raises `TooLargeError`; the schema has no faults.
    """
    declared = next(element for element in _open(path).elements.values() if element.local_name == root)
    found: dict[str, Demands] = {}
    for step, demanded in _below(declared, "", 0):
        earlier = found.get(step)
        found[step] = demanded if earlier is None else _either(earlier, demanded)
        if len(found) > _MOST_ELEMENTS:
            raise TooLargeError
    return found


def _of_libxml2(path: Path) -> Iterator[str]:
    try:
        etree.XMLSchema(_parsed(path))
    except etree.XMLSchemaParseError as error:
        yield from (f"line {entry.line}: {entry.message}" for entry in error.error_log)


def _of_xmlschema(path: Path) -> Iterator[str]:
    try:
        opened = _open(path)
    except (XMLSchemaException, ValueError, TypeError, LookupError, RecursionError) as unreadable:
        yield str(unreadable) or type(unreadable).__name__
        return
    for error in opened.all_errors:
        line = getattr(error.elem, "sourceline", None)
        yield f"line {line}: {error.message}" if line else str(error.message)


def _open(path: Path) -> XMLSchema10:
    return _opened(path, xsd.state(path))


@lru_cache(maxsize=4)
def _opened(path: Path, _state: xsd.State) -> XMLSchema10:
    with warnings.catch_warnings():
        # An import that names no place is allowed, and is nothing to tell; the files that are named are all there.
        warnings.simplefilter("ignore")
        return XMLSchema10(
            _parsed(path),  # type: ignore[arg-type]  # an element of lxml, which knows its line, will do
            base_url=f"{path.parent.as_uri()}/",
            allow="sandbox",
            defuse="always",
            validation="lax",
        )


def _parsed(path: Path) -> etree._Element:
    return etree.fromstring(path.read_bytes(), etree.XMLParser(**STRICT), base_url=path.as_uri())


def _below(parent: XsdElement, path: str, depth: int) -> Iterator[tuple[str, Demands]]:
    """Every element below, before those that are below itself; a block within itself is told once."""
    content = _content(parent)
    if content is None:
        return
    if depth > _DEEPEST:
        raise TooLargeError
    for element, least, most in _particles(content, 1, 1):
        step = f"{path}/{element.local_name}".lstrip("/")
        inner = _content(element)
        yield step, Demands(least, most, _base(element), _facets(element), "" if inner is None else _written(inner))
        if path.split("/").count(str(element.local_name)) < 1:
            yield from _below(element, step, depth + 1)


def _content(declared: XsdElement) -> XsdGroup | None:
    kind = declared.type
    return kind.content if isinstance(kind, XsdComplexType) and isinstance(kind.content, XsdGroup) else None


def _particles(group: XsdGroup, least: int, most: int | None) -> Iterator[tuple[XsdElement, int, int | None]]:
    """The elements of a content model, with how often each may come, whatever the groups it stands in."""
    fewest = 0 if group.model == "choice" and len(group) > 1 else least * group.min_occurs
    highest = _times(most, group.max_occurs)
    for part in group:
        if isinstance(part, XsdGroup):
            yield from _particles(part, fewest, highest)
        elif isinstance(part, XsdElement):
            yield part, fewest * part.min_occurs, _times(highest, part.max_occurs)


def _times(one: int | None, other: int | None) -> int | None:
    return 0 if 0 in {one, other} else None if one is None or other is None else one * other


def _either(one: Demands, other: Demands) -> Demands:
    """Of an element that stands in several places of a content model."""
    most = None if one.most is None or other.most is None else max(one.most, other.most)
    return replace(one, least=min(one.least, other.least), most=most)


def _written(group: XsdGroup) -> str:
    """A content model in one line, without how often its elements come."""
    sign = {"choice": " | ", "all": " & "}.get(group.model, ", ")
    parts = []
    for part in group:
        if isinstance(part, XsdGroup):
            parts.append(f"({_written(part)})")
        else:
            parts.append("any" if isinstance(part, XsdAnyElement) else str(part.local_name))
    return sign.join(parts)


def _value_type(declared: XsdElement) -> XsdSimpleType | None:
    kind = declared.type
    if isinstance(kind, XsdSimpleType):
        return kind
    content = kind.content if isinstance(kind, XsdComplexType) else None
    return content if isinstance(content, XsdSimpleType) else None


def _base(declared: XsdElement) -> str:
    kind = _value_type(declared)
    while kind is not None and not (kind.name or "").startswith(xsd.XSD):
        kind = kind.base_type if isinstance(kind.base_type, XsdSimpleType) else None
    return "" if kind is None else str(kind.local_name)


def _facets(declared: XsdElement) -> dict[str, tuple[str, ...]]:
    kind = _value_type(declared)
    named = {} if kind is None else {str(name).rpartition("}")[2]: facet for name, facet in kind.facets.items()}
    facets = {name: _values(facet) for name, facet in sorted(named.items()) if name != _WHITE_SPACE}
    if declared.type is not None and declared.attributes:
        facets["attribute"] = tuple(sorted(str(name) for name in declared.attributes))
    return facets


def _values(facet: object) -> tuple[str, ...]:
    match facet:
        case XsdEnumerationFacets():
            return tuple(str(value) for value in facet.enumeration or ())
        case XsdPatternFacets():
            return tuple(facet.regexps)
        case _:
            return (str(getattr(facet, "value", "")),)
