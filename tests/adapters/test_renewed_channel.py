"""A channel over which the broker refuses messages without reason is replaced, by a real broker that does so."""

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pika
import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from channels.mq.addresses import Brokers, connection_parameters
from channels.mq.connection import ConfirmingChannel, open_channel
from channels.mq.messages import OutgoingMessage
from channels.mq.publisher import Destination, Publisher, Refused, open_publisher
from channels.mq.topology import routing
from config.messages import Routing
from tests.broker import Broker

_LEADER = """
rabbit_misc:execute_mnesia_transaction(fun() ->
  rabbit_amqqueue:update(rabbit_misc:r(<<"/">>, queue, <<"{queue}">>), fun(Q) ->
    amqqueue:set_pid(Q, {{element(1, amqqueue:get_pid(Q)), '{node}'}}) end) end), ok.
"""
"""What the broker's database says of where a queue's leader is, which is wrong until a new one is chosen."""


@dataclass(frozen=True)
class Place:
    """A queue that only one test uses, and its broker."""

    broker: Broker
    name: str

    @property
    def destination(self) -> Destination:
        """What makes it."""
        made = routing(Routing(exchange=self.name, queue=self.name, alternate=""))
        return Destination(Brokers((connection_parameters(self.broker.url),)), made, confirm_timeout=20.0)

    def message(self) -> OutgoingMessage:
        """One for the queue."""
        return OutgoingMessage(self.name, "T.DIMN.DIMONA", "message-1", b"<Dimona/>", {})

    async def say_that_its_leader_is(self, node: str) -> None:
        """Let the broker believe that the queue's leader is on this node."""
        expression = _LEADER.format(queue=self.name, node=node).replace("\n", " ").strip()
        assert "ok" == await asyncio.to_thread(self.broker.evaluate, expression)


@pytest.fixture
def place(broker: Broker) -> Place:
    """Nothing of it is there yet."""
    return Place(broker, f"renewed-{secrets.token_hex(4)}")


@pytest.fixture
def events() -> Iterator[list[EventDict]]:
    """What the publisher logs."""
    with capture_logs() as lines:
        yield lines


async def seen(events: list[EventDict], name: str, times: int = 1) -> None:
    """Return once the log has this event so many times."""
    async with asyncio.timeout(30):
        while sum(line["event"] == name for line in events) < times:  # noqa: ASYNC110 - a log has no event
            await asyncio.sleep(0.02)


async def refused(publisher: Publisher, place: Place) -> None:
    """Have the broker refuse what it would refuse for ever over this channel: its node is said to be gone."""
    await place.say_that_its_leader_is("gone@localhost")
    with pytest.raises(Refused):
        await publisher.publish(place.message())
    await place.say_that_its_leader_is(place.broker.name)


async def sent(channel: ConfirmingChannel, queue: str) -> type[object]:
    """What becomes of a message that is sent to a queue."""
    outcome = await channel.send("", queue, b"<Dimona/>", pika.BasicProperties(delivery_mode=2, message_id="1"))
    return type(outcome)


async def test_a_channel_that_knows_a_leader_who_is_gone_is_replaced(place: Place, events: list[EventDict]) -> None:
    """The connection stays, and the next message is taken."""
    async with open_publisher(place.destination) as publisher:
        await publisher.wait_connected()
        await refused(publisher, place)
        await seen(events, "broker.channel_renewed")
        await publisher.publish(place.message())
    assert ["broker.connected", "broker.channel_renewed"] == [line["event"] for line in events]


async def test_a_publisher_with_another_channel_comes_back_as_well(place: Place, events: list[EventDict]) -> None:
    """Its connection is lost with all its channels; a publish at once fails or is confirmed, and later ones succeed."""
    async with open_publisher(place.destination) as publisher:
        await publisher.wait_connected()
        await refused(publisher, place)
        await seen(events, "broker.channel_renewed")
        await asyncio.to_thread(place.broker.close_connections)
        await seen(events, "broker.connected", 2)
        await publisher.publish(place.message())


async def test_channels_that_were_replaced_are_closed(place: Place, events: list[EventDict]) -> None:
    """Once nobody waits for what was sent over them; but for the first, whose end is that of the connection."""
    before = await channels_of(place.broker)
    async with open_publisher(replace(place.destination, confirm_timeout=5.0)) as publisher:
        await publisher.wait_connected()
        for times in (1, 2):
            await refused(publisher, place)
            await seen(events, "broker.channel_renewed", times)
        await publisher.publish(place.message())
        async with asyncio.timeout(30):
            while await channels_of(place.broker) != before + 2:  # noqa: ASYNC110 - the broker tells nobody
                await asyncio.sleep(0.05)
        await publisher.publish(place.message())


async def channels_of(broker: Broker) -> int:
    """How many channels the broker has open."""
    return int(await asyncio.to_thread(broker.evaluate, "length(rabbit_channel:list())."))


async def test_the_broker_refuses_over_a_channel_what_it_takes_over_another(place: Place) -> None:
    """This is the broker's fault that channels are replaced for; when it has it no more, they need not be."""
    async with open_channel(connection_parameters(place.broker.url)) as channel:
        await channel.ask("queue_declare", queue=place.name, durable=True, arguments={"x-queue-type": "quorum"})
        await place.say_that_its_leader_is("gone@localhost")
        assert Refused is await sent(channel, place.name)
        await place.say_that_its_leader_is(place.broker.name)
        assert Refused is await sent(channel, place.name)
        assert channel.doubted.done()

        async with channel.another_channel() as another:
            await another.start_confirms()
            assert type(None) is await sent(another, place.name)
            assert not another.doubted.done()


async def test_a_full_queue_is_no_reason_to_doubt_a_channel_over_which_it_took_messages(place: Place) -> None:
    """Over one that it took none of, nobody can tell which of the two is the reason."""
    async with open_channel(connection_parameters(place.broker.url)) as channel:
        limits = {"x-max-length": 1, "x-overflow": "reject-publish"}
        await channel.ask("queue_declare", queue=place.name, durable=True, arguments=limits)
        assert [type(None), Refused] == [await sent(channel, place.name) for _ in range(2)]
        assert not channel.doubted.done()

        async with channel.another_channel() as another:
            await another.start_confirms()
            assert Refused is await sent(another, place.name)
            assert another.doubted.done()
