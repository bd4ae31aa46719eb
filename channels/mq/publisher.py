"""How a declaration gets on RabbitMQ's routing queue so that it is certain to be there.

A message counts as published when the broker has confirmed it: persistent, mandatory, on a durable exchange (RabbitMQ,
"Consumer Acknowledgements and Publisher Confirms"). The publisher opens without waiting for the broker, connects
again by itself for ever, and says at once when the broker is away.

It keeps no messages: what could not be published stays where it was, and is published again under the same
message id, so that a consumer can drop the repeat.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pika
import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random, wait_random_exponential

from channels.mq.connection import (
    BrokerUnavailable,
    ConfirmingChannel,
    LoginRefused,
    Unroutable,
    connection_parameters,
    open_channel,
)
from spool.routing import RoutingMessage

__all__ = ["BrokerUnavailable", "Destination", "Publisher", "Unroutable", "open_publisher"]

_log = structlog.get_logger()

_STEADY_SECONDS = 30.0
"""A connection that lived this long was a good one: after losing it, the first new try is made at once."""

_WAIT_AWAY = wait_random_exponential(multiplier=0.5, min=0.2, max=30)
_WAIT_REFUSED = wait_random(min=60, max=120)
"""A wrong password does not heal by trying, and brokers lock out those who try often."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where declarations go.

    With ``declare`` the durable topic exchange and the durable quorum queue are made and bound when they are missing;
    without it the exchange has to exist, and queues and bindings are the broker's operators' business.
    ``confirm_timeout`` is in seconds.
    """

    url: str = field(repr=False)
    exchange: str
    queue: str
    declare: bool
    confirm_timeout: float


class Publisher:
    """Publishes with confirms over one connection at a time; made by ``open_publisher``."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._parameters = connection_parameters(destination.url)
        self._log = _log.bind(broker=f"{self._parameters.host}:{self._parameters.port}", exchange=destination.exchange)
        self._channel: ConfirmingChannel | None = None
        self._connected = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether a message can be handed to the broker now."""
        return self._connected.is_set()

    async def wait_connected(self) -> None:
        """Return as soon as ``connected`` is true."""
        await self._connected.wait()

    async def publish(self, message: RoutingMessage) -> None:
        """Return once the broker has confirmed the message.

        Raises Unroutable when no queue wanted it, and BrokerUnavailable when the broker is away (at once), is lost
        while we wait, refuses the message, or does not confirm it in time. After the last it may be on the queue
        all the same.
        """
        if self._channel is None:
            raise BrokerUnavailable("the broker is away")
        properties = pika.BasicProperties(
            content_type="application/xml",
            delivery_mode=pika.DeliveryMode.Persistent.value,
            headers=dict(message.headers),
            message_id=message.message_id,
        )
        confirmation = self._channel.send(self._destination.exchange, message.routing_key, message.body, properties)
        try:
            async with asyncio.timeout(self._destination.confirm_timeout):
                error = await confirmation
        except TimeoutError:
            text = f"no confirm of message {message.message_id} in {self._destination.confirm_timeout} s"
            raise BrokerUnavailable(text) from None
        if error is not None:
            raise error

    async def keep_connected(self) -> None:
        """Connect, and connect again whenever the connection is lost; ends by cancellation only."""
        while True:
            retrying = AsyncRetrying(
                wait=_delay,
                retry=retry_if_exception_type(Exception),  # what is unknown is temporary too
                before_sleep=self._log_delay,
            )
            await retrying(self._stay_connected)

    async def _stay_connected(self) -> None:
        """Hold one connection until it is lost; raises what stopped it, unless it had been steady."""
        loop = asyncio.get_running_loop()
        async with open_channel(self._parameters) as channel:
            await self._prepare(channel)
            since = loop.time()
            self._take(channel)
            try:
                await asyncio.wait((channel.lost,))
            finally:
                self._forget()
        lost = channel.lost.result()
        self._log.warning("broker.lost", reason=repr(lost))
        if loop.time() - since < _STEADY_SECONDS:
            raise BrokerUnavailable(repr(lost)) from lost

    def _take(self, channel: ConfirmingChannel) -> None:
        self._channel = channel
        self._connected.set()
        channel.lost.add_done_callback(self._forget)  # runs before those whose publish fails hear of it
        self._log.info("broker.connected")

    def _forget(self, _lost: object = None) -> None:
        self._channel = None
        self._connected.clear()

    async def _prepare(self, channel: ConfirmingChannel) -> None:
        exchange, queue = self._destination.exchange, self._destination.queue
        if not self._destination.declare:
            await channel.ask("exchange_declare", exchange=exchange, passive=True)
            return
        await channel.ask("exchange_declare", exchange=exchange, exchange_type="topic", durable=True)
        await channel.ask("queue_declare", queue=queue, durable=True, arguments={"x-queue-type": "quorum"})
        await channel.ask("queue_bind", queue=queue, exchange=exchange, routing_key="#")

    def _log_delay(self, state: RetryCallState) -> None:
        event = "broker.refused" if _was_refused(state) else "broker.away"
        seconds = round(state.upcoming_sleep, 1)
        self._log.warning(event, reason=repr(_failure(state)), attempt=state.attempt_number, retry_in=seconds)


@asynccontextmanager
async def open_publisher(destination: Destination) -> AsyncIterator[Publisher]:
    """Give a publisher at once, whether the broker is there or not; leaving closes its connection.

    Raises ConfigurationError when the URL cannot be read. Publishes still waiting when the context is left
    end in BrokerUnavailable.
    """
    publisher = Publisher(destination)
    connecting = asyncio.create_task(publisher.keep_connected(), name="broker connection")
    try:
        yield publisher
    finally:
        connecting.cancel()
        with suppress(asyncio.CancelledError):
            await connecting


def _delay(state: RetryCallState) -> float:
    return (_WAIT_REFUSED if _was_refused(state) else _WAIT_AWAY)(state)


def _was_refused(state: RetryCallState) -> bool:
    return isinstance(_failure(state), LoginRefused)


def _failure(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None
