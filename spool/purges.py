"""What may go because its time is up, what is planned to go, and what is gone?

Three kinds of data of a ticket have a time each, counted from when everything about it was done: the payload (its files
as received, and declarations that were taken off the embedded queue), its answers, and the facts of its events. A purge
is planned in one transaction, carried out, and recorded as done in another, so that whoever comes after a crash knows
what was begun.  Here is only what stands in the journal; :mod:`spool.purging` takes away.

Tickets sort by time, so a pass goes through them in their order, a window at a time, from wherever it was.  Times are
microseconds since the epoch.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.filename import Environment
from spool import checkpoints
from spool import effects as promised
from spool.effects import Kind as EffectKind
from spool.holds import Selection
from spool.register_tables import ebox, institution_messages
from spool.retention_tables import purges
from spool.tables import answers, effects, events, submissions

WINDOW: Final = 2000
"""Tickets that are looked at in one query."""

_MOST_PENDING: Final = 10_000
DAY: Final = 86_400_000_000


class Kind(StrEnum):
    """What goes: the payload, the answers, or the facts of the events."""

    PAYLOAD = "payload"
    ANSWERS = "answers"
    EVIDENCE = "evidence"


@dataclass(frozen=True, slots=True)
class Spans:
    """How long each kind is kept after everything was done, in microseconds; 0 is for good."""

    payload: int
    answers: int
    evidence: int

    def of(self, kind: Kind) -> int:
        """That of one kind."""
        span: int = getattr(self, kind.value)
        return span


@dataclass(frozen=True, slots=True)
class Rules:
    """The spans of every type, and of those that have their own, by purpose."""

    general: Spans
    by_type: Mapping[str, Spans] = field(default_factory=dict)

    def of(self, purpose: str) -> Spans:
        """Those of one type."""
        return self.by_type.get(purpose, self.general)

    def shortest(self, kind: Kind) -> int:
        """The shortest span of a kind that is not for good; 0 if there is none."""
        return min((span for each in (self.general, *self.by_type.values()) if (span := each.of(kind))), default=0)


@dataclass(frozen=True, slots=True)
class Due:
    """A ticket whose data of a kind may go by its age; ``settled_at`` is when everything was done."""

    ticket: str
    received_at: int
    sender: str | None
    purpose: str
    environment: str
    settled_at: int

    def is_of(self, selection: Selection) -> bool:
        """Whether it is of what is selected."""
        return all(
            wanted is None or wanted == found
            for wanted, found in (
                (selection.ticket, self.ticket),
                (selection.sender, self.sender),
                (selection.purpose, self.purpose),
                (selection.environment, self.environment),
            )
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What was planned to go, and how much: ``size`` in bytes."""

    ticket: str
    files: int
    size: int


def due(
    connection: Connection, kind: Kind, rules: Rules, at: int, after: str = "", limit: int = WINDOW
) -> tuple[list[Due], str | None]:
    """Submissions after a ticket whose data of ``kind`` may go ``at`` a moment, and where to look on, None at the end.

    Whether they must be kept for another reason is not asked; ``limit`` is how many are answered at most.
    """
    span = rules.shortest(kind)
    if not span:
        return [], None
    last, earliest = connection.execute(_WINDOW, {"after": after}).one()
    if last is None or earliest > at - span:
        return [], None
    rows = connection.execute(
        _DUE.limit(limit), {"after": after, "last": last, "kind": kind, "youngest": at - span}
    ).all()
    onwards: str = rows[-1].ticket if len(rows) == limit else last
    return _of_age([*map(_due, rows)], kind, rules, at), onwards


def due_messages(
    connection: Connection, kind: Kind, rules: Rules, at: int, after: str = "", limit: int = WINDOW
) -> tuple[list[Due], str | None]:
    """The same of institutions' messages, which have no payload."""
    span = rules.shortest(kind)
    if not span or kind is Kind.PAYLOAD:
        return [], None
    rows = connection.execute(_DUE_MESSAGES.limit(limit), {"after": after, "kind": kind, "youngest": at - span}).all()
    onwards = rows[-1].ticket if len(rows) == limit else None
    return _of_age([*map(_due_message, rows)], kind, rules, at), onwards


def settled(connection: Connection, tickets: Collection[str]) -> list[Due]:
    """What is known of these submissions, as far as everything about them is done."""
    query = sa.select(*_FACTS).where(submissions.c.ticket.in_(list(tickets)), submissions.c.closed_at.is_not(None))
    return [*map(_due, connection.execute(query))]


def _due(row: sa.Row[Any]) -> Due:
    environment = next((one.value for one in Environment if one.inbox == row.directory), "")
    return Due(row.ticket, row.received_at, row.sender, row.stem.partition(".")[0], environment, row.closed_at)


def _due_message(row: sa.Row[Any]) -> Due:
    return Due(row.ticket, row.received_at, row.sender, row.purpose, row.environment, row.received_at)


def _of_age(found: Sequence[Due], kind: Kind, rules: Rules, at: int) -> list[Due]:
    return [one for one in found if (span := rules.of(one.purpose).of(kind)) and one.settled_at + span <= at]


_FACTS: Final = tuple(
    submissions.c[name] for name in ("ticket", "received_at", "sender", "stem", "directory", "closed_at")
)
_NEXT: Final = (
    sa.select(submissions.c.ticket, submissions.c.received_at)
    .where(submissions.c.ticket > sa.bindparam("after"))
    .order_by(submissions.c.ticket)
    .limit(WINDOW)
    .subquery()
)
_WINDOW: Final = sa.select(sa.func.max(_NEXT.c.ticket), sa.func.min(_NEXT.c.received_at))
# Closed is what has a verdict and nothing to do. A condition on the state would lead a database to that index, and so
# through every submission in each window.
_DUE: Final = (
    sa.select(*_FACTS)
    .where(
        submissions.c.ticket > sa.bindparam("after"),
        submissions.c.ticket <= sa.bindparam("last"),
        submissions.c.closed_at <= sa.bindparam("youngest"),
        ~sa.exists().where(purges.c.ticket == submissions.c.ticket, purges.c.kind == sa.bindparam("kind")),
    )
    .order_by(submissions.c.ticket)
)
_DUE_MESSAGES: Final = (
    sa.select(institution_messages)
    .where(
        institution_messages.c.ticket > sa.bindparam("after"),
        institution_messages.c.received_at <= sa.bindparam("youngest"),
        ~sa.exists().where(purges.c.ticket == institution_messages.c.ticket, purges.c.kind == sa.bindparam("kind")),
    )
    .order_by(institution_messages.c.ticket)
)


# --- what must wait


def waits(connection: Connection, tickets: Collection[str]) -> set[str]:
    """Those of which something is still to be done, or has not been sealed yet."""
    named = list(tickets)
    still = sa.select(effects.c.ticket).where(effects.c.ticket.in_(named), effects.c.state.in_(promised.OPEN))
    sealed = checkpoints.latest(connection).last
    unsealed = sa.select(events.c.ticket).where(events.c.ticket.in_(named), events.c.number > sealed)
    return {*connection.execute(still.distinct()).scalars(), *connection.execute(unsealed.distinct()).scalars()}


def awaited(connection: Connection, tickets: Collection[str]) -> set[str]:
    """Those whose answers somebody is still to be given, a repeat's sender say, or that lie in an e-Box."""
    kinds = (EffectKind.ANSWER, EffectKind.PUBLISH)
    pending = effects.c.state.in_(promised.OPEN) & effects.c.kind.in_(kinds)
    if connection.execute(sa.select(effects.c.number).where(pending).offset(_MOST_PENDING).limit(1)).first():
        return set(tickets)
    named = list(tickets)
    answer_of = effects.c.facts["answer_of"].as_string()
    boxed = sa.select(ebox.c.ticket).where(ebox.c.ticket.in_(named), ebox.c.removed_at.is_(None))
    given = sa.select(answer_of).where(pending, answer_of.in_(named))
    return {*connection.execute(given.distinct()).scalars(), *connection.execute(boxed.distinct()).scalars()}


def gone(connection: Connection, kind: Kind, tickets: Collection[str]) -> set[str]:
    """Those whose data of ``kind`` are gone, or are going."""
    query = sa.select(purges.c.ticket).where(purges.c.kind == kind, purges.c.ticket.in_(list(tickets)))
    return set(connection.execute(query).scalars())


def are_answers_gone(connection: Connection, ticket: str) -> bool:
    """Whether the answers to ``ticket`` are kept no longer."""
    return bool(gone(connection, Kind.ANSWERS, [ticket]))


# --- plans


def plan(connection: Connection, kind: Kind, plans: Sequence[Plan], at: int) -> None:
    """Write down what is to go."""
    rows = [
        {"ticket": one.ticket, "kind": kind, "planned_at": at, "files": one.files, "size": one.size} for one in plans
    ]
    if rows:
        connection.execute(sa.insert(purges), rows)


def unfinished(connection: Connection, kind: Kind, after: str = "", limit: int = 50) -> list[Plan]:
    """Plans that were not carried out to their end, of tickets after one, in their order."""
    query = (
        sa.select(purges.c.ticket, purges.c.files, purges.c.size)
        .where(purges.c.done_at.is_(None), purges.c.kind == kind, purges.c.ticket > after)
        .order_by(purges.c.ticket)
        .limit(limit)
    )
    return [Plan(*row) for row in connection.execute(query)]


def give_up(connection: Connection, kind: Kind, ticket: str) -> None:
    """Forget a plan of which nothing was carried out."""
    this = (purges.c.ticket == ticket) & (purges.c.kind == kind) & purges.c.done_at.is_(None)
    connection.execute(sa.delete(purges).where(this))


def done(connection: Connection, kind: Kind, ticket: str, at: int) -> bool:
    """Record that a plan was carried out; answers False if that was known."""
    this = (purges.c.ticket == ticket) & (purges.c.kind == kind) & purges.c.done_at.is_(None)
    return bool(connection.execute(sa.update(purges).where(this).values(done_at=at)).rowcount)


def size_of_answers(connection: Connection, ticket: str) -> tuple[int, int]:
    """How many files, and bytes, the answers to ``ticket`` are, in an e-Box or not."""
    count, size = 0, 0
    for table in (answers, ebox):
        length = sa.func.length(table.c.data) + sa.func.length(table.c.signature)
        query = sa.select(sa.func.count(), sa.func.sum(length)).where(table.c.ticket == ticket)
        row: Any = connection.execute(query).one()
        count, size = count + 2 * row[0], size + int(row[1] or 0)
    return count, size
