"""The embedded routing queue: a durable queue in the journal, for sites without a broker and for trying things out.

A message is put in the same transaction that records its effect as done, so each is there exactly once.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool.journal import now
from spool.routing import RoutingMessage
from spool.tables import routing_queue


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message in the queue; times in microseconds since the epoch, ``taken_at`` None while it waits."""

    position: int
    queued_at: int
    taken_at: int | None
    message: RoutingMessage


def put(connection: Connection, messages: Iterable[RoutingMessage]) -> None:
    """Append ``messages``; one whose id is known already is left out."""
    for message in messages:
        known = sa.select(routing_queue.c.position).where(routing_queue.c.message_id == message.message_id)
        if connection.execute(known).first() is None:
            connection.execute(
                sa.insert(routing_queue).values(
                    message_id=message.message_id,
                    routing_key=message.routing_key,
                    exchange=message.exchange or None,
                    headers=dict(message.headers),
                    body=message.body,
                    queued_at=now(),
                )
            )


def waiting(connection: Connection, limit: int, *, ticket: str | None = None) -> list[QueuedMessage]:
    """The oldest messages nobody has taken, of one ticket or of all."""
    query = (
        sa.select(
            routing_queue.c.position,
            routing_queue.c.queued_at,
            routing_queue.c.taken_at,
            routing_queue.c.message_id,
            routing_queue.c.routing_key,
            routing_queue.c.headers,
            routing_queue.c.body,
            routing_queue.c.exchange,
        )
        .where(routing_queue.c.taken_at.is_(None))
        .order_by(routing_queue.c.position)
        .limit(limit)
    )
    if ticket is not None:
        query = query.where(routing_queue.c.message_id.startswith(f"{ticket}-", autoescape=True))
    return [
        QueuedMessage(position, queued_at, taken_at, RoutingMessage(message_id, key, headers, body, exchange or ""))
        for position, queued_at, taken_at, message_id, key, headers, body, exchange in connection.execute(query)
    ]


def take(connection: Connection, messages: Iterable[QueuedMessage]) -> None:
    """Take ``messages`` off the queue: nobody is given them afterwards."""
    positions = [message.position for message in messages]
    if positions:
        connection.execute(
            sa.update(routing_queue)
            .where(routing_queue.c.position.in_(positions), routing_queue.c.taken_at.is_(None))
            .values(taken_at=now())
        )
