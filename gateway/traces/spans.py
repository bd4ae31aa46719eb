"""Which spans does a step of a submission end?  Pure.

A submission is one trace.  Its number is made of the ticket, and so is the number of each span, so that all processes
of a gateway, and who tells a step twice, say the same.  A span has ticket, type, environment, channel, outcome and
codes; no name of a file or a sender, and no words that somebody wrote.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.metrics.steps import STEPS, Step
from schemas.filename import Environment, FileName, parse

Value = str | int | Sequence[str]

_NAMESPACE: Final = "batch-gateway"
_ROOT: Final = "submission"
_JUDGE: Final = "judge"
_CHECK: Final = "check "


@dataclass(frozen=True, slots=True)
class Span:
    """One span; times are microseconds since the epoch, ``parent`` is None for that of the whole submission."""

    trace: int
    number: int
    parent: int | None
    name: str
    start: int
    end: int
    attributes: Mapping[str, Value] = field(default_factory=dict)
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What was forwarded of a closed submission: how many declarations, and when the last was (microseconds)."""

    count: int
    at: int


def trace_number(ticket: str) -> int:
    """The trace of a ticket, 128 bits."""
    return int.from_bytes(_digest("trace", ticket)[:16], "big") or 1


def is_traced(ticket: str, share: float) -> bool:
    """Whether it is among the ``share`` (0 to 1) of submissions that are traced; everybody finds the same."""
    return trace_number(ticket) % 2**64 < share * 2**64


def spans_of(step: Step, forwarded: Forwarded | None = None) -> Iterator[Span]:
    """The spans that end with ``step``.

    Args:
        step: an event of a submission.
        forwarded: where it closes one, what was forwarded of it.
    """
    stage, outcome = STEPS[step.event]
    if stage == "received":
        yield _span(step, "custody", step.received_at, step.at, outcome)
    elif step.event.startswith("verdict."):
        yield from _judged(step, outcome)
    elif stage == "judged":
        yield _span(step, outcome, step.at, step.at, outcome, failed=outcome == "quarantined")
    elif stage == "answered":
        again = step.closed_at is not None and step.closed_at < step.at
        start = step.at if again or step.verdict_at is None else step.verdict_at
        yield _span(step, "answer", start, step.at, "again" if again else outcome)
    else:
        if forwarded is not None:
            start = forwarded.at if step.verdict_at is None else step.verdict_at
            yield _span(step, "forward", start, forwarded.at, "forwarded", declarations=forwarded.count)
        yield _span(step, _ROOT, step.received_at, step.at, step.state)


def _judged(step: Step, outcome: str) -> Iterator[Span]:
    """The judgement that led to a verdict, and its checks, one after the other."""
    facts = step.facts or {}  # they may have been forgotten since
    at = facts.get("began_at", step.received_at)
    yield _span(step, _JUDGE, at, step.at, outcome, codes=[str(code) for code in facts.get("codes") or ()])
    for check in facts.get("checks", ()):
        begun, at = at, at + facts.get("took", {}).get(check, 0)
        yield _span(step, f"{_CHECK}{check}", begun, at, "reported")


def _span(step: Step, name: str, start: int, end: int, outcome: str, *, failed: bool = False, **more: Value) -> Span:
    parent = _JUDGE if name.startswith(_CHECK) else _ROOT
    said = {"ticket": step.ticket, "channel": step.channel, "outcome": outcome, **_of_name(step), **more}
    return Span(
        trace_number(step.ticket),
        _number(step, name),
        None if name == _ROOT else _number(step, parent),
        name,
        min(start, end),  # the clock may have been set back
        end,
        {f"gateway.{key}": value for key, value in said.items() if value != []},
        failed,
    )


def _number(step: Step, name: str) -> int:
    """The number of a span, 64 bits; what there can be several of has the event's number in it."""
    once = name in {_ROOT, _JUDGE} or name.startswith(_CHECK)
    return int.from_bytes(_digest(step.ticket, name, "" if once else str(step.number))[:8], "big") or 1


def _of_name(step: Step) -> Mapping[str, Value]:
    name = parse(step.name)
    found: dict[str, Value] = {"type": name.purpose if isinstance(name, FileName) else "other"}
    found.update(("environment", str(each)) for each in Environment if each.inbox == step.directory)
    return found


def _digest(*words: str) -> bytes:
    return hashlib.sha256("\n".join((_NAMESPACE, *words)).encode()).digest()
