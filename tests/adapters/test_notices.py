"""Maintenance told by message, over a real broker: what holds, to each sender by itself, and no more than that."""

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import pika
import pytest
from pydantic import SecretStr

from channels.mq.addresses import brokers_of
from channels.mq.publisher import Destination, Publisher, open_publisher
from channels.mq.topology import Topology, notice_exchange, notice_queue, notices
from config.messages import Broker as BrokerSettings
from config.messages import Mq
from gateway import maintenance, parties
from gateway.notices import Notices
from gateway.openings import Channel
from gateway.parties import Sender, SignatureProfile
from gateway.register.actor import Operator
from spool.journal import Journal, now
from tests.broker import Broker
from tests.submissions_made import BRUSSELS, MINE, OTHER

WHO = Operator("anna")
HOUR = 3_600 * 1_000_000


@pytest.fixture
def mq() -> Mq:
    """Names at the broker that one test has alone."""
    return Mq(answers=f"out-{secrets.token_hex(4)}")


@pytest.fixture
async def publisher(broker: Broker) -> AsyncIterator[Publisher]:
    """What publishes."""
    brokers = brokers_of(BrokerSettings(urls=(SecretStr(broker.url),)))
    async with open_publisher(Destination(brokers, Topology(), confirm_timeout=20.0)) as opened:
        yield opened


def telling(journal: Journal, publisher: Publisher, mq: Mq) -> Notices:
    """What tells, which has told nothing yet."""

    async def make(senders: list[str]) -> None:
        await publisher.make(notices(mq, senders))

    return Notices(journal, publisher, notice_exchange(mq.answers), BRUSSELS, make)


def found(broker: Broker, mq: Mq, sender: str) -> list[tuple[str, Any]]:
    """What a sender takes out of its queue: ids and documents."""
    taken: list[tuple[str, Any]] = []
    with closing(pika.BlockingConnection(pika.URLParameters(broker.url))) as connection:
        channel = connection.channel()
        while True:
            method, properties, body = channel.basic_get(notice_queue(mq.answers, sender), auto_ack=True)
            if method is None:
                return taken
            assert properties.headers is not None
            assert "maintenance" == properties.headers["Notice"]
            taken.append((properties.message_id or "", json.loads(body or b"")))


def by_message(journal: Journal, sender: str) -> None:
    """A sender with the channel of messages."""
    with journal.write() as connection:
        parties.add_sender(
            connection, Sender(sender, SignatureProfile.DETACHED, "R", ("*",), active=True), [Channel.MQ]
        )


def announced(journal: Journal, reason: str) -> None:
    """Maintenance in an hour."""
    at = now()
    with journal.write() as connection:
        maintenance.announce(connection, WHO, at + HOUR, at + 2 * HOUR, reason)


async def test_each_sender_is_told_once_and_finds_what_holds(
    journal: Journal, broker: Broker, publisher: Publisher, mq: Mq
) -> None:
    """Also one that comes later; a later notice takes the place of one that nobody has read."""
    by_message(journal, MINE)
    tells = telling(journal, publisher, mq)
    await tells.turn()
    announced(journal, "new disks")
    for _ in range(2):
        await tells.turn()
    first = found(broker, mq, MINE)
    by_message(journal, OTHER)
    await tells.turn()
    announced(journal, "other disks")
    await tells.turn()
    second, late = found(broker, mq, MINE), found(broker, mq, OTHER)

    assert ["new disks"] == [told["maintenance"]["reason"] for _, told in first]
    assert ["other disks"] == [told["maintenance"]["reason"] for _, told in second]
    assert second == late
    assert first[0][0] != second[0][0]


async def test_who_was_told_of_it_is_told_that_it_is_off(
    journal: Journal, broker: Broker, publisher: Publisher, mq: Mq
) -> None:
    """By a process too that was not there when it was announced; what holds has the same id whoever tells it."""
    by_message(journal, MINE)
    announced(journal, "new disks")
    ids = set()
    for _ in range(2):
        await telling(journal, publisher, mq).turn()
        ids |= {number for number, _ in found(broker, mq, MINE)}
    with journal.write() as connection:
        maintenance.call_off(connection, WHO, "they did not come")
    await telling(journal, publisher, mq).turn()

    assert 1 == len(ids)
    assert [{"maintenance": None}] == [told for _, told in found(broker, mq, MINE)]
