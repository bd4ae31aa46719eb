"""Declarations from a real journal to a real broker: which of them failed by themselves, and what is recorded."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pika
import pytest

from channels.mq.connection import Brokers, connection_parameters
from channels.mq.publisher import BrokerUnavailable, Destination, Publisher, open_publisher
from channels.mq.topology import routing
from config.messages import Routing
from gateway.routing_queues import BrokerQueue
from spool import effects, submissions
from spool.effects import Effect, Kind
from spool.journal import Journal, now
from spool.routing import RoutingMessage
from spool.submissions import State, Submission
from tests.broker import Broker


@pytest.fixture
def name() -> str:
    """Of an exchange and a queue that only this test uses."""
    return f"declarations.{secrets.token_hex(4)}"


@pytest.fixture
async def publisher(broker: Broker, name: str) -> AsyncIterator[Publisher]:
    """A publisher that has made them."""
    made = routing(Routing(exchange=name, queue=name, alternate=""))
    brokers = Brokers((connection_parameters(broker.url),))
    async with open_publisher(Destination(brokers, made, confirm_timeout=6.0)) as opened:
        await opened.wait_connected()
        yield opened


def plan(journal: Journal, exchanges: list[str]) -> list[tuple[Effect, RoutingMessage]]:
    """One message to each of these exchanges; an empty one is the usual."""
    stem = "DIMN.123456.20261121.00001.R"
    with journal.write() as connection:
        submissions.add(
            connection, Submission("A", 1, "sftp", "123456", "u", "IN", f"GO.{stem}.1", stem, "", State.RECEIVED, 0)
        )
        effects.plan(connection, "A", Kind.FORWARD, [{} for _ in exchanges])
        planned = effects.due(connection, Kind.FORWARD, now(), 100)
    return [
        (effect, RoutingMessage(f"A-{effect.ordinal:06d}", "R.DIMN.DIMONA", {"ticket": "A"}, b"<a/>", exchange))
        for effect, exchange in zip(planned, exchanges, strict=True)
    ]


def states(journal: Journal) -> list[str]:
    """Of the effects, in their order."""
    with journal.read() as connection:
        return [standing.state for standing in effects.standings(connection, Kind.FORWARD, "A")]


def waiting(broker: Broker, queue: str) -> list[str]:
    """The ids of the messages that wait there."""
    own = pika.BlockingConnection(pika.URLParameters(broker.url))
    channel, found = own.channel(), []
    while True:
        method, properties, _ = channel.basic_get(queue, auto_ack=True)
        if method is None:
            break
        found.append(properties.message_id)
    own.close()
    return found


async def test_what_nobody_takes_is_told_and_the_others_are_recorded(
    broker: Broker, publisher: Publisher, journal: Journal, name: str
) -> None:
    """A message to an exchange that is not there fails alone."""
    batch = plan(journal, ["", "nowhere", ""])

    [(effect, reason)] = await BrokerQueue(journal, publisher, name).send(batch)

    assert (2, True) == (effect.ordinal, "has no exchange nowhere" in reason)
    assert ["done", "pending", "done"] == states(journal)
    assert ["A-000001", "A-000003"] == await asyncio.to_thread(waiting, broker, name)


async def test_a_message_for_which_the_broker_closes_the_channel_is_found_and_told(
    broker: Broker, publisher: Publisher, journal: Journal, name: str
) -> None:
    """Each that was under way is sent once more alone: all the others are confirmed, once or twice, under their ids."""
    internal = f"{name}.internal"

    def forbid() -> None:
        own = pika.BlockingConnection(pika.URLParameters(broker.url))
        own.channel().exchange_declare(internal, "topic", internal=True)
        own.close()

    await asyncio.to_thread(forbid)
    batch = plan(journal, ["", internal, "", ""])

    [(effect, reason)] = await BrokerQueue(journal, publisher, name).send(batch)

    assert (2, True) == (effect.ordinal, "ACCESS_REFUSED" in reason)
    assert ["done", "pending", "done", "done"] == states(journal)
    assert {"A-000001", "A-000003", "A-000004"} == set(await asyncio.to_thread(waiting, broker, name))


async def test_a_broker_that_confirms_nothing_is_trouble_for_all(
    broker: Broker, publisher: Publisher, journal: Journal, name: str
) -> None:
    """No message is blamed, and nothing is recorded."""
    batch = plan(journal, ["", ""])
    queue: Any = BrokerQueue(journal, publisher, name)
    broker.freeze()
    with pytest.raises(BrokerUnavailable, match="no confirm"):
        await queue.send(batch)
    broker.thaw()

    assert ["pending", "pending"] == states(journal)
