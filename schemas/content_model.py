"""In which way do the children of an element depart from what its schema allows?

libxml2 tells that a child is unexpected, names at most ten that it expected, and stops looking at its siblings. A
person wants to know which child is missing, stands once too often or in the wrong place, and of all of them at once. So
the fewest changes are sought that make the children right: a child left out, one put in. This explains, and doesn't
judge: libxml2's word on whether there is a fault at all comes first.

Source: XML Schema 1.0 part 1, 3.8 and 3.9.
"""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

# A group or element that may occur more often than this is taken for one that may occur any number of times.
_UNROLLED: Final = 32
_MOST_STEPS: Final = 2_000_000
_ANY: Final = "*"


class Departure(StrEnum):
    """How children depart from their model."""

    MISSING = "missing"
    REPEATED = "repeated"
    MISPLACED = "misplaced"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Misfit:
    """One departure: of the element ``name``, at the child with index ``at`` (as many as there are: behind the last).

    ``expected`` says what would be right where that isn't the name itself: the names of which one is missing, parted by
    `` | ``.
    """

    departure: Departure
    name: str
    at: int
    expected: str = ""


@dataclass(frozen=True, slots=True)
class Occurs:
    """How often a particle may occur; no ``most`` is any number of times."""

    least: int = 1
    most: int | None = 1


@dataclass(frozen=True, slots=True)
class One:
    """An element; the name ``*`` is a wildcard."""

    name: str
    occurs: Occurs = Occurs()


@dataclass(frozen=True, slots=True)
class Group:
    """Particles one after the other, or one of them."""

    items: tuple["Particle", ...]
    occurs: Occurs = Occurs()
    choice: bool = False


Particle = One | Group


@dataclass(frozen=True, slots=True)
class _Step:
    """From one state to another by an element; ``expected`` has its name, or those of the choice that it begins."""

    name: str
    target: int
    expected: str


@dataclass(slots=True)
class Model:
    """What may stand below an element, as an automaton; the end is the last state."""

    steps: list[list[_Step]] = field(default_factory=list)
    jumps: list[list[int]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, particle: Particle) -> "Model":
        """The automaton of a content model."""
        model = cls()
        end = model._add(particle, model._state(), "")
        model.jumps[end].append(model._state())
        return model

    def misfits(self, children: Sequence[str]) -> tuple[Misfit, ...]:
        """The fewest departures that explain what is wrong with these children, in their order; none if all is right.

        None either if that can't be found out within bounds, for thousands of children of a large model.
        """
        edits = _fewest_edits(self, children)
        return tuple(sorted(_explained(self, children, edits), key=lambda misfit: misfit.at))

    def _state(self) -> int:
        self.steps.append([])
        self.jumps.append([])
        return len(self.steps) - 1

    def _add(self, particle: Particle, state: int, expected: str) -> int:
        """Lay a particle from a state on; returns the state behind it."""
        least, most = particle.occurs.least, particle.occurs.most
        if most is not None and most > _UNROLLED:
            most = None
        for _ in range(min(least, _UNROLLED)):
            state = self._once(particle, state, expected)
        if most is None:
            again = self._state()
            self.jumps[state].append(again)
            self.jumps[self._once(particle, again, expected)].append(again)
            return again
        exits = [state]
        for _ in range(most - least):
            state = self._once(particle, state, expected)
            exits.append(state)
        end = self._state()
        for leaving in exits:
            self.jumps[leaving].append(end)
        return end

    def _once(self, particle: Particle, state: int, expected: str) -> int:
        if isinstance(particle, One):
            target = self._state()
            self.steps[state].append(_Step(particle.name, target, expected or particle.name))
            self.names.add(particle.name)
            return target
        if not particle.choice:
            for number, item in enumerate(particle.items):
                state = self._add(item, state, "" if number else expected)
            return state
        one_of = expected or " | ".join(name for item in particle.items for name in _first(item))
        end = self._state()
        for item in particle.items:
            begin = self._state()
            self.jumps[state].append(begin)
            self.jumps[self._add(item, begin, one_of)].append(end)
        return end


def _first(particle: Particle) -> Iterator[str]:
    """The names that a particle can begin with, of a sequence those of its first member only."""
    if isinstance(particle, One):
        yield particle.name
    else:
        for item in particle.items if particle.choice else particle.items[:1]:
            yield from _first(item)


@dataclass(frozen=True, slots=True)
class _Edit:
    """A child to leave out at ``at``, or (with ``put_in``) an element to put in before it."""

    at: int
    name: str
    put_in: bool
    expected: str = ""


# How far a path has gone (child, state) and what it has cost: changes, then how early they are.
_Node = tuple[int, int]
_Cost = tuple[int, int]


def _fewest_edits(model: Model, children: Sequence[str]) -> tuple[_Edit, ...]:
    """The cheapest way through the automaton (Dijkstra's algorithm)."""
    end = (len(children), len(model.steps) - 1)
    if len(children) * len(model.steps) > _MOST_STEPS:
        return ()
    came: dict[_Node, tuple[_Node, _Edit | None]] = {}
    costs: dict[_Node, _Cost] = {(0, 0): (0, 0)}
    waiting: list[tuple[_Cost, _Node]] = [((0, 0), (0, 0))]
    while waiting:
        cost, node = heapq.heappop(waiting)
        if node == end:
            break
        if cost > costs[node]:
            continue
        for target, edit, price in _ways(model, children, node):
            paid = (cost[0] + price, cost[1] + (len(children) - node[0] if price else 0))
            if target not in costs or paid < costs[target]:
                costs[target] = paid
                came[target] = (node, edit)
                heapq.heappush(waiting, (paid, target))
    return tuple(_back(came, end))[::-1]


def _ways(model: Model, children: Sequence[str], node: _Node) -> Iterator[tuple[_Node, _Edit | None, int]]:
    """Where a path may go on, with what change and at what price."""
    at, state = node
    for target in model.jumps[state]:
        yield (at, target), None, 0
    name = children[at] if at < len(children) else None
    for step in model.steps[state]:
        if name is not None and step.name in {name, _ANY}:
            yield (at + 1, step.target), None, 0
        yield (at, step.target), _Edit(at, step.name, put_in=True, expected=step.expected), 1
    if name is not None:
        yield (at + 1, state), _Edit(at, name, put_in=False), 1


def _back(came: dict[_Node, tuple[_Node, _Edit | None]], node: _Node) -> Iterator[_Edit]:
    while node in came:
        node, edit = came[node]
        if edit is not None:
            yield edit


def _explained(model: Model, children: Sequence[str], edits: Sequence[_Edit]) -> Iterator[Misfit]:
    """What the changes mean: a child that is left out here and put in there stands in the wrong place."""
    put_in = Counter(edit.name for edit in edits if edit.put_in)
    for edit in edits:
        if edit.put_in:
            continue
        if put_in[edit.name]:
            put_in[edit.name] -= 1
            yield Misfit(Departure.MISPLACED, edit.name, edit.at)
        elif edit.name in model.names:
            alone = children.count(edit.name) == 1
            yield Misfit(Departure.MISPLACED if alone else Departure.REPEATED, edit.name, edit.at)
        else:
            yield Misfit(Departure.UNKNOWN, edit.name, edit.at)
    for edit in edits:
        if edit.put_in and put_in[edit.name]:
            put_in[edit.name] -= 1
            expected = "" if edit.expected == edit.name else edit.expected
            yield Misfit(Departure.MISSING, edit.name, edit.at, expected)
