"""Answers by message over a real broker: each once at least, under one id, recorded after the confirm."""

import base64
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pika
import pytest
import structlog
from pydantic import SecretStr

from channels.mq import amqp10
from channels.mq.addresses import brokers_of
from channels.mq.connection import BrokerUnavailable
from channels.mq.messages import OutgoingMessage
from channels.mq.publisher import Destination, NotConfirmed, Publisher, open_publisher
from channels.mq.topology import answers, out_queue
from config.messages import Broker as BrokerSettings
from config.messages import Mq
from config.settings import Signing
from gateway import answer
from gateway.answer import Desk, Told
from gateway.delivery import Post, publish_all
from signing.own.own_keys import open_keys
from spool import answers as made
from spool import effects, submissions
from spool.effects import Kind
from spool.journal import Journal, now
from spool.outbox import Outbox
from spool.retention import place_again
from spool.submissions import Ruling, State, Submission
from tests.answers import ASKED
from tests.authority import Pki
from tests.broker import Broker
from tests.submissions_made import BRUSSELS

pytestmark = pytest.mark.every_database

MINE, OTHER = "123456", "654321"


@dataclass(frozen=True)
class Exchange:
    """An exchange for answers that one test has alone."""

    broker: Broker
    name: str

    def get(self, sender: str = MINE) -> list[tuple[Any, bytes]]:
        """Everything in the queue of a sender: properties and body."""
        found: list[tuple[Any, bytes]] = []
        with closing(pika.BlockingConnection(pika.URLParameters(self.broker.url))) as connection:
            channel = connection.channel()
            while True:
                method, properties, body = channel.basic_get(out_queue(self.name, sender), auto_ack=True)
                if method is None:
                    return found
                found.append((properties, body))

    @asynccontextmanager
    async def open(self, journal: Journal, senders: Sequence[str] = (MINE,)) -> AsyncIterator[Post]:
        """What publishes to it, with the queues of ``senders`` made."""
        brokers = brokers_of(BrokerSettings(urls=(SecretStr(self.broker.url),)))
        made_there = answers(Mq(answers=self.name), senders)
        async with open_publisher(Destination(brokers, made_there, confirm_timeout=20.0)) as publisher:
            await publisher.wait_connected()
            yield Post(journal, publisher, self.name, retry_seconds=0.0, retry_ceiling_seconds=0.0)


@pytest.fixture
def exchange(broker: Broker) -> Exchange:
    """One that nobody else uses."""
    return Exchange(broker, f"out-{secrets.token_hex(4)}")


@pytest.fixture
def desk(journal: Journal, pki: Pki) -> Desk:
    """What answers are made with."""
    own = pki.issue("Gateway")
    return Desk(open_keys(Signing(key=own.key, certificate=own.certificate)), BRUSSELS, journal)


def answered(journal: Journal, desk: Desk, ticket: str = "A" * 13, sender: str = MINE, message_id: str = "m1") -> str:
    """A submission that came by message, rejected with its answer promised; the stem of that."""
    name = f"GO.DIMN.{sender}.20261121.00001.R.1"
    submission = Submission(
        ticket, 1, "mq", sender, "u", "IN", name, name[3:-2], "c", State.RECEIVED, 0, message_id=message_id
    )
    with journal.write() as connection:
        submissions.add(connection, submission)
    signed = answer.compose(Told(submission), desk)
    with journal.write() as connection:
        submissions.settle(connection, ticket, Ruling(State.REJECTED))
        answer.promise(connection, signed)
        return made.names(connection, ticket)[0].stem


def closed(journal: Journal, ticket: str = "A" * 13) -> bool:
    """Whether nothing is left to do."""
    with journal.read() as connection:
        submission = submissions.load(connection, ticket)
    return submission is not None and submission.closed_at is not None


async def test_a_submission_by_message_is_answered_by_message(journal: Journal, desk: Desk, exchange: Exchange) -> None:
    """The body is FO; name, signature and ticket are headers; the sender's own id comes back."""
    stem = answered(journal, desk)
    async with exchange.open(journal) as post:
        assert 1 == await publish_all(post)
        assert 0 == await publish_all(post)
    with journal.read() as connection:
        stored = made.load(connection, "A" * 13, 1)

    [(properties, body)] = exchange.get()
    assert stored.data == body
    assert (f"FO.{stem}", "A" * 13, stored.signature) == (
        properties.headers["FileName"],
        properties.headers["Ticket"],
        properties.headers["Signature"].encode(),
    )
    assert base64.b64decode(properties.headers["Signature"])
    again = amqp10.decode(properties.headers[amqp10.HEADER])
    assert again == {name: properties.headers[name] for name in ("FileName", "Signature", "Ticket")}
    assert ("m1", 2, f"{'A' * 13}-A1", "application/xml") == (
        properties.correlation_id,
        properties.delivery_mode,
        properties.message_id,
        properties.content_type,
    )
    assert closed(journal)


async def test_nothing_of_it_is_placed_in_out(journal: Journal, desk: Desk, tmp_path: Path) -> None:
    """It waits for the broker, and for nothing else."""
    answered(journal, desk)

    assert 0 == answer.place_all(journal, Outbox(tmp_path / "answers"))
    assert not closed(journal)


class LateRecordError(Exception):
    """The gateway died after the confirm and before the record of it."""


async def test_what_was_confirmed_and_not_recorded_is_published_again_under_its_id(
    journal: Journal, desk: Desk, exchange: Exchange
) -> None:
    """A reader drops the second."""
    answered(journal, desk)
    async with exchange.open(journal) as post:

        class DiesAfterTheConfirm:
            """A publisher of a gateway that is killed then."""

            async def wait_connected(self) -> None:
                """There is a broker."""

            async def publish(self, message: OutgoingMessage) -> None:
                """Publish, and die."""
                await post.publisher.publish(message)
                raise LateRecordError

        with pytest.raises(LateRecordError):
            await publish_all(replace(post, publisher=DiesAfterTheConfirm()))
        assert not closed(journal)
        assert 1 == await publish_all(post)

    first, second = exchange.get()
    assert first[0].message_id == second[0].message_id
    assert first[1] == second[1]


async def test_a_missing_queue_is_told_and_keeps_nobody_else_waiting(
    journal: Journal, desk: Desk, exchange: Exchange
) -> None:
    """The answer stays, is tried again, and goes out when the queue is there."""
    answered(journal, desk, "A" * 13, OTHER)
    answered(journal, desk, "B" * 13, MINE)
    with structlog.testing.capture_logs() as lines:
        async with exchange.open(journal) as post:
            assert 1 == await publish_all(replace(post, retry_seconds=3600.0, retry_ceiling_seconds=3600.0))
    with journal.read() as connection:
        [waiting] = effects.standings(connection, Kind.PUBLISH, "A" * 13)
    told = [line for line in lines if line["event"] == "answer.not_published"]
    assert [("error", "A" * 13, OTHER, 1)] == [
        (line["log_level"], line["ticket"], line["sender"], line["attempts"]) for line in told
    ]
    assert ("pending", 1) == (waiting.state, waiting.effect.attempts)
    assert waiting.reason
    assert (False, True) == (closed(journal, "A" * 13), closed(journal, "B" * 13))

    with journal.write() as connection:
        effects.hasten(connection, Kind.PUBLISH, 0)
    async with exchange.open(journal, [OTHER]) as post:
        assert 1 == await publish_all(post)
    assert 1 == len(exchange.get(OTHER))


async def test_the_queue_of_a_new_sender_is_made_with_its_first_answer(
    journal: Journal, desk: Desk, exchange: Exchange
) -> None:
    """One that got its channel after everything was made at the broker; also where there is no exchange yet."""
    answered(journal, desk, sender=OTHER)
    async with exchange.open(journal) as post:
        publisher = post.publisher
        assert isinstance(publisher, Publisher)

        async def make(sender: str) -> None:
            await publisher.make(answers(Mq(answers=exchange.name), [sender]))

        assert 1 == await publish_all(replace(post, make=make))
        nowhere = replace(exchange, name=f"{exchange.name}-2")
        answered(journal, desk, "B" * 13)

        async def make_elsewhere(sender: str) -> None:
            await publisher.make(answers(Mq(answers=nowhere.name), [sender]))

        assert 1 == await publish_all(replace(post, exchange=nowhere.name, make=make_elsewhere))
    assert 1 == len(exchange.get(OTHER))
    assert 1 == len(nowhere.get(MINE))
    assert closed(journal)


class BrokerAway:
    """A publisher whose broker is gone."""

    async def wait_connected(self) -> None:
        """It is believed to be there."""

    async def publish(self, message: OutgoingMessage) -> None:
        """It isn't."""
        raise BrokerUnavailable(message.message_id)


async def test_while_the_broker_is_away_answers_wait(journal: Journal, desk: Desk) -> None:
    """Without an attempt being counted: the answer isn't to blame."""
    answered(journal, desk)
    with pytest.raises(BrokerUnavailable):
        await publish_all(Post(journal, BrokerAway(), "batch.out", 1.0, 1.0))

    with journal.read() as connection:
        [waiting] = effects.standings(connection, Kind.PUBLISH, "A" * 13)
    assert ("pending", 0) == (waiting.state, waiting.effect.attempts)


class OneQueueStuck:
    """A publisher to a broker where a queue has lost most of its members: nothing that goes there is confirmed."""

    def __init__(self) -> None:
        self.confirmed: list[str] = []

    async def wait_connected(self) -> None:
        """It is."""

    async def publish(self, message: OutgoingMessage) -> None:
        """Confirm what goes elsewhere."""
        if message.routing_key == OTHER:
            raise NotConfirmed(message.message_id)
        self.confirmed.append(message.routing_key)


async def test_a_queue_that_confirms_nothing_keeps_nobody_else_waiting(journal: Journal, desk: Desk) -> None:
    """However many of its answers are the oldest: each is put off, and the next have their turn."""
    for number in range(40):
        answered(journal, desk, f"{number:013}", OTHER)
    answered(journal, desk, "B" * 13, MINE)
    publisher = OneQueueStuck()

    assert 1 == await publish_all(Post(journal, publisher, "batch.out", 3600.0, 3600.0))
    assert [MINE] == publisher.confirmed
    assert closed(journal, "B" * 13)


async def test_a_clock_set_back_keeps_no_answer_waiting(journal: Journal, desk: Desk) -> None:
    """What was put off further than any pause is due at once."""
    answered(journal, desk)
    with journal.write() as connection:
        [effect] = effects.due(connection, Kind.PUBLISH, now(), 10)
        effects.failed(connection, [effects.Failure(effect, 1, "NO_ROUTE", now() + 10**12)])

    assert 1 == await publish_all(Post(journal, OneQueueStuck(), "batch.out", 60.0, 900.0))


async def test_a_repeat_by_message_gets_the_first_answer_with_its_own_id(
    journal: Journal, desk: Desk, exchange: Exchange
) -> None:
    """Whatever channel the first came by, and under which id."""
    stem = answered(journal, desk)
    repeat = Submission("B" * 13, 2, "mq", MINE, "u", "IN", "GO", "GO", "c", State.RECEIVED, 0, message_id="m2")
    async with exchange.open(journal) as post:
        await publish_all(post)
        with journal.write() as connection:
            submissions.add(connection, repeat)
            submissions.settle(connection, "B" * 13, Ruling(State.REPEATED))
            answer.promise_again(connection, "B" * 13, "A" * 13)
        await publish_all(post)

    first, second = exchange.get()
    assert [("m1", f"FO.{stem}"), ("m2", f"FO.{stem}")] == [
        (properties.correlation_id, properties.headers["FileName"]) for properties, _ in (first, second)
    ]
    assert first[0].message_id != second[0].message_id


async def test_an_answer_is_published_again_when_an_operator_asks(
    journal: Journal, desk: Desk, exchange: Exchange, tmp_path: Path
) -> None:
    """The very same message."""
    answered(journal, desk)
    async with exchange.open(journal) as post:
        await publish_all(post)
        with journal.write() as connection:
            [name] = place_again(connection, Outbox(tmp_path / "answers"), "A" * 13, ASKED)
        assert 1 == await publish_all(post)

    first, second = exchange.get()
    assert "mq" == name.channel
    assert (first[0].message_id, first[0].headers, first[1]) == (
        second[0].message_id,
        second[0].headers,
        second[1],
    )
