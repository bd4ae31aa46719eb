"""Traps of sending twice: over two channels at once, the same message many times at once, many sets at once."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pika
import pytest
from lxml import etree

from tests.answers import download, listing
from tests.authority import Credential, Pki
from tests.broker import Broker
from tests.command_line import done
from tests.gateway_process import SENDER, GatewayProcess, Site, make_test_site, running, three_forms, today
from tests.mq_sender import Message, MqSender, make_sender, mq_user, open_to_messages

__all__ = ["mq_user"]

_COPIES = 3
_LOAD = 10
_ONCE = ("submission.accepted", "answer.placed", "answer.published", "submission.closed")


@dataclass(frozen=True)
class House:
    """A gateway with both doors open, and a sender who uses both."""

    site: Site
    gateway: GatewayProcess
    sender: MqSender
    queue: str

    def message(self, stem: str, signature: str | None = None) -> Message:
        """A valid FI as a message with an id of its own."""
        name = f"FI.{stem}.1.1"
        (self.site.work / name).write_bytes(three_forms())
        return Message(three_forms(), name, signature or self.site.sign(name).decode())

    def ask(self, *words: str) -> Any:
        """What ``gateway`` answers to ``words``."""
        return json.loads(done(self.site, *words, "--json"))

    def closed(self, stem: str, count: int) -> list[dict[str, Any]]:
        """So many submissions of names that begin so, once nothing of them is left to be done."""
        while True:
            rows = [row for row in self.ask("submissions") if f".{stem}" in row["name"]]
            if len(rows) == count and all(row["closed"] is not None for row in rows):
                return rows
            self.gateway.wait_for("submission.closed")

    def told(self, count: int) -> list[tuple[Any, bytes]]:
        """So many answers by message."""
        return self.sender.answers(SENDER, count)

    def forwarded(self) -> list[str]:
        """Take what is on the routing queue: the message ids."""
        connection = pika.BlockingConnection(pika.URLParameters(self.sender.broker.url))
        channel, ids = connection.channel(), []
        while (got := channel.basic_get(self.queue, auto_ack=True))[0] is not None:
            ids.append(str(got[1].message_id))
        connection.close()
        return ids


def declarations(*tickets: str) -> list[str]:
    """The message ids of three declarations of each ticket."""
    return sorted(f"{ticket}-00000{form}" for ticket in tickets for form in (1, 2, 3))


def codes(body: bytes) -> list[str | None]:
    """What an acknowledgement finds."""
    return [code.text for code in etree.fromstring(body).iter("ErrorID")]


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory, pki: Pki, signer: Credential, broker_node: Broker, mq_user: None
) -> Iterator[House]:
    """One for all tests of this file; each uses names of its own."""
    broker_node.start()
    site = make_test_site(tmp_path_factory.mktemp("twice"), pki, signer)
    sender = make_sender(broker_node)
    queue = open_to_messages(site, sender)
    site.configure("retry_seconds = 5.0", "retry_seconds = 0.1", section="judging")
    site.configure("retry_ceiling_seconds = 300.0", "retry_ceiling_seconds = 0.2")
    with running(site) as gateway:
        yield House(site, gateway, sender, queue)


def test_two_messages_at_once_same_content_stored(house: House) -> None:
    """One of them is accepted and forwarded; each has its answer, the same one, under its own id."""
    stem = f"DIMN.{SENDER}.{today()}.00001.R"
    first = house.message(stem)
    copies = [replace(first, message_id=f"copy {number}") for number in range(_COPIES)]
    house.sender.send(*copies)
    answers = house.told(_COPIES)
    rows = house.closed(stem, _COPIES)

    assert ["accepted", "repeated", "repeated"] == sorted(row["state"] for row in rows)
    [accepted] = [row["ticket"] for row in rows if row["state"] == "accepted"]
    assert {copy.message_id for copy in copies} == {properties.correlation_id for properties, _ in answers}
    assert 1 == len({body for _, body in answers})
    assert declarations(accepted) == sorted(house.forwarded())


def test_old_channel_left_on_everything_sent_twice(house: House) -> None:
    """By SFTP and by message at once: accepted once, forwarded once, and each channel has one and the same answer."""
    stem = f"DIMN.{SENDER}.{today()}.00002.R"
    names, message = house.site.write_set(stem), house.message(stem)
    before = listing(house.site, "OUT")
    with ThreadPoolExecutor(1) as other:
        uploading = other.submit(house.site.sftp, "cd IN", *(f"put {name}" for name in names))
        house.sender.send(message)
        assert 0 == uploading.result().returncode
    [(properties, by_message)] = house.told(1)
    rows = house.closed(stem, 2)
    [name] = [name for name in listing(house.site, "OUT") - before if name.startswith("FO.")]

    assert ["accepted", "repeated"] == sorted(row["state"] for row in rows)
    [accepted] = [row["ticket"] for row in rows if row["state"] == "accepted"]
    assert (message.message_id, by_message) == (properties.correlation_id, download(house.site, name))
    assert declarations(accepted) == sorted(house.forwarded())


def test_retry_of_a_failed_file_refused_as_duplicate(house: House) -> None:
    """A message that was refused may come again, as it was and put right, under its name and an id of its own."""
    stem = f"DIMN.{SENDER}.{today()}.00003.R"
    bad, found = house.message(stem, "bm9uZQ=="), []
    for message in (bad, replace(bad, message_id="as it was"), house.message(stem)):
        house.sender.send(message)
        [(properties, body)] = house.told(1)
        assert message.message_id == properties.correlation_id
        found.append(codes(body))
    rows = house.closed(stem, 3)

    assert [["ACRF-125"], ["ACRF-125"], []] == found
    assert ["accepted", "rejected", "rejected"] == sorted(row["state"] for row in rows)
    assert 3 == len(house.forwarded())


def test_live_data_in_the_test_system(house: House) -> None:
    """A production signature in the queue of tests, and a file of tests in the queue of production: neither goes on."""
    stem = f"DIMN.{SENDER}.{today()}.00004.T"
    found = []
    for environment in ("T", "R"):
        house.sender.send(replace(house.message(stem), message_id=environment), environment=environment)
        [(_, body)] = house.told(1)
        found.append(codes(body))
    house.closed(stem, 2)

    assert [["ACRF-125"], ["ACRF-119"]] == found
    assert [] == house.forwarded()


def test_proof_of_sending_cannot_be_matched_to_my_document(house: House) -> None:
    """The acknowledgement has my name of the file and its ticket, and the ticket's status the hash of what I sent."""
    stem = f"DIMN.{SENDER}.{today()}.00005.R"
    message = house.message(stem)
    house.sender.send(message)
    [(properties, body)] = house.told(1)
    house.closed(stem, 1)
    ticket = properties.headers["Ticket"]
    house.site.sftp(f"get STATUS/{ticket}.json")
    status = json.loads((house.site.work / f"{ticket}.json").read_bytes())
    reference = etree.fromstring(body).find("Form/FileReference")

    assert reference is not None
    assert (message.name, ticket) == (reference.findtext("FileName"), reference.findtext("ReferenceNbr"))
    assert message.message_id == properties.correlation_id
    sent = {file["name"]: file["sha256"] for file in status["files"]}
    assert hashlib.sha256(message.body).hexdigest() == sent[str(message.name)]
    house.forwarded()


def test_hook_fired_twice_under_load(house: House) -> None:
    """Many sets by both channels at once: everything that follows from a verdict follows once, for each of them."""
    stems = [f"DIMN.{SENDER}.{today()}.001{number:02}.R" for number in range(2 * _LOAD)]
    messages = [house.message(stem) for stem in stems[:_LOAD]]
    uploads = [name for stem in stems[_LOAD:] for name in house.site.write_set(stem)]
    before = listing(house.site, "OUT")
    with ThreadPoolExecutor(2) as others:
        halves = uploads[: len(uploads) // 2], uploads[len(uploads) // 2 :]
        sending = [others.submit(house.site.sftp, "cd IN", *(f"put {name}" for name in half)) for half in halves]
        house.sender.send(*messages)
        assert [0, 0] == [each.result().returncode for each in sending]
    answers = house.told(_LOAD)
    rows = house.closed(f"DIMN.{SENDER}.{today()}.001", 2 * _LOAD)
    placed = [name for name in listing(house.site, "OUT") - before if name.startswith("FO.")]

    assert {"accepted"} == {row["state"] for row in rows}
    assert (_LOAD, _LOAD) == (len({properties.correlation_id for properties, _ in answers}), len(placed))
    assert declarations(*(row["ticket"] for row in rows)) == sorted(house.forwarded())
    for row in rows:
        events = Counter(one["event"] for one in house.ask("show", row["ticket"])["timeline"])
        assert {1} == {events[name] for name in _ONCE if name in events}
