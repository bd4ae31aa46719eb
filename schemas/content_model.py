"""What may stand below an element, as an automaton?

A content model is laid out as states with steps by an element's name and jumps without one. It is followed state set by
state set, and what was found out on the way is kept for the next element. Which changes would make wrong children right
is found in `schemas.misfits`.

Source: XML Schema 1.0 part 1, 3.8 and 3.9.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

# An element or a group that may occur more often than this is taken for one that may occur any number of times.
_MOST_ELEMENTS: Final = 256
_MOST_GROUPS: Final = 32
ANY: Final = "*"


class Departure(StrEnum):
    """How children depart from their model."""

    MISSING = "missing"
    REPEATED = "repeated"
    MISPLACED = "misplaced"
    UNKNOWN = "unknown"


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
class Step:
    """From one state to another by an element; ``expected`` has its name, or those of the choice that it begins."""

    name: str
    target: int
    expected: str


@dataclass(slots=True)
class Model:
    """What may stand below an element, as an automaton; the end is the last state."""

    steps: list[list[Step]] = field(default_factory=list)
    jumps: list[list[int]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    many: set[str] = field(default_factory=set)
    _moves: dict[tuple[frozenset[int], str], frozenset[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, particle: Particle) -> "Model":
        """The automaton of a content model."""
        model = cls()
        end = model._add(particle, model._state(), "")
        model.jumps[end].append(model._state())
        return model

    @property
    def end(self) -> int:
        """The state behind the last child."""
        return len(self.steps) - 1

    def allows(self, name: str) -> bool:
        """Whether an element of this name may stand anywhere among the children."""
        return name in self.names or ANY in self.names

    def reached(self, states: frozenset[int]) -> frozenset[int]:
        """These states and those that are reached from them without an element."""
        found, waiting = set(states), list(states)
        while waiting:
            new = [state for state in self.jumps[waiting.pop()] if state not in found]
            found.update(new)
            waiting += new
        return frozenset(found)

    def follow(self, children: Sequence[str], begin: int, states: frozenset[int]) -> list[frozenset[int]]:
        """The states before each child from ``begin`` on, as far as the children are right, and those at the end."""
        trail = [states]
        for at in range(begin, len(children)):
            states = self._moved(states, children[at])
            if not states:
                break
            trail.append(states)
        return trail

    def _moved(self, states: frozenset[int], name: str) -> frozenset[int]:
        key = (states, name if name in self.names else ANY)
        moved = self._moves.get(key)
        if moved is None:
            steps = (step for state in states for step in self.steps[state])
            moved = self.reached(frozenset(step.target for step in steps if step.name in {key[1], ANY}))
            self._moves[key] = moved
        return moved

    def _state(self) -> int:
        self.steps.append([])
        self.jumps.append([])
        return len(self.steps) - 1

    def _add(self, particle: Particle, state: int, expected: str) -> int:
        """Lay a particle from a state on; returns the state behind it."""
        least, most = particle.occurs.least, particle.occurs.most
        if most != 1:
            self.many.update(_names(particle))
        unrolled = _MOST_ELEMENTS if isinstance(particle, One) else _MOST_GROUPS
        if most is not None and most > unrolled:
            most = None
        for _ in range(min(least, unrolled)):
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
            self.steps[state].append(Step(particle.name, target, expected or particle.name))
            self.names.add(particle.name)
            return target
        if not particle.choice:
            for item in particle.items:
                state = self._add(item, state, expected)
                expected = expected if _may_be_left_out(item) else ""
            return state
        one_of = expected or " | ".join(name for item in particle.items for name in _first(item))
        end = self._state()
        for item in particle.items:
            begin = self._state()
            self.jumps[state].append(begin)
            self.jumps[self._add(item, begin, one_of)].append(end)
        return end


def _names(particle: Particle) -> Iterator[str]:
    if isinstance(particle, One):
        yield particle.name
    else:
        for item in particle.items:
            yield from _names(item)


def _first(particle: Particle) -> Iterator[str]:
    """The names that a particle can begin with."""
    if isinstance(particle, One):
        yield particle.name
        return
    for item in particle.items:
        yield from _first(item)
        if not particle.choice and not _may_be_left_out(item):
            return


def _may_be_left_out(particle: Particle) -> bool:
    if isinstance(particle, One) or not particle.occurs.least:
        return not particle.occurs.least
    return (any if particle.choice else all)(map(_may_be_left_out, particle.items))
