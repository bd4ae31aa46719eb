"""The door of message queues against a real broker: what is taken, once; what is refused or dead; what waits."""

import asyncio
import hashlib
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pika
import pytest
from pika import exceptions
from pydantic import SecretStr

from channels.mq import amqp10, consumer, topology
from channels.mq.addresses import brokers_of
from channels.mq.declaring import administering
from channels.mq.publisher import Destination, open_publisher
from channels.mq.topology import Topology
from config.messages import Broker as BrokerSection
from config.messages import MessageProfile
from config.settings import Settings, Spool
from gateway import accounts, parties
from gateway.message_door import Behind, open_message_door
from gateway.openings import Channel
from gateway.parties import Sender, SignatureProfile
from spool import submissions
from spool.custody import Custody
from spool.journal import Journal, JournalError
from spool.submissions import Submission
from tests.broker import Broker
from tests.mq_sender import USER, Message, MqSender, mq_sender, mq_user

__all__ = ["mq_sender", "mq_user"]

SENDER = "123456"
STEM = f"DIMN.{SENDER}.20261121.00001.R"
LARGE = 300_000


async def until(holds: Callable[[], bool]) -> None:
    """Return once the broker has come to something that it tells nobody of by itself."""
    while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - there is no event of it
        await asyncio.sleep(0.02)


@dataclass
class House:
    """What the door leads to; ``taken`` is rung after every set."""

    journal: Journal
    settings: Settings
    sender: MqSender
    taken: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    full: bool = False
    asked: int = 0

    def is_full(self) -> bool:
        """Whether intake is held up; counted."""
        self.asked += 1
        return self.full

    @property
    def custody(self) -> Custody:
        """Where sets are taken to."""
        return Custody(self.settings.spool.path / "custody", self.journal)

    @asynccontextmanager
    async def open(self, custody: Custody | None = None) -> AsyncIterator[None]:
        """Let the door be open for the time of the block."""
        brokers = brokers_of(self.settings.broker)
        async with open_publisher(Destination(brokers, Topology(), 20.0)) as publisher:
            await publisher.wait_connected()
            ring = self.taken.release
            behind = Behind(custody or self.custody, self.journal, publisher, ring, self.is_full)
            async with open_message_door(self.settings, behind):
                yield

    async def send(self, *messages: Message, environment: str = "R") -> None:
        """Publish."""
        await asyncio.to_thread(self.sender.send, *messages, environment=environment)

    async def next(self) -> Submission:
        """The newest submission, once one more was taken."""
        await self.taken.acquire()
        return self.all()[0]

    def all(self) -> list[Submission]:
        """Every submission with its files, the newest first."""
        with self.journal.read() as connection:
            tickets = [found.ticket for found in submissions.search(connection)]
            return [found for ticket in tickets if (found := submissions.load(connection, ticket)) is not None]

    async def dead(self) -> tuple[Any, bytes]:
        """The message that is dead, once there is one."""
        found: list[tuple[Any, bytes]] = []

        def any_dead() -> bool:
            found.extend(self.sender.dead())
            return bool(found)

        await until(any_dead)
        [one] = found
        return one

    async def emptied(self, environment: str = "R") -> None:
        """Return once the broker has nothing more for us, nothing unacknowledged either."""
        await until(lambda: not self.sender.unsettled(environment))


@pytest.fixture
def house(tmp_path: Path, journal: Journal, broker: Broker, mq_sender: MqSender) -> House:
    """A spool, and a sender with a technical user and one that has none."""
    settings = Settings(
        spool=Spool(path=tmp_path / "spool", reserve=1),
        broker=BrokerSection(urls=(SecretStr(broker.url),)),
        mq=mq_sender.mq,
    )
    with journal.write() as connection:
        sender = Sender(SENDER, SignatureProfile.DETACHED, "RTS", ("*",), active=True)
        parties.add_sender(connection, sender, [Channel.MQ])
        parties.add_user(connection, SENDER, USER, [])
    return House(journal, settings, mq_sender)


def part(number: int, of: int, body: bytes = b"<a/>", stem: str = STEM) -> Message:
    """One FI with something that is no signature."""
    return Message(body, f"FI.{stem}.{of}.{number}", "bm8gc2lnbmF0dXJl")


@pytest.mark.parametrize("size", [100, LARGE])
async def test_a_message_is_a_submission_and_then_acknowledged(house: House, size: int) -> None:
    """Small and large: FI and FS are in custody as sent, and the broker has nothing more."""
    message = part(1, 1, b"x" * size)
    async with house.open():
        await house.send(message)
        taken = await house.next()

    folder = house.custody.folder(taken.ticket, taken.received_at)
    assert ("mq", SENDER, USER, "IN", message.name) == (
        taken.channel, taken.sender, taken.username, taken.directory, taken.name,
    )  # fmt: skip
    assert (message.message_id, ()) == (taken.message_id, taken.findings)
    assert message.body == (folder / str(message.name)).read_bytes()
    assert message.signature == (folder / f"FS.{STEM}.1.1").read_text()
    assert 0 == house.sender.waiting()
    assert [] == list(house.settings.spool.path.glob("messages/*/*"))


@pytest.mark.parametrize(("environment", "directory"), [("T", "INTEST"), ("S", "INTEST-S")])
async def test_the_queue_says_the_directory(house: House, environment: str, directory: str) -> None:
    """What the name says of the environment is for the judge to compare."""
    async with house.open():
        await house.send(part(1, 1), environment=environment)
        taken = await house.next()

    assert directory == taken.directory


async def test_a_set_is_taken_with_its_last_part_whichever_that_is(house: House) -> None:
    """Until then nothing of it is acknowledged; its id is that of its first part."""
    first, second, third = (part(number, 3, bytes(LARGE) + bytes([number])) for number in (1, 2, 3))
    async with house.open():
        await house.send(third, first)
        assert [] == house.all()
        await house.send(second)
        taken = await house.next()
        await house.emptied()

    assert [f"FI.{STEM}.3.{number}" for number in (1, 2, 3)] == [
        file.name for file in taken.files if file.name.startswith("FI")
    ]
    assert first.message_id == taken.message_id


async def test_a_set_whose_time_is_up_is_taken_as_it_is(house: House) -> None:
    """It gets its answer."""
    house.settings = house.settings.model_copy(
        update={"mq": house.sender.mq.model_copy(update={"parts_grace_seconds": 0.2})}
    )
    async with house.open():
        await house.send(part(2, 3))
        taken = await house.next()

    assert [f"FI.{STEM}.3.2", f"FS.{STEM}.3.2"] == [file.name for file in taken.files]


async def test_a_part_that_comes_again_with_other_bytes_takes_the_place_of_the_first(house: House) -> None:
    """As with an upload under the same name."""
    async with house.open():
        await house.send(part(1, 2, b"first"), part(1, 2, b"second"), part(2, 2))
        taken = await house.next()
        await house.emptied()

    assert hashlib.sha256(b"second").hexdigest() == taken.files[0].sha256
    assert 1 == len(house.all())


async def test_a_cancel_closes_the_set_that_waits(house: House) -> None:
    """A TD without body; the answer will be to it."""
    cancel = Message(b"", f"TD.{STEM}.2")
    async with house.open():
        await house.send(part(1, 2), cancel)
        taken = await house.next()

    assert (cancel.name, cancel.message_id) == (taken.name, taken.message_id)


async def test_the_same_message_again_is_the_same_submission(house: House) -> None:
    """Be it delivered again, or sent again under its id: it is acknowledged, and nothing new comes of it."""
    message = part(1, 1)
    async with house.open():
        await house.send(message)
        await house.next()
        await house.send(message)
        await house.emptied()
        await house.send(replace(message, message_id="another"))
        taken = await house.next()

    assert ["another", message.message_id] == [each.message_id for each in house.all()]
    assert "another" == taken.message_id


async def test_one_part_of_a_taken_set_that_comes_again_does_not_wait_for_the_others(house: House) -> None:
    """The acknowledgement of one of several may be lost."""
    first, second = part(1, 2), part(2, 2)
    async with house.open():
        await house.send(first, second)
        await house.next()
        await house.send(second)
        await house.emptied()

    assert 1 == len(house.all())


async def test_lost_acknowledgements_make_no_second_submission(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection goes after custody was committed and before the ack: the broker delivers again, to a new one."""
    lost = asyncio.Event()
    ack = pika.channel.Channel.basic_ack

    def lose_the_first(channel: Any, *arguments: Any, **named: Any) -> None:
        if not lost.is_set() and len(house.all()) == 1:
            lost.set()
            channel.connection._terminate_stream(ConnectionError("lost by a test"))
            return
        ack(channel, *arguments, **named)

    monkeypatch.setattr(pika.channel.Channel, "basic_ack", lose_the_first)
    async with house.open():
        await house.send(part(1, 1))
        await house.next()
        await lost.wait()
        await house.emptied()

    assert 1 == len(house.all())


async def test_a_message_of_nobody_is_dead_with_its_reason(house: House) -> None:
    """Without user_id there is nobody to answer."""
    message = replace(part(1, 1), user_id=None)
    async with house.open():
        await house.send(message)
        properties, body = await house.dead()
        await house.emptied()

    assert (message.body, message.message_id) == (body, properties.message_id)
    assert "108: the message has no user_id" == properties.headers["Reason"]
    assert [] == house.all()


async def test_a_client_that_cannot_say_its_user_is_known_by_its_entrance(house: House) -> None:
    """Only that user may write there; other exchanges prove nothing."""
    with administering([pika.URLParameters(house.sender.broker.url)]) as administration:
        assert not list(administration.declare(topology.entrances(house.sender.mq, [USER])))
    own = replace(house.sender, entrance=topology.entrance(house.sender.mq.exchange, USER))
    async with house.open():
        await asyncio.to_thread(own.send, replace(part(1, 1), user_id=None, message_id=None))
        taken = await house.next()

    assert (USER, None) == (taken.username, taken.message_id)


async def test_the_headers_of_a_client_of_amqp_1_0_are_read(house: House) -> None:
    """The plugin wraps them into one."""
    wrapped = amqp10.encode({"FileName": f"FI.{STEM}.1.1", "Signature": "c2ln"})
    async with house.open():
        await house.send(Message(b"<a/>", headers={amqp10.HEADER: wrapped}))
        taken = await house.next()

    assert ([f"FI.{STEM}.1.1", f"FS.{STEM}.1.1"], ()) == ([file.name for file in taken.files], taken.findings)


async def test_a_message_of_a_user_who_is_nobodys_is_dead(house: House) -> None:
    """A user of the broker need not be one of ours."""
    with house.journal.write() as connection:
        parties.add_sender(connection, Sender("654321", SignatureProfile.DETACHED, "R", ("*",), active=True))
        connection.exec_driver_sql("UPDATE technical_users SET username = 'payroll99'")
    async with house.open():
        await house.send(part(1, 1))
        properties, _ = await house.dead()

    assert (USER, "108") == (properties.headers["UserId"], properties.headers["Reason"][:3])


async def test_the_broker_refuses_a_forged_user(house: House) -> None:
    """So what comes in is signed by the log-in."""
    with pytest.raises(exceptions.ChannelClosedByBroker, match="user_id"):
        await house.send(replace(part(1, 1), user_id="gateway"))


async def test_a_user_who_was_blocked_meanwhile_is_told_so(house: House) -> None:
    """The broker may have let the message in before."""
    await house.send(part(1, 1))
    with house.journal.write() as connection:
        accounts.set_active(connection, USER, active=False)
    async with house.open():
        taken = await house.next()

    assert [("ACRF-103", "this user may not send")] == list(taken.findings)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (Message(b"<a/>"), "131"),
        (Message(b"<a/>", 7), "131"),
        (Message(b"<a/>", {"FI": "x"}), "131"),
        (Message(b"<a/>", "../../etc/passwd"), "131"),
        (Message(b"<a/>", "FI.DIMN\0.123456"), "131"),
        (Message(b"<a/>", "é" * 5000), "131"),
        (Message(b"<a/>", b"FI.\xff\xfe"), "131"),
        (Message(b"<a/>", f"FS.{STEM}.1.1"), "129"),
        (Message(b"", f"GO.{STEM}.1"), "129"),
        (Message(b"<a/>", f"FI.{STEM}.1.1", {"a": 1}), "125"),
        (Message(b"<a/>", f"FI.{STEM}.1.1", headers={"at": datetime(9999, 1, 1, tzinfo=UTC)}), None),
        (Message(b"<a/>", f"FI.{STEM}.1.1", headers={"many": ["x" * 100] * 900}), None),
    ],
)
async def test_odd_headers_have_an_answer(house: House, message: Message, code: str | None) -> None:
    """Missing, of a wrong type, no name at all, huge: the user gets one, and the next message is not held up."""
    async with house.open():
        await house.send(message)
        taken = await house.next()
        await house.emptied()

    assert [code] if code else [] == [found.removeprefix("ACRF-") for found, _ in taken.findings]
    assert taken.message_id == message.message_id


def _encode(value: bytes) -> bytes:
    table = b"\x01x" + value
    return struct.pack(">I", len(table)) + table


@pytest.mark.parametrize(
    "value",
    [
        b"T" + b"\xff" * 8,
        b"NESTED",
    ],
)
async def test_headers_that_pika_cannot_read_end_no_connection(
    house: House, value: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A time beyond the calendar, tables nested thousands deep: the user is told, nobody is held up."""
    if value == b"NESTED":
        value = b"V"
        for _ in range(5000):
            value = b"F" + _encode(value)

    def raw_table(pieces: list[bytes], _table: object) -> int:
        pieces.append(_encode(value))
        return len(pieces[-1])

    odd = replace(part(1, 1), headers={"x": 1})
    with monkeypatch.context() as patch:
        encode = pika.data.encode_table
        patch.setattr(
            "pika.data.encode_table",
            lambda pieces, table: raw_table(pieces, table) if "x" in (table or {}) else encode(pieces, table),
        )
        await house.send(odd)
    async with house.open():
        told = await house.next()
        await house.send(part(1, 1))
        await house.next()

    assert [("ACRF-131", "the headers of the message cannot be read")] == list(told.findings)
    assert odd.message_id == told.message_id


async def test_a_message_larger_than_allowed_is_answered_and_never_kept(house: House) -> None:
    """128 MB: counted, not stored, and answered with 184."""
    async with house.open():
        await house.send(part(1, 1, bytes(128 * 1024**2)))
        taken = await house.next()

    assert ["ACRF-184"] == [code for code, _ in taken.findings]
    assert 0 == taken.files[0].size


async def test_a_sender_with_many_sets_waiting_gives_way_to_nobody_but_itself(house: House) -> None:
    """The oldest of its sets is taken as it is when there are too many; the others go on waiting."""
    sets = [replace(part(1, 2), name=f"FI.DIMN.{SENDER}.20261121.{number:05}.R.2.1") for number in range(1, 10)]
    async with house.open():
        await house.send(*sets)
        taken = await house.next()
        assert sets[0].name == taken.name
        assert 1 == len(house.all())


async def test_what_waits_goes_back_to_the_broker_when_the_door_closes(house: House) -> None:
    """Nothing was promised of it; the next gateway takes it with its other part."""
    async with house.open():
        await house.send(part(1, 2))
        await until(lambda: not house.sender.waiting())
    assert [] == house.all()

    async with house.open():
        await house.send(part(2, 2))
        taken = await house.next()

    assert 4 == len(taken.files)


class NotNow(Custody):
    """Custody that fails twice, by our own trouble or by a fault of the program."""

    def __init__(self, custody: Custody, fault: Exception) -> None:
        super().__init__(custody.root, custody._journal)
        self.fault = fault
        self.left = 2

    def take(self, folder: Path, origin: Any) -> str:
        """Fail, or take it."""
        if self.left:
            self.left -= 1
            raise self.fault
        return super().take(folder, origin)


@pytest.mark.parametrize("fault", [OSError(28, "no space"), JournalError("away"), ValueError("a fault of ours")])
async def test_trouble_of_ours_is_tried_again_and_told_to_nobody(
    house: House, fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message stays with the broker until it is taken."""
    monkeypatch.setattr(consumer, "_FIRST_WAIT", 0.01)
    async with house.open(NotNow(house.custody, fault)):
        await house.send(part(1, 1))
        taken = await house.next()
        await house.emptied()

    assert () == taken.findings


async def test_a_message_that_nobody_can_take_ends_among_the_dead(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After so many unexpected failures, with its reason; never in a loop."""
    monkeypatch.setattr(consumer, "_FIRST_WAIT", 0.01)
    broken = NotNow(house.custody, ValueError("a fault of ours"))
    broken.left = 1000
    async with house.open(broken):
        await house.send(part(1, 1))
        properties, body = await house.dead()
        await house.emptied()

    assert "failed 5 times, the last time by ValueError" == properties.headers["Reason"]
    assert b"<a/>" == body


async def test_while_intake_is_held_up_nothing_is_taken_and_nothing_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages stay with the broker; they are taken when there is room again."""
    monkeypatch.setattr(consumer, "_NO_ROOM_SECONDS", 0.05)
    house.full = True
    async with house.open():
        await house.send(*(replace(part(1, 1), name=f"FI.DIMN.{SENDER}.20261121.{n:05}.R.1.1") for n in range(1, 6)))
        asked = house.asked
        await until(lambda: house.asked > asked + 20)
        assert [] == house.all()
        house.full = False
        for _ in range(5):
            await house.next()
        await house.emptied()

    assert 5 == len({each.name for each in house.all()})


async def test_many_small_messages_are_each_taken_once(house: House) -> None:
    """More than the prefetch, at once."""
    names = [f"FI.DIMN.{SENDER}.20261121.{number:05}.R.1.1" for number in range(1, 401)]
    async with house.open():
        await house.send(*(replace(part(1, 1), name=name, message_id=name) for name in names))
        for _ in names:
            await house.taken.acquire()
        await house.emptied()

    with house.journal.read() as connection:
        assert sorted(names) == sorted(found.name for found in submissions.search(connection, limit=1000))


async def test_a_channel_that_signs_for_its_users_may_give_a_hash(house: House) -> None:
    """One that does not fit is told (141); other users may have a header of that name."""
    wrong = replace(part(1, 1), signature=None, headers={"Hash": "0" * 64})
    async with house.open():
        await house.send(wrong)
        assert () == (await house.next()).findings
    profiles = (MessageProfile(name="isabel", users=(USER,)),)
    house.settings = house.settings.model_copy(update={"mq": house.sender.mq.model_copy(update={"profiles": profiles})})
    right = replace(wrong, message_id="right", headers={"Hash": hashlib.sha256(b"<a/>").hexdigest()})
    async with house.open():
        await house.send(replace(wrong, message_id="wrong"))
        told = await house.next()
        await house.send(right)
        assert () == (await house.next()).findings

    assert ["ACRF-141"] == [code for code, _ in told.findings]
