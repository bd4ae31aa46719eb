"""Senders that publish messages: the same file gets the same verdict and the same messages as over SFTP."""

import base64
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pika
import pytest
from lxml import etree

from tests.answers import download, listing
from tests.broker import Broker
from tests.gateway_process import SENDER, Site, running, three_forms, today
from tests.mq_sender import USER, Message, MqSender, mq_sender, mq_user, open_to_messages

__all__ = ["mq_sender", "mq_user"]

_TIME = re.compile(rb"<(FormCreationDate|FormCreationHour|ReceptionDate|ReceptionHour)>[0-9:.-]+</\1>")


@pytest.fixture
def queue(site: Site, mq_sender: MqSender) -> str:
    """The routing queue of a site whose door of messages is open."""
    return open_to_messages(site, mq_sender)


def take(broker: Broker, queue: str, count: int) -> Iterator[tuple[Any, bytes]]:
    """So many declarations from the routing queue, in their order."""
    connection = pika.BlockingConnection(pika.URLParameters(broker.url))
    for taken, (method, properties, body) in enumerate(connection.channel().consume(queue, auto_ack=True), 1):
        assert method is not None
        yield properties, body
        if taken == count:
            break
    connection.close()


def bare(told: bytes, rows: list[dict[str, Any]]) -> bytes:
    """What is told without what differs: of the one submission it is about the ticket and the name, and times.

    By what a file came is told in words of the network (zone 00737), which differ; each has its own.
    """
    [row] = [row for row in rows if row["ticket"].encode() in told]
    assert row["name"].encode() in told
    came_by = b"14" if row["name"].startswith("GO.") else b"6"
    told = told.replace(b"<Channel>%b</Channel>" % came_by, b"<Channel/>")
    return _TIME.sub(b"", told.replace(row["ticket"].encode(), b"").replace(row["name"].encode(), b""))


def facts(rows: list[dict[str, Any]], prefix: str) -> list[dict[str, Any]]:
    """Of the submissions whose names begin so everything but ticket, name and time."""
    own = {"ticket", "name", "received", "verdict", "closed"}
    return [{k: v for k, v in row.items() if k not in own} for row in rows if row["name"].startswith(prefix)]


def verify(site: Site, body: bytes, signature: str) -> None:
    """An answer by message is signed as one in OUT."""
    data, der = site.work / "answer", site.work / "answer.der"
    data.write_bytes(body)
    der.write_bytes(base64.b64decode(signature))
    command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", str(der), "-content", str(data)]
    trust = ["-CAfile", str(site.settings.signing.certificate), "-purpose", "any", "-out", "/dev/null"]
    subprocess.run([*command, *trust], check=True, capture_output=True)


def test_the_same_file_by_sftp_and_by_message_has_the_same_verdict_and_the_same_messages(
    site: Site, queue: str, broker: Broker, mq_sender: MqSender
) -> None:
    """Byte for byte but for ticket, name and time: one that is accepted, one with anomalies."""
    good, bad = three_forms(), three_forms().replace(b">SU<", b">XX<")
    with running(site) as gateway:
        by_message = []
        for number, data in ((1, good), (2, bad)):
            names = site.write_set(f"DIMN.{SENDER}.{today()}.0000{number}.R", data)
            assert 0 == site.sftp("cd IN", *(f"put {name}" for name in names)).returncode
            for _ in range(number):
                gateway.wait_for("answer.placed")
            name = f"FI.DIMN.{SENDER}.{today()}.0001{number}.R.1.1"
            (site.work / name).write_bytes(data)
            message = Message(data, name, site.sign(name).decode())
            mq_sender.send(message)
            by_message += [(message, *answer) for answer in mq_sender.answers(SENDER, number)]
        files = sorted(name for name in listing(site, "OUT") if name.startswith("FO."))
        told = [download(site, name) for name in files]
        declarations = list(take(broker, queue, 6))
        rows = site.listing("submissions")

    assert sorted(bare(each, rows) for each in told) == sorted(bare(body, rows) for _, _, body in by_message)
    assert (by_files := facts(rows, "GO.")) == facts(rows, "FI.")
    assert ["accepted", "rejected"] == sorted(row["state"] for row in by_files)
    assert 3 == len(told)
    for message, properties, body in by_message:
        root = etree.fromstring(body)
        assert properties.correlation_id == message.message_id
        assert properties.headers["Ticket"] in {row["ticket"] for row in rows}
        assert properties.headers["FileName"].startswith("FO.")
        assert root.tag in {"ACRF", "NOTIFICATION"}
        verify(site, body, properties.headers["Signature"])
    assert [body for _, body in declarations[:3]] == [body for _, body in declarations[3:]]
    own = {"ticket", "file"}
    headers = [{k: v for k, v in properties.headers.items() if k not in own} for properties, _ in declarations]
    assert headers[:3] == headers[3:]
    assert headers[0] != headers[1]
    kinds = {(each.content_type, each.delivery_mode, each.user_id, each.type) for each, _ in declarations}
    assert 1 == len(kinds)


def test_sets_repeats_cancels_and_what_is_refused_by_message(site: Site, queue: str, mq_sender: MqSender) -> None:
    """Each has its one answer, to the user who sent it, with the code of the case."""
    site.configure("parts_grace_seconds = 60.0", "parts_grace_seconds = 0.5", section="mq")
    stem = f"DIMN.{SENDER}.{today()}.0002{{}}.R"

    def signed(number: int, tail: str, data: bytes | None = None) -> Message:
        name = f"FI.{stem.format(number)}.{tail}"
        (site.work / name).write_bytes(data or three_forms())
        return Message(data or three_forms(), name, site.sign(name).decode())

    def codes(*messages: Message, environment: str = "R") -> list[str]:
        mq_sender.send(*messages, environment=environment)
        [(properties, body)] = mq_sender.answers(SENDER, 1)
        assert properties.correlation_id == messages[0].message_id
        return [code.text or "" for code in etree.fromstring(body).iter("ErrorID")]

    with running(site):
        both = [signed(1, "2.1"), signed(1, "2.2")]
        assert [] == codes(*both)
        assert [] == codes(replace(both[0], message_id="again 1"), replace(both[1], message_id="again 2"))[1:]
        assert ["ACRF-120", "ACRF-122"] == codes(signed(2, "3.1"))
        assert ["ACRF-122"] == codes(replace(signed(3, "1.1"), signature=None))
        assert ["ACRF-125"] == codes(replace(signed(4, "1.1"), signature="bm9uZQ=="))
        assert ["ACRF-118"] == codes(signed(5, "1.1"), environment="T")
        other = f"DIMN.654321.{today()}.00026.R"
        assert ["ACRF-108"] == codes(replace(signed(6, "1.1"), name=f"FI.{other}.1.1"))
        assert ["ACRF-131"] == codes(Message(b"<a/>", "no name at all"))


def test_users_of_a_channel_that_signs_for_them(site: Site, queue: str, mq_sender: MqSender) -> None:
    """An Isabel-like profile: no FS, which is refused (121); and its own codes for a mailbox and a repeat."""
    site.configure("profiles = []", f'profiles = [{{ name = "isabel", users = ["{USER}"] }}]')
    name = f"FI.DIMN.{SENDER}.{today()}.00031.R.1.1"

    def codes(message: Message) -> list[str]:
        mq_sender.send(message)
        [(_, body)] = mq_sender.answers(SENDER, 1)
        return [code.text or "" for code in etree.fromstring(body).iter("ErrorID")]

    with running(site):
        assert ["ACRF-121"] == codes(Message(three_forms(), name, "c2ln"))
        assert [] == codes(Message(three_forms(), name))
        assert ["ACRF-143"] == codes(Message(three_forms() + b"\n", name))
        assert ["ACRF-038"] == codes(Message(three_forms(), name.replace("31.R", "32.R"), {"no": "text"}))
        assert ["ACRF-140"] == codes(Message(three_forms(), name.replace(SENDER, "654321")))
