"""What does a schema say of one element: what may stand below it, and which values may it have?

xmlschema reads the same file that libxml2 judges by, and tells its parts. It is some sixty times slower, so it is asked
only about forms that libxml2 has refused, and this module is imported where it is used: the library takes a tenth of a
second to load. Only local files are read; nothing an XSD refers to is fetched.

Source: XML Schema 1.0 part 2, 4.3, for the facets.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

from xmlschema import XMLSchema10
from xmlschema.validators import (
    XMLSchemaValidationError,
    XsdAnyElement,
    XsdAtomicBuiltin,
    XsdComplexType,
    XsdElement,
    XsdEnumerationFacets,
    XsdGroup,
    XsdLengthFacet,
    XsdMaxLengthFacet,
    XsdMinLengthFacet,
    XsdPatternFacets,
)
from xmlschema.validators.facets import XsdFacet

from schemas import xsd
from schemas.content_model import Group, Model, Occurs, One, Particle

_LENGTHS: Final = {XsdLengthFacet: "=", XsdMinLengthFacet: "≥", XsdMaxLengthFacet: "≤"}
_SIGNS: Final = {
    "XsdMinInclusiveFacet": "≥ ",
    "XsdMaxInclusiveFacet": "≤ ",
    "XsdMinExclusiveFacet": "> ",
    "XsdMaxExclusiveFacet": "< ",
    "XsdTotalDigitsFacet": "digits ≤ ",
    "XsdFractionDigitsFacet": "decimals ≤ ",
}
_MOST_NAMED: Final = 40
_KEPT: Final = 512
_SHORT: Final = 64  # characters of a value whose verdict is remembered


@dataclass(frozen=True, slots=True)
class BrokenFacet:
    """A value that breaks a rule of its type: ``rule`` is length, format or value, ``expected`` what would be right."""

    rule: str
    expected: str


@dataclass(frozen=True, slots=True)
class Component:
    """An element that a schema declares; ``model`` is None where it holds a value."""

    declared: XsdElement = field(repr=False)
    model: Model | None

    def child(self, name: str) -> "Component | None":
        """What the schema says of a child element; None if it has none of that name."""
        return _children(self.declared).get(name)

    def broken(self, value: str) -> BrokenFacet | None:
        """Which rule of its type a value breaks, the first one where there are several."""
        if self.model is not None:
            return None
        return (_broken_once if len(value) <= _SHORT else _broken)(self.declared, value)


def root(schema: Path, name: str) -> Component:
    """The root element ``name`` of a schema file that libxml2 has compiled; read again when its folder has changed.

    Raises `schemas.xsd.SchemaUnusable` when the file isn't there any more.
    """
    return _root(schema, name, xsd.state(schema))


@lru_cache(maxsize=_KEPT)
def _root(schema: Path, name: str, _state: xsd.State) -> Component:
    opened = XMLSchema10(schema.as_uri(), allow="local", defuse="always")
    declared = next(element for element in opened.elements.values() if element.local_name == name)
    return _component(declared)


def _component(declared: XsdElement) -> Component:
    content = _content(declared)
    return Component(declared, None if content is None else _model(content))


@lru_cache(maxsize=4096)
def _model(content: XsdGroup) -> Model:
    return Model.of(_particle(content))


@lru_cache(maxsize=4096)
def _children(declared: XsdElement) -> dict[str, Component]:
    content = _content(declared)
    elements = () if content is None else content.iter_elements()
    named = (element for element in elements if isinstance(element, XsdElement) and element.local_name)
    return {str(element.local_name): _component(element) for element in named}


def _content(declared: XsdElement) -> XsdGroup | None:
    """What may stand below an element; None where it holds a value."""
    kind = declared.type
    return kind.content if isinstance(kind, XsdComplexType) and isinstance(kind.content, XsdGroup) else None


def _particle(part: XsdElement | XsdAnyElement | XsdGroup) -> Particle:
    occurs = Occurs(part.min_occurs, part.max_occurs)
    if isinstance(part, XsdGroup):
        # Members of an xs:all may come in any order; that one of them is missing is left to libxml2's own words.
        unordered = Occurs(0, None) if part.model == "all" else occurs
        return Group(tuple(map(_particle, part)), unordered, choice=part.model != "sequence")
    return One("*" if isinstance(part, XsdAnyElement) else part.local_name or "*", occurs)


@lru_cache(maxsize=16384)
def _broken_once(declared: XsdElement, value: str) -> BrokenFacet | None:
    return _broken(declared, value)


def _broken(declared: XsdElement, value: str) -> BrokenFacet | None:
    try:
        return next(_faults(declared, value), None)
    except Exception:  # a value may lead the library to more than its own errors
        return BrokenFacet("value", "")


def _faults(declared: XsdElement, value: str) -> Iterator[BrokenFacet]:
    for error in declared.type.iter_errors(declared.type.normalize(value)):
        if isinstance(error, XMLSchemaValidationError):
            yield _facet(error.validator)


def _facet(facet: object) -> BrokenFacet:
    for kind, sign in _LENGTHS.items():
        if isinstance(facet, kind):
            return BrokenFacet("length", f"{sign} {_text(facet.value)}")
    match facet:
        case XsdEnumerationFacets():
            named = [str(value) for value in facet.enumeration or ()]
            return BrokenFacet("value", " | ".join(named[:_MOST_NAMED]) + (" | …" if len(named) > _MOST_NAMED else ""))
        case XsdPatternFacets():
            return BrokenFacet("format", " | ".join(facet.regexps))
        case XsdFacet():
            return BrokenFacet("value", _SIGNS.get(type(facet).__name__, "") + _text(getattr(facet, "value", "")))
        case XsdAtomicBuiltin():
            return BrokenFacet("value", facet.local_name or "")
        case _:
            return BrokenFacet("value", "")


def _text(value: object) -> str:
    return str(value)
