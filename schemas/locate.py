"""Where exactly in its file is each fault of a form, and what is it?

A form that was refused is read once more, by expat, which tells the offset of every tag, and compared element by
element with the schema (`schemas.components`). Nothing is kept but the way from the root to where the reading stands.

What is asked about by name and occurrence (broken check digits, rules) is found on the same way. Source: structures
A.3, AnomalyLocation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final
from xml.parsers import expat

from schemas import components
from schemas.anomaly import MAX_VALUE, Anomaly, Broken, Place
from schemas.codes import Code
from schemas.components import Component
from schemas.content_model import Departure, Misfit
from schemas.fields import Field
from schemas.splitting import Form, Splitter

_CODES: Final = {
    Departure.MISSING: "090",
    Departure.REPEATED: "090",
    Departure.MISPLACED: "091",
    Departure.UNKNOWN: "092",
}
# What one form may cost: so many children of one element are compared with the schema, so many faults are kept.
_MOST_CHILDREN: Final = 20_000
_MOST_FAULTS: Final = 10_000
_PIECE_BYTES: Final = 1048576
_FACET_CODES: Final = {"length": "093", "format": "008", "value": "008"}


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


@dataclass(slots=True)
class _Open:
    """An element whose end has not come yet."""

    name: str
    mark: Mark
    component: Component | None
    counts: dict[str, int] = field(default_factory=dict)
    children: list[tuple[str, Mark]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    inner: int = 0


class Walk:
    """Goes through one form and notes what is broken in it; ``asked`` are faults of elements that are known by name.

    Names have their namespace before a ``}`` where they have one.
    """

    def __init__(self, reading: Reading, number: int, asked: Sequence[tuple[Field, Broken]], *, is_valid: bool) -> None:
        self._number = number
        self._space = f"{reading.namespace}}}" if reading.namespace else ""
        component = None if is_valid else components.root(reading.schema, reading.root)
        root = reading.root
        self._asked: dict[tuple[str, int], list[Broken]] = {}
        for wanted, broken in asked:
            self._asked.setdefault((wanted.name, wanted.occurrence), []).append(broken)
        self._seen: dict[str, int] = {}
        self._open = [_Open(root, Mark(0, f"/{root}[1]", (1,)), component)]
        self.found: list[Fault] = []

    def start(self, name: str, offset: int) -> None:
        """A start tag, at its offset."""
        parent = self._open[-1]
        local = name.removeprefix(self._space)
        is_form = len(self._open) == 1
        parent.inner += 1
        count = self._number if is_form else parent.counts.get(local, 0) + 1
        parent.counts[local] = count
        mark = Mark(
            offset,
            f"{parent.mark.path}/{local.rpartition('}')[2]}[{count}]",
            (*parent.mark.position, self._number if is_form else parent.inner),
        )
        if parent.inner <= _MOST_CHILDREN:
            parent.children.append((local, mark))
        if is_form and local != "Form":
            self._note(mark, Broken("not-a-form", Code.NOT_A_FORM, ""))
        self._open.append(_Open(local, mark, parent.component.child(local) if parent.component else None))
        occurrence = self._seen[local] = self._seen.get(local, -1) + 1
        for broken in self._asked.get((local, occurrence), ()):
            self._note(mark, broken)

    def text(self, text: str) -> None:
        """Characters between tags."""
        self._open[-1].text.append(text)

    def end(self) -> None:
        """An end tag."""
        element = self._open.pop()
        component = element.component
        if component is None:
            return
        value = "".join(element.text)
        if component.model is None:
            self._judge_value(element, component, value)
            return
        if element.inner <= _MOST_CHILDREN:
            for misfit in component.model.misfits([name for name, _ in element.children]):
                self._note(*_misfit(element, misfit))
        if value.strip():
            self._note(element.mark, Broken("text", "092", element.name, value.strip()[:MAX_VALUE]))

    def _judge_value(self, element: _Open, component: Component, value: str) -> None:
        if element.children:
            name, mark = element.children[0]
            self._note(mark, Broken(Departure.UNKNOWN, _CODES[Departure.UNKNOWN], name))
            return
        facet = component.broken(value)
        if facet is not None:
            broken = Broken(facet.rule, _FACET_CODES[facet.rule], element.name, value[:MAX_VALUE], facet.expected)
            self._note(element.mark, broken)

    def _note(self, mark: Mark, broken: Broken) -> None:
        if len(self.found) < _MOST_FAULTS:
            self.found.append(Fault(mark, broken, self._number))


def _misfit(element: _Open, misfit: Misfit) -> tuple[Mark, Broken]:
    """What is missing is told at its parent; everything else stands somewhere itself."""
    broken = Broken(misfit.departure, _CODES[misfit.departure], misfit.name, "", misfit.expected)
    if misfit.departure is Departure.MISSING:
        return element.mark, broken
    return element.children[misfit.at][1], broken


def faults_of(
    form: Form, splitter: Splitter, reading: Reading, asked: Sequence[tuple[Field, Broken]], *, is_valid: bool
) -> list[Fault]:
    """Every fault of a form, in the order of their places; the form is well-formed.

    Args:
        form: as it stands in its document
        splitter: what cut it out
        reading: encoding, schema and root of the document
        asked: faults of elements that are known by name and occurrence
        is_valid: whether the schema has accepted the form, so that only the others are to be placed
    """
    walk = Walk(reading, form.number, asked, is_valid=is_valid)
    try:
        _read(walk, splitter.alone(form.content), reading.encoding, form.offset - len(splitter.root_tag))
    except expat.ExpatError:
        walk.found.clear()
    if not walk.found:
        # The readers of the schema disagree, or the model was too large to be explained: the form as a whole.
        mark = Mark(form.offset, f"/{reading.root}[1]/Form[{form.number}]", (1, form.number))
        return [Fault(mark, Broken("form", Code.FORM_INVALID, "Form"), form.number)]
    return sorted(walk.found, key=lambda fault: fault.mark.offset)


def _read(walk: Walk, document: bytes, encoding: str, shift: int) -> None:
    """Lead a walk through a document of one form; ``shift`` is added to its offsets."""
    parser = expat.ParserCreate(encoding, "}")
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


def placed(content: BinaryIO, faults: Sequence[Fault], encoding: str) -> Iterator[Anomaly]:
    """Faults with their lines and columns, in the order of their offsets.

    Args:
        content: the document, from its first byte on
        faults: in any order
        encoding: of the document, which tells what a character is
    """
    line, column, at = 1, 1, 0
    inner = bytes(range(0x80, 0xC0)) if encoding == "UTF-8" else b""
    for fault in sorted(faults, key=lambda fault: fault.mark.offset):
        mark = fault.mark
        while at < mark.offset and (piece := content.read(min(_PIECE_BYTES, mark.offset - at))):
            at += len(piece)
            line += piece.count(b"\n")
            last = piece.rfind(b"\n")
            characters = len(piece[last + 1 :].translate(None, inner))
            column = characters + 1 if last >= 0 else column + characters
        yield Anomaly(fault.broken, fault.form, Place(line, column, mark.offset, mark.path, mark.position))
