"""How one connection to the broker comes up, confirms what is sent over it, and ends.

Turns pika's callbacks into futures and pika's exceptions into ours. Sources: AMQP 0-9-1 (connection, channel,
basic.return) and RabbitMQ's confirm extension: a return of a mandatory message comes before its ack, an ack may
cover several messages, and a closed channel or connection answers for nothing that was still open.

It does not connect again, and it does not know what a declaration is: see ``publisher``.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pika
from pika import exceptions
from pika.adapters.asyncio_connection import AsyncioConnection

from config.errors import ConfigurationError, TemporaryError

HEARTBEAT = 30
"""Seconds of silence asked of the broker; a dead peer is noticed within about two of them."""

CLOSE_SECONDS = 5.0
"""How long a polite close may take before the socket is dropped."""

_Result = TypeVar("_Result")

_REFUSALS = (
    exceptions.AuthenticationError,
    exceptions.ProbableAuthenticationError,
    exceptions.ProbableAccessDeniedError,
)


class BrokerUnavailable(TemporaryError):  # noqa: N818 - says what is missing, as TrustUnavailable does
    """The broker did not take the message, or nobody knows whether it did: publish it again later."""


class LoginRefused(BrokerUnavailable):
    """The broker refuses the user, the password or the virtual host: only a person can mend it."""


class Unroutable(BrokerUnavailable):
    """The broker took the message and gave it back: no queue is bound for its routing key."""


def connection_parameters(url: str) -> pika.URLParameters:
    """Read ``amqp[s]://user:password@host:port/vhost?option=value`` and add our heartbeat where it names none.

    Raises ConfigurationError, whose text repeats nothing of the URL: it holds a password.
    """
    fault = "the broker's URL cannot be read; expected amqp[s]://user:password@host:port/vhost"
    if not url.startswith(("amqp://", "amqps://")):
        raise ConfigurationError((fault,))
    try:
        parameters = pika.URLParameters(url)
    except (TypeError, ValueError, SyntaxError):
        raise ConfigurationError((fault,)) from None  # the cause may quote a part of the password
    if parameters.heartbeat is None:
        parameters.heartbeat = HEARTBEAT
    return parameters


class ConfirmingChannel:
    """A channel on which every message sent ends in exactly one outcome; made by ``open_channel``.

    ``lost`` gets the reason as its result as soon as the channel is of no use any more.
    """

    def __init__(self, channel: Any, lost: asyncio.Future[BaseException]) -> None:
        self.lost = lost
        self._channel = channel
        self._sent = 0
        self._pending: dict[int, tuple[str, asyncio.Future[BrokerUnavailable | None]]] = {}
        channel.add_on_return_callback(self._on_return)
        channel.add_on_close_callback(self._on_close)

    async def ask(self, method: str, **arguments: object) -> None:
        """Call a method of pika's channel, such as ``queue_declare``, and wait for the broker's answer.

        Raises BrokerUnavailable when the broker closes the channel instead of answering.
        """
        answered = asyncio.get_running_loop().create_future()
        getattr(self._channel, method)(**arguments, callback=answered.set_result)
        await _first(answered, self.lost)

    async def start_confirms(self) -> None:
        """Ask the broker to confirm each message from now on."""
        await self.ask("confirm_delivery", ack_nack_callback=self._on_confirm)

    def send(
        self, exchange: str, routing_key: str, body: bytes, properties: pika.BasicProperties
    ) -> asyncio.Future[BrokerUnavailable | None]:
        """Send one mandatory message; the future's result is None once the broker has confirmed it, else the error.

        Raises BrokerUnavailable at once when the channel is no longer open.
        """
        try:
            self._channel.basic_publish(exchange, routing_key, body, properties, mandatory=True)
        except exceptions.AMQPError as error:
            raise _unavailable(error) from error
        self._sent += 1
        outcome: asyncio.Future[BrokerUnavailable | None] = asyncio.get_running_loop().create_future()
        self._pending[self._sent] = (properties.message_id, outcome)
        return outcome

    def _on_confirm(self, frame: Any) -> None:
        last = frame.method.delivery_tag
        settled = [tag for tag in self._pending if tag <= last] if frame.method.multiple else [last]
        for tag in settled:
            message_id, outcome = self._pending.pop(tag)
            nack = isinstance(frame.method, pika.spec.Basic.Nack)
            _settle(outcome, BrokerUnavailable(f"the broker refused message {message_id}") if nack else None)

    def _on_return(self, _channel: Any, method: Any, properties: Any, _body: bytes) -> None:
        for message_id, outcome in self._pending.values():
            if message_id == properties.message_id and not outcome.done():
                _settle(outcome, Unroutable(f"{method.reply_text}: {method.exchange} {method.routing_key}"))
                return

    def _on_close(self, _channel: Any, reason: BaseException) -> None:
        _settle(self.lost, reason)
        for _, outcome in self._pending.values():
            _settle(outcome, _unavailable(reason))
        self._pending.clear()


@asynccontextmanager
async def open_channel(parameters: pika.ConnectionParameters) -> AsyncIterator[ConfirmingChannel]:
    """Connect once and open a channel in confirm mode; leaving closes both, whatever state they are in.

    Raises LoginRefused or BrokerUnavailable when that fails.
    """
    loop = asyncio.get_running_loop()
    opened, lost, closed = loop.create_future(), loop.create_future(), loop.create_future()

    def end(_connection: Any, reason: BaseException) -> None:
        _settle(lost, reason)
        _settle(closed, reason)

    connection = AsyncioConnection(parameters, opened.set_result, end, end, custom_ioloop=loop)
    try:
        await _first(opened, lost)
        channel = await _first(_opening_channel(connection), lost)
        confirming = ConfirmingChannel(channel, lost)
        await confirming.start_confirms()
        yield confirming
    except exceptions.AMQPError as error:
        raise _unavailable(error) from error
    finally:
        await _close(connection, closed)


def _opening_channel(connection: Any) -> asyncio.Future[Any]:
    opened = asyncio.get_running_loop().create_future()
    connection.channel(on_open_callback=opened.set_result)
    return opened


async def _first(answer: asyncio.Future[Any], lost: asyncio.Future[BaseException]) -> Any:
    """Wait for the answer; should the connection be lost before it, raise why."""
    await asyncio.wait((answer, lost), return_when=asyncio.FIRST_COMPLETED)
    if not answer.done():
        raise _unavailable(lost.result()) from lost.result()
    return answer.result()


async def _close(connection: Any, closed: asyncio.Future[BaseException]) -> None:
    if not (connection.is_closing or connection.is_closed):
        connection.close()
    await asyncio.wait((closed,), timeout=CLOSE_SECONDS)
    if not closed.done():
        silent = TimeoutError("the broker did not answer the close")
        connection._terminate_stream(silent)  # noqa: SLF001 - what pika's heartbeat does; it has no public abort
        await asyncio.wait((closed,))


def _unavailable(reason: BaseException) -> BrokerUnavailable:
    kind: Callable[[str], BrokerUnavailable] = LoginRefused if isinstance(reason, _REFUSALS) else BrokerUnavailable
    error = kind(repr(reason))
    error.__cause__ = reason
    return error


def _settle(future: asyncio.Future[_Result], result: _Result) -> None:
    if not future.done():
        future.set_result(result)
