"""The page about the day: what was replayed, what it was like hour by hour, and what it came to.  Pure.

Part of :mod:`benchmarks.day`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.day_figures import Account, Seen, hours, quantile, table
from benchmarks.day_trace import DAY_SECONDS, FAULTY, FLOWS, HOURS, SENDERS, Arrival, busiest, whole

_SECOND: Final = 1_000_000
_PURPOSES: Final = tuple(flow.purpose for flow in FLOWS)


@dataclass(frozen=True, slots=True)
class Course:
    """All that the page tells of.

    Args:
        minutes: how long the day took.
        peak: files a second in the busiest hour.
        share: which share of the day's files was brought (0 to 1).
        arrivals: those files.
        began: when the day began (microseconds).
        seen: what became of each.
        outages: from when until when something was away, in hours of the day: ``broker`` and ``lists``.
        main: CPU seconds of the gateway's main process.
        workers: those of its workers.
        others: the share (0 to 1) of all processors' time that others had.
        again: messages that the broker delivered a second time, and said so.
        retried: how often a sender saw no OK and sent a file again.
        promised: what ``gateway report`` printed.
        reconciled: what ``gateway reconcile`` found.
    """

    minutes: float
    peak: float
    share: float
    arrivals: Sequence[Arrival]
    began: int
    seen: Sequence[Seen]
    outages: dict[str, tuple[float, float]]
    main: float
    workers: float
    others: float
    again: int
    retried: int
    promised: str
    reconciled: dict[str, Any]

    @property
    def hour(self) -> int:
        """How long an hour took (microseconds)."""
        return int(self.minutes * 60 / HOURS * _SECOND)

    def at(self, hours_of_day: float) -> int:
        """A moment of the day (microseconds since the epoch)."""
        return self.began + int(hours_of_day * self.hour)


def page(course: Course, account: Account) -> str:
    """The page."""
    parts = (_HEAD, _what(course), _HOURS, _by_hour(course), _outages(course), _promise(course), _end(course, account))
    return "\n".join(part.strip("\n") + "\n" for part in parts)


_HEAD: Final = """
# Deadline day

```sh
python -m benchmarks.day [--minutes 10] [--peak 18] [--quick]
```

replays the busiest day of a quarter at speed and writes this page: a gateway as it is installed, a RabbitMQ of its
own, senders and an institution, all on one machine. Senders bring their files over SFTP with real signatures, fetch
their answers and delete them; the institution takes the declarations from the broker. Everything is synced to the
disk as always. What to do on such a day is in [situations.md](situations.md#deadline-day), how to reckon a machine
for it in [capacity.md](capacity.md).
"""


# --- what was replayed

_WHAT: Final = """
## What was replayed

With `python -m benchmarks.day --minutes {minutes:g} --peak {peak:g}` the day took {minutes:g} minutes: {speed:.0f}
times as fast as it goes, an hour in {hour:g} seconds. One small machine cannot have all of its files at that speed;
of each kind and hour it had {share:.1f} %, so many that about {peak:g} came a second in the busiest hour. Seconds
below are seconds of the clock, not of the replay.

| | whole day | brought |
| --- | ---: | ---: |
{rows}

What is known, and what is assumed since nothing is published (`benchmarks/day_trace.py`; the same seed gives the same
day):

- *Known.* The busiest month of 2014 had 273,843 DmfA forms: half of them come on this day. There were more than 22
  million Dimonas in 2013: 88,000 on one of 250 working days. A DmfA file has at most about 2,000 workers, a group of
  Dimonas 20.
- *Assumed.* Half of the Dimonas come as files. DmfA comes in office hours, with a rush from three to six and a tail
  to midnight; Dimona before people begin to work. Three declarations are in the middle DmfA file and nine in the
  average one, each with five workers and 9 KB. There are {senders} senders, of whom the first brings a seventh of all
  files. {faulty:g} % of the files have a form that is not valid.
"""


def _what(course: Course) -> str:
    return _WHAT.format(
        minutes=course.minutes,
        speed=DAY_SECONDS / (course.minutes * 60),
        hour=course.hour / _SECOND,
        share=100 * course.share,
        peak=course.peak,
        rows="\n".join(f"| {' | '.join(row)} |" for row in _rows(course)),
        senders=SENDERS,
        faulty=100 * FAULTY,
    )


def _rows(course: Course) -> Iterator[tuple[str, str, str]]:
    both = whole(), course.arrivals
    counts = [Counter(one.purpose for one in some) for some in both]
    for purpose in _PURPOSES:
        yield f"files of {purpose}", f"{counts[0][purpose]:,}", f"{counts[1][purpose]:,}"
    forms = [sum(one.forms for one in some) for some in both]
    yield "declarations in them", f"{forms[0]:,}", f"{forms[1]:,}"
    most = [max(one.forms for one in some) for some in both]
    yield "declarations in the largest file", f"{most[0]:,}", f"{most[1]:,}"
    files = busiest(both[0]), busiest(course.arrivals)
    yield "files in the busiest hour", f"{files[0]:,}", f"{files[1]:,}"
    yield "a second, in that hour", f"{files[0] / 3600:.2f}", f"{files[1] * _SECOND / course.hour:.1f}"


# --- hour by hour

_HOURS: Final = """
## Hour by hour

*waiting* (for an answer), *oldest*, *held* and *unsent* (declarations of accepted files that are not at the broker)
are as at the end of the hour. *OK* is from when a file was ready at its sender to the OK to its GO, *answer* from
that OK to the answer in OUT, of the files with an OK in that hour. When more comes than can be judged the OK comes
later, and files wait at their senders ([decision 68](decisions/0068-the-ok-to-a-go-can-come-later.md)).
"""


def _by_hour(course: Course) -> str:
    return table(hours(course.seen, course.began, course.hour, _PURPOSES), _PURPOSES)


# --- outages

_OUTAGES: Final = """
## Two outages

- **No broker** from {gone} to {there}. Files were answered meanwhile. When it was back {waiting:,} declarations
  waited; the last of them was at the broker {sent:.1f} seconds later, in which is the time until the gateway tried to
  connect again: up to 30 seconds. Parked for a person: {parked}.
- **No revocation list** from {away} to {back}. The last one was good for an hour of the day, then {held:,} files were
  held one after the other. None was refused for it; {answered:,} were answered, the last {caught_up:.1f} seconds
  after lists could be had again.
- Senders saw no OK and sent a file again: {retried} times. Messages that the broker delivered a second time, under
  the same id: {again}.
"""


def _outages(course: Course) -> str:
    (gone, there), (away, back) = course.outages["broker"], course.outages["lists"]
    waiting = _unsent(course.seen, course.at(there))
    held = [one for one in course.seen if one.held is not None]
    answers = [one.answered for one in held if one.answered is not None]
    return _OUTAGES.format(
        gone=_clock(gone),
        there=_clock(there),
        waiting=len(waiting),
        sent=(max(waiting, default=course.at(there)) - course.at(there)) / _SECOND,
        parked=course.reconciled["messages_parked"],
        away=_clock(away),
        back=_clock(back),
        held=len(held),
        answered=len(answers),
        caught_up=max(0.0, (max(answers, default=0) - course.at(back)) / _SECOND),
        retried=course.retried,
        again=course.again,
    )


def _unsent(seen: Sequence[Seen], moment: int) -> list[int]:
    """When the declarations that waited at a moment were at the broker; 0 for those that never were."""
    decided = [one for one in seen if one.decided is not None and one.decided < moment]
    return [at or 0 for one in decided for at in one.forwarded if at is None or at >= moment]


def _clock(hours_of_day: float) -> str:
    return f"{int(hours_of_day):02}:{int(hours_of_day % 1 * 60):02}"


# --- what it came to

_PROMISE: Final = """
## What was promised

`gateway report --day` says, the held ones included ([decision 66](decisions/0066-what-is-promised-of-a-day.md)):

```text
{promised}
```

Of those that were not held the answer came {p50:.2f} seconds after the OK (p50), {p99:.2f} (p99), {longest:.2f} at
most.
"""


def _promise(course: Course) -> str:
    times = [(one.answered - one.accepted) / _SECOND for one in course.seen if one.answered and one.held is None]
    ordered = sorted(times)
    return _PROMISE.format(
        promised="\n".join(line.rstrip() for line in course.promised.strip("\n").splitlines()),
        p50=quantile(ordered, 0.5) or 0.0,
        p99=quantile(ordered, 0.99) or 0.0,
        longest=max(times, default=0.0),
    )


_END: Final = """
## What it came to

The gateway took {cpu:.1f} ms of CPU a file, {main:.1f} of them in its main process. Processes that had nothing to do
with this had {others:.0f} % of the processors' time meanwhile. `gateway reconcile --hash --sent`, with the senders'
own lists: {submissions:,} submissions ({states}), {to_answer} answers to give, {to_forward} messages to forward,
{misfits} that do not fit. Compared with these, the answers that senders found and the declarations that the
institution took:

```text
{closing}
```
"""


def _end(course: Course, account: Account) -> str:
    count, said = max(1, len(course.seen)), course.reconciled
    return _END.format(
        cpu=1e3 * (course.main + course.workers) / count,
        main=1e3 * course.main / count,
        others=100 * course.others,
        submissions=said["submissions"],
        states=", ".join(f"{number:,} {state}" for state, number in said["states"].items()),
        to_answer=said["answers_to_give"],
        to_forward=said["messages_to_forward"],
        misfits=said["count"],
        closing=account.closing,
    )
