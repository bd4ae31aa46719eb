"""Where exactly in its file is each fault of a form, and what is it?

A form that was refused is read once more, by expat, which tells the offset of every tag, and compared element by
element with the schema (`schemas.components`). Kept is the way from the root to where the reading stands, and the names
of the children of each element on it.

Elements that are asked about (broken check digits, rules) are found on the same way. Lines and columns are counted out
by `schemas.lines`. Source: structures A.3, AnomalyLocation.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.parsers import expat

from schemas.anomaly import MAX_VALUE, Broken
from schemas.codes import Code
from schemas.content_model import Departure
from schemas.fields import Field
from schemas.misfits import Misfit, misfits
from schemas.splitting import Form, Splitter

if TYPE_CHECKING:
    from schemas.components import Component

_CODES: Final = {
    Departure.MISSING: "090",
    Departure.REPEATED: "090",
    Departure.MISPLACED: "091",
    Departure.UNKNOWN: "092",
}
_FACET_CODES: Final = {"length": "093", "format": "008", "value": "008"}
# What one form may cost: so many children of one element are compared with the schema, so many different names are
# counted at a time, so many faults are kept, so deep is it read.
_MOST_CHILDREN: Final = 200_000
_MOST_NAMES: Final = 100_000
_MOST_FAULTS: Final = 10_000
_DEEPEST: Final = 256
SEPARATOR: Final = "\x01"  # between namespace, name and prefix, as expat tells them; XML has no such character


@dataclass(frozen=True, slots=True)
class Mark:
    """Where an element stands, before its line is known."""

    offset: int
    path: str
    position: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the forms of one document are read by: its encoding, its schema, and its root with its namespace."""

    encoding: str
    schema: Path
    root: str
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule broken at a place of the form with this number."""

    mark: Mark
    broken: Broken
    form: int


class _EnoughError(Exception):
    """Nothing more is to be found, or enough has been."""


@dataclass(frozen=True, slots=True)
class _Child:
    """A start tag: its name, how many of that name there are up to it, and of all."""

    name: str
    offset: int
    count: int
    index: int


@dataclass(slots=True)
class _Open:
    """An element whose end has not come yet."""

    tag: _Child
    component: "Component | None"
    counts: dict[str, int] = field(default_factory=dict)
    children: list[_Child] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    inner: int = 0


def _root(reading: Reading) -> "Component":
    from schemas import components  # noqa: PLC0415 - brings xmlschema along, which only a refused form needs

    return components.root(reading.schema, reading.root)


class Walk:
    """Goes through one form and notes what is broken in it."""

    def __init__(self, reading: Reading, number: int, asked: Sequence[tuple[Field, Broken]]) -> None:
        self._number = number
        self._namespace = reading.namespace or ""
        self._asked: dict[str, dict[int, list[Broken]]] = {}
        for (name, occurrence), broken in asked:
            self._asked.setdefault(name, {}).setdefault(occurrence, []).append(broken)
        self._seen = dict.fromkeys(self._asked, -1)
        self._names = 0
        component = None if asked else _root(reading)
        self._open = [_Open(_Child(reading.root, 0, 1, 1), component)]
        self.found: list[Fault] = []

    def start(self, name: str, offset: int) -> None:
        """A start tag, at its offset, its name as expat tells it."""
        namespace, local, prefix = _parts(name)
        shown = local if namespace in {"", self._namespace} else f"{namespace}{SEPARATOR}{local}"
        if len(self._open) > _DEEPEST:
            raise _EnoughError
        parent = self._open[-1]
        parent.inner += 1
        child = self._child(parent, shown, offset)
        component = parent.component
        inner = None
        if component is not None:
            inner = component.child(shown)
            self._judge_child(parent, component, child)
        self._open.append(_Open(child, inner))
        if local in self._asked and (self._namespace or not prefix):
            self._answer(local)

    def text(self, text: str) -> None:
        """Characters between tags."""
        element = self._open[-1]
        component = element.component
        if component is not None and (component.model is None or (not element.text and text.strip())):
            element.text.append(text)

    def end(self) -> None:
        """An end tag."""
        element = self._open[-1]
        component = element.component
        if component is not None:
            value = "".join(element.text)
            if component.model is None:
                self._judge_value(component, value)
            else:
                self._judge_children(element, component)
                if value:
                    self._note((), Broken("text", "092", element.tag.name, value.strip()[:MAX_VALUE]))
        self._names -= len(element.counts)
        self._open.pop()

    def _child(self, parent: _Open, name: str, offset: int) -> _Child:
        if len(self._open) == 1:
            return _Child(name, offset, self._number, self._number)
        count = 1
        if parent.component is not None or self._asked:
            count += parent.counts.get(name, 0)
            self._names += count == 1
            parent.counts[name] = count
            if self._names > _MOST_NAMES:
                raise _EnoughError
        return _Child(name, offset, count, parent.inner)

    def _judge_child(self, parent: _Open, component: "Component", child: _Child) -> None:
        if len(self._open) == 1:
            if child.name != "Form":
                self._note((child,), Broken("not-a-form", Code.NOT_A_FORM, ""))
        elif component.model is None:
            if parent.inner == 1:
                self._note((child,), _departed(Departure.UNKNOWN, child.name))
        elif not component.model.allows(child.name):
            self._note((child,), _departed(Departure.UNKNOWN, child.name))
        elif len(parent.children) <= _MOST_CHILDREN:
            parent.children.append(child)

    def _judge_children(self, element: _Open, component: "Component") -> None:
        if component.model is None or len(element.children) > _MOST_CHILDREN or len(self._open) == 1:
            return
        for misfit in misfits(component.model, [child.name for child in element.children]):
            # What is missing is told at its parent; everything else stands somewhere itself.
            missing = misfit.departure is Departure.MISSING
            self._note(() if missing else (element.children[misfit.at],), _told(misfit))

    def _judge_value(self, component: "Component", value: str) -> None:
        element = self._open[-1]
        facet = None if element.inner else component.broken(value)
        if facet is not None:
            code = _FACET_CODES[facet.rule]
            self._note((), Broken(facet.rule, code, element.tag.name, value[:MAX_VALUE], facet.expected))

    def _answer(self, name: str) -> None:
        """An element that was asked about, if it is that one."""
        self._seen[name] += 1
        wanted = self._asked[name]
        for broken in wanted.pop(self._seen[name], ()):
            self._note((), broken)
        if not any(self._asked.values()):
            raise _EnoughError

    def _note(self, below: tuple[_Child, ...], broken: Broken) -> None:
        """A fault of the element that is open, or of a child of it."""
        way = [*(element.tag for element in self._open), *below]
        path = "".join(f"/{tag.name.rpartition(SEPARATOR)[2]}[{tag.count}]" for tag in way)
        mark = Mark(way[-1].offset, path, tuple(tag.index for tag in way))
        self.found.append(Fault(mark, broken, self._number))
        if len(self.found) >= _MOST_FAULTS:
            raise _EnoughError


def faults_of(
    form: Form, splitter: Splitter, reading: Reading, asked: Sequence[tuple[Field, Broken]] = ()
) -> list[Fault]:
    """Every fault of a form, in the order of their places; the form is well-formed.

    Args:
        form: as it stands in its document
        splitter: what cut it out
        reading: encoding, schema and root of the document
        asked: what is broken in a form that the schema accepts; nothing for one that it doesn't
    """
    walk = Walk(reading, form.number, asked)
    with suppress(_EnoughError, expat.ExpatError):
        _read(walk, splitter.alone(form.content), reading.encoding, form.offset - len(splitter.root_tag))
    if not walk.found:
        # The readers of the schema disagree, or there was too much to look through: the form as a whole.
        mark = Mark(form.offset, f"/{reading.root}[1]/Form[{form.number}]", (1, form.number))
        return [Fault(mark, Broken("form", Code.FORM_INVALID, "Form"), form.number)]
    return sorted(walk.found, key=lambda fault: fault.mark.offset)


def _read(walk: Walk, document: bytes, encoding: str, shift: int) -> None:
    """Lead a walk through a document of one form; ``shift`` is added to its offsets."""
    parser = expat.ParserCreate(encoding, SEPARATOR)
    parser.namespace_prefixes = True
    depth = 0

    def start(name: str, _attributes: object) -> None:
        nonlocal depth
        depth += 1
        if depth > 1:
            walk.start(name, parser.CurrentByteIndex + shift)

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1
        if depth:
            walk.end()

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = walk.text
    parser.buffer_text = True
    parser.Parse(document, True)


def _parts(name: str) -> tuple[str, str, str]:
    """Namespace, local name and prefix."""
    parts = name.split(SEPARATOR)
    return ("", name, "") if len(parts) == 1 else (parts[0], parts[1], parts[2] if len(parts) > 2 else "")


def _told(misfit: Misfit) -> Broken:
    return _departed(misfit.departure, misfit.name, misfit.expected)


def _departed(departure: Departure, name: str, expected: str = "") -> Broken:
    return Broken(departure, _CODES[departure], name.rpartition(SEPARATOR)[2], "", expected)
