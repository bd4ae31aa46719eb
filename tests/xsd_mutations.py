"""Breaks each constraint of a schema once, at the first place where a valid sample meets it.

The constraints are read from xmlschema's components. A mutation is an edit of one element; mutations that don't touch
each other are made together in one document, so that a whole schema is broken in a few hundred of them.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from lxml import etree
from xmlschema import XMLSchema10
from xmlschema.validators import (
    XsdAtomicBuiltin,
    XsdElement,
    XsdEnumerationFacets,
    XsdGroup,
    XsdLengthFacet,
    XsdMaxLengthFacet,
    XsdMinLengthFacet,
    XsdPatternFacets,
)
from xmlschema.validators.models import ModelVisitor

Element = etree._Element
UNKNOWN = "NobodyKnowsMe"
FORM_CODE = 2  # root, form, its first element
_LENGTHS = (XsdLengthFacet, XsdMinLengthFacet, XsdMaxLengthFacet)
_NO_VALUES = ("?", "x", "", "2026-02-30", "99999999999999999999", "-1", "1.5", "24:00:01.000", "A" * 700)


@dataclass(frozen=True, slots=True)
class Mutation:
    """One constraint broken at the element with the index ``at`` in its document.

    ``make`` edits that element of a copy, and answers the elements that may be told; ``rules`` and ``names`` are what
    may be told of them. ``leaf`` says that no element below it is changed by it.
    """

    constraint: str
    at: int
    make: Callable[[Element], list[Element]]
    rules: frozenset[str]
    leaf: bool
    of_value: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What has to be told: one of the rules, of one of the elements, in the document made."""

    mutation: Mutation
    places: tuple[Element, ...]


def mutations(schema: XMLSchema10, root: Element) -> Iterator[Mutation]:
    """Every constraint that the document meets below its forms, each once."""
    seen: set[str] = set()
    declared = {root: next(iter(schema.elements.values()))}
    for at, element in enumerate(root.iter()):
        way = "/".join([str(element.tag), *(str(above.tag) for above in element.iterancestors())][:4][::-1])
        component = declared.get(element)
        if component is None:
            continue  # below a wildcard
        group = group_of(component)
        if group is not None:
            known = {child.local_name: child for child in group.iter_elements() if isinstance(child, XsdElement)}
            declared |= {child: known[str(child.tag)] for child in element if child.tag in known}
        if way in seen or element is root:
            continue
        seen.add(way)
        found = _of_value(at, element, component) if group is None else _of_children(at, element, group)
        for mutation in found:
            yield replace(mutation, constraint=f"{way}: {mutation.constraint}", of_value=group is None)


def made(root: Element, chosen: list[Mutation]) -> tuple[Element, list[Told]]:
    """A copy of the document with these mutations, and what has to be told of it."""
    document = copy.deepcopy(root)
    elements = list(document.iter())
    return document, [Told(mutation, tuple(mutation.make(elements[mutation.at]))) for mutation in chosen]


def group_of(component: XsdElement) -> XsdGroup | None:
    """What may stand below an element; None where it holds a value."""
    content = getattr(component.type, "content", None)
    return content if isinstance(content, XsdGroup) else None


def refuses(component: XsdElement, element: Element) -> bool:
    """Whether xmlschema refuses the value, or the order of the children, of an element that is declared so."""
    group = group_of(component)
    if group is None:
        return bool(len(element)) or not component.type.is_valid(element.text or "")
    texts = [element.text, *(child.tail for child in element)]
    return any(text and text.strip() for text in texts) or _misfits(group, [str(child.tag) for child in element])


def _misfits(group: XsdGroup, names: list[str]) -> bool:
    """Whether these children don't fit a model, as xmlschema's own walk through it says."""
    model = ModelVisitor(group)
    for name in names:
        while model.element is not None:
            fits = model.match_element(name) is not None
            if list(model.advance(fits)):
                return True
            if fits:
                break
        else:
            return True
    return model.element is not None and bool(list(model.stop()))


def _of_value(at: int, element: Element, component: XsdElement) -> Iterator[Mutation]:
    value = element.text or ""
    is_code = element.tag == "Identification" and at == FORM_CODE  # of a form of another type nothing else is told
    facets = [facet for facet in getattr(component.type, "facets", {}).values() if facet is not None]
    for facet in facets:
        broken = next((text for text in _candidates(facet, value) if _breaks(component, facet, text)), None)
        if broken is not None:
            rules = frozenset({"form-type"}) if is_code else _rules(component, broken)
            yield Mutation(type(facet).__name__, at, _writing(broken), rules, leaf=not is_code)
    plain = next((text for text in _NO_VALUES if _is_no_value(component, text)), None)
    if plain is not None and not is_code:
        yield Mutation("datatype", at, _writing(plain), _rules(component, plain), leaf=True)
    if not is_code:
        yield Mutation("no children", at, _unknown, frozenset({"unknown"}), leaf=True)


def _is_no_value(component: XsdElement, text: str) -> bool:
    primitive = getattr(component.type, "primitive_type", None)
    return isinstance(primitive, XsdAtomicBuiltin) and not primitive.is_valid(component.type.normalize(text))


def _breaks(component: XsdElement, facet: object, text: str) -> bool:
    try:
        return any(error.validator is facet for error in component.type.iter_errors(text))
    except (ValueError, ArithmeticError):
        return False


def _rules(component: XsdElement, text: str) -> frozenset[str]:
    """The kinds of all facets that a value breaks; the first may be told."""
    found = {_kind(error.validator) for error in component.type.iter_errors(text)}
    return frozenset(found)


def _kind(facet: object) -> str:
    if isinstance(facet, _LENGTHS):
        return "length"
    return "format" if isinstance(facet, XsdPatternFacets) else "value"


def _candidates(facet: object, value: str) -> Iterator[str]:
    """Values of which one may break this facet and no other, the likeliest first."""
    bound = getattr(facet, "value", None)
    match facet:
        case XsdPatternFacets() | XsdEnumerationFacets():
            yield from (value[:-1] + "?", value + "0", value[:-1], "99", "ZZ", "?", "", "2026-11-21Z", "09:15:00.0000")
        case XsdLengthFacet() | XsdMinLengthFacet() | XsdMaxLengthFacet():
            last = value[-1:] or "A"
            yield from (value.ljust(facet.value + 1, last), value[: max(0, facet.value - 1)], "")
        case _ if isinstance(bound, int):
            yield from (str(bound + 1).zfill(len(value)), str(bound - 1).zfill(len(value)), "1" * (bound % 60 + 1))
        case _ if bound is not None:
            yield from ("9999-12-31", "1800-01-01", "99999999.99999999", "-99999999", "0")


def _of_children(at: int, element: Element, group: XsdGroup) -> Iterator[Mutation]:
    leaf = all(len(child) == 0 for child in element)
    yield Mutation("no other", at, _unknown, frozenset({"unknown"}), leaf=True)
    yield Mutation("no text", at, _text, frozenset({"text"}), leaf=True)
    names = [str(child.tag) for child in element]
    for name in dict.fromkeys(names):
        small = all(not len(child) for child in element if child.tag == name)
        least = min((part.min_occurs for part in group.iter_elements() if part.local_name == name), default=0)
        fewer = names.count(name) - max(0, least - 1)
        yield Mutation(f"at least {least} of {name}", at, _without(name, fewer), frozenset({"missing"}), small)
        most = {part.max_occurs for part in group.iter_elements() if part.local_name == name}
        if len(most) == 1 and (bound := most.pop()) is not None:
            times = bound + 1 - names.count(name)
            yield Mutation(f"at most {bound} of {name}", at, _with(name, times), frozenset({"repeated"}), small)
    for place, (one, other) in enumerate(pairwise(names)):
        if one != other:
            yield Mutation(f"{one} before {other}", at, _swapping(place), frozenset({"misplaced"}), leaf)


def _writing(text: str) -> Callable[[Element], list[Element]]:
    def make(element: Element) -> list[Element]:
        element.text = text
        return [element]

    return make


def _unknown(element: Element) -> list[Element]:
    child = etree.Element(UNKNOWN)
    if not len(element):
        element.text = None
    element.insert(0, child)
    return [child]


def _text(element: Element) -> list[Element]:
    element[0].tail = "text"
    return [element]


def _without(name: str, times: int) -> Callable[[Element], list[Element]]:
    """So many elements of the name are left out, the last ones."""

    def make(element: Element) -> list[Element]:
        for child in element.findall(name)[-times:]:
            element.remove(child)
        return [element]

    return make


def _with(name: str, times: int) -> Callable[[Element], list[Element]]:
    """The last element of the name is there so many times more."""

    def make(element: Element) -> list[Element]:
        last = element.findall(name)[-1]
        for _ in range(times):
            last.addnext(copy.deepcopy(last))
            last = element.findall(name)[-1]
        return [last]

    return make


def _swapping(place: int) -> Callable[[Element], list[Element]]:
    """A child stands before the one it belongs behind; either may be told to be in the wrong place."""

    def make(element: Element) -> list[Element]:
        one, other = element[place], element[place + 1]
        element.insert(place, other)
        return [one, other]

    return make
