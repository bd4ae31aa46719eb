"""What did the day look like, hour by hour?  Pure: of every submission when it came, was answered, was held, forwarded.

Part of :mod:`benchmarks.day`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from benchmarks.day_trace import HOURS

_SECOND: Final = 1_000_000
Span = tuple[int, int]
"""From when until before when (microseconds)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One submission; times in microseconds, None for what did not happen.

    Args:
        purpose: the kind.
        forms: how many declarations it has.
        ready: when its sender had it ready.
        accepted: when its sender saw the OK to its GO.
        answered: when its answer was in OUT.
        held: from when until when it was held for want of what only others have.
        forwarded: when each of its declarations was at the broker; None for one that is not.
    """

    purpose: str
    forms: int
    ready: int
    accepted: int
    answered: int | None
    held: tuple[int, int | None] | None = None
    forwarded: Sequence[int | None] = field(default=())
    decided: int | None = None


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour of the day, or what was left after the last; seconds are None where there was nothing to measure.

    ``came`` is by kind; what waits, is held, or is on its way to the broker is so at the end of the hour.
    """

    name: str
    came: dict[str, int]
    forms: int
    answered: int
    waiting: int
    oldest: float | None
    late: float | None
    median: float | None
    slowest: float | None
    held: int
    unsent: int


def hours(seen: Sequence[Seen], began: int, hour: int, purposes: Sequence[str]) -> Iterator[Hour]:
    """The hours of a day that began then and of which one takes so long (microseconds)."""
    for number in range(HOURS):
        span = (began + number * hour, began + (number + 1) * hour)
        yield _hour(f"{number:02}", seen, span, purposes)
    end = began + HOURS * hour
    last = max([end, *(one.answered or 0 for one in seen), *(at or 0 for one in seen for at in one.forwarded)])
    if last > end:
        yield _hour("after", seen, (end, last + 1), purposes)


def _hour(name: str, seen: Sequence[Seen], span: Span, purposes: Sequence[str]) -> Hour:
    start, end = span
    came = [one for one in seen if start <= one.accepted < end]
    waiting = [one for one in seen if one.accepted < end and _is_open(one.answered, end)]
    times = sorted(((one.answered or end) - one.accepted) / _SECOND for one in came)
    late = sorted((one.accepted - one.ready) / _SECOND for one in came)
    return Hour(
        name,
        {purpose: sum(one.purpose == purpose for one in came) for purpose in purposes},
        sum(one.forms for one in came),
        sum(one.answered is not None and start <= one.answered < end for one in seen),
        len(waiting),
        max(((end - one.accepted) / _SECOND for one in waiting), default=None),
        quantile(late, 0.99),
        quantile(times, 0.5),
        quantile(times, 0.99),
        sum(one.held is not None and one.held[0] < end and _is_open(one.held[1], end) for one in seen),
        sum(_is_open(at, end) for one in seen if not _is_open(one.decided, end) for at in one.forwarded),
    )


def _is_open(at: int | None, end: int) -> bool:
    return at is None or at >= end


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The value within which this share of them is; None of nothing."""
    return max(0.0, ordered[min(len(ordered) - 1, int(share * len(ordered)))]) if ordered else None


def table(found: Iterable[Hour], purposes: Sequence[str]) -> str:
    """As Markdown."""
    head = (
        "hour",
        *purposes,
        "declarations",
        "answered",
        "waiting",
        "oldest s",
        "OK p99 s",
        "answer p50 s",
        "p99 s",
        "held",
        "unsent",
    )
    lines = [f"| {' | '.join(head)} |", f"|{' ---: |' * len(head)}"]
    for one in found:
        numbers = (*(one.came[purpose] for purpose in purposes), one.forms, one.answered, one.waiting)
        seconds = (one.oldest, one.late, one.median, one.slowest)
        cells = [one.name, *map(_whole, numbers), *map(_told, seconds), _whole(one.held), _whole(one.unsent)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _whole(number: int) -> str:
    return f"{number:,}" if number else ""


def _told(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f}"


@dataclass(slots=True)
class Account:
    """What was promised and what there is: everything is empty but the first three if all was kept."""

    submissions: int = 0
    accepted: int = 0
    declarations: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def closing(self) -> str:
        """The last line."""
        return (
            f"{self.submissions:,} submissions, {self.declarations:,} declarations forwarded: "
            f"{len(self.lost) + len(self.wrong)} lost, {len(self.twice)} twice, {len(self.unanswered)} unanswered"
        )

    @property
    def is_kept(self) -> bool:
        """Whether nothing is missing and nothing too much."""
        return not (self.lost or self.twice or self.unanswered or self.wrong)


def compare(
    told: dict[str, bool], answers: Iterable[tuple[str, str, bool]], forms: dict[str, int], ids: dict[str, int]
) -> Account:
    """Hold the senders' lists against the answers they found, and those against what came from the broker.

    Args:
        told: every set that was told OK, and whether it is valid.
        answers: of each acknowledgement that was found its set, ticket, and whether it was accepted.
        forms: how many declarations each set has.
        ids: message ids, each with how often it came other than as a repeated delivery.
    """
    found: dict[str, set[tuple[str, bool]]] = {}
    for stem, ticket, accepted in answers:
        found.setdefault(stem, set()).add((ticket, accepted))
    account = Account(len(told))
    expected: set[str] = set()
    for stem, is_valid in told.items():
        of_set = found.get(stem, set())
        if not of_set:
            account.unanswered.append(stem)
        elif len(of_set) > 1:
            account.twice.append(f"{stem} has {len(of_set)} answers")
        else:
            [(ticket, accepted)] = of_set
            account.accepted += accepted
            if accepted is not is_valid:
                account.wrong.append(f"{stem} was to be {'accepted' if is_valid else 'rejected'}")
            if accepted:
                expected |= {f"{ticket}-{form:06}" for form in range(1, forms[stem] + 1)}
    account.declarations = len(expected & ids.keys())
    account.lost += [f"message {one}" for one in sorted(expected - ids.keys())]
    account.twice += [f"message {one}" for one in sorted(ids) if ids[one] > 1 or one not in expected]
    return account
