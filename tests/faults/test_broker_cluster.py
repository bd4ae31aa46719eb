"""Two thousand submissions cross a broker whose three nodes fail: nothing is lost, nothing is twice.

The gateway is the real one: each submission is judged, answered to its sender's queue, and its declaration forwarded.
"""

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pika
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from lxml import etree
from pydantic import SecretStr

from channels.mq import topology
from channels.mq.addresses import Brokers, brokers_of
from channels.mq.consumer import TAKEN, Desk, Handler, Limits, Settled, consume
from channels.mq.declaring import administering
from channels.mq.delivery import Delivery
from channels.mq.messages import OutgoingMessage
from channels.mq.publisher import BrokerUnavailable, Destination, Publisher, open_publisher
from channels.mq.staging import Staging, StagingLimits
from config.messages import Broker
from tests.authority import Credential
from tests.broker_cluster import Cluster
from tests.gateway_process import SENDER, USER, Site, running, three_forms, today

ALL: Final = 2000
"""Submissions, a third of them for each fault."""
TOGETHER: Final = ALL // 3 + 1
UNDERWAY: Final = 40
"""So many submissions wait for their answer at a time."""


@dataclass
class Traffic:
    """A sender that reads its answers, an institution that reads declarations, and what they have seen."""

    publisher: Publisher
    signer: Credential
    sent: int = 0
    answers: Counter[tuple[str, str, object]] = field(default_factory=Counter)
    declarations: Counter[str] = field(default_factory=Counter)
    _waiting: dict[str, asyncio.Event] = field(default_factory=dict)
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(UNDERWAY))
    _forwarded: asyncio.Condition = field(default_factory=asyncio.Condition)

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
        data = _document(number)
        headers = {"FileName": f"FI.DIMN.{SENDER}.{today()}.{number:05}.R.1.1", "Signature": _sign(data, self.signer)}
        message = OutgoingMessage("batch.in", "R", message_id, data, headers, user_id=USER)
        await _until_published(self.publisher, message)
        await answered.wait()
        self._room.release()

    async def read_answer(self, delivery: Delivery) -> Settled:
        """Take an answer; a repeat of one is known by its message id."""
        self.answers[delivery.message_id, delivery.correlation_id, delivery.headers["Ticket"]] += 1
        self._waiting[delivery.correlation_id].set()
        return TAKEN

    async def read_declaration(self, delivery: Delivery) -> Settled:
        """Take a declaration; a repeat of one is known by its message id."""
        async with self._forwarded:
            self.declarations[delivery.message_id] += 1
            self._forwarded.notify_all()
        return TAKEN

    async def forwarded(self) -> None:
        """Return when as many declarations came as submissions went."""
        async with asyncio.timeout(60), self._forwarded:
            await self._forwarded.wait_for(lambda: len(self.declarations) >= self.sent)


def _document(number: int) -> bytes:
    """A file of one declaration, which no other has."""
    root = etree.fromstring(three_forms())
    for form in root.findall("Form")[1:]:
        root.remove(form)
    reference = root.find("Form/Reference/ReferenceNbr")
    assert reference is not None
    reference.text = f"VOORBEELD-{number:04}"
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _sign(data: bytes, signer: Credential) -> str:
    """The header Signature: base64 of a detached CMS."""
    certificate, key = signer.read(), signer.private()
    assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary]
    builder = pkcs7.PKCS7SignatureBuilder().set_data(data).add_signer(certificate, key, hashes.SHA256())
    return base64.b64encode(builder.sign(Encoding.DER, options)).decode()


async def _until_published(publisher: Publisher, message: OutgoingMessage) -> None:
    while True:
        await publisher.wait_connected()
        with suppress(BrokerUnavailable):
            await publisher.publish(message)
            return
        await asyncio.sleep(0.05)  # a broker without its majority refuses at once


@asynccontextmanager
async def _traffic(cluster: Cluster, site: Site, folder: Path) -> AsyncIterator[Traffic]:
    """A sender and an institution, each with connections of its own to all three nodes."""
    senders = _as_sender(cluster)
    institution = brokers_of(Broker(urls=tuple(map(SecretStr, cluster.urls)), heartbeat_seconds=5))
    async with (
        open_publisher(Destination(senders, confirm_timeout=5.0)) as client,
        open_publisher(Destination(institution, confirm_timeout=5.0)) as burying,
    ):
        await client.wait_connected()
        traffic = Traffic(client, site.signer)

        def desk(handler: Handler) -> Desk:
            limits = StagingLimits(1024**2, 64 * 1024**2, 0)
            return Desk(handler, burying.publish, Staging(folder / handler.__name__, limits), Limits(UNDERWAY))

        turns = [
            asyncio.create_task(consume(senders, f"batch.out.{SENDER}", desk(traffic.read_answer))),
            asyncio.create_task(consume(institution, "declarations", desk(traffic.read_declaration))),
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
    leader = await asyncio.to_thread(cluster.leader, "batch.in.R")
    await asyncio.to_thread(cluster.wait_until_it_can_do_without, leader)
    await _meanwhile(traffic, TOGETHER // 2 + 1, leader.kill)
    await _meanwhile(traffic, TOGETHER // 2 + 1, cluster.start)


async def _cut_the_leader_off(cluster: Cluster, traffic: Traffic) -> None:
    """Let the leader be alone, with its connections neither working nor closed; then let it come back."""
    leader = await asyncio.to_thread(cluster.leader, "batch.in.R")
    await asyncio.to_thread(cluster.wait_until_it_can_do_without, leader)
    await _meanwhile(traffic, TOGETHER // 2 + 1, lambda: cluster.cut(leader))
    await _meanwhile(traffic, TOGETHER // 2 + 1, lambda: cluster.mend(leader))


async def _restart_one_after_another(cluster: Cluster, traffic: Traffic) -> None:
    """As for an upgrade: each node is stopped and started while messages flow through the others."""
    share = TOGETHER // (2 * len(cluster.nodes)) + 1
    for node in cluster.nodes:
        await asyncio.to_thread(cluster.wait_until_it_can_do_without, node)
        await _meanwhile(traffic, share, node.stop)
        await _meanwhile(traffic, share, cluster.start)


async def _meanwhile(traffic: Traffic, count: int, act: Callable[[], None]) -> None:
    """Send so many submissions, and ``act`` when a tenth of them is answered; return when each has its answer."""
    await traffic.send(count // 10)
    await asyncio.gather(traffic.send(count - count // 10), asyncio.to_thread(act))


@pytest.mark.timeout(600)
async def test_no_submission_is_lost_or_taken_twice_and_each_has_one_answer(
    broker_cluster: Cluster, site: Site, tmp_path: Path
) -> None:
    """Each message id is one accepted submission, with one answer and one declaration, but for repeats under one id."""
    _prepare(broker_cluster, site)
    with running(site):
        async with _traffic(broker_cluster, site, tmp_path / "read") as traffic:
            for fault in (_kill_the_leader, _cut_the_leader_off, _restart_one_after_another):
                await fault(broker_cluster, traffic)
            await traffic.forwarded()

    rows = site.listing("submissions", "--limit=10000")
    tickets = {row["ticket"] for row in rows}
    assert traffic.sent >= ALL
    assert {"accepted"} == {row["state"] for row in rows}
    assert traffic.sent == len(rows) == len(traffic.answers)
    assert {f"submission-{number + 1}" for number in range(traffic.sent)} == {own for _, own, _ in traffic.answers}
    assert tickets == {ticket for _, _, ticket in traffic.answers}
    assert {f"{ticket}-000001" for ticket in tickets} == set(traffic.declarations)


def _prepare(cluster: Cluster, site: Site) -> None:
    """Let the site use the cluster's nodes, and its user the broker."""
    site.configure("urls = []", f"urls = {list(cluster.urls)}".replace("'", '"'))
    site.configure("heartbeat_seconds = 30", "heartbeat_seconds = 5")
    site.configure("confirm_seconds = 30.0", "confirm_seconds = 5.0")
    site.configure("enabled = false", "enabled = true", section="mq")
    mq, routing = site.settings.mq, site.settings.routing
    with administering([pika.URLParameters(cluster.urls[0])]) as administration:
        made = topology.door(mq) + topology.answers(mq, [SENDER]) + topology.routing(routing)
        assert not list(administration.declare(made))
    cluster.nodes[0].add_user(USER, "invented", write=r"^batch\.in$", read=r"^batch\.out\.")
    for node in cluster.nodes:
        node.settle()
