"""What comes in on the busiest day of a quarter: which file, of whom, how large, at which second of the day?

Pure, and the same for the same seed.  What is known and what is assumed stands beside each figure; all of it is told on
the page that :mod:`benchmarks.day` writes.
"""

import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from math import exp
from statistics import NormalDist
from typing import Final

DAY_SECONDS: Final = 86_400
HOURS: Final = 24
SENDERS: Final = 40

DMFA: Final = "DMFA"
DIMONA: Final = "DIMN"

_NORMAL: Final = NormalDist()


@dataclass(frozen=True, slots=True)
class Flow:
    """The declarations of one kind on that day.

    Args:
        purpose: the kind, as names of files have it.
        forms: how many declarations there are on the whole day.
        hours: how many in a hundred come in each hour.
        median: declarations in the file in the middle, all files in order of size.
        spread: the standard deviation of the logarithm of that number.
        most: declarations in the largest file.
    """

    purpose: str
    forms: int
    hours: Sequence[float]
    median: float
    spread: float
    most: int

    def second(self, chance: float) -> float:
        """The second of the day before which this share (0 to 1) of all comes; even within an hour."""
        ends = list(accumulate(self.hours))
        wanted = chance * ends[-1]
        hour = min(bisect_right(ends, wanted), HOURS - 1)
        begun = ends[hour] - self.hours[hour]
        return (hour + (wanted - begun) / self.hours[hour]) * DAY_SECONDS / HOURS

    def size(self, chance: float) -> int:
        """How many declarations are in the file that this share (0 to 1) of all files is not larger than."""
        return min(self.most, max(1, round(self.median * exp(self.spread * _NORMAL.inv_cdf(chance)))))


FLOWS: Final = (
    # Known: 273,843 forms in the busiest month of 2014; half of them on one day is what is asked for.  A file may have
    # 2,000 workers: 400 forms of five.  Assumed: office hours, with a rush at the end of the afternoon and a tail to
    # midnight; most files are of a few employers, some of hundreds.
    Flow(
        DMFA,
        273_843 // 2,
        (0.5, 0.5, 0.5, 0.5, 0.5, 1, 1, 2, 4, 6, 8, 8, 5, 6, 8, 9, 11, 9, 5, 3, 3, 3, 3, 2.5),
        median=3.0,
        spread=1.5,
        most=400,
    ),
    # Known: more than 22 million in 2013; 250 working days; a group has at most 20.  Assumed: half of them come as
    # files, most before people begin to work.
    Flow(
        DIMONA,
        22_000_000 // 250 // 2,
        (0.5, 0.5, 0.5, 0.5, 0.5, 3, 8, 12, 11, 9, 8, 7, 5, 6, 7, 6, 5, 3.5, 2, 1.5, 1, 1, 1, 0.5),
        median=1.5,
        spread=1.0,
        most=20,
    ),
)

FAULTY: Final = 0.02
"""The share of files with a form that is not valid: assumed."""

_EVENNESS: Final = 0.7
"""A sender's share is one over its rank, to this power: assumed; the first of forty brings a seventh of all files."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file: when it is ready at its sender, whose (0 is who sends most), what, and whether all of it is valid.

    ``serial`` counts the files of a sender and a kind from 1.
    """

    second: float
    sender: int
    purpose: str
    forms: int
    serial: int
    is_valid: bool

    @property
    def hour(self) -> int:
        """The hour of the day, from 0."""
        return int(self.second * HOURS / DAY_SECONDS)


def trace(share: float, seed: int = 1) -> list[Arrival]:
    """This share (0 to 1) of the day's files, in their order."""
    chance = random.Random(seed)  # noqa: S311 - a load, and no secret
    drawn = sorted(_drawn(share, chance), key=lambda one: one[0])
    shares = list(accumulate((rank + 1) ** -_EVENNESS for rank in range(SENDERS)))
    serials: Counter[tuple[int, str]] = Counter()
    found = []
    for second, flow, forms in drawn:
        sender = bisect_right(shares, chance.random() * shares[-1])
        serials[sender, flow.purpose] += 1
        serial = serials[sender, flow.purpose]
        found.append(Arrival(second, sender, flow.purpose, forms, serial, chance.random() >= FAULTY))
    return found


@cache
def whole() -> Sequence[Arrival]:
    """All of the day's files."""
    return tuple(trace(1.0))


def _drawn(share: float, chance: random.Random) -> Iterator[tuple[float, Flow, int]]:
    """Files with their moments, of each kind until they have the declarations that are wanted."""
    for flow in FLOWS:
        missing = round(flow.forms * share)
        while missing > 0:
            forms = min(flow.size(chance.uniform(1e-9, 1 - 1e-9)), missing)
            missing -= forms
            yield flow.second(chance.random()), flow, forms


def share_for(peak: float, hour_seconds: float) -> float:
    """The share of the day's files of which so many a second come in the busiest hour, if an hour takes so long."""
    return min(1.0, peak * hour_seconds / busiest(whole()))


def busiest(arrivals: Sequence[Arrival]) -> int:
    """How many come in the busiest hour."""
    return max(Counter(one.hour for one in arrivals).values())
