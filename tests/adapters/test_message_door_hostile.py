"""What senders should not publish, at a real broker: each is answered or dead, and nobody else is held up by it."""

import asyncio
import struct
from dataclasses import replace
from datetime import UTC, datetime

import pika
import pytest
from pika import exceptions

from channels.mq import amqp10, consumer, topology
from channels.mq.declaring import administering
from channels.mq.staging import Body
from gateway import accounts, parties
from gateway.parties import Sender, SignatureProfile
from spool import submissions
from tests.adapters.message_house import SENDER, STEM, House, NotNow, house, part
from tests.mq_sender import USER, Message, mq_sender, mq_user

__all__ = ["house", "mq_sender", "mq_user"]


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


async def test_a_dead_message_that_cannot_be_read_just_now_is_dead_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong on its way to the dead, it does not stay in hand for ever."""
    monkeypatch.setattr(consumer, "_FIRST_WAIT", 0.01)
    read, faults = Body.read, [ValueError("a fault of ours"), OSError(5, "the disk")]

    def fail_twice(body: Body) -> bytes:
        if faults:
            raise faults.pop()
        return read(body)

    monkeypatch.setattr(Body, "read", fail_twice)
    async with house.open():
        await house.send(replace(part(1, 1), user_id=None))
        _, body = await house.dead()
        await house.emptied()

    assert b"<a/>" == body


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
