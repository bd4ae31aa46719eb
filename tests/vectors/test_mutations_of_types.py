"""Every constraint of every shipped schema, broken once: exactly that is told, at exactly that place.

xmlschema is asked about each as well. Structure by structure: the values by facet, the children by count and order.
"""

import io
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import groupby
from pathlib import Path
from xml.parsers import expat

import pytest
from lxml import etree
from xmlschema.validators import XsdElement

from schemas import xsd
from schemas.anomaly import Anomaly
from schemas.message_type import MessageType
from schemas.refusal import Refused
from schemas.validate import Limits, validate
from tests.shipped import SAMPLES, TYPES, second_opinion
from tests.xsd_mutations import Element, Mutation, Told, group_of, made, mutations, refuses

DAY = date(2026, 11, 21)
LIMITS = Limits(max_bytes=10**8, max_forms=1000)
VERSIONS = [(kind, version) for kind in TYPES for version in kind.versions]

# What libxml2 and xmlschema see differently, by the constraint and the reason.
_TOO_MANY_CHOSEN = "xmlschema lets an element of a choice stand more often than its maxOccurs"
EXPLAINED = {
    "Form/EmployerDeclaration/NaturalPerson/WorkerRecord: at most 99 of Occupation": _TOO_MANY_CHOSEN,
    "Form/NOSSLPAEmployerDeclaration/NaturalPerson/WorkerRecord: at most 99 of NOSSLPAOccupation": _TOO_MANY_CHOSEN,
}
# What is missing when an element that begins an alternative is taken away: what is left begins another one.
_OTHER_ALTERNATIVE = {
    f"{office}EmployerDeclarationUpdate/NaturalPersonUpdate/WorkerRecordUpdate/WorkerRecordUpdateAction: "
    f"at least 1 of {office}OccupationUpdate": "IndemnityWAPM"
    for office in ("", "NOSSLPA")
}


def name(case: object) -> str:
    """Of a type or a version in a report."""
    return case.root if isinstance(case, MessageType) else str(case)


def documents(kind: MessageType, schema: Path) -> Iterator[Element]:
    """The valid samples of a type that are valid for this version, or are when they name it."""
    for sample in SAMPLES:
        if sample.kind is kind and sample.valid:
            root = sample.root
            root.set(f"{{{xsd.XSI}}}noNamespaceSchemaLocation", schema.name)
            if xsd.compiled(schema).validate(root):
                yield root


def told(document: Element, kind: MessageType) -> list[Anomaly]:
    """What the engine tells of a document."""
    content = etree.tostring(document, encoding="UTF-8", xml_declaration=True)
    verdict = validate(io.BytesIO(content), [kind], LIMITS, lambda _: None, DAY)
    assert isinstance(verdict, Refused)
    assert len(verdict.anomalies) == verdict.total
    return list(verdict.anomalies)


def places(document: Element) -> dict[Element, tuple[int, int, int, str, tuple[int, ...]]]:
    """Line, column, offset, path and position of every element, found out in another way than the engine's."""
    content = etree.tostring(document, encoding="UTF-8", xml_declaration=True)
    lines = [0, *(place.end() for place in re.finditer(b"\n", content))]
    starts: list[int] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda *_: starts.append(parser.CurrentByteIndex)
    parser.Parse(content, True)
    found: dict[Element, tuple[int, int, int, str, tuple[int, ...]]] = {}
    ways: dict[Element, tuple[str, tuple[int, ...]]] = {}
    for element, start in zip(document.iter(), starts, strict=True):
        line = bisect_right(lines, start)
        column = len(content[lines[line - 1] : start].decode()) + 1
        parent = element.getparent()
        path, position = ("", ()) if parent is None else ways[parent]
        tag = str(element.tag)
        same = 1 + len(list(element.itersiblings(tag, preceding=True)))
        index = 1 + len(list(element.itersiblings(preceding=True)))
        ways[element] = f"{path}/{tag}[{same}]", (*position, index)
        found[element] = line, column, start, *ways[element]
    return found


def rounds(chosen: Iterable[Mutation]) -> Iterator[list[Mutation]]:
    """Mutations that can be made in one document: leaves of different elements together, all others alone."""
    chosen = list(chosen)
    yield from ([mutation] for mutation in chosen if not mutation.leaf)
    for of_value in (True, False):
        leaves = [mutation for mutation in chosen if mutation.leaf and mutation.of_value is of_value]
        by_element = [list(group) for _, group in groupby(leaves, key=lambda mutation: mutation.at)]
        for turn in range(max(map(len, by_element), default=0)):
            yield [group[turn] for group in by_element if turn < len(group)]


def declared(document: Element, schema: Path) -> list[XsdElement | None]:
    """What xmlschema says of each element, in the order of the document; nothing of those below a wildcard."""
    known = {document: next(iter(second_opinion(schema).elements.values()))}
    for element in document.iter():
        group = group_of(known[element]) if element in known else None
        below = (
            {}
            if group is None
            else {child.local_name: child for child in group.iter_elements() if isinstance(child, XsdElement)}
        )
        known |= {child: below[str(child.tag)] for child in element if child.tag in below}
    return [known.get(element) for element in document.iter()]


def is_constraint(mutation: Mutation, element: Element, schema: Path, component: XsdElement | None) -> bool:
    """Whether what a mutation makes of an element is refused, by both engines alike; the document stays as it is."""
    assert component is not None
    text, children, tails = element.text, list(element), [child.tail for child in element]
    mutation.make(element)
    refused = not xsd.compiled(schema).validate(element.getroottree())
    other = refuses(component, element)
    element[:] = children
    element.text = text
    for child, tail in zip(children, tails, strict=True):
        child.tail = tail
    assert refused == other or mutation.constraint in EXPLAINED, mutation.constraint
    return refused


def is_told(anomaly: Anomaly, wanted: Told, where: dict[Element, tuple[int, int, int, str, tuple[int, ...]]]) -> bool:
    """Whether an anomaly is what had to be told: rule, element and place."""
    place, broken = anomaly.place, anomaly.broken
    at = (place.line, place.column, place.offset, place.path, place.position)
    if broken.rule not in wanted.mutation.rules:
        return False
    if broken.rule == "missing":
        constraint = wanted.mutation.constraint
        missing = _OTHER_ALTERNATIVE.get(constraint, constraint.rpartition(" ")[2])
        return at == where[wanted.places[0]] and missing in {broken.element, *broken.expected.split(" | ")}
    return any(at == where[element] and broken.element == element.tag for element in wanted.places)


@pytest.mark.parametrize(("kind", "version"), VERSIONS, ids=name)
def test_a_broken_constraint_is_told_once_and_where_it_is(kind: MessageType, version: str) -> None:
    """By rule, element, line, column, offset, path and position; nothing else is told."""
    schema = kind.versions[version]
    covered: set[str] = set()
    for root in documents(kind, schema):
        components = declared(root, schema)
        new = [mutation for mutation in mutations(second_opinion(schema), root) if mutation.constraint not in covered]
        elements = list(root.iter())
        found = [one for one in new if is_constraint(one, elements[one.at], schema, components[one.at])]
        covered |= {mutation.constraint for mutation in found}
        for chosen in rounds(found):
            document, wanted = made(root, chosen)
            where = places(document)
            left = told(document, kind)
            for one in wanted:
                fits = [anomaly for anomaly in left if is_told(anomaly, one, where)]
                assert len(fits) == 1, (one.mutation, left)
                left.remove(fits[0])
            assert left == []
    assert len(covered) > 20
