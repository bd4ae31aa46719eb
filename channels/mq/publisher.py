"""How a message gets to RabbitMQ so that it is certain to be there.

A message counts as published when the broker has confirmed it: persistent, mandatory, on a durable exchange (RabbitMQ,
"Consumer Acknowledgements and Publisher Confirms"). The publisher opens without waiting for the broker, connects
again by itself for ever, and says at once when the broker is away or takes nothing for now. A certain number of
messages, the window, are on their way at a time; who would send more waits.

It keeps no messages: what could not be published stays where it was, and is published again under the same
message id, so that a consumer can drop the repeat. An exchange is looked for before the first message goes there: the
broker closes the channel of one who publishes to a missing one, and all that was on its way would have to go again.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog

from channels.mq.addresses import Brokers
from channels.mq.connection import BrokerUnavailable, ChannelRefused, ConfirmingChannel, Refused, Unroutable
from channels.mq.making import make
from channels.mq.messages import OutgoingMessage
from channels.mq.reconnecting import stay_connected
from channels.mq.renewing import renew
from channels.mq.topology import Topology

__all__ = [
    "BrokerUnavailable",
    "ChannelRefused",
    "Destination",
    "NotConfirmed",
    "Outcome",
    "Publisher",
    "Refused",
    "Unroutable",
    "open_publisher",
]

_log = structlog.get_logger()


class NotConfirmed(BrokerUnavailable):
    """The broker has not confirmed the message in time; it may be on the queue all the same."""


Outcome = BrokerUnavailable | None
"""What became of a message: None once it is confirmed, else why it is not."""

_MISSING_SECONDS: Final = 1.0
"""An exchange that was not there is looked for again after so long."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where messages go.

    Args:
        brokers: the broker's addresses.
        topology: the exchanges, queues and bindings to make, whenever connected, where they are missing.
        confirm_timeout: how many seconds the broker may take to confirm a message.
        window: the most messages on their way at a time.
    """

    brokers: Brokers
    topology: Topology = field(default_factory=Topology)
    confirm_timeout: float = 30.0
    window: int = 200


class _Progress:
    """How far the publishing of several messages has come: one callback for each, as they are many."""

    def __init__(self, settled: Callable[[int, Outcome], None]) -> None:
        self.sent = 0
        self._told = 0
        self._settled = settled
        self._finished: asyncio.Future[None] | None = None

    def tell(self, place: int, outcome: Outcome) -> None:
        self._told += 1
        self._settled(place, outcome)
        if self._finished is not None and self._told == self.sent and not self._finished.done():
            self._finished.set_result(None)

    async def finished(self) -> None:
        """Return when all that was sent is settled."""
        if self._told < self.sent:
            self._finished = asyncio.get_running_loop().create_future()
            await self._finished


class Publisher:
    """Publishes with confirms over one connection at a time; made by ``open_publisher``."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._log = _log.bind(broker=", ".join(destination.brokers.names))
        self._channel: ConfirmingChannel | None = None
        self._connected = asyncio.Event()
        self._room = asyncio.Semaphore(destination.window)
        self._underway: deque[tuple[float, str, asyncio.Future[Outcome]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._looking = asyncio.Lock()
        self._known: set[str] = set()
        self._missing: dict[str, tuple[float, str]] = {}

    @property
    def connected(self) -> bool:
        """Whether a message can be handed to the broker now."""
        return self._connected.is_set()

    async def wait_connected(self) -> None:
        """Return as soon as ``connected`` is true."""
        await self._connected.wait()

    async def publish(self, message: OutgoingMessage) -> None:
        """Return once the broker has confirmed the message.

        Raises Unroutable when no queue wanted it, and BrokerUnavailable when the broker is away (at once), is lost
        while we wait, refuses the message, or does not confirm it in time. After the last it may be on the queue
        all the same.
        """
        told: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def tell(outcome: Outcome) -> None:
            if not told.done():  # who waits may have given up
                told.set_result(outcome)

        await self._send(message, tell)
        error = await told
        if error is not None:
            raise error

    async def publish_all(self, messages: Iterable[OutgoingMessage], settled: Callable[[int, Outcome], None]) -> None:
        """Publish ``messages`` in their order; return when it is known of each what became of it.

        ``settled`` is told each time: the place of the message, from 0, and its outcome; an error of one stops no
        other.
        """
        progress = _Progress(settled)
        for place, message in enumerate(messages):
            progress.sent += 1
            await self._send(message, partial(progress.tell, place))
        await progress.finished()

    async def _send(self, message: OutgoingMessage, tell: Callable[[Outcome], None]) -> None:
        await self._room.acquire()
        try:
            if message.exchange not in self._known:
                await self._look_for(message.exchange)
            outcome = self._hand_over(message)
        except BrokerUnavailable as error:
            outcome = asyncio.get_running_loop().create_future()
            outcome.set_result(error)
        except BaseException:
            self._room.release()
            raise
        outcome.add_done_callback(partial(self._settled, tell))

    def _hand_over(self, message: OutgoingMessage) -> asyncio.Future[Outcome]:
        loop = asyncio.get_running_loop()
        outcome = self._open_channel().send(message.exchange, message.routing_key, message.body, message.properties)
        self._underway.append((loop.time() + self._destination.confirm_timeout, message.message_id, outcome))
        if self._timer is None:
            self._timer = loop.call_at(self._underway[0][0], self._give_up)
        return outcome

    def _open_channel(self) -> ConfirmingChannel:
        if self._channel is None:
            raise BrokerUnavailable("the broker is away")
        if self._channel.is_blocked:
            raise BrokerUnavailable("the broker takes nothing for now")
        return self._channel

    async def _look_for(self, exchange: str) -> None:
        """Return if the exchange is there.

        Raises Unroutable if it is not, and BrokerUnavailable if nobody can say.
        """
        async with self._looking:
            if exchange in self._known:
                return
            until, words = self._missing.get(exchange, (0.0, ""))
            if asyncio.get_running_loop().time() >= until:
                words = await self._asked(exchange)
            if words:
                raise Unroutable(words)

    async def _asked(self, exchange: str) -> str:
        channel = self._open_channel()
        try:
            async with asyncio.timeout(self._destination.confirm_timeout), channel.another_channel() as second:
                await second.ask("exchange_declare", exchange=exchange, passive=True)
        except TimeoutError:
            raise BrokerUnavailable(f"the broker does not say whether there is an exchange {exchange}") from None
        except ChannelRefused as refusal:
            words = f"the broker has no exchange {exchange}: {refusal}"
            self._missing[exchange] = (asyncio.get_running_loop().time() + _MISSING_SECONDS, words)
            return words
        self._missing.pop(exchange, None)
        if channel is self._channel:
            self._known.add(exchange)
        return ""

    def _settled(self, tell: Callable[[Outcome], None], outcome: asyncio.Future[Outcome]) -> None:
        self._room.release()
        while self._underway and self._underway[0][2].done():
            self._underway.popleft()
        tell(outcome.result())

    def _give_up(self) -> None:
        """Let those fail that the broker has not confirmed in time; the next are looked at when theirs is up."""
        loop = asyncio.get_running_loop()
        seconds = self._destination.confirm_timeout
        while self._underway and (self._underway[0][0] <= loop.time() or self._underway[0][2].done()):
            _, message_id, outcome = self._underway.popleft()
            if not outcome.done():
                outcome.set_result(NotConfirmed(f"no confirm of message {message_id} in {seconds} s"))
        self._timer = loop.call_at(self._underway[0][0], self._give_up) if self._underway else None

    async def keep_connected(self) -> None:
        """Connect, and connect again whenever the connection is lost; ends by cancellation only."""
        try:
            await stay_connected(self._destination.brokers, self._use, self._log)
        finally:
            if self._timer is not None:
                self._timer.cancel()

    async def make(self, topology: Topology) -> None:
        """Make what of ``topology`` is missing; what can't be made is told by an event.

        Raises:
            BrokerUnavailable: the broker is away, or is lost meanwhile.
        """
        channel = self._open_channel()
        made = await make(channel, topology, self._log)
        if channel is self._channel:  # of another broker nothing is known
            self._known |= made

    async def _use(self, channel: ConfirmingChannel) -> None:
        self._known |= await make(channel, self._destination.topology, self._log)
        self._send_over(channel)
        self._connected.set()
        self._log.info("broker.connected")
        try:
            await renew(channel, self._renewed, self._destination.confirm_timeout)
        finally:
            self._forget()

    def _renewed(self, channel: ConfirmingChannel) -> None:
        self._send_over(channel)
        self._log.info("broker.channel_renewed")

    def _send_over(self, channel: ConfirmingChannel) -> None:
        self._channel = channel
        channel.lost.add_done_callback(partial(self._lost, channel))  # before those whose publish fails hear of it

    def _lost(self, channel: ConfirmingChannel, _reason: object) -> None:
        if channel is self._channel:
            self._forget()

    def _forget(self) -> None:
        self._channel = None
        self._connected.clear()
        self._known.clear()
        self._missing.clear()


@asynccontextmanager
async def open_publisher(destination: Destination) -> AsyncIterator[Publisher]:
    """Give a publisher at once, whether the broker is there or not; leaving closes its connection.

    Publishes that still wait then end in BrokerUnavailable.
    """
    publisher = Publisher(destination)
    connecting = asyncio.create_task(publisher.keep_connected(), name="broker connection")
    try:
        yield publisher
    finally:
        connecting.cancel()
        with suppress(asyncio.CancelledError):
            await connecting
