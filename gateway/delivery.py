"""Answers and messages to senders who are reached by message: the queue of each, ``batch.out.<sender>``.

The body is FO (or CO), the headers have its file name, our signature (FS) and the ticket, once more in a form that
AMQP 1.0 hands on; ``correlation_id`` is what the sender called the message that it answers. Each is published at least
once, always under the same ``message_id``, and recorded after the broker's confirm. One that no queue takes is tried
again, later each time, for ever: what a sender is owed isn't given up, and an operator hears of it every time.  Before
that its queue is made, for a sender may have got its channel since somebody ran ``gateway mq declare``.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from channels.mq import amqp10, topology
from channels.mq.connection import BrokerUnavailable, ChannelRefused, Refused, Unroutable
from channels.mq.messages import OutgoingMessage
from channels.mq.publisher import NotConfirmed
from channels.mq.publisher import Publisher as RealPublisher
from config.settings import Settings
from gateway.log_of_submissions import report_closed
from spool import answers, effects, institutions
from spool.answers import StoredAnswer
from spool.effects import Effect, Failure, Kind
from spool.journal import Journal, now
from spool.submissions import note
from spool.tickets import seconds_since

log = structlog.get_logger()

_AT_ONCE: Final = 32
_BYTES_AT_ONCE: Final = 16 * 1024**2
_SECOND: Final = 1_000_000
_MOST_DOUBLINGS: Final = 30

_ITS_OWN: Final = (Unroutable, Refused, ChannelRefused, NotConfirmed)
"""What goes wrong with one message and says nothing of the next: no confirm, where a queue has lost its majority."""


class Publisher(Protocol):
    """What publishes; see :class:`channels.mq.publisher.Publisher`."""

    async def wait_connected(self) -> None:
        """Return as soon as there is a broker to publish to."""

    async def publish(self, message: OutgoingMessage) -> None:
        """Return once the broker has confirmed the message."""


@dataclass(frozen=True, slots=True)
class Post:
    """What answers are published with: to which exchange, and seconds between attempts, at first and at most.

    ``make`` makes at the broker what a sender's answers need; None where an operator keeps that to himself.
    """

    journal: Journal
    publisher: Publisher
    exchange: str
    retry_seconds: float
    retry_ceiling_seconds: float
    make: Callable[[str], Awaitable[None]] | None = None


def post_of(settings: Settings, journal: Journal, publisher: RealPublisher) -> Post:
    """What a site publishes answers with."""
    seconds = settings.judging.retry_seconds, settings.judging.retry_ceiling_seconds

    async def make(sender: str) -> None:
        await publisher.make(topology.answers(settings.mq, [sender]))

    return Post(journal, publisher, settings.mq.answers, *seconds, make if settings.routing.declare else None)


@dataclass(frozen=True, slots=True)
class _Tried:
    """An answer that was published, and what went wrong, if anything did."""

    effect: Effect
    message: OutgoingMessage
    fault: BaseException | None


def message_of(effect: Effect, answer: StoredAnswer, exchange: str) -> OutgoingMessage:
    """The message that ``effect`` promises; its id is the same however often it is made."""
    name = answer.name
    headers = {"FileName": name.file_name, "Signature": answer.signature.decode("ascii"), "Ticket": name.ticket}
    return OutgoingMessage(
        exchange=exchange,
        routing_key=name.mailbox.sender,
        message_id=f"{effect.ticket}-A{effect.ordinal}",
        body=answer.data,
        headers={**headers, amqp10.HEADER: amqp10.encode(headers)},
        correlation_id=effect.facts.get("correlation"),
        content_type="application/zip" if name.prefix == "CO" else "application/xml",
    )


async def publish_all(post: Post) -> int:
    """Publish every answer that is due; answers how many were confirmed.

    Raises:
        BrokerUnavailable: the broker is away; what was confirmed is recorded.
    """
    count = 0
    while batch := await asyncio.to_thread(_due, post):
        results = await asyncio.gather(
            *(post.publisher.publish(message) for _, message in batch), return_exceptions=True
        )
        tried = [_Tried(effect, message, result) for (effect, message), result in zip(batch, results, strict=True)]
        # One message can make the broker close the channel, and then all fail that were on their way: which one it was
        # shows when each goes alone.
        if len(batch) > 1 and any(isinstance(result, ChannelRefused) for result in results):
            tried = [await _alone(post, one) for one in tried]
        tried = [await _with_its_queue(post, one) if isinstance(one.fault, Unroutable) else one for one in tried]
        confirmed = [one for one in tried if one.fault is None]
        refused = [one for one in tried if isinstance(one.fault, _ITS_OWN)]
        await asyncio.to_thread(_record, post, confirmed, refused)
        count += len(confirmed)
        for one in tried:
            if one.fault is not None and one not in refused:
                raise one.fault
    return count


async def _alone(post: Post, tried: _Tried) -> _Tried:
    """The same after another attempt with nothing else on its way, unless it was confirmed."""
    if tried.fault is None:
        return tried
    try:
        await post.publisher.wait_connected()
        await post.publisher.publish(tried.message)
    except BrokerUnavailable as fault:
        return _Tried(tried.effect, tried.message, fault)
    return _Tried(tried.effect, tried.message, None)


async def _with_its_queue(post: Post, tried: _Tried) -> _Tried:
    """The same after another attempt with the sender's queue made, if the gateway may."""
    if post.make is None:
        return tried
    try:
        await post.make(tried.message.routing_key)
    except BrokerUnavailable as fault:
        return _Tried(tried.effect, tried.message, fault)
    return await _alone(post, tried)


def _due(post: Post) -> list[tuple[Effect, OutgoingMessage]]:
    """Some that are due, as many as may be in memory at once."""
    batch: list[tuple[Effect, OutgoingMessage]] = []
    size = 0
    beyond = now() + 2 * int(post.retry_ceiling_seconds * _SECOND)
    with post.journal.read() as connection:
        if effects.next_due(connection, Kind.PUBLISH) is None:
            return batch  # nobody is answered by message just now
        late = effects.due_beyond(connection, Kind.PUBLISH, beyond)
    if late:  # the clock was set back
        with post.journal.write() as connection:
            effects.hasten(connection, Kind.PUBLISH, beyond)
    with post.journal.read() as connection:
        for effect in effects.due(connection, Kind.PUBLISH, now(), _AT_ONCE):
            answer = answers.load(connection, effect.facts["answer_of"], effect.facts["ordinal"])
            batch.append((effect, message_of(effect, answer, post.exchange)))
            size += len(answer.data)
            if size > _BYTES_AT_ONCE:
                break
    return batch


def _record(
    post: Post,
    confirmed: Sequence[_Tried],
    refused: Sequence[_Tried],
) -> None:
    if not confirmed and not refused:
        return
    failures = [_failure(post, one) for one in refused]
    with post.journal.write() as connection:
        for one in confirmed:
            note(connection, one.effect.ticket, "answer.published", file=one.message.headers["FileName"])
        closed = effects.done(connection, [one.effect for one in confirmed])
        institutions.delivered(connection, {one.effect.ticket for one in confirmed})
        effects.failed(connection, failures)
    at = now()
    for one in confirmed:
        ticket, file = one.effect.ticket, one.message.headers["FileName"]
        facts = {"ticket": ticket, "sender": one.message.routing_key, "seconds": seconds_since(ticket, at)}
        log.info("answer.published", file=file, **facts)
    for one, failure in zip(refused, failures, strict=True):
        facts = {"ticket": one.effect.ticket, "sender": one.message.routing_key}
        file = one.message.headers["FileName"]
        log.error("answer.not_published", file=file, attempts=failure.attempts, reason=failure.reason, **facts)
    report_closed(closed)


def _failure(post: Post, tried: _Tried) -> Failure:
    attempts = tried.effect.attempts + 1
    wait = min(post.retry_ceiling_seconds, post.retry_seconds * 2 ** min(attempts - 1, _MOST_DOUBLINGS))
    reason = f"{type(tried.fault).__name__}: {tried.fault}"
    return Failure(tried.effect, attempts, reason, now() + int(wait * _SECOND))
