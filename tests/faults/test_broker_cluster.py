"""Two thousand submissions cross a broker whose three nodes fail: nothing is lost, nothing is twice.

The gateway's own parts take them into custody and publish the answers; the judge between the two is left out, and each
submission is answered by its ticket as soon as custody has it.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from channels.mq import topology
from channels.mq.addresses import Brokers, brokers_of
from channels.mq.consumer import TAKEN, Desk, Limits, Settled, consume
from channels.mq.delivery import Delivery
from channels.mq.messages import OutgoingMessage
from channels.mq.publisher import BrokerUnavailable, Destination, Publisher, open_publisher
from channels.mq.staging import Staging, StagingLimits
from config.messages import Broker, Mq
from config.settings import Settings, Spool
from gateway import parties
from gateway.message_door import Behind, open_message_door
from gateway.openings import Channel
from gateway.parties import Sender, SignatureProfile
from spool.custody import Custody
from spool.journal import Journal
from spool.tables import submissions
from tests.broker_cluster import Cluster

SENDER, USER = "123456", "payroll01"
TOGETHER: Final = 700
"""Submissions for each of three faults."""
UNDERWAY: Final = 40
"""So many submissions wait for their answer at a time."""


@dataclass
class Traffic:
    """A sender that publishes and reads its answers, and what it has seen."""

    publisher: Publisher
    sent: int = 0
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    _waiting: dict[str, asyncio.Event] = field(default_factory=dict)
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(UNDERWAY))

    async def send(self, count: int) -> None:
        """Send so many submissions and return when each has its answer."""
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                await self._room.acquire()
                self.sent += 1
                group.create_task(self._submit(self.sent))

    async def _submit(self, number: int) -> None:
        message_id = f"submission-{number}"
        answered = self._waiting[message_id] = asyncio.Event()
        headers = {"FileName": f"FI.DIMN.{SENDER}.20261121.{number:05}.T.1.1"}
        message = OutgoingMessage("batch.in", "T", message_id, b"<a/>", headers, user_id=USER)
        await _until_published(self.publisher, message)
        await answered.wait()
        self._room.release()

    async def read(self, delivery: Delivery) -> Settled:
        """Take an answer; a repeat of one is known by its message id."""
        self.answers[delivery.message_id, delivery.correlation_id] += 1
        self._waiting[delivery.correlation_id].set()
        return TAKEN


async def _until_published(publisher: Publisher, message: OutgoingMessage) -> None:
    while True:
        await publisher.wait_connected()
        with suppress(BrokerUnavailable):
            await publisher.publish(message)
            return
        await asyncio.sleep(0.05)  # a broker without its majority refuses at once


async def _answer(journal: Journal, publisher: Publisher, taken: asyncio.Event) -> None:
    """Answer what is in custody, as the gateway's rounds do once it is judged."""
    answered: set[str] = set()

    def new() -> list[tuple[str, str]]:
        with journal.read() as connection:
            rows = connection.execute(sa.select(submissions.c.ticket, submissions.c.message_id)).all()
        return [(ticket, message_id) for ticket, message_id in rows if ticket not in answered]

    while True:
        await taken.wait()
        taken.clear()
        waiting = await asyncio.to_thread(new)
        answers = [
            OutgoingMessage("batch.out", SENDER, ticket, b"<b/>", {"Ticket": ticket}, correlation_id=message_id)
            for ticket, message_id in waiting
        ]
        await asyncio.gather(*(_until_published(publisher, answer) for answer in answers))
        answered.update(ticket for ticket, _ in waiting)


@asynccontextmanager
async def _traffic(cluster: Cluster, journal: Journal, folder: Path) -> AsyncIterator[Traffic]:
    """The gateway's door and its answers, and a sender, each with connections of its own to all three nodes."""
    settings = Settings(
        spool=Spool(path=folder),
        broker=Broker(urls=tuple(map(SecretStr, cluster.urls)), heartbeat_seconds=5),
        mq=Mq(enabled=True),
    )
    gateways = brokers_of(settings.broker)
    senders = _as_sender(cluster)
    made = topology.door(settings.mq) + topology.answers(settings.mq, [SENDER])
    taken = asyncio.Event()
    limits = StagingLimits(1024, 1024**2, 0)
    async with (
        open_publisher(Destination(gateways, made, confirm_timeout=5.0)) as publisher,
        open_publisher(Destination(senders, confirm_timeout=5.0)) as client,
    ):
        await publisher.wait_connected()
        traffic = Traffic(client)
        desk = Desk(traffic.read, publisher.publish, Staging(folder / "staging", limits), Limits(UNDERWAY))
        behind = Behind(Custody(folder / "custody", journal), journal, publisher, taken.set, lambda: False)
        async with open_message_door(settings, behind):
            turns = [
                asyncio.create_task(consume(senders, f"batch.out.{SENDER}", desk)),
                asyncio.create_task(_answer(journal, publisher, taken)),
            ]
            try:
                yield traffic
            finally:
                for turn in turns:
                    turn.cancel()
                await asyncio.gather(*turns, return_exceptions=True)


def _as_sender(cluster: Cluster) -> Brokers:
    """The same addresses for the technical user, in the other order."""
    secrets = tuple(SecretStr(node.url_of(USER, "invented")) for node in reversed(cluster.nodes))
    return brokers_of(Broker(urls=secrets, heartbeat_seconds=5))


async def _kill_the_leader(cluster: Cluster, traffic: Traffic) -> None:
    """Kill whoever leads the queue while messages flow; start it again while they flow."""
    leader = await asyncio.to_thread(cluster.leader, "batch.in.T")
    for node in cluster.nodes:
        await asyncio.to_thread(node.settle)
    await _meanwhile(traffic, TOGETHER // 2, leader.kill)
    await _meanwhile(traffic, TOGETHER // 2, cluster.start)


async def _cut_the_leader_off(cluster: Cluster, traffic: Traffic) -> None:
    """Let the leader be alone, with its connections neither working nor closed; then let it come back."""
    leader = await asyncio.to_thread(cluster.leader, "batch.in.T")
    await _meanwhile(traffic, TOGETHER // 2, lambda: cluster.cut(leader))
    await _meanwhile(traffic, TOGETHER // 2, lambda: cluster.mend(leader))


async def _restart_one_after_another(cluster: Cluster, traffic: Traffic) -> None:
    """As for an upgrade: each node is stopped and started while messages flow through the others."""
    share = TOGETHER // (2 * len(cluster.nodes)) + 1
    for node in cluster.nodes:
        await _meanwhile(traffic, share, node.stop)
        await _meanwhile(traffic, share, cluster.start)


async def _meanwhile(traffic: Traffic, count: int, act: Callable[[], None]) -> None:
    """Send so many submissions, and ``act`` when a tenth of them is answered; return when each has its answer."""
    await traffic.send(count // 10)
    await asyncio.gather(traffic.send(count - count // 10), asyncio.to_thread(act))


@pytest.mark.parametrize("fault", [_kill_the_leader, _cut_the_leader_off, _restart_one_after_another])
@pytest.mark.timeout(420)
async def test_no_submission_is_lost_or_taken_twice_and_each_has_one_answer(
    broker_cluster: Cluster, journal: Journal, tmp_path: Path, fault: Callable[[Cluster, Traffic], Awaitable[None]]
) -> None:
    """Custody has each message id once, and each ticket is answered once, but for repeats under the same id."""
    _prepare(broker_cluster, journal)
    async with _traffic(broker_cluster, journal, tmp_path / "spool") as traffic:
        await fault(broker_cluster, traffic)

    with journal.read() as connection:
        rows = connection.execute(sa.select(submissions.c.ticket, submissions.c.message_id)).all()
    expected = {f"submission-{number + 1}" for number in range(traffic.sent)}
    assert traffic.sent >= TOGETHER
    assert sorted(expected) == sorted(message_id for _, message_id in rows)
    assert {(ticket, message_id) for ticket, message_id in rows} == set(traffic.answers)


def _prepare(cluster: Cluster, journal: Journal) -> None:
    with journal.write() as connection:
        sender = Sender(SENDER, SignatureProfile.DETACHED, "T", ("*",), active=True)
        parties.add_sender(connection, sender, [Channel.MQ])
        parties.add_user(connection, SENDER, USER, [])
    cluster.nodes[0].add_user(USER, "invented", write=r"^batch\.in$", read=r"^batch\.out\.")
