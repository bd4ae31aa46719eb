"""Effects still to do: written with the verdict, carried out afterwards, each at least once and harmless twice."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool import submissions
from spool.journal import now
from spool.tables import effects


class Kind(StrEnum):
    """What an effect does: place an answer, or send one declaration to the routing queue."""

    ANSWER = "answer"
    FORWARD = "forward"


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing to do for ``ticket``; ``number`` orders all effects, ``ordinal`` those of one kind and ticket."""

    number: int
    ticket: str
    ordinal: int
    facts: Mapping[str, Any]


def plan(connection: Connection, ticket: str, kind: Kind, facts: Sequence[Mapping[str, Any]]) -> None:
    """Promise effects, numbered from 1 in the order of ``facts``."""
    rows = [
        {"ticket": ticket, "kind": kind, "ordinal": ordinal, "facts": dict(item), "state": "pending"}
        for ordinal, item in enumerate(facts, 1)
    ]
    if rows:
        connection.execute(sa.insert(effects), rows)


def pending(connection: Connection, kind: Kind, limit: int, *, after: int = 0) -> list[Effect]:
    """The oldest effects of ``kind`` still to do, of those with a number above ``after``."""
    query = (
        sa.select(effects.c.number, effects.c.ticket, effects.c.ordinal, effects.c.facts)
        .where(effects.c.state == "pending", effects.c.kind == kind, effects.c.number > after)
        .order_by(effects.c.number)
        .limit(limit)
    )
    return [Effect(*row) for row in connection.execute(query)]


def done(connection: Connection, carried_out: Iterable[Effect]) -> list[str]:
    """Record effects as carried out; answers the tickets for which nothing is left to do, now closed."""
    items = list(carried_out)
    if not items:
        return []
    connection.execute(
        sa.update(effects)
        .where(effects.c.number.in_([item.number for item in items]), effects.c.state == "pending")
        .values(state="done", done_at=now())
    )
    tickets = sorted({item.ticket for item in items})
    return [ticket for ticket in tickets if submissions.close_if_done(connection, ticket)]


def tickets_with_pending(connection: Connection, kind: Kind, *, among: Collection[str] | None = None) -> set[str]:
    """The tickets, of all or of those ``among``, that still have an effect of ``kind`` to do."""
    query = sa.select(effects.c.ticket).where(effects.c.state == "pending", effects.c.kind == kind).distinct()
    if among is not None:
        query = query.where(effects.c.ticket.in_(among))
    return set(connection.execute(query).scalars())
