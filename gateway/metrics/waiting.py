"""What waits in the journal at this moment, at which stage, and for how long has the oldest?

Asked when somebody looks, by queries that follow an index and end after a hundred thousand rows: more than that is told
as so many, and the oldest is looked for among them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool.effects import Kind
from spool.register_tables import institution_messages
from spool.submissions import State
from spool.tables import effects, routing_queue, submissions

MOST: Final = 100_000

_SUBMISSIONS: Final[Mapping[str, State]] = {
    "judge": State.RECEIVED,
    "held": State.HELD,
    "quarantined": State.QUARANTINED,
}
_EFFECTS: Final[Mapping[str, tuple[Kind, str]]] = {
    "answer": (Kind.ANSWER, "pending"),
    "publish": (Kind.PUBLISH, "pending"),
    "forward": (Kind.FORWARD, "pending"),
    "parked": (Kind.FORWARD, "parked"),
    "unpublished": (Kind.PUBLISH, "parked"),
}
STAGES: Final = (*_SUBMISSIONS, *_EFFECTS, "queue")


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much waits at a stage, and since when the oldest is here (microseconds; None where nothing waits)."""

    stage: str
    count: int
    since: int | None


def waiting(connection: Connection, most: int = MOST) -> Iterator[Waiting]:
    """Every stage, in the order of the path."""
    for stage, state in _SUBMISSIONS.items():
        some = (
            sa.select(submissions.c.received_at)
            .where(submissions.c.state == state)
            .order_by(submissions.c.next_attempt_at)
            .limit(most)
            .subquery()
        )
        yield _counted(connection, stage, some, some.c.received_at)
    for stage, (kind, state_of_effect) in _EFFECTS.items():
        numbered = (
            sa.select(effects.c.number)
            .where(effects.c.state == state_of_effect, effects.c.kind == kind)
            .order_by(effects.c.number)
            .limit(most)
            .subquery()
        )
        count, first = connection.execute(sa.select(sa.func.count(), sa.func.min(numbered.c.number))).one()
        yield Waiting(stage, count, None if first is None else _since(connection, first))
    queued = (
        sa.select(routing_queue.c.queued_at)
        .where(routing_queue.c.taken_at.is_(None))
        .order_by(routing_queue.c.position)
        .limit(most)
        .subquery()
    )
    yield _counted(connection, "queue", queued, queued.c.queued_at)


def _counted(connection: Connection, stage: str, some: sa.Subquery, since: sa.ColumnElement[int]) -> Waiting:
    count, first = connection.execute(sa.select(sa.func.count(since), sa.func.min(since)).select_from(some)).one()
    return Waiting(stage, count, first)


def _since(connection: Connection, number: int) -> int | None:
    """When what an effect is about came in: a submission, or the message of an institution."""
    query = (
        sa.select(sa.func.coalesce(submissions.c.received_at, institution_messages.c.received_at))
        .select_from(effects)
        .outerjoin(submissions, submissions.c.ticket == effects.c.ticket)
        .outerjoin(institution_messages, institution_messages.c.ticket == effects.c.ticket)
        .where(effects.c.number == number)
    )
    since: int | None = connection.execute(query).scalar()
    return since
