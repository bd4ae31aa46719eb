"""The door of message queues against a real broker: what is taken, once; what waits, and for how long."""

import asyncio
import hashlib
from dataclasses import replace
from typing import Any

import pika
import pytest

from channels.mq import connection, consumer
from config.messages import MessageProfile
from spool import submissions
from spool.journal import JournalError
from tests.adapters.message_house import LARGE, SENDER, STEM, House, InDoubt, NotNow, house, part, until
from tests.broker import Broker
from tests.mq_sender import USER, Message, mq_sender, mq_user

__all__ = ["house", "mq_sender", "mq_user"]


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


async def test_a_sender_waits_for_us_from_the_last_message_of_its_set_on(house: House) -> None:
    """What it waits for itself, for a part that never comes, is not counted as a late receipt."""
    house.settings = house.settings.model_copy(
        update={"mq": house.sender.mq.model_copy(update={"parts_grace_seconds": 0.2})}
    )
    waited = []
    async with house.open():
        for messages in ([part(1, 1, stem=STEM)], [part(2, 3, stem=STEM.replace("00001", "00002"))]):
            await house.send(*messages)
            taken = await house.next()
            with house.journal.read() as connection:
                waited += [event.facts["waited"] for event in submissions.timeline(connection, taken.ticket)][:1]

    assert (True, 0) == (waited[0] > 0, waited[1])


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
    lost, acknowledged = asyncio.Event(), asyncio.Event()
    ack = pika.channel.Channel.basic_ack

    def lose_the_first(channel: Any, *arguments: Any, **named: Any) -> None:
        if not lost.is_set() and len(house.all()) == 1:
            lost.set()
            channel.connection._terminate_stream(ConnectionError("lost by a test"))
            return
        ack(channel, *arguments, **named)
        acknowledged.set()

    monkeypatch.setattr(pika.channel.Channel, "basic_ack", lose_the_first)
    async with house.open():
        await house.send(part(1, 1))
        await house.next()
        await lost.wait()
        await acknowledged.wait()

    assert 1 == len(house.all())
    assert 0 == house.sender.waiting()


async def test_a_message_whose_custody_is_in_doubt_is_one_submission(house: House) -> None:
    """It is tried again, for custody failed; the set of the first time counts, and none is made beside it."""
    custody = InDoubt(house.custody.root, house.journal)
    async with house.open(custody):
        await house.send(part(1, 1))
        await until(lambda: bool(house.all()))

    assert 1 == len(house.all()) == len([*custody.root.glob("*/*")])
    assert 0 == house.sender.waiting()


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


async def test_a_silent_broker_holds_up_no_stop(house: House, monkeypatch: pytest.MonkeyPatch, broker: Broker) -> None:
    """The door closes although nothing is answered any more; the broker keeps what it has no acknowledgement of."""
    monkeypatch.setattr(consumer, "_CANCEL_SECONDS", 0.1)
    monkeypatch.setattr(connection, "CLOSE_SECONDS", 0.1)
    async with house.open():
        await house.send(part(1, 2))
        await until(lambda: not house.sender.waiting())
        broker.freeze()
    broker.thaw()
    await until(lambda: house.sender.waiting() == 1)

    assert [] == house.all()


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
        await until(lambda: house.sender.waiting() == 5)  # all of them: the broker would not let us keep one for long
        assert [] == house.all()
        house.full = False
        for _ in range(5):
            await house.next()
        await house.emptied()

    assert 5 == len({each.name for each in house.all()})


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


async def test_sizes_and_patience_change_while_the_door_is_open(house: House) -> None:
    """A message that is too large now is refused by its size; a set of which parts are missing is taken sooner."""
    large, small = part(1, 1, b"x" * LARGE), part(2, 3, stem=STEM.replace("00001", "00002"))
    async with house.open():
        mq, intake = house.settings.mq, house.settings.intake
        changed = {"max_message_bytes": LARGE - 1, "parts_grace_seconds": 0.2}
        others = {"max_waiting_bytes": 10 * LARGE}
        update = {"mq": mq.model_copy(update=changed), "intake": intake.model_copy(update=others)}
        house.bounds.take_over(house.settings.model_copy(update=update))
        await house.send(large)
        refused = await house.next()
        await house.send(small)
        taken = await house.next()

    assert ["ACRF-184"] == [code for code, _ in refused.findings]
    assert [small.name] == [file.name for file in taken.files if file.name.startswith("FI")]
    assert 10 * LARGE == house.bounds.settings.intake.max_waiting_bytes
