"""Limits change while somebody is connected: nobody is sent away, and what counts for whom."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest
from asyncssh import FXF_CREAT, FXF_TRUNC, FXF_WRITE

from channels.sftp.share import Share, ShareLimits, Shares
from spool.intake import Intake, IntakeLimits
from tests.adapters.sftp_door import FI, FO, FS, House, open_house

NEW = FXF_WRITE | FXF_CREAT | FXF_TRUNC
LIMITS = IntakeLimits(file_bytes=1000, files=2, reserve=0, sender_bytes=1500)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A door whose senders may have 1,500 bytes in files of 1,000."""
    async with open_house(tmp_path / "house", intake=Intake(tmp_path / "incoming", LIMITS)) as opened:
        yield opened


async def put(client: asyncssh.SFTPClient, path: str, size: int) -> None:
    """Upload so many bytes."""
    async with client.open(path, NEW, encoding=None) as file:
        await file.write(bytes(size))


async def test_what_a_sender_may_have_changes_for_the_session_that_is_open(house: House) -> None:
    """Size of a file, bytes and number of those that wait: more, and less again."""
    async with house.client() as client:
        with pytest.raises(asyncssh.SFTPError, match="at most 1000 bytes"):
            await put(client, f"IN/{FI}", 1200)
        house.intake.take_over(replace(LIMITS, file_bytes=2000, sender_bytes=2500, files=3))
        await put(client, f"IN/{FI}", 1200)
        await put(client, f"IN/{FS}", 1200)
        with pytest.raises(asyncssh.SFTPError, match="may hold 2500 bytes together"):
            await put(client, "IN/third", 200)
        house.intake.take_over(replace(LIMITS, sender_bytes=9000))
        with pytest.raises(asyncssh.SFTPError, match="too many files"):
            await put(client, "IN/third", 200)
        assert [FI, FS] == house.waiting()


async def test_a_file_that_has_begun_ends_by_the_limit_it_began_with(house: House) -> None:
    """A smaller one is for the next."""
    async with house.client() as client:
        file = await client.open(f"IN/{FI}", NEW, encoding=None)
        await file.write(bytes(500))
        house.intake.take_over(replace(LIMITS, file_bytes=600))
        await file.write(bytes(400))
        await file.close()
        with pytest.raises(asyncssh.SFTPError, match="at most 600 bytes"):
            await put(client, f"IN/{FS}", 601)


async def test_what_is_for_all_connections_of_a_sender_changes_for_all(house: House) -> None:
    """The next listing is as long as may be now, on the connection that is open and on the next."""
    stems = [f"ACRF.999999.20261121.0000{number}.R" for number in range(4)]
    house.answer(*(f"{prefix}.{stem}" for prefix in ("FO", "FS", "GO") for stem in stems))
    async with house.client() as first:
        assert 12 == len(await first.listdir("OUT"))
        house.door.reload(replace(house.door.settings, share=ShareLimits(listing=3)))
        async with house.client() as second:
            found = [[str(name) for name in await client.listdir("OUT")] for client in (first, second)]
    assert [[FO.replace("00001", "00000"), f"FS.{stems[0]}", f"GO.{stems[0]}"]] * 2 == [sorted(one) for one in found]


async def test_what_is_for_one_connection_counts_from_the_next_on(house: House) -> None:
    """Who is connected keeps its handles; the next has fewer."""
    async with house.client() as first:
        house.door.reload(replace(house.door.settings, max_handles=1))
        async with house.client() as second:
            for name in (FI, FS):
                await first.open(f"IN/{name}", NEW)
            await second.open(f"INTEST/{FI}", NEW)
            with pytest.raises(asyncssh.SFTPError, match="too many open files"):
                await second.open(f"INTEST/{FS}", NEW)


async def test_threads_of_a_sender_change_when_nobody_waits_any_more() -> None:
    """Those who have one, or wait for one, end as they began; the share is the same for old and new."""
    shares, go_on, begun = Shares(ShareLimits(threads=1)), threading.Event(), asyncio.Semaphore(0)
    share, loop = shares.of("123456"), asyncio.get_running_loop()

    def block() -> None:
        loop.call_soon_threadsafe(begun.release)
        go_on.wait()

    tasks = [asyncio.create_task(share.run(block))]
    try:
        async with asyncio.timeout(60):
            await begun.acquire()
            shares.take_over(ShareLimits(threads=2, requests=7))
            assert (share, 7) == (shares.of("123456"), share.limits.requests)
            tasks += [asyncio.create_task(share.run(block)) for _ in range(2)]
            for _ in range(2):
                await begun.acquire()
    finally:
        go_on.set()
        await asyncio.gather(*tasks)
    assert isinstance(share, Share)
