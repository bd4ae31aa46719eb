"""Which sets that came by messages wait for their other parts, and which of them has to be taken as it is?

A set waits until its last part came, or for so long after the part before.  How many may wait is bounded, of every
sender and of all together, so that no sender can hold up another: the one that has most of them waiting gives way, with
the set that waited longest.  Such a set is taken as it is, and answered.  Pure: what happens with a set is its owner's.
"""

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class WaitingLimits:
    """Most sets that wait, of one sender and of all, and most bytes of them together."""

    of_sender: int
    of_all: int
    size: int


@dataclass(frozen=True, slots=True)
class Incomplete:
    """A set that waits: whose it is, since when (any clock), and how many bytes of it are here."""

    sender: str
    since: float
    size: int


def gives_way(waiting: Mapping[_Key, Incomplete], limits: WaitingLimits) -> _Key | None:
    """The set that has to be taken as it is now, None if there is room for all."""
    counts = Counter(each.sender for each in waiting.values())
    sizes: Counter[str] = Counter()
    for each in waiting.values():
        sizes[each.sender] += each.size
    if waiting and (max(counts.values()) > limits.of_sender or len(waiting) > limits.of_all):
        return _oldest_of(waiting, counts.most_common(1)[0][0])
    if sum(sizes.values()) > limits.size:
        return _oldest_of(waiting, sizes.most_common(1)[0][0])
    return None


def _oldest_of(waiting: Mapping[_Key, Incomplete], sender: str) -> _Key:
    return min((key for key, each in waiting.items() if each.sender == sender), key=lambda key: waiting[key].since)
