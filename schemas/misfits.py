"""In which way do the children of an element depart from what its schema allows?

libxml2 tells that a child is unexpected, names at most ten that it expected, and stops looking at its siblings. A
person wants to know which child is missing, stands once too often or in the wrong place, and of all of them at once. So
the fewest changes are sought that make the children right: a child left out, one put in. This explains, and doesn't
judge: libxml2's word on whether there is a fault at all comes first.
"""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Final

from schemas.content_model import ANY, Departure, Model

# Where children are wrong, as many before and behind that place are compared with what may stand there.
_WINDOW: Final = 64
_MOST_MISFITS: Final = 10_000


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


def misfits(model: Model, children: Sequence[str]) -> tuple[Misfit, ...]:
    """The fewest departures that explain what is wrong with these children, in their order; none if all is right.

    Of many children those near a wrong place are looked at together.
    """
    found: list[Misfit] = []
    alone: set[str] = set()
    begin, states = 0, model.reached(frozenset({0}))
    while len(found) < _MOST_MISFITS:
        trail = model.follow(children, begin, states)
        wrong = begin + len(trail) - 1
        if wrong == len(children) and model.end in trail[-1]:
            break
        begin = max(begin, wrong - _WINDOW)
        end = min(len(children), wrong + _WINDOW)
        edits, state = _fewest_edits(model, children, (begin, end), trail[begin - wrong - 1])
        alone = alone or {name for name, count in Counter(children).items() if count == 1}
        found += sorted(_explained(model, children, alone, edits), key=lambda misfit: misfit.at)
        if end == len(children):
            break
        begin, states = end, model.reached(frozenset({state}))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Edit:
    """A child to leave out at ``at``, or (with ``put_in``) an element to put in before it."""

    at: int
    name: str
    put_in: bool
    expected: str = ""


# How far a path has gone (child, state) and what it has cost: changes; those that don't put in what another child is,
# so that a child is moved rather than something else asked for; how early they are, and what is left out.
_Node = tuple[int, int]
_Cost = tuple[int, int, int]


def _fewest_edits(
    model: Model, children: Sequence[str], window: tuple[int, int], states: frozenset[int]
) -> tuple[tuple[_Edit, ...], int]:
    """The cheapest way through the automaton (Dijkstra's algorithm) over these children, and the state behind it.

    Any state is good behind the last of them, unless it is the last of all.
    """
    begin, end = window
    goal = model.end if end == len(children) else None
    came: dict[_Node, tuple[_Node, _Edit | None]] = {}
    costs: dict[_Node, _Cost] = {(begin, state): (0, 0, 0) for state in states}
    waiting: list[tuple[_Cost, _Node]] = [((0, 0, 0), node) for node in sorted(costs)]
    there = set(children[begin:end])
    node = (begin, 0)
    while waiting:
        cost, node = heapq.heappop(waiting)
        if node[0] == end and node[1] == (node[1] if goal is None else goal):
            break
        if cost > costs[node]:
            continue
        for target, edit in _ways(model, children, node):
            paid = cost if edit is None else _paid(cost, edit, there, len(children))
            if target[0] <= end and (target not in costs or paid < costs[target]):
                costs[target] = paid
                came[target] = (node, edit)
                heapq.heappush(waiting, (paid, target))
    return tuple(_back(came, node))[::-1], node[1]


def _paid(cost: _Cost, edit: _Edit, there: Set[str], count: int) -> _Cost:
    moves = edit.put_in and edit.name in there
    return cost[0] + 1, cost[1] + (not moves), cost[2] + 2 * (count - edit.at) + (not edit.put_in)


def _ways(model: Model, children: Sequence[str], node: _Node) -> Iterator[tuple[_Node, _Edit | None]]:
    """Where a path may go on, and with what change."""
    at, state = node
    for target in model.jumps[state]:
        yield (at, target), None
    name = children[at] if at < len(children) else None
    for step in model.steps[state]:
        if name is not None and step.name in {name, ANY}:
            yield (at + 1, step.target), None
        yield (at, step.target), _Edit(at, step.name, put_in=True, expected=step.expected)
    if name is not None:
        yield (at + 1, state), _Edit(at, name, put_in=False)


def _back(came: dict[_Node, tuple[_Node, _Edit | None]], node: _Node) -> Iterator[_Edit]:
    while node in came:
        node, edit = came[node]
        if edit is not None:
            yield edit


def _explained(model: Model, children: Sequence[str], alone: Set[str], edits: Sequence[_Edit]) -> Iterator[Misfit]:
    """What the changes mean: a child that is left out here and put in there stands in the wrong place."""
    put_in = Counter(edit.name for edit in edits if edit.put_in)
    for edit in edits:
        if edit.put_in:
            continue
        if put_in[edit.name]:
            put_in[edit.name] -= 1
            yield Misfit(Departure.MISPLACED, edit.name, edit.at)
        elif edit.name not in model.names:
            yield Misfit(Departure.UNKNOWN, edit.name, edit.at)
        else:
            beside = edit.name in {*children[max(0, edit.at - 1) : edit.at], *children[edit.at + 1 : edit.at + 2]}
            strays = edit.name in alone or (edit.name in model.many and not beside)
            yield Misfit(Departure.MISPLACED if strays else Departure.REPEATED, edit.name, edit.at)
    for edit in edits:
        if edit.put_in and put_in[edit.name]:
            put_in[edit.name] -= 1
            expected = "" if edit.expected == edit.name else edit.expected
            yield Misfit(Departure.MISSING, edit.name, edit.at, expected)
