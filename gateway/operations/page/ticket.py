"""What is there to see of one ticket: where it stands, what was found, and every step with its time?

As ``gateway show``, without the names of users and of operators and what a signature says of its signer; where a step
was taken thousands of times, once for each declaration, it is one line.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.events_catalogue_journal import JOURNAL
from gateway.operations.page.incoming import meaning
from spool import answers, effects, institutions, submissions
from spool.effects import Kind
from spool.submissions import Event
from spool.tables import events

STEPS: Final = 2_000
"""So many of the first steps are read at most."""

_FORM: Final = re.compile("[0-9A-Z]{1,13}")
_LONGEST: Final = 300
_SHOWN: Final = (
    "codes", "reason", "attempt", "attempts", "hold", "forms", "form", "count", "file", "stem", "stems", "repeats",
    "checks", "channel", "about",
)  # fmt: skip
_MEANINGS: Final[Mapping[str, str]] = {event.name: event.meaning for event in JOURNAL}


@dataclass(frozen=True, slots=True)
class Found:
    """A code that a submission was refused with, and what it says of it."""

    code: str
    meaning: str
    detail: str


@dataclass(frozen=True, slots=True)
class Step:
    """A step: when it was first taken, how long after the receipt (microseconds), how often in a row, what it says."""

    at: int
    after: int
    name: str
    meaning: str
    facts: tuple[tuple[str, str], ...] = ()
    times: int = 1


@dataclass(frozen=True, slots=True)
class Ticket:
    """A submission, or a message of an institution; ``follows`` has what is done and to do, by kind and state."""

    ticket: str
    kind: str
    state: str
    sender: str
    channel: str
    directory: str
    name: str
    received_at: int
    verdict_at: int | None
    closed_at: int | None
    forms: int | None
    files: tuple[tuple[str, int], ...]
    findings: tuple[Found, ...]
    answers: tuple[str, ...]
    follows: tuple[tuple[str, str, int], ...]
    steps: tuple[Step, ...] = ()
    more: bool = False


def normal(typed: str) -> str | None:
    """A ticket as a person may type it, None if it cannot be one."""
    word = typed.strip().upper()
    return word if _FORM.fullmatch(word) else None


def look(connection: Connection, ticket: str) -> Ticket | None:
    """What is known of ``ticket``, None if there is none."""
    known = _submission(connection, ticket) or _message(connection, ticket)
    if known is None:
        return None
    query = sa.select(events.c.at, events.c.name, events.c.facts).where(events.c.ticket == ticket)
    rows = connection.execute(query.order_by(events.c.number).limit(STEPS + 1)).all()
    return replace(known, steps=steps([Event(*row) for row in rows[:STEPS]]), more=len(rows) > STEPS)


def steps(found: Iterable[Event]) -> tuple[Step, ...]:
    """The steps of a timeline; the same several times in a row is one.  Pure."""
    lines: list[Step] = []
    first: int | None = None
    for event in found:
        first = event.at if first is None else first
        before = lines[-1] if lines else None
        if before is not None and before.name == event.name and event.name.startswith("declaration."):
            lines[-1] = replace(before, times=before.times + 1)
            continue
        meant = _MEANINGS.get(event.name, "")
        lines.append(Step(event.at, event.at - first, event.name, meant, tuple(_facts(event))))
    return tuple(lines)


def _facts(event: Event) -> Iterable[tuple[str, str]]:
    for key in _SHOWN:
        value: Any = event.facts.get(key)
        if value not in (None, [], {}, ""):
            words = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield key, words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"


def _submission(connection: Connection, ticket: str) -> Ticket | None:
    known = submissions.load(connection, ticket)
    if known is None:
        return None
    return Ticket(
        ticket=ticket,
        kind="submission",
        state=known.state.value,
        sender=known.sender,
        channel=known.channel,
        directory=known.directory,
        name=known.name,
        received_at=known.received_at,
        verdict_at=known.verdict_at,
        closed_at=known.closed_at,
        forms=known.forms,
        files=tuple((file.name, file.size) for file in known.files),
        findings=tuple(Found(code, meaning(code), detail) for code, detail in known.findings),
        answers=tuple(answer.file_name for answer in answers.names(connection, ticket)),
        follows=_follows(connection, ticket),
    )


def _message(connection: Connection, ticket: str) -> Ticket | None:
    known = institutions.load(connection, ticket)
    if known is None:
        return None
    return Ticket(
        ticket=ticket,
        kind="institution's message",
        state=known.state.value,
        sender=known.sender or "",
        channel=known.channel,
        directory=f"{known.purpose} {known.environment}",
        name="",
        received_at=known.received_at,
        verdict_at=None,
        closed_at=None,
        forms=None,
        files=(),
        findings=(),
        answers=tuple(answer.file_name for answer in answers.names(connection, ticket)),
        follows=_follows(connection, ticket),
    )


def _follows(connection: Connection, ticket: str) -> tuple[tuple[str, str, int], ...]:
    counted = ((kind, effects.counts(connection, kind, ticket)) for kind in Kind)
    return tuple(
        (kind.value, state, count) for kind, states in counted for state, count in sorted(states.items()) if count
    )
