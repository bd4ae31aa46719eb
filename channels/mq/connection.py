"""How one connection to the broker comes up, confirms what is sent over it, and ends.

Turns pika's callbacks into futures and pika's exceptions into ours. Sources: AMQP 0-9-1 (connection, channel,
basic.return) and RabbitMQ's confirm extension: a return of a mandatory message comes before its ack, an ack may
cover several messages, and a closed channel or connection answers for nothing that was still open.

Several addresses are tried in their order. It does not connect again, see ``reconnecting``; and it does not know what
a declaration is, see ``publisher``.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pika
from pika import exceptions

from channels.mq.addresses import Brokers, brokers_of, connection_parameters
from channels.mq.frames import TolerantConnection
from config.errors import TemporaryError

__all__ = [
    "BrokerUnavailable",
    "Brokers",
    "ChannelRefused",
    "ConfirmingChannel",
    "LoginRefused",
    "Refused",
    "Unroutable",
    "brokers_of",
    "connection_parameters",
    "open_channel",
]

CLOSE_SECONDS = 5.0
"""How long a polite close may take before the socket is dropped."""

_CONNECTION_FORCED = 320
"""The broker's reply code when an operator closes a connection, or it stops (AMQP 0-9-1)."""

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


class Refused(BrokerUnavailable):
    """The broker refused the message (nack): a full queue, say."""


class ChannelRefused(BrokerUnavailable):
    """The broker closed the channel or the connection because of what we asked: a missing exchange, a missing right."""


class ConfirmingChannel:
    """A channel on which every message sent ends in exactly one outcome; made by ``open_channel``.

    ``lost`` gets the reason as its result as soon as the channel is of no use any more.  ``doubted`` is done once the
    broker has refused a message whose kind (exchange and routing key) it has never taken over this channel: the channel
    may be why, see ``renewing``.  ``raw`` is pika's channel.
    """

    def __init__(self, connection: Any, channel: Any, lost: asyncio.Future[BaseException]) -> None:
        self.lost = lost
        self.doubted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.raw = channel
        self._connection = connection
        self._sent = 0
        self._taken: set[tuple[str, str]] = set()
        self._pending: dict[int, tuple[tuple[str, str, str], asyncio.Future[BrokerUnavailable | None]]] = {}
        self._by_id: dict[tuple[str, str, str], list[asyncio.Future[BrokerUnavailable | None]]] = {}
        channel.add_on_return_callback(self._on_return)
        channel.add_on_close_callback(self._on_close)

    @property
    def is_blocked(self) -> bool:
        """Whether the broker has said that it takes nothing for now (a memory or disk alarm)."""
        return bool(self._connection.is_held_up)

    async def ask(self, method: str, **arguments: object) -> Any:
        """Call a method of pika's channel, such as ``queue_declare``; what the broker answers.

        Raises ChannelRefused or BrokerUnavailable when the channel is closed instead.
        """
        answered = asyncio.get_running_loop().create_future()
        try:
            getattr(self.raw, method)(**arguments, callback=answered.set_result)
        except exceptions.AMQPError as error:
            raise unavailable(error) from error
        return await _first(answered, self.lost)

    @asynccontextmanager
    async def another_channel(self) -> AsyncIterator["ConfirmingChannel"]:
        """A second channel of the same connection, which the broker may close without harm to the first."""
        another = await self.open_another()
        try:
            yield another
        finally:
            another.close()

    async def open_another(self) -> "ConfirmingChannel":
        """As `another_channel`, until it is closed.

        Raises:
            BrokerUnavailable: the connection is lost.
        """
        loop = asyncio.get_running_loop()
        lost: asyncio.Future[BaseException] = loop.create_future()
        opened = loop.create_future()
        try:
            self._connection.channel(on_open_callback=opened.set_result)
        except exceptions.AMQPError as error:
            raise unavailable(error) from error
        return ConfirmingChannel(self._connection, await _first(opened, self.lost), lost)

    def close(self) -> None:
        """Close the channel, if it still is open; what the broker hasn't confirmed yet it never will."""
        if self.raw.is_open:
            self.raw.close()

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
            self.raw.basic_publish(exchange, routing_key, body, properties, mandatory=True)
        except exceptions.AMQPError as error:
            raise unavailable(error) from error
        self._sent += 1
        outcome: asyncio.Future[BrokerUnavailable | None] = asyncio.get_running_loop().create_future()
        known_by = properties.message_id, exchange, routing_key
        self._pending[self._sent] = (known_by, outcome)
        self._by_id.setdefault(known_by, []).append(outcome)
        return outcome

    def _on_confirm(self, frame: Any) -> None:
        last, refused = frame.method.delivery_tag, isinstance(frame.method, pika.spec.Basic.Nack)
        if not frame.method.multiple:
            self._settle(last, refused=refused)
            return
        while self._pending and (first := next(iter(self._pending))) <= last:
            self._settle(first, refused=refused)

    def _settle(self, tag: int, *, refused: bool) -> None:
        known_by, outcome = self._pending.pop(tag)
        others = self._by_id[known_by]
        others.remove(outcome)
        if not others:
            del self._by_id[known_by]
        if not refused:
            self._taken.add(known_by[1:])
        elif known_by[1:] not in self._taken:
            _settle(self.doubted, None)
        _settle(outcome, Refused(f"the broker refused message {known_by[0]}") if refused else None)

    def _on_return(self, _channel: Any, method: Any, properties: Any, _body: bytes) -> None:
        # The ids of dead letters are their senders' choice, and may be alike: of those it is not known which came back.
        for outcome in self._by_id.get((properties.message_id, method.exchange, method.routing_key), ()):
            _settle(outcome, Unroutable(f"{method.reply_text}: {method.exchange} {method.routing_key}"))

    def _on_close(self, _channel: Any, reason: BaseException) -> None:
        _settle(self.lost, reason)
        for _, outcome in self._pending.values():
            _settle(outcome, unavailable(reason))
        self._pending.clear()
        self._by_id.clear()


@asynccontextmanager
async def open_channel(where: Brokers | pika.ConnectionParameters) -> AsyncIterator[ConfirmingChannel]:
    """Connect once, to the first address that lets us in, and open a channel in confirm mode; leaving closes both.

    Raises LoginRefused when every address refuses us, and BrokerUnavailable when none can be used.
    """
    connection, lost, closed = await _connect_any(where.addresses if isinstance(where, Brokers) else (where,))
    try:
        opened = asyncio.get_running_loop().create_future()
        connection.channel(on_open_callback=opened.set_result)
        confirming = ConfirmingChannel(connection, await _first(opened, lost), lost)
        await confirming.start_confirms()
        yield confirming
    except exceptions.AMQPError as error:
        raise unavailable(error) from error
    finally:
        await _close(connection, closed)


_Connected = tuple[TolerantConnection, "asyncio.Future[BaseException]", "asyncio.Future[BaseException]"]


async def _connect_any(addresses: tuple[pika.ConnectionParameters, ...]) -> _Connected:
    failures: list[BrokerUnavailable] = []
    for address in addresses:
        try:
            return await _connect(address)
        except BrokerUnavailable as failure:
            failures.append(failure)
    # One that is merely away may come back by itself, so a refusal counts only when there is nothing else.
    raise next((failure for failure in failures if not isinstance(failure, LoginRefused)), failures[-1])


async def _connect(parameters: pika.ConnectionParameters) -> _Connected:
    loop = asyncio.get_running_loop()
    opened, lost, closed = loop.create_future(), loop.create_future(), loop.create_future()

    def end(_connection: Any, reason: BaseException) -> None:
        _settle(lost, reason)
        _settle(closed, reason)

    connection = TolerantConnection(parameters, opened.set_result, end, end, custom_ioloop=loop)
    try:
        await _first(opened, lost)
    except BaseException:
        await _close(connection, closed)
        raise
    return connection, lost, closed


async def _first(answer: asyncio.Future[Any], lost: asyncio.Future[BaseException]) -> Any:
    """Wait for the answer; should the connection be lost before it, raise why."""
    await asyncio.wait((answer, lost), return_when=asyncio.FIRST_COMPLETED)
    if not answer.done():
        raise unavailable(lost.result()) from lost.result()
    return answer.result()


async def _close(connection: Any, closed: asyncio.Future[BaseException]) -> None:
    if not (connection.is_closing or connection.is_closed):
        connection.close()
    await asyncio.wait((closed,), timeout=CLOSE_SECONDS)
    if not closed.done():
        silent = TimeoutError("the broker did not answer the close")
        connection._terminate_stream(silent)  # noqa: SLF001 - what pika's heartbeat does; it has no public abort
        await asyncio.wait((closed,), timeout=CLOSE_SECONDS)


def unavailable(reason: BaseException) -> BrokerUnavailable:
    """What an exception of pika's means to us."""
    kind: Callable[[str], BrokerUnavailable] = BrokerUnavailable
    if isinstance(reason, _REFUSALS):
        kind = LoginRefused
    elif isinstance(reason, exceptions.ChannelClosedByBroker | exceptions.ConnectionClosedByBroker):
        forced = reason.reply_code == _CONNECTION_FORCED
        kind = BrokerUnavailable if forced else ChannelRefused
    error = kind(repr(reason))
    error.__cause__ = reason
    return error


def _settle(future: asyncio.Future[_Result], result: _Result) -> None:
    if not future.done():
        future.set_result(result)
