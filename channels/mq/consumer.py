"""How messages are taken from a queue: each is settled once its handler has said so, and never before.

A handler says one of three: taken (it is durable here: ack), dead (it can never be taken: a copy with its reason goes
to the dead-letter exchange, and once the broker has confirmed that, ack), or again (our own trouble: it is asked
again later, for as long as it takes; meanwhile the broker keeps the message, and sends no more than the prefetch).  A
handler that fails unexpectedly is asked a few times, and then the message is dead: it never goes round in a loop.

Bodies go to a `Staging`; bodies above a limit go nowhere and are only counted.  While there is no room for more,
nothing more is consumed.  What is in hand when the connection is lost comes again; handlers recognise what is taken.

Sources: RabbitMQ, "Consumer Acknowledgements" and "Quorum Queues"; AMQP 0-9-1, class basic.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

import structlog

from channels.mq.acknowledging import Acknowledgements
from channels.mq.addresses import Brokers
from channels.mq.connection import BrokerUnavailable, ConfirmingChannel
from channels.mq.dead_letters import dead_letter
from channels.mq.delivery import Delivery
from channels.mq.frames import stream_bodies
from channels.mq.messages import OutgoingMessage
from channels.mq.reconnecting import stay_connected
from channels.mq.staging import Body, Room, Staging
from config.errors import TemporaryError

log = structlog.get_logger()

DRAIN_SECONDS: Final = 20.0
"""How long what is in hand may take to be settled when we stop."""

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0
_NO_ROOM_SECONDS: Final = 1.0
_CANCEL_SECONDS: Final = 5.0


class How(Enum):
    """What is to become of a message."""

    TAKEN = auto()
    DEAD = auto()
    AGAIN = auto()


@dataclass(frozen=True, slots=True)
class Settled:
    """What a handler says of a message; ``reason`` in words, for a dead one: shown to operators, no content."""

    how: How
    reason: str = ""


TAKEN: Final = Settled(How.TAKEN)


@dataclass(frozen=True, slots=True)
class Limits:
    """``prefetch``: most messages in hand; ``attempts``: unexpected failures after which a message is dead."""

    prefetch: int
    attempts: int = 5


Handler = Callable[[Delivery], Awaitable[Settled]]
Publish = Callable[[OutgoingMessage], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Desk:
    """What a consumer works with.

    ``publish`` sends to the dead-letter exchange and returns once the broker has confirmed; it needs a connection of
    its own, for the broker holds up those that publish while it is short of memory, acks included.
    """

    handler: Handler
    publish: Publish
    staging: Staging
    limits: Limits


async def consume(brokers: Brokers, queue: str, desk: Desk) -> None:
    """Consume ``queue`` for ever, connecting again whenever the connection is lost; ends by cancellation.

    Cancelled, it takes no more, waits until what is in hand is settled, `DRAIN_SECONDS` at most, and closes.
    """
    bound = log.bind(queue=queue, broker=",".join(brokers.names))

    async def use(channel: ConfirmingChannel) -> None:
        await _Consumption(channel, queue, desk, bound).run()

    await stay_connected(brokers, use, bound)


class _Consumption:
    """The consuming of one queue over one channel, until that is lost."""

    def __init__(self, channel: ConfirmingChannel, queue: str, desk: Desk, bound: structlog.stdlib.BoundLogger) -> None:
        self._channel = channel
        self._queue = queue
        self._desk = desk
        self._log = bound
        self._tag = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._coming: set[Body] = set()
        self._withheld: list[int] = []
        self._acknowledgements = Acknowledgements(channel.raw)
        self._wanted = 0
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        stream_bodies(self._channel.raw, self._open_body)
        await self._channel.ask("basic_qos", prefetch_count=self._desk.limits.prefetch)
        self._channel.raw.add_on_cancel_callback(self._cancelled_by_broker)
        try:
            self._log.info("consumer.connected")
            if self._desk.staging.room() is Room.ENOUGH:
                await self._start()
            while not await self._lost_within(_NO_ROOM_SECONDS):
                await self._mind_the_room()
        except asyncio.CancelledError:
            await asyncio.shield(self._drain())
            raise
        finally:
            self._drop_coming()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _start(self) -> None:
        frame = await self._channel.ask("basic_consume", queue=self._queue, on_message_callback=self._on_message)
        self._tag = frame.method.consumer_tag

    async def _stop(self) -> None:
        tag, self._tag = self._tag, ""
        await self._channel.ask("basic_cancel", consumer_tag=tag)
        # What came between our word and the broker's answer pika has handed back, body and all.
        self._drop_coming()

    def _open_body(self, _properties: Any, size: int) -> Body:
        body = self._desk.staging.open(size)
        self._coming.add(body)
        return body

    def _drop_coming(self) -> None:
        """Nothing more will come: bodies whose message did not reach us are not needed any more."""
        for body in self._coming:
            body.drop()
        self._coming.clear()

    def _cancelled_by_broker(self, _frame: Any) -> None:
        # The queue was deleted, or its leader is gone: begin anew.
        self._channel.raw.close()

    async def _lost_within(self, seconds: float) -> bool:
        await asyncio.wait((self._channel.lost,), timeout=seconds)
        return self._channel.lost.done()

    async def _mind_the_room(self) -> None:
        """Stop consuming while there is no room, and go on when there is."""
        room = self._desk.staging.room(self._wanted)
        if self._tag and (room is not Room.ENOUGH or self._withheld):
            await self._stop()
            self._log.warning("consumer.waiting", reason=room.value)
            for delivery_tag in self._withheld:  # kept for half an hour, it would cost us the channel
                self._acknowledgements.hand_back(delivery_tag)
            self._withheld.clear()
        elif not self._tag and room is Room.ENOUGH:
            self._wanted = 0
            await self._start()
            self._log.info("consumer.resumed")

    def _on_message(self, _channel: Any, method: Any, properties: Any, body: Any) -> None:
        self._acknowledgements.came(method.delivery_tag)  # before anything can fail: no later ack may take it along
        staged = body if isinstance(body, Body) else self._desk.staging.open(0)
        self._coming.discard(staged)
        staged.close()
        if staged.is_withheld:
            self._withheld.append(method.delivery_tag)
            self._wanted = max(self._wanted, staged.size)
            staged.drop()
            return
        delivery = Delivery(
            queue=self._queue,
            body=staged,
            headers=properties.headers or {},
            message_id=_text(properties.message_id),
            user_id=_text(properties.user_id),
            correlation_id=_text(properties.correlation_id),
            redelivered=method.redelivered,
            exchange=_text(method.exchange),
        )
        task = asyncio.create_task(self._deal_with(delivery, method.delivery_tag))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: staged.drop())  # also if it was cancelled before it began

    async def _deal_with(self, delivery: Delivery, tag: int) -> None:
        settled = await self._settled(delivery)
        if settled.how is How.AGAIN:
            return
        if settled.how is How.DEAD:
            await self._bury(delivery, settled.reason)
        self._acknowledgements.take(tag)

    async def _settled(self, delivery: Delivery) -> Settled:
        """What the handler says at last: TAKEN or DEAD; AGAIN only when we stop, and the message stays where it is."""
        failures, wait = 0, _FIRST_WAIT
        while True:
            try:
                settled = await self._desk.handler(delivery)
                if settled.how is not How.AGAIN:
                    return settled
                reason = settled.reason
            except (TemporaryError, OSError) as fault:
                reason = type(fault).__name__
            except Exception as fault:
                failures += 1
                reason = f"failed {failures} times, the last time by {type(fault).__name__}"
                self._log.error("message.failed", message_id=delivery.message_id, reason=reason)
                if failures >= self._desk.limits.attempts:
                    return Settled(How.DEAD, reason)
            if not self._stopping.is_set():
                self._log.warning("message.waiting", message_id=delivery.message_id, reason=reason, seconds=wait)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), wait)
            if self._stopping.is_set():
                return Settled(How.AGAIN)
            wait = min(2 * wait, _LONGEST_WAIT)

    async def _bury(self, delivery: Delivery, reason: str) -> None:
        """Return once the broker has a copy at the dead-letter exchange; tries for as long as it takes."""
        wait = _FIRST_WAIT
        while True:
            try:
                message = dead_letter(delivery, reason, await asyncio.to_thread(delivery.body.read))
                await self._desk.publish(message)
            except Exception as fault:
                words = str(fault) if isinstance(fault, TemporaryError) else type(fault).__name__
                self._log.error("message.not_dead", message_id=delivery.message_id, reason=words, seconds=wait)
            else:
                self._log.warning("message.dead", message_id=delivery.message_id, reason=message.headers["Reason"])
                return
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    async def _drain(self) -> None:
        """Take no more, and let what is in hand be settled."""
        self._stopping.set()
        if self._channel.lost.done():
            return
        if self._tag:
            # A broker that is silent or gone just now must not keep us; what it has sent is settled all the same.
            with suppress(BrokerUnavailable, TimeoutError):
                async with asyncio.timeout(_CANCEL_SECONDS):
                    await self._stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=DRAIN_SECONDS)
        self._acknowledgements.flush()


def _text(value: object) -> str:
    return value if isinstance(value, str) and value.isprintable() else ""
