"""Were the answers of a day given within the time that is promised, and which were not, and why?

Values only: of each submission when it came, was recorded and was answered; out come shares by type, the worst, and the
held.  One that is younger than the promise and has no answer yet is not counted; one that is older is a broken promise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from typing import Final

_SECOND: Final = 1_000_000
ALL: Final = "all"
"""The line of every type together."""


@dataclass(frozen=True, slots=True)
class Promise:
    """So large a share (0 to 1) of answers within so many seconds of the receipt, and of receipts within so many."""

    share: float
    answer_seconds: float
    receipt_seconds: float


@dataclass(frozen=True, slots=True)
class Timed:
    """A submission: times in microseconds since the epoch, None for what has not happened; ``held`` says why it was.

    Its sender had waited so many microseconds (``waited``) at the receipt already: it is told OK once that is recorded.
    Of one that was ``recovered`` it was not: it was found in custody later, and is measured by its answer alone.
    """

    ticket: str
    sender: str
    purpose: str
    state: str
    received_at: int
    recorded_at: int | None
    answered_at: int | None
    held: tuple[str, ...] = ()
    waited: int = 0
    recovered: bool = False

    def seconds(self, at: int) -> float:
        """From the receipt to the answer, or for how long there has been none at ``at``."""
        return max(0, (at if self.answered_at is None else self.answered_at) - self.received_at) / _SECOND


@dataclass(frozen=True, slots=True)
class Line:
    """A type of a day, or all: seconds are None where nothing was counted.

    Args:
        purpose: the type, or ``all``.
        submissions: how many came.
        counted: how many of them the promise is measured by.
        within: how many of those were answered in time.
        unanswered: how many have no answer, young ones too.
        median: seconds of the one in the middle of those that were counted.
        longest: seconds of the slowest.
        receipts: how many were recorded as received, but for those that were recovered.
        receipts_within: how many of those in time.
        kept: whether both promises were kept.
    """

    purpose: str
    submissions: int
    counted: int
    within: int
    unanswered: int
    median: float | None
    longest: float | None
    receipts: int
    receipts_within: int
    kept: bool

    @property
    def share(self) -> float | None:
        """Of answers in time, 0 to 1; None where nothing was counted."""
        return self.within / self.counted if self.counted else None

    @property
    def receipt_share(self) -> float | None:
        """Of receipts in time, 0 to 1; None where none was recorded."""
        return self.receipts_within / self.receipts if self.receipts else None


@dataclass(frozen=True, slots=True)
class Report:
    """Lines by type, all together last; the slowest of those that broke the promise; everything that was held."""

    lines: tuple[Line, ...]
    worst: tuple[Timed, ...]
    held: tuple[Timed, ...]


@dataclass(slots=True)
class _Sum:
    submissions: int = 0
    within: int = 0
    unanswered: int = 0
    receipts: int = 0
    receipts_within: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, timed: Timed, promise: Promise, at: int) -> None:
        seconds = timed.seconds(at)
        answered = timed.answered_at is not None
        self.submissions += 1
        self.unanswered += not answered
        if answered or seconds > promise.answer_seconds:
            self.seconds.append(seconds)
            self.within += answered and seconds <= promise.answer_seconds
        if timed.recorded_at is not None and not timed.recovered:
            self.receipts += 1
            receipt = timed.waited + timed.recorded_at - timed.received_at
            self.receipts_within += receipt <= promise.receipt_seconds * _SECOND

    def line(self, purpose: str, promise: Promise) -> Line:
        self.seconds.sort()
        counted = len(self.seconds)
        kept = self.within >= promise.share * counted and self.receipts_within >= promise.share * self.receipts
        return Line(
            purpose,
            self.submissions,
            counted,
            self.within,
            self.unanswered,
            self.seconds[(counted - 1) // 2] if counted else None,
            self.seconds[-1] if counted else None,
            self.receipts,
            self.receipts_within,
            kept,
        )


def report(submissions: Iterable[Timed], promise: Promise, at: int, worst: int) -> Report:
    """What there is to say of ``submissions``.

    Args:
        submissions: those of a day, each read once.
        promise: what they are measured by.
        at: the present (microseconds).
        worst: so many of the slowest are named at most.
    """
    sums: dict[str, _Sum] = {}
    whole = _Sum()
    late: list[Timed] = []
    held: list[Timed] = []
    for timed in submissions:
        for one in (whole, sums.setdefault(timed.purpose, _Sum())):
            one.add(timed, promise, at)
        if timed.seconds(at) > promise.answer_seconds:
            late.append(timed)
        if timed.held:
            held.append(timed)
    lines = [sums[purpose].line(purpose, promise) for purpose in sorted(sums)]
    return Report((*lines, whole.line(ALL, promise)), _slowest(late, at, worst), _slowest(held, at, len(held)))


def _slowest(some: Sequence[Timed], at: int, most: int) -> tuple[Timed, ...]:
    return tuple(nlargest(most, some, key=lambda timed: (timed.seconds(at), timed.ticket)))
