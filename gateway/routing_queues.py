"""What takes declarations: the embedded queue of the journal, or RabbitMQ; what do they promise once a message is sent?

Either confirms, and only then is a message's effect recorded as done, here, in one transaction for many.  A message
that fails by itself, because no queue wants it, say, is told of; trouble with the broker is an exception.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import structlog
from sqlalchemy.engine import Connection

from channels.mq.messages import OutgoingMessage
from channels.mq.publisher import ChannelRefused, NotConfirmed, Outcome, Publisher, Refused, Unroutable
from gateway.log_of_submissions import report_closed
from spool import chain, effects, routing_queue
from spool.closing import Closed
from spool.effects import Effect, Failure
from spool.journal import Journal, now
from spool.routing import RoutingMessage
from spool.tickets import seconds_since

log = structlog.get_logger()

Batch = Sequence[tuple[Effect, RoutingMessage]]
"""Messages, each with the effect that promises it."""

Faults = list[tuple[Effect, str]]
"""Effects whose message failed by itself, and why."""


class RoutingQueue(Protocol):
    """Where declarations go."""

    async def ready(self) -> None:
        """Return once messages can be sent."""

    async def send(self, batch: Batch) -> Faults:
        """Send ``batch`` and record what was confirmed; answers which messages failed by themselves, and why.

        Raises:
            BrokerUnavailable: not all were sent, for a reason that concerns them all; the rest is still to do.
        """


class EmbeddedQueue:
    """The queue in the journal: message and effect are one transaction, so nothing is ever there twice."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def ready(self) -> None:
        """See :class:`RoutingQueue`."""

    async def send(self, batch: Batch) -> Faults:
        """See :class:`RoutingQueue`."""
        await asyncio.to_thread(self._put, batch)
        return []

    def _put(self, batch: Batch) -> None:
        carried_out = [effect for effect, _ in batch]
        with self._journal.write() as connection:
            routing_queue.put(connection, [message for _, message in batch])
            closed = record(connection, carried_out)
        report(carried_out, closed)


class BrokerQueue:
    """RabbitMQ: published persistent and mandatory, recorded after the broker's confirm.

    ``exchange`` is where messages go that name no exchange.
    """

    def __init__(self, journal: Journal, publisher: Publisher, exchange: str) -> None:
        self._journal = journal
        self._publisher = publisher
        self._exchange = exchange

    async def ready(self) -> None:
        """See :class:`RoutingQueue`."""
        await self._publisher.wait_connected()

    async def send(self, batch: Batch) -> Faults:
        """See :class:`RoutingQueue`.

        When the broker closed the channel on all, one of them made it do so: which one shows when each is sent alone.
        """
        faults: Faults = []
        for pair, outcome in zip(batch, await self._publish(batch), strict=True):
            if len(batch) > 1 and isinstance(outcome, ChannelRefused):
                await self.ready()
                faults += await self.send([pair])
            elif outcome is not None:
                faults.append((pair[0], str(outcome)))
        return faults

    async def _publish(self, batch: Batch) -> list[Outcome]:
        outcomes: list[Outcome] = [None] * len(batch)
        messages = (_outgoing(self._exchange, message) for _, message in batch)
        await self._publisher.publish_all(messages, outcomes.__setitem__)
        confirmed = [effect for (effect, _), outcome in zip(batch, outcomes, strict=True) if outcome is None]
        if confirmed:
            await asyncio.to_thread(self._record, confirmed)
        # A queue that has lost its quorum confirms nothing; when others do, that is the trouble of its messages alone.
        own = (Unroutable, Refused, ChannelRefused, *([NotConfirmed] if confirmed else []))
        for outcome in outcomes:
            if outcome is not None and not isinstance(outcome, own):
                raise outcome
        return outcomes

    def _record(self, confirmed: Sequence[Effect]) -> None:
        with self._journal.write() as connection:
            closed = record(connection, confirmed)
        report(confirmed, closed)


def _outgoing(exchange: str, message: RoutingMessage) -> OutgoingMessage:
    kind = "application/json" if message.headers.get("payload") == "reference" else "application/xml"
    return OutgoingMessage(
        message.exchange or exchange,
        message.routing_key,
        message.message_id,
        message.body,
        message.headers,
        content_type=kind,
    )


def record(connection: Connection, carried_out: Sequence[Effect]) -> list[Closed]:
    """Record messages as confirmed; answers the submissions that are closed now."""
    at = now()
    chain.append(
        connection, [(effect.ticket, at, "declaration.forwarded", {"form": effect.ordinal}) for effect in carried_out]
    )
    return effects.done(connection, carried_out)


def report(carried_out: Sequence[Effect], closed: Sequence[Closed]) -> None:
    """Log what was forwarded, by ticket with a file of it, and what is closed."""
    at = now()
    first = {effect.ticket: effect.facts.get("headers", {}) for effect in reversed(carried_out)}
    for ticket, count in Counter(effect.ticket for effect in carried_out).items():
        seconds, headers = seconds_since(ticket, at), first[ticket]
        facts = {"sender": headers.get("sender"), "file": headers.get("file"), "seconds": seconds}
        log.info("declarations.forwarded", ticket=ticket, count=count, **facts)
    report_closed(closed)


def report_parked(parked: Sequence[Failure]) -> None:
    """Log what waits for a person now, by ticket with a file and a reason of it."""
    at = now()
    first = {failure.effect.ticket: failure for failure in reversed(parked)}
    for ticket, count in Counter(failure.effect.ticket for failure in parked).items():
        seconds, headers = seconds_since(ticket, at), first[ticket].effect.facts.get("headers", {})
        facts = {"sender": headers.get("sender"), "file": headers.get("file"), "seconds": seconds}
        log.error("declaration.parked", ticket=ticket, count=count, reason=first[ticket].reason, **facts)
