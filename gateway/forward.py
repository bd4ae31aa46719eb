"""Accepted declarations to the routing queue: one message each, at least once, told apart by message id.

A queue is anything that confirms.  An effect is recorded as done after the confirm and never before, so a crash between
the two sends a message again, under the same id.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import structlog
from sqlalchemy.engine import Connection

from channels.mq.publisher import Publisher, Unroutable
from config.errors import TemporaryError
from gateway.examination import ValidatedSet
from schemas.filename import FileName
from spool import declarations, effects, routing_queue
from spool.effects import Effect, Kind
from spool.journal import Journal
from spool.routing import RoutingMessage
from spool.submissions import StoredFile, Submission, note

log = structlog.get_logger()


class RoutingQueue(Protocol):
    """Where declarations go."""

    async def ready(self) -> None:
        """Return once messages can be sent."""

    async def send(self, batch: Sequence[tuple[Effect, RoutingMessage]]) -> int:
        """Send ``batch`` and record what was confirmed; answers how many were.

        Raises:
            TemporaryError: not all were; the rest is still to do.
        """


def promise(
    connection: Connection, submission: Submission, name: FileName, parts: Sequence[StoredFile], result: ValidatedSet
) -> None:
    """Plan one message for each declaration of an accepted submission."""
    forms = len(result.declarations)
    effects.plan(
        connection,
        submission.ticket,
        Kind.FORWARD,
        [
            {
                "offset": declaration.offset,
                "length": declaration.length,
                "routing_key": f"{name.environment}.{name.purpose}",
                "headers": {
                    "ticket": submission.ticket,
                    "form": form,
                    "forms": forms,
                    "file": parts[declaration.part].name,
                    "sender": submission.sender,
                    "message_type": name.purpose,
                    "schema_version": result.parts[declaration.part].schema_version,
                    "sha256": parts[declaration.part].sha256,
                },
            }
            for form, declaration in enumerate(result.declarations, 1)
        ],
    )


def message_of(effect: Effect, body: bytes) -> RoutingMessage:
    """The message that ``effect`` promises; its id is the same however often it is made."""
    facts: Any = effect.facts
    return RoutingMessage(f"{effect.ticket}-{effect.ordinal:06d}", facts["routing_key"], facts["headers"], body)


class EmbeddedQueue:
    """The queue in the journal: message and effect are one transaction, so nothing is ever there twice."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def ready(self) -> None:
        """See :class:`RoutingQueue`."""

    async def send(self, batch: Sequence[tuple[Effect, RoutingMessage]]) -> int:
        """See :class:`RoutingQueue`."""
        await asyncio.to_thread(self._put, batch)
        return len(batch)

    def _put(self, batch: Sequence[tuple[Effect, RoutingMessage]]) -> None:
        carried_out = [effect for effect, _ in batch]
        with self._journal.write() as connection:
            routing_queue.put(connection, [message for _, message in batch])
            closed = record(connection, carried_out)
        report(carried_out, closed)


class BrokerQueue:
    """RabbitMQ: published persistent and mandatory, recorded after the broker's confirm."""

    def __init__(self, journal: Journal, publisher: Publisher) -> None:
        self._journal = journal
        self._publisher = publisher

    async def ready(self) -> None:
        """See :class:`RoutingQueue`."""
        await self._publisher.wait_connected()

    async def send(self, batch: Sequence[tuple[Effect, RoutingMessage]]) -> int:
        """See :class:`RoutingQueue`."""
        results = await asyncio.gather(
            *(self._publisher.publish(message) for _, message in batch), return_exceptions=True
        )
        pairs = list(zip(batch, results, strict=True))
        confirmed = [effect for (effect, _), result in pairs if result is None]
        await asyncio.to_thread(self._record, confirmed)
        failures = [result for result in results if isinstance(result, BaseException)]
        # That a queue is missing for some concerns them alone; any other failure concerns all that would follow.
        for failure in sorted(failures, key=lambda failure: isinstance(failure, Unroutable)):
            raise failure
        return len(confirmed)

    def _record(self, confirmed: Sequence[Effect]) -> None:
        with self._journal.write() as connection:
            closed = record(connection, confirmed)
        report(confirmed, closed)


def record(connection: Connection, carried_out: Sequence[Effect]) -> list[str]:
    """Record messages as confirmed; answers the tickets that are closed now."""
    for effect in carried_out:
        note(connection, effect.ticket, "declaration.forwarded", form=effect.ordinal)
    return effects.done(connection, carried_out)


def report(carried_out: Sequence[Effect], closed: Sequence[str]) -> None:
    """Log what was forwarded, by ticket, and what is closed."""
    for ticket, count in Counter(effect.ticket for effect in carried_out).items():
        log.info("declarations.forwarded", ticket=ticket, count=count)
    for ticket in closed:
        log.info("submission.closed", ticket=ticket)


class DeclarationsUnreadableError(TemporaryError):
    """Some declarations cannot be read from the disk; they are still to be sent."""


async def forward_all(journal: Journal, queue: RoutingQueue, folder: Path, window: int = 100) -> int:
    """Send every declaration still to be sent, ``window`` at a time; answers how many were confirmed.

    Raises:
        DeclarationsUnreadableError, Unroutable: some could not be read or have no queue; the others are sent.
        TemporaryError: the queue took no more; what was confirmed is recorded.
    """
    count, unreadable, last = 0, 0, 0
    unroutable: Unroutable | None = None
    while batch := await asyncio.to_thread(_effects_after, journal, last, window):
        last = batch[-1].number
        messages = await asyncio.to_thread(_messages, folder, batch)
        unreadable += len(batch) - len(messages)
        if messages:
            try:
                count += await queue.send(messages)
            except Unroutable as fault:
                unroutable = fault
            await asyncio.to_thread(_drop_finished, journal, folder, {effect.ticket for effect, _ in messages})
    if unreadable:
        raise DeclarationsUnreadableError(f"{unreadable} declarations cannot be read")
    if unroutable is not None:
        raise unroutable
    return count


def _drop_finished(journal: Journal, folder: Path, tickets: set[str]) -> None:
    with journal.read() as connection:
        pending = effects.tickets_with_pending(connection, Kind.FORWARD, among=tickets)
    for ticket in tickets - pending:
        (folder / ticket).unlink(missing_ok=True)


def _effects_after(journal: Journal, last: int, window: int) -> list[Effect]:
    with journal.read() as connection:
        return effects.pending(connection, Kind.FORWARD, window, after=last)


def _messages(folder: Path, batch: Sequence[Effect]) -> list[tuple[Effect, RoutingMessage]]:
    messages = []
    for effect in batch:
        try:
            body = declarations.read(folder / effect.ticket, effect.facts["offset"], effect.facts["length"])
        except OSError as fault:
            log.error("declaration.unreadable", ticket=effect.ticket, form=effect.ordinal, errno=fault.errno)
        else:
            messages.append((effect, message_of(effect, body)))
    return messages
