"""Traps of the door of messages: senders that vanish, broken ends, and many large messages at once."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from channels.mq import consumer
from channels.mq.connection import BrokerUnavailable
from channels.mq.frames import Sink, stream_bodies
from channels.mq.messages import OutgoingMessage
from channels.mq.publisher import Publisher
from channels.mq.staging import Body, Room, Staging
from tests.adapters.message_house import LARGE, SENDER, STEM, House, NotNow, house, part, until
from tests.mq_sender import Message, mq_sender, mq_user

__all__ = ["house", "mq_sender", "mq_user"]


def large(number: int) -> Message:
    """A message that is too large for memory."""
    name = f"FI.DIMN.{SENDER}.20261121.{number:05}.R.1.1"
    return replace(part(1, 1, os.urandom(LARGE)), name=name, message_id=name)


def bodies(house: House) -> list[Path]:
    """What lies where bodies are in hand, and where sets are built."""
    return [path for path in (house.settings.spool.path / "messages").rglob("*") if path.is_file()]


async def test_temporary_file_left_after_the_client_dies(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is gone in the middle of a body: nothing of that try stays, and the next one is whole."""
    carriers: list[Any] = []
    halves: list[Path] = []
    write = Body.write

    def remember(channel: Any, open_sink: Callable[[Any, int], Sink]) -> None:
        def open_and_remember(properties: Any, size: int) -> Sink:
            carriers.append(channel)
            return open_sink(properties, size)

        stream_bodies(channel, open_and_remember)

    def write_and_vanish(self: Body, fragment: bytes) -> None:
        write(self, fragment)
        if not halves:
            halves.extend(bodies(house))
            gone = ConnectionError("gone, by a test")
            asyncio.get_running_loop().call_soon(carriers[0].connection._terminate_stream, gone)

    monkeypatch.setattr(consumer, "stream_bodies", remember)
    monkeypatch.setattr(Body, "write", write_and_vanish)
    message = large(1)
    async with house.open():
        await house.send(message)
        taken = await house.next()
        await house.emptied()

    assert (1, 2) == (len(halves), len(set(carriers)))
    assert [LARGE] == [file.size for file in taken.files if file.name == message.name]
    assert [] == bodies(house)


async def test_original_gone_after_the_last_retry(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every try has failed and no dead letter can be left either: the message is where it was, with the broker."""
    monkeypatch.setattr(consumer, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(consumer, "DRAIN_SECONDS", 0.1)
    publish, refused = Publisher.publish, asyncio.Semaphore(0)

    async def refuse(_self: Publisher, _message: OutgoingMessage) -> None:
        refused.release()
        raise BrokerUnavailable("no dead letters today")

    monkeypatch.setattr(Publisher, "publish", refuse)
    broken = NotNow(house.custody, ValueError("a fault of ours"))
    broken.left = 1000
    async with house.open(broken):
        await house.send(part(1, 1))
        for _ in range(3):
            await refused.acquire()
    await until(lambda: house.sender.waiting() == 1)
    monkeypatch.setattr(Publisher, "publish", publish)
    async with house.open():
        taken = await house.next()

    assert STEM in taken.name


async def test_limit_exceeded_by_a_race(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many large messages at once: what is in hand never exceeds the limit, and every one is taken in its turn."""
    monkeypatch.setattr(consumer, "_NO_ROOM_SECONDS", 0.05)
    limit, most, withheld = 3 * LARGE, 0, 0
    intake = house.settings.intake.model_copy(update={"max_waiting_bytes": limit, "max_file_bytes": LARGE})
    house.settings = house.settings.model_copy(update={"intake": intake})
    open_body = Staging.open

    def watch(self: Staging, size: int) -> Body:
        nonlocal most, withheld
        body = open_body(self, size)
        most, withheld = max(most, self._used), withheld + body.is_withheld
        return body

    monkeypatch.setattr(Staging, "open", watch)
    messages = [large(number) for number in range(1, 13)]
    async with house.open():
        await house.send(*messages)
        for _ in messages:
            await house.taken.acquire()
        await house.emptied()

    assert (True, True) == (LARGE <= most <= limit, withheld > 0)
    assert sorted(str(message.name) for message in messages) == sorted(found.name for found in house.all())
    assert [] == bodies(house)


async def test_what_comes_while_consuming_stops_holds_no_room(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies that come between the consumer's word and the broker's answer are handed back and let go of."""
    monkeypatch.setattr(consumer, "_NO_ROOM_SECONDS", 0.0)
    room, opened, stopped = Staging.room, [], []
    open_body, stop = Staging.open, consumer._Consumption._stop  # pika hands back what nobody else sees

    def watch(self: Staging, size: int) -> Body:
        opened.append(open_body(self, size))
        return opened[-1]

    async def remember(self: Any) -> None:
        before = len(opened)
        await stop(self)
        stopped.append(len(opened) - before)

    def hold_up_at_first(self: Staging, size: int = 0) -> Room:
        return Room.NOT_WANTED if size == 0 and opened and not stopped else room(self, size)

    monkeypatch.setattr(Staging, "open", watch)
    monkeypatch.setattr(Staging, "room", hold_up_at_first)
    monkeypatch.setattr(consumer._Consumption, "_stop", remember)
    messages = [large(number) for number in range(1, 25)]
    await house.send(*messages)
    async with house.open():
        for _ in messages:
            await house.taken.acquire()
        await house.emptied()

    assert stopped
    assert 0 == sum(body.held for body in opened)


async def test_receipt_and_missing_receipt_both_sent(house: House) -> None:
    """The last part comes as the wait for it ends: each message is in exactly one submission, whichever was first."""
    grace = house.settings.mq.model_copy(update={"parts_grace_seconds": 0.05})
    house.settings = house.settings.model_copy(update={"mq": grace})
    stems = [f"DIMN.{SENDER}.20261121.{number:05}.R" for number in range(1, 16)]
    sent = sorted(f"FI.{stem}.2.{number}" for stem in stems for number in (1, 2))

    def taken() -> list[str]:
        return sorted(file.name for found in house.all() for file in found.files if file.name.startswith("FI."))

    async with house.open():
        for stem in stems:
            await house.send(part(1, 2, stem=stem))
            await house.send(part(2, 2, stem=stem))
        # A part that came too late waits on its own: the door may not close before, or it stays with the broker.
        await until(lambda: len(taken()) >= len(sent))
        await house.emptied()

    assert sent == taken()
