"""The SFTP door beside another one that holds what they share: it goes on, and so do its uploads."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from spool import shared_quota, tally
from spool.intake import Intake, IntakeLimits
from spool.tally import TALLY
from spool.upload import Upload
from tests.adapters.sftp_door import FI, FS, SENDER, House, open_house

LIMITS = IntakeLimits(file_bytes=10_000_000, files=100, reserve=0, sender_bytes=1_000_000)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A door that shares its inboxes, near the limit of the sender, where each write asks the counters."""
    async with open_house(tmp_path / "house", intake=Intake(tmp_path / "incoming", LIMITS, is_shared=True)) as opened:
        yield opened


def hold(house: House) -> int:
    """The counters of the usual sender are another door's, until the descriptor is closed."""
    descriptor = os.open(house.intake.root / SENDER / TALLY, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


async def begin(client: asyncssh.SFTPClient) -> "asyncssh.SFTPClientFile":
    """Another upload of the same sender."""
    return await client.open(f"IN/{FS}", "wb")


async def test_an_upload_waits_for_another_door_and_goes_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is begun, and one that is written to; meanwhile the door answers, and the bytes are right."""
    monkeypatch.setattr(tally, "_PATIENCE", 10.0)
    tried = asyncio.Semaphore(0)
    fetch, loop = house.intake.fetch_room, asyncio.get_running_loop()

    def told(sender: str, size: int) -> None:
        loop.call_soon_threadsafe(tried.release)
        fetch(sender, size)

    monkeypatch.setattr(house.intake, "fetch_room", told)
    async with house.client() as client, house.client() as other:
        first = await client.open(f"IN/{FI}", "wb")
        await first.write(b"one ")
        await tried.acquire()
        held = hold(house)
        writing = asyncio.create_task(first.write(b"two "))
        await tried.acquire()
        beginning = asyncio.create_task(begin(other))
        async with house.client() as third:
            assert "IN" in await third.listdir("/")
        assert not writing.done()
        assert not beginning.done()
        os.close(held)
        await writing
        second = await beginning
        await first.write(b"three")
        await first.close()
        await second.close()
        async with client.open(f"IN/{FI}", "ab") as file:
            await file.write(b" more")
    box = house.inbox()
    assert b"one two three more" == (house.intake.set_folder(box, FI) / FI).read_bytes()


async def test_a_thread_is_asked_for_room_only_while_another_door_holds_the_counters(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the event loop looks itself, which it does not wait for."""
    tries: list[bool] = []
    again, loop, fetch = asyncio.Event(), asyncio.get_running_loop(), house.intake.fetch_room

    def told(sender: str, size: int) -> None:
        tries.append(tally.may_wait())
        if tries[-1]:
            loop.call_soon_threadsafe(again.set)
        fetch(sender, size)

    monkeypatch.setattr(tally, "_PATIENCE", 10.0)
    monkeypatch.setattr(shared_quota, "_WORTH_IT", 0)
    monkeypatch.setattr(house.intake, "fetch_room", told)
    async with house.client() as client:
        file = await client.open(f"IN/{FI}", "wb")
        await file.write(b"one ")
        alone = list(tries)
        held = hold(house)
        writing = asyncio.create_task(file.write(b"two "))
        await again.wait()
        os.close(held)
        await writing
        await file.close()

    assert ([False], [False, False, True]) == (alone, tries)
    assert b"one two " == (house.intake.set_folder(house.inbox(), FI) / FI).read_bytes()


async def test_near_the_limit_room_is_fetched_in_a_thread(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """There it is with every write, and the calls of a shared volume may take their time."""
    changes: list[bool] = []
    change = shared_quota.SharedQuota._change

    def told(*args: Any, **kwargs: Any) -> None:
        changes.append(tally.may_wait())
        change(*args, **kwargs)

    async with house.client() as client:
        file = await client.open(f"IN/{FI}", "wb")
        monkeypatch.setattr(shared_quota.SharedQuota, "_change", told)
        await file.write(b"one ")
        monkeypatch.undo()
        await file.close()

    assert changes
    assert all(changes)


async def test_room_that_is_gone_again_is_fetched_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload does not fail because another thread had the counters in the moment of its write."""
    held = iter([True, True, False])
    write = Upload.write

    def taken_meanwhile(upload: Upload, *args: Any) -> int:
        if next(held, False):
            raise tally.TallyHeldError("somebody has it just now")
        return write(upload, *args)

    monkeypatch.setattr(Upload, "write", taken_meanwhile)
    async with house.client() as client:
        file = await client.open(f"IN/{FI}", "wb")
        await file.write(b"one ")
        await file.close()

    assert b"one " == (house.intake.set_folder(house.inbox(), FI) / FI).read_bytes()


async def test_who_waited_too_long_is_told_to_try_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """And does so, with the file from its beginning."""
    monkeypatch.setattr(tally, "_PATIENCE", 0.05)
    monkeypatch.setattr(tally, "_REMEMBERED", 0.0)
    async with house.client() as client:
        file = await client.open(f"IN/{FI}", "wb")
        held = hold(house)
        for act in (file.write(b"data"), begin(client)):
            with pytest.raises(asyncssh.SFTPFailure, match="try again later"):
                await act
        os.close(held)
        with pytest.raises(asyncssh.SFTPFailure):
            await file.close()
        async with client.open(f"IN/{FI}", "wb") as file:
            await file.write(bytes(1_000_000))
        with pytest.raises(asyncssh.SFTPFailure, match="1000000 bytes together"):
            await (await begin(client)).write(b"x")
        with pytest.raises(asyncssh.SFTPFailure, match="at most 10000000 bytes"):
            await (await client.open("IN/other.part", "wb")).write(b"x", offset=10_000_000)
