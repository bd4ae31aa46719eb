"""Effects still to do: written with the verdict, carried out afterwards, each at least once and harmless twice.

One that fails by itself waits for its next attempt; after too many it is parked: it is still to be done, but a person
has to say when.  Times are microseconds since the epoch.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool import closing, many_rows, submissions
from spool.closing import Closed
from spool.journal import now
from spool.prepared import Prepared
from spool.tables import effects
from spool.waking import Topic, wake

OPEN: Final = ("pending", "parked")
"""The states in which an effect is not done."""

_LONGEST_REASON: Final = 200
_BATCH: Final = 500


class Kind(StrEnum):
    """What an effect does: place an answer, publish one, or send one declaration to the routing queue."""

    ANSWER = "answer"
    PUBLISH = "publish"
    FORWARD = "forward"


_TOPICS: Final = {Kind.ANSWER: Topic.ANSWER, Kind.PUBLISH: Topic.PUBLISH, Kind.FORWARD: Topic.FORWARD}


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing to do for ``ticket``; ``number`` orders all effects, ``ordinal`` those of one kind and ticket.

    ``attempts`` counts those that failed.
    """

    number: int
    ticket: str
    ordinal: int
    facts: Mapping[str, Any]
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that failed: the attempts so far, why, and when the next is due; None parks the effect."""

    effect: Effect
    attempts: int
    reason: str
    next_attempt_at: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """An effect as an operator sees it; ``state`` is pending, parked or done."""

    effect: Effect
    state: str
    next_attempt_at: int
    reason: str | None


def plan(
    connection: Connection,
    ticket: str,
    kind: Kind,
    facts: Sequence[Mapping[str, Any]],
    ordinals: Sequence[int] | None = None,
) -> None:
    """Promise effects, numbered by ``ordinals``, or from 1, in the order of ``facts``."""
    numbers = range(1, len(facts) + 1) if ordinals is None else ordinals
    rows = [
        (ticket, kind.value, ordinal, json.dumps(dict(item)), "pending")
        for ordinal, item in zip(numbers, facts, strict=True)
    ]
    if rows:
        many_rows.insert(connection, _PLANNED, rows)
        wake(connection, _TOPICS[kind])


_COLUMNS: Final = (effects.c.number, effects.c.ticket, effects.c.ordinal, effects.c.facts, effects.c.attempts)


def pending(connection: Connection, kind: Kind, limit: int, *, after: int = 0) -> list[Effect]:
    """The oldest effects of ``kind`` still to do, of those with a number above ``after``."""
    rows = _PENDING.all(connection, {"of": kind, "after": after, "most": limit})
    return [Effect(*row) for row in rows]


def due(connection: Connection, kind: Kind, at: int, limit: int) -> list[Effect]:
    """Effects of ``kind`` to do now: first those that were never tried, oldest first, then by when they became due.

    Whoever asks again has done them meanwhile, or put them off: an index leads to the next ones, however many wait.
    """
    return [Effect(*row) for row in _DUE.all(connection, {"of": kind, "at": at, "most": limit})]


def next_due(connection: Connection, kind: Kind) -> int | None:
    """When the next effect of ``kind`` is due, which may be past; None if none waits."""
    row = _NEXT_DUE.first(connection, {"of": kind})
    return None if row is None else row[0]


def due_beyond(connection: Connection, kind: Kind, beyond: int) -> bool:
    """Whether an effect's next attempt lies after ``beyond``; if none is put off so long, the clock was set back."""
    return _BEYOND.first(connection, {"of": kind, "beyond": beyond}) is not None


def hasten(connection: Connection, kind: Kind, beyond: int) -> None:
    """Make those due at once whose next attempt lies after ``beyond``."""
    query = sa.update(effects).where(
        effects.c.state == "pending", effects.c.kind == kind, effects.c.next_attempt_at > beyond
    )
    connection.execute(query.values(next_attempt_at=0))


def done(connection: Connection, carried_out: Iterable[Effect]) -> list[Closed]:
    """Record effects as carried out; answers the submissions for which nothing is left to do, now closed."""
    items = list(carried_out)
    numbers = [item.number for item in items]
    for batch in _batches(numbers):
        _DONE.run(connection, {"numbers": batch, "at": now()})
    return closing.close_done(connection, {item.ticket for item in items})


def failed(connection: Connection, failures: Sequence[Failure]) -> None:
    """Record attempts that failed: put off, or parked with an event ``declaration.parked``."""
    if not failures:
        return
    key: sa.BindParameter[int] = sa.bindparam("key")
    query = sa.update(effects).where(effects.c.number == key, effects.c.state == "pending")
    rows = [
        {
            "key": failure.effect.number,
            "state": "parked" if failure.next_attempt_at is None else "pending",
            "attempts": failure.attempts,
            "next_attempt_at": failure.next_attempt_at or 0,
            "reason": failure.reason[:_LONGEST_REASON],
        }
        for failure in failures
    ]
    names = ("state", "attempts", "next_attempt_at", "reason")
    connection.execute(query.values({name: sa.bindparam(name) for name in names}), rows)
    for failure in failures:
        if failure.next_attempt_at is None:
            effect, reason = failure.effect, failure.reason[:_LONGEST_REASON]
            submissions.note(
                connection,
                effect.ticket,
                "declaration.parked",
                form=effect.ordinal,
                attempts=failure.attempts,
                reason=reason,
            )


def counts(connection: Connection, kind: Kind, ticket: str) -> dict[str, int]:
    """How many effects of ``kind`` of a ticket are in each state; a state that none is in is not named."""
    query = sa.select(effects.c.state, sa.func.count()).where(effects.c.ticket == ticket, effects.c.kind == kind)
    rows = connection.execute(query.group_by(effects.c.state))
    return {row[0]: row[1] for row in rows}


def standings(connection: Connection, kind: Kind, ticket: str) -> Iterator[Standing]:
    """Every effect of ``kind`` of a ticket, done or not, in their order."""
    query = sa.select(*_STANDING).where(effects.c.ticket == ticket, effects.c.kind == kind).order_by(effects.c.ordinal)
    return (_standing(row) for row in connection.execute(query))


def parked(
    connection: Connection, kind: Kind, limit: int, *, after: int = 0, ticket: str | None = None
) -> list[Standing]:
    """The oldest parked effects of ``kind``, of all or of one ticket, of those with a number above ``after``."""
    query = (
        sa.select(*_STANDING)
        .where(effects.c.state == "parked", effects.c.kind == kind, effects.c.number > after)
        .order_by(effects.c.number)
        .limit(limit)
    )
    if ticket is not None:
        query = query.where(effects.c.ticket == ticket)
    return [_standing(row) for row in connection.execute(query)]


def replay(connection: Connection, parked_ones: Collection[Standing]) -> int:
    """Give parked effects their first attempt again; answers how many there were.  Harmless twice."""
    count = 0
    for batch in _batches([standing.effect.number for standing in parked_ones]):
        count += connection.execute(
            sa.update(effects)
            .where(effects.c.number.in_(batch), effects.c.state == "parked")
            .values(state="pending", attempts=0, next_attempt_at=0)
        ).rowcount
    for topic in _TOPICS.values():
        wake(connection, topic)
    return count


def tickets_with_pending(connection: Connection, kind: Kind, *, among: Collection[str]) -> set[str]:
    """Those ``among`` tickets that still have an effect of ``kind`` to do, parked or not."""
    found: set[str] = set()
    for batch in _batches(sorted(among)):
        found.update(row[0] for row in _TICKETS_WITH_OPEN.all(connection, {"of": kind, "tickets": batch}))
    return found


# Asked for every submission, and so put together only once.
_PLANNED: Final = (effects.c.ticket, effects.c.kind, effects.c.ordinal, effects.c.facts, effects.c.state)
_OF_KIND: Final = (effects.c.state == "pending") & (effects.c.kind == sa.bindparam("of"))
_PENDING: Final = Prepared(
    sa.select(*_COLUMNS)
    .where(_OF_KIND, effects.c.number > sa.bindparam("after"))
    .order_by(effects.c.number)
    .limit(sa.bindparam("most"))
)
_DUE: Final = Prepared(
    sa.select(*_COLUMNS)
    .where(_OF_KIND, effects.c.next_attempt_at <= sa.bindparam("at"))
    .order_by(effects.c.next_attempt_at, effects.c.number)
    .limit(sa.bindparam("most"))
)
_NEXT_DUE: Final = Prepared(
    sa.select(effects.c.next_attempt_at).where(_OF_KIND).order_by(effects.c.next_attempt_at).limit(1)
)
_BEYOND: Final = Prepared(
    sa.select(effects.c.number).where(_OF_KIND, effects.c.next_attempt_at > sa.bindparam("beyond")).limit(1)
)
_DONE: Final = Prepared(
    sa.update(effects)
    .where(effects.c.number.in_(sa.bindparam("numbers", expanding=True)), effects.c.state == "pending")
    .values(state="done", done_at=sa.bindparam("at"), reason=None),
    each="numbers",
)
_TICKETS_WITH_OPEN: Final = Prepared(
    sa.select(effects.c.ticket)
    .where(
        effects.c.ticket.in_(sa.bindparam("tickets", expanding=True)),
        effects.c.state.in_(OPEN),
        effects.c.kind == sa.bindparam("of"),
    )
    .distinct(),
    each="tickets",
)
_STANDING: Final = (*_COLUMNS, effects.c.state, effects.c.next_attempt_at, effects.c.reason)


def _standing(row: Sequence[Any]) -> Standing:
    *effect, state, next_attempt_at, reason = row
    return Standing(Effect(*effect), state, next_attempt_at, reason)


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))
