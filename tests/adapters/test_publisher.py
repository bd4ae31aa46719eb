"""The publisher against a real broker: what a publish promises, and how it lives while the broker is away."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pika
import pytest
import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, WrappedLogger

from channels.mq import connection
from channels.mq.connection import Brokers, brokers_of, connection_parameters
from channels.mq.frames import TolerantConnection
from channels.mq.messages import OutgoingMessage
from channels.mq.publisher import (
    BrokerUnavailable,
    ChannelRefused,
    Destination,
    NotConfirmed,
    Outcome,
    Publisher,
    Refused,
    Unroutable,
    open_publisher,
)
from channels.mq.topology import Topology, routing
from config.errors import ConfigurationError, TemporaryError
from config.messages import Broker as BrokerSettings
from config.messages import Routing
from tests.broker import Broker, free_ports


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
    log, before = Events(), structlog.get_config()
    structlog.configure(processors=[log])
    yield log
    structlog.configure(**before)


@dataclass(frozen=True)
class Place:
    """An exchange and a queue that only one test uses."""

    url: str
    exchange: str
    queue: str

    @property
    def destination(self) -> Destination:
        """What makes them, without an alternate exchange: what is bound for no queue comes back."""
        made = routing(Routing(exchange=self.exchange, queue=self.queue, alternate=""))
        return Destination(Brokers((connection_parameters(self.url),)), made, confirm_timeout=20.0)

    def message(self, number: int = 1) -> OutgoingMessage:
        """One of different messages."""
        return OutgoingMessage(
            exchange=self.exchange,
            routing_key="T.DIMN.DIMONA",
            message_id=f"0123456789ABC-{number:06d}",
            body=b"<?xml version='1.0' encoding='UTF-8'?><Dimona/>",
            headers={"ticket": "0123456789ABC", "form": number, "forms": 3},
        )


@pytest.fixture
def place(broker: Broker) -> Place:
    """An exchange and a queue that only this test uses; nothing is there yet."""
    name = secrets.token_hex(4)
    return Place(broker.url, f"declarations-{name}", f"routing-{name}")


@pytest.fixture
async def publisher(place: Place) -> AsyncIterator[Publisher]:
    """A publisher that has reached the broker."""
    async with open_publisher(place.destination) as opened:
        await opened.wait_connected()
        yield opened


def on_broker(url: str, method: str, **arguments: object) -> Any:
    """Call one method of a channel over a connection of its own."""
    own = pika.BlockingConnection(pika.URLParameters(url))
    try:
        return getattr(own.channel(), method)(**arguments)
    finally:
        own.close()


def take(place: Place, count: int = 1) -> list[tuple[Any, bytes]]:
    """Wait for so many messages and take them off the queue: the properties and the body of each."""
    own = pika.BlockingConnection(pika.URLParameters(place.url))
    try:
        channel = own.channel()
        taken = []
        for method, properties, body in channel.consume(place.queue):
            channel.basic_ack(method.delivery_tag)
            taken.append((properties, body))
            if len(taken) == count:
                return taken
    finally:
        own.close()
    raise AssertionError("the consumer was cancelled")


async def test_a_published_message_is_on_the_queue_with_its_identity_and_headers(
    publisher: Publisher, place: Place
) -> None:
    """When publish returns, a consumer gets the body and every property that it may rely on."""
    message = replace(place.message(), correlation_id="my own name for it")
    await publisher.publish(message)

    [(properties, body)] = await asyncio.to_thread(take, place)
    assert (message.body, message.headers) == (body, properties.headers)
    assert (message.message_id, "my own name for it", "application/xml", 2) == (
        properties.message_id,
        properties.correlation_id,
        properties.content_type,
        properties.delivery_mode,
    )


async def test_many_messages_at_once_are_each_confirmed_and_delivered(place: Place) -> None:
    """Confirms that cover several messages, and those out of order, reach the right message; few are under way."""
    messages, outcomes = [place.message(number) for number in range(200)], dict[int, Outcome]()
    async with open_publisher(replace(place.destination, window=7)) as publisher:
        await publisher.wait_connected()
        await publisher.publish_all(messages, outcomes.__setitem__)
        await asyncio.gather(*(publisher.publish(message) for message in messages))

    taken = await asyncio.to_thread(take, place, 2 * len(messages))
    assert dict.fromkeys(range(200)) == outcomes
    assert {message.message_id for message in messages} == {properties.message_id for properties, _ in taken}


@pytest.mark.parametrize(("size", "pieces"), [(1_000, 1), (70_000, 3)])
async def test_a_small_message_goes_out_in_one_piece(
    publisher: Publisher, place: Place, size: int, pieces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its frames go out together, of a large one each by itself; either comes whole."""
    await publisher.publish(place.message())  # so that there is nothing else to ask the broker
    sent, emit = [], TolerantConnection._adapter_emit_data

    def counted(own: TolerantConnection, data: bytes) -> None:
        sent.append(data)
        emit(own, data)

    monkeypatch.setattr(TolerantConnection, "_adapter_emit_data", counted)
    await publisher.publish(replace(place.message(2), body=b"x" * size))
    assert len(sent) == pieces
    assert [len(body) for _, body in await asyncio.to_thread(take, place, 2)][1] == size


async def test_no_more_messages_than_the_window_are_under_way(broker: Broker, place: Place) -> None:
    """While the broker confirms nothing the others wait to be sent; each is told of when it is given up."""
    outcomes: dict[int, Outcome] = {}
    taken: list[int] = []

    def messages() -> Iterator[OutgoingMessage]:
        for number in range(7):
            taken.append(number)
            yield place.message(number)

    destination = replace(place.destination, window=3, confirm_timeout=2.0)
    async with open_publisher(destination) as publisher:
        await publisher.wait_connected()
        await publisher.publish(place.message(9))
        broker.freeze()
        sending = asyncio.create_task(publisher.publish_all(messages(), outcomes.__setitem__))
        await asyncio.wait((sending,), timeout=0)
        under_way = len(taken)
        await sending
        broker.thaw()

    assert 4 == under_way  # three, and the one that waits for room
    assert {NotConfirmed} == {type(outcome) for outcome in outcomes.values()}


async def test_a_confirmed_message_outlives_the_kill_of_the_broker(broker: Broker, place: Place) -> None:
    """A confirm means that the message is on disk: it is there after SIGKILL and a new start."""
    async with open_publisher(place.destination) as publisher:
        await publisher.wait_connected()
        await asyncio.to_thread(broker.settle)
        await publisher.publish(place.message())
        await asyncio.to_thread(broker.kill)

    await asyncio.to_thread(broker.start)

    [(properties, _)] = await asyncio.to_thread(take, place)
    assert place.message().message_id == properties.message_id


async def test_a_message_that_no_queue_wants_is_unroutable_and_the_next_is_not(
    publisher: Publisher, place: Place
) -> None:
    """A message returned by the broker is not taken for confirmed, and spoils nothing for the others."""
    unbind = {"queue": place.queue, "exchange": place.exchange, "routing_key": "#"}
    await asyncio.to_thread(on_broker, place.url, "queue_unbind", **unbind)

    with pytest.raises(Unroutable, match="NO_ROUTE"):
        await publisher.publish(place.message())

    await asyncio.to_thread(on_broker, place.url, "queue_bind", **unbind)
    await publisher.publish(place.message())
    [(properties, _)] = await asyncio.to_thread(take, place)
    assert place.message().message_id == properties.message_id


async def test_two_messages_of_one_id_that_come_back_are_both_told(publisher: Publisher, place: Place) -> None:
    """The id of a dead letter is its sender's choice: the return of one must not be taken for that of another."""
    outcomes: dict[int, Outcome] = {}
    wanted = place.message()
    unwanted = replace(wanted, exchange="amq.direct", routing_key="nobody")
    await publisher.publish_all([unwanted, unwanted, wanted], outcomes.__setitem__)

    assert [Unroutable, Unroutable, type(None)] == [type(outcomes[place]) for place in range(3)]


async def test_a_message_refused_by_a_full_queue_is_not_taken_for_published(place: Place) -> None:
    """A nack is temporary trouble: here of a queue whose owner limits it and has the broker refuse the rest."""

    def make_full_queue() -> None:
        limits = {"x-max-length": 1, "x-overflow": "reject-publish"}
        on_broker(place.url, "exchange_declare", exchange=place.exchange, exchange_type="topic")
        on_broker(place.url, "queue_declare", queue=place.queue, arguments=limits)
        binding = {"queue": place.queue, "exchange": place.exchange, "routing_key": "T.#"}
        on_broker(place.url, "queue_bind", **binding)

    await asyncio.to_thread(make_full_queue)
    async with open_publisher(replace(place.destination, topology=Topology())) as publisher:
        await publisher.wait_connected()
        await publisher.publish(place.message())
        with pytest.raises(Refused, match=f"refused message {place.message().message_id}"):
            await publisher.publish(place.message())


async def test_without_a_broker_the_publisher_opens_and_publish_raises_at_once(events: Events) -> None:
    """Nobody has to wait for a broker that is away: neither the start of the gateway nor a publish."""
    place = Place(f"amqp://gateway:password@127.0.0.1:{free_ports(1)[0]}/", "declarations", "routing")
    async with open_publisher(place.destination) as opened:
        with pytest.raises(BrokerUnavailable, match="away"):
            await opened.publish(place.message())
        away = await events.seen("broker.away")
        assert not opened.connected

    assert (away["attempt"], 0 < away["retry_in"] <= 30) == (1, True)


async def test_a_killed_broker_fails_what_was_waiting_and_is_found_again_by_itself(
    broker: Broker, place: Place, publisher: Publisher
) -> None:
    """A publish without its confirm ends in an error when the broker dies, and a later one succeeds."""
    await asyncio.to_thread(broker.settle)
    broker.freeze()
    waiting = [asyncio.create_task(publisher.publish(place.message())) for _ in range(3)]
    await asyncio.wait(waiting, timeout=0)
    await asyncio.to_thread(broker.kill)
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all("StreamLostError" in str(outcome) for outcome in outcomes)
    assert [BrokerUnavailable] * 3 == [type(outcome) for outcome in outcomes]

    await asyncio.to_thread(broker.start)
    await publisher.wait_connected()
    again = place.message(2)
    await publisher.publish(again)
    [(properties, _)] = await asyncio.to_thread(take, place)
    assert again.message_id == properties.message_id


async def test_a_connection_closed_by_an_operator_is_opened_again(
    broker: Broker, events: Events, publisher: Publisher, place: Place
) -> None:
    """A close from the broker's side is a loss like any other."""
    await asyncio.to_thread(broker.close_connections)
    await events.seen("broker.lost")

    await publisher.wait_connected()
    await publisher.publish(place.message())
    [(properties, _)] = await asyncio.to_thread(take, place)
    assert properties.message_id == place.message().message_id


async def test_a_confirm_that_does_not_come_in_time_is_an_error(broker: Broker, place: Place) -> None:
    """A broker that is there but answers nothing does not hold a publish for ever."""
    async with open_publisher(replace(place.destination, confirm_timeout=0.1)) as publisher:
        await publisher.wait_connected()
        broker.freeze()
        with pytest.raises(BrokerUnavailable, match="no confirm of message"):
            await publisher.publish(place.message())
        broker.thaw()


async def test_a_late_confirm_disturbs_nothing(broker: Broker, place: Place) -> None:
    """What was given up may be confirmed later; the messages after it keep their own confirms."""
    async with open_publisher(replace(place.destination, confirm_timeout=5)) as publisher:
        await publisher.wait_connected()
        broker.freeze()
        given_up = asyncio.create_task(publisher.publish(place.message()))
        await asyncio.wait((given_up,), timeout=0)
        given_up.cancel()
        await asyncio.wait((given_up,))
        broker.thaw()
        await publisher.publish(place.message(2))

    identifiers = [properties.message_id for properties, _ in await asyncio.to_thread(take, place, 2)]
    assert identifiers == [place.message(number).message_id for number in (1, 2)]


@pytest.mark.parametrize("wrong", ["gateway:forged", "nobody:forged"])
async def test_a_refused_login_is_named_and_not_tried_again_soon(place: Place, events: Events, wrong: str) -> None:
    """Wrong credentials wait a minute at least, so that nobody is locked out; the password is not in the log."""
    url = f"amqp://{wrong}@{place.url.rpartition('@')[2]}"
    async with open_publisher(replace(place, url=url).destination) as opened:
        refused = await events.seen("broker.refused")
        with pytest.raises(BrokerUnavailable):
            await opened.publish(place.message())

    assert 60 <= refused["retry_in"] <= 120
    assert [line["event"] for line in events.lines] == ["broker.refused"]
    assert "forged" not in str(events.lines)


async def test_a_virtual_host_that_is_not_there_is_a_refusal_too(place: Place, events: Events) -> None:
    """What only a person can mend is not tried again soon."""
    async with open_publisher(replace(place, url=place.url.replace("%2f", "nowhere")).destination):
        refused = await events.seen("broker.refused")

    assert refused["retry_in"] >= 60


async def test_a_missing_exchange_is_the_trouble_of_its_messages_alone(
    publisher: Publisher, place: Place, events: Events
) -> None:
    """It is looked for before the first message goes there, so that the channel and everything under way on it stay."""
    elsewhere = replace(place.message(2), exchange=f"{place.exchange}.missing")
    outcomes: dict[int, Outcome] = {}
    await publisher.publish_all([place.message(1), elsewhere, elsewhere, place.message(3)], outcomes.__setitem__)

    assert [None, Unroutable, Unroutable, None] == [
        outcome if outcome is None else type(outcome) for _, outcome in sorted(outcomes.items())
    ]
    assert "has no exchange" in str(outcomes[1])
    assert [] == events.lines


async def test_what_the_broker_has_already_but_otherwise_is_used_as_it_is(place: Place, events: Events) -> None:
    """An exchange of an earlier version has no alternate one: an event says so, and messages go there all the same."""
    async with open_publisher(place.destination) as publisher:
        await publisher.wait_connected()
    made = routing(Routing(exchange=place.exchange, queue=place.queue, alternate=f"{place.exchange}.unrouted"))
    async with open_publisher(replace(place.destination, topology=made)) as publisher:
        await publisher.wait_connected()
        await publisher.publish(place.message())

    assert place.exchange == (await events.seen("broker.topology_differs"))["what"]


async def test_what_no_queue_is_bound_for_goes_to_the_alternate_exchange(place: Place) -> None:
    """Where the gateway makes the exchange, nothing comes back for want of a binding: it is kept to be looked at."""
    unrouted = f"{place.exchange}.unrouted"
    made = routing(Routing(exchange=place.exchange, queue=place.queue, alternate=unrouted))
    async with open_publisher(replace(place.destination, topology=made)) as publisher:
        await publisher.wait_connected()
        unbind = {"queue": place.queue, "exchange": place.exchange, "routing_key": "#"}
        await asyncio.to_thread(on_broker, place.url, "queue_unbind", **unbind)
        await publisher.publish(place.message())

    [(properties, _)] = await asyncio.to_thread(take, replace(place, queue=unrouted))
    assert place.message().message_id == properties.message_id


async def test_while_the_broker_is_short_of_memory_nothing_is_handed_to_it(
    broker: Broker, publisher: Publisher, place: Place
) -> None:
    """Its notice is respected: a publish fails at once, and succeeds again when the alarm is over."""
    await publisher.publish(place.message(1))
    await asyncio.to_thread(broker.control, "set_vm_memory_high_watermark", "absolute", "1")
    try:
        # The broker tells of its alarm to those who publish.
        with suppress(BrokerUnavailable, TimeoutError):
            async with asyncio.timeout(1):
                await publisher.publish(place.message(2))
        with pytest.raises(BrokerUnavailable, match="takes nothing for now"):
            await publisher.publish(place.message(3))
    finally:
        await asyncio.to_thread(broker.control, "set_vm_memory_high_watermark", "0.4")
    await published(publisher, place.message(4))


async def published(publisher: Publisher, message: OutgoingMessage) -> None:
    """Publish as soon as the broker takes something."""
    while True:
        with suppress(BrokerUnavailable):
            return await publisher.publish(message)
        await asyncio.sleep(0.05)


async def test_a_channel_closed_by_the_broker_fails_what_was_waiting(publisher: Publisher, place: Place) -> None:
    """The broker closes the channel of one who publishes to a deleted exchange; that publish is not lost in silence."""
    await asyncio.to_thread(on_broker, place.url, "exchange_delete", exchange=place.exchange)
    with pytest.raises(ChannelRefused, match="NOT_FOUND"):
        await publisher.publish(place.message())

    await publisher.wait_connected()
    await publisher.publish(place.message())


async def test_leaving_leaves_no_task_no_socket_and_no_connection(broker: Broker, place: Place) -> None:
    """When the context is left, everything that it opened is closed."""
    loop: Any = asyncio.get_running_loop()
    before = asyncio.all_tasks(), len(loop._selector.get_map())
    async with open_publisher(place.destination) as publisher:
        await publisher.wait_connected()
        await publisher.publish(place.message())
    after = asyncio.all_tasks(), len(loop._selector.get_map())

    assert before == after
    assert not publisher.connected
    assert (await asyncio.to_thread(broker.control, "list_connections", "name")).strip().removeprefix("name") == ""


async def test_leaving_while_connecting_leaves_nothing_either(place: Place) -> None:
    """A gateway stopped at any moment of the handshake stops at once; each step of the loop is such a moment."""
    loop: Any = asyncio.get_running_loop()
    before = asyncio.all_tasks(), len(loop._selector.get_map())
    for steps in range(40):
        async with open_publisher(place.destination):
            for _ in range(steps):
                await asyncio.sleep(0)

    assert before == (asyncio.all_tasks(), len(loop._selector.get_map()))


async def test_leaving_fails_what_was_waiting(broker: Broker, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A publish that outlives the context gets an error instead of waiting for ever, also from a frozen broker."""
    monkeypatch.setattr(connection, "CLOSE_SECONDS", 0.1)
    async with open_publisher(place.destination) as publisher:
        await publisher.wait_connected()
        broker.freeze()
        waiting = asyncio.create_task(publisher.publish(place.message()))
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
def test_a_url_that_cannot_be_read_is_a_configuration_fault_that_repeats_nothing_of_it(url: str) -> None:
    """The text of the fault may end in a log, and the URL holds a password."""
    with pytest.raises(ConfigurationError) as raised:
        brokers_of(BrokerSettings.model_construct(urls=(SecretStr(url),)))

    assert "forged" not in str(raised.value)


def test_every_error_of_the_publisher_is_temporary() -> None:
    """A sender is never told of our broker, and no declaration is given up because of it."""
    assert all(issubclass(error, TemporaryError) for error in (BrokerUnavailable, Unroutable, NotConfirmed))
