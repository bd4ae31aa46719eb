"""The publisher against a real broker: what a publish promises, and how it lives while the broker is away."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pika
import pytest
import structlog
from structlog.typing import EventDict, WrappedLogger

from channels.mq import connection
from channels.mq.publisher import BrokerUnavailable, Destination, Publisher, Unroutable, open_publisher
from config.errors import ConfigurationError, TemporaryError
from spool.routing import RoutingMessage
from tests.broker import Broker, free_ports

MESSAGE = RoutingMessage(
    message_id="0123456789ABC-1",
    routing_key="T.DIMN",
    headers={"ticket": "0123456789ABC", "form": 1, "forms": 3},
    body=b"<?xml version='1.0' encoding='UTF-8'?><Dimona/>",
)


class Events:
    """The log of one test, whose lines can be waited for."""

    def __init__(self) -> None:
        self.lines: list[EventDict] = []
        self._news = asyncio.Event()

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Take one line, as a processor of structlog's."""
        self.lines.append(event)
        self._news.set()
        raise structlog.DropEvent

    async def seen(self, name: str) -> EventDict:
        """Answer the first line with this event name, once there is one."""
        while True:
            for line in self.lines:
                if line["event"] == name:
                    return line
            self._news.clear()
            await self._news.wait()


@pytest.fixture
def events() -> Iterator[Events]:
    """What the publisher logs during the test."""
    log = Events()
    before = structlog.get_config()
    structlog.configure(processors=[log])
    yield log
    structlog.configure(**before)


@pytest.fixture
def destination(broker: Broker) -> Destination:
    """An exchange and a queue that only this test uses."""
    name = secrets.token_hex(4)
    return Destination(broker.url, f"declarations-{name}", f"routing-{name}", declare=True, confirm_timeout=20.0)


@pytest.fixture
async def publisher(destination: Destination) -> AsyncIterator[Publisher]:
    """A publisher that has reached the broker."""
    async with open_publisher(destination) as opened:
        await opened.wait_connected()
        yield opened


def on_broker(url: str, method: str, **arguments: object) -> Any:
    """Call one method of a channel over a connection of its own."""
    own = pika.BlockingConnection(pika.URLParameters(url))
    try:
        return getattr(own.channel(), method)(**arguments)
    finally:
        own.close()


def take(destination: Destination, count: int = 1) -> list[tuple[Any, bytes]]:
    """Wait for so many messages and take them off the queue: the properties and the body of each."""
    own = pika.BlockingConnection(pika.URLParameters(destination.url))
    try:
        channel = own.channel()
        taken = []
        for method, properties, body in channel.consume(destination.queue):
            channel.basic_ack(method.delivery_tag)
            taken.append((properties, body))
            if len(taken) == count:
                return taken
    finally:
        own.close()
    raise AssertionError("the consumer was cancelled")


async def test_a_published_message_is_on_the_queue_with_its_identity_and_headers(
    publisher: Publisher, destination: Destination
) -> None:
    """When publish returns, a consumer gets the body and every property that it may rely on."""
    await publisher.publish(MESSAGE)

    [(properties, body)] = await asyncio.to_thread(take, destination)
    assert MESSAGE.body == body
    assert MESSAGE.headers == properties.headers
    assert (MESSAGE.message_id, "application/xml", 2) == (
        properties.message_id,
        properties.content_type,
        properties.delivery_mode,
    )


async def test_many_messages_at_once_are_each_confirmed_and_delivered(
    publisher: Publisher, destination: Destination
) -> None:
    """Confirms that cover several messages, and those that come out of order, reach the right publish."""
    messages = [replace(MESSAGE, message_id=f"0123456789ABC-{number}") for number in range(200)]

    await asyncio.gather(*(publisher.publish(message) for message in messages))

    taken = await asyncio.to_thread(take, destination, len(messages))
    assert {message.message_id for message in messages} == {properties.message_id for properties, _ in taken}


async def test_a_confirmed_message_outlives_the_kill_of_the_broker(broker: Broker, destination: Destination) -> None:
    """A confirm means that the message is on disk: it is there after SIGKILL and a new start."""
    async with open_publisher(destination) as publisher:
        await publisher.wait_connected()
        await asyncio.to_thread(broker.settle)
        await publisher.publish(MESSAGE)
        await asyncio.to_thread(broker.kill)

    await asyncio.to_thread(broker.start)

    [(properties, _)] = await asyncio.to_thread(take, destination)
    assert MESSAGE.message_id == properties.message_id


async def test_a_message_that_no_queue_wants_is_unroutable_and_the_next_is_not(
    publisher: Publisher, destination: Destination
) -> None:
    """A message returned by the broker is not taken for confirmed, and spoils nothing for the others."""
    unbind = {"queue": destination.queue, "exchange": destination.exchange, "routing_key": "#"}
    await asyncio.to_thread(on_broker, destination.url, "queue_unbind", **unbind)

    with pytest.raises(Unroutable, match="NO_ROUTE"):
        await publisher.publish(MESSAGE)

    await asyncio.to_thread(on_broker, destination.url, "queue_bind", **unbind)
    await publisher.publish(MESSAGE)
    [(properties, _)] = await asyncio.to_thread(take, destination)
    assert MESSAGE.message_id == properties.message_id


async def test_a_message_refused_by_a_full_queue_is_not_taken_for_published(destination: Destination) -> None:
    """A nack is temporary trouble: here of a queue whose owner limits it and has the broker refuse the rest."""

    def make_full_queue() -> None:
        limits = {"x-max-length": 1, "x-overflow": "reject-publish"}
        on_broker(destination.url, "exchange_declare", exchange=destination.exchange, exchange_type="topic")
        on_broker(destination.url, "queue_declare", queue=destination.queue, arguments=limits)
        binding = {"queue": destination.queue, "exchange": destination.exchange, "routing_key": "T.*"}
        on_broker(destination.url, "queue_bind", **binding)

    await asyncio.to_thread(make_full_queue)
    async with open_publisher(replace(destination, declare=False)) as publisher:
        await publisher.wait_connected()
        await publisher.publish(MESSAGE)
        with pytest.raises(BrokerUnavailable, match=f"refused message {MESSAGE.message_id}"):
            await publisher.publish(MESSAGE)


async def test_without_a_broker_the_publisher_opens_and_publish_raises_at_once(events: Events) -> None:
    """Nobody has to wait for a broker that is away: neither the start of the gateway nor a publish."""
    url = f"amqp://gateway:password@127.0.0.1:{free_ports(1)[0]}/"
    async with open_publisher(Destination(url, "declarations", "routing", declare=True, confirm_timeout=20)) as opened:
        with pytest.raises(BrokerUnavailable, match="away"):
            await opened.publish(MESSAGE)
        away = await events.seen("broker.away")
        assert not opened.connected

    assert (away["attempt"], 0 < away["retry_in"] <= 30) == (1, True)


async def test_a_killed_broker_fails_what_was_waiting_and_is_found_again_by_itself(
    broker: Broker, destination: Destination, publisher: Publisher
) -> None:
    """A publish without its confirm ends in an error when the broker dies, and a later one succeeds."""
    await asyncio.to_thread(broker.settle)
    broker.freeze()
    waiting = [asyncio.create_task(publisher.publish(MESSAGE)) for _ in range(3)]
    await asyncio.wait(waiting, timeout=0)
    await asyncio.to_thread(broker.kill)
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all("StreamLostError" in str(outcome) for outcome in outcomes)
    assert [BrokerUnavailable] * 3 == [type(outcome) for outcome in outcomes]

    await asyncio.to_thread(broker.start)
    await publisher.wait_connected()
    again = replace(MESSAGE, message_id="0123456789ABC-2")
    await publisher.publish(again)
    [(properties, _)] = await asyncio.to_thread(take, destination)
    assert again.message_id == properties.message_id


async def test_a_connection_closed_by_an_operator_is_opened_again(
    broker: Broker, events: Events, publisher: Publisher, destination: Destination
) -> None:
    """A close from the broker's side is a loss like any other."""
    await asyncio.to_thread(broker.close_connections)
    await events.seen("broker.lost")

    await publisher.wait_connected()
    await publisher.publish(MESSAGE)
    [(properties, _)] = await asyncio.to_thread(take, destination)
    assert properties.message_id == MESSAGE.message_id


async def test_a_confirm_that_does_not_come_in_time_is_an_error(broker: Broker, destination: Destination) -> None:
    """A broker that is there but answers nothing does not hold a publish for ever."""
    async with open_publisher(replace(destination, confirm_timeout=0.1)) as publisher:
        await publisher.wait_connected()
        broker.freeze()
        with pytest.raises(BrokerUnavailable, match="no confirm of message"):
            await publisher.publish(MESSAGE)
        broker.thaw()


async def test_a_late_confirm_disturbs_nothing(broker: Broker, destination: Destination) -> None:
    """What was given up may be confirmed later; the messages after it keep their own confirms."""
    async with open_publisher(replace(destination, confirm_timeout=5)) as publisher:
        await publisher.wait_connected()
        broker.freeze()
        given_up = asyncio.create_task(publisher.publish(MESSAGE))
        await asyncio.wait((given_up,), timeout=0)
        given_up.cancel()
        await asyncio.wait((given_up,))
        broker.thaw()
        await publisher.publish(replace(MESSAGE, message_id="0123456789ABC-2"))

    identifiers = [properties.message_id for properties, _ in await asyncio.to_thread(take, destination, 2)]
    assert identifiers == ["0123456789ABC-1", "0123456789ABC-2"]


@pytest.mark.parametrize("wrong", ["gateway:forged", "nobody:forged"])
async def test_a_refused_login_is_named_and_not_tried_again_soon(broker: Broker, events: Events, wrong: str) -> None:
    """Wrong credentials wait a minute at least, so that nobody is locked out; the password is not in the log."""
    url = f"amqp://{wrong}@127.0.0.1:{broker.port}/"
    async with open_publisher(Destination(url, "declarations", "routing", declare=True, confirm_timeout=20)) as opened:
        refused = await events.seen("broker.refused")
        with pytest.raises(BrokerUnavailable):
            await opened.publish(MESSAGE)

    assert 60 <= refused["retry_in"] <= 120
    assert [line["event"] for line in events.lines] == ["broker.refused"]
    assert "forged" not in str(events.lines)


async def test_a_virtual_host_that_is_not_there_is_a_refusal_too(
    broker: Broker, destination: Destination, events: Events
) -> None:
    """What only a person can mend is not tried again soon."""
    async with open_publisher(replace(destination, url=broker.url.replace("%2f", "nowhere"))):
        refused = await events.seen("broker.refused")

    assert refused["retry_in"] >= 60


async def test_an_exchange_that_others_should_have_made_is_asked_for_before_publishing(
    destination: Destination, events: Events
) -> None:
    """Without ``declare`` a missing exchange shows when connecting, and the publisher does not count as connected."""
    async with open_publisher(replace(destination, declare=False)) as publisher:
        away = await events.seen("broker.away")
        assert not publisher.connected

    assert "NOT_FOUND" in away["reason"]


async def test_a_channel_closed_by_the_broker_fails_what_was_waiting(
    publisher: Publisher, destination: Destination
) -> None:
    """The broker closes the channel of one who publishes to a deleted exchange; that publish is not lost in silence."""
    await asyncio.to_thread(on_broker, destination.url, "exchange_delete", exchange=destination.exchange)
    with pytest.raises(BrokerUnavailable, match="NOT_FOUND"):
        await publisher.publish(MESSAGE)

    await publisher.wait_connected()
    await publisher.publish(MESSAGE)


async def test_leaving_leaves_no_task_no_socket_and_no_connection(broker: Broker, destination: Destination) -> None:
    """When the context is left, everything that it opened is closed."""
    loop: Any = asyncio.get_running_loop()
    before = asyncio.all_tasks(), len(loop._selector.get_map())
    async with open_publisher(destination) as publisher:
        await publisher.wait_connected()
        await publisher.publish(MESSAGE)
    after = asyncio.all_tasks(), len(loop._selector.get_map())

    assert before == after
    assert not publisher.connected
    assert (await asyncio.to_thread(broker.control, "list_connections", "name")).strip().removeprefix("name") == ""


async def test_leaving_while_connecting_leaves_nothing_either(destination: Destination) -> None:
    """A gateway stopped at any moment of the handshake stops at once; each step of the loop is such a moment."""
    loop: Any = asyncio.get_running_loop()
    before = asyncio.all_tasks(), len(loop._selector.get_map())
    for steps in range(40):
        async with open_publisher(destination):
            for _ in range(steps):
                await asyncio.sleep(0)

    assert before == (asyncio.all_tasks(), len(loop._selector.get_map()))


async def test_leaving_fails_what_was_waiting(
    broker: Broker, destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publish that outlives the context gets an error instead of waiting for ever, also from a frozen broker."""
    monkeypatch.setattr(connection, "CLOSE_SECONDS", 0.1)
    async with open_publisher(destination) as publisher:
        await publisher.wait_connected()
        broker.freeze()
        waiting = asyncio.create_task(publisher.publish(MESSAGE))
        await asyncio.wait((waiting,), timeout=0)
    broker.thaw()

    with pytest.raises(BrokerUnavailable):
        await waiting


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://gateway:forged@localhost/",
        "amqp://gateway@localhost/",
        "amqp://gateway:for/ged@localhost/",
        "amqp://gateway:forged@localhost:many/",
        "amqp://gateway:forged@localhost/?forged=1",
        "amqp://gateway:forged@localhost/?heartbeat=forged",
        "amqp://gateway:forged@localhost/?ssl_options=forged(",
    ],
)
async def test_a_url_that_cannot_be_read_is_a_configuration_fault_that_repeats_nothing_of_it(url: str) -> None:
    """The text of the fault may end in a log, and the URL holds a password."""
    destination = Destination(url, "declarations", "routing", declare=True, confirm_timeout=20)
    with pytest.raises(ConfigurationError) as raised:
        async with open_publisher(destination):
            pass

    assert "forged" not in str(raised.value)
    assert "forged" not in repr(destination)


def test_every_error_of_the_publisher_is_temporary() -> None:
    """A sender is never told of our broker, and no declaration is given up because of it."""
    assert all(issubclass(error, TemporaryError) for error in (BrokerUnavailable, Unroutable))
