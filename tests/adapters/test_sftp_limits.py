"""Limits of one sender, strict when it asks for everything at once, and felt by nobody else."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import asyncssh
import pytest
from asyncssh import FXF_CREAT, FXF_READ, FXF_TRUNC, FXF_WRITE
from structlog.testing import capture_logs

from channels.sftp.departures import oldest_answers
from channels.sftp.share import Share, ShareLimits, Shares
from spool.intake import Intake, IntakeLimits
from spool.mailbox import Entry, Mailbox
from tests.adapters.sftp_door import FI, FO, FS, GO, House, open_house

NEW = FXF_WRITE | FXF_CREAT | FXF_TRUNC
DATA = bytes(range(256)) * 4


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """An open door for senders who may have 10,000 bytes and 3 names a listing."""
    limits = IntakeLimits(file_bytes=100_000, files=10, reserve=0, sender_bytes=10_000)
    intake = Intake(tmp_path / "incoming", limits)
    async with open_house(tmp_path / "house", intake=intake, share=ShareLimits(listing=7)) as opened:
        yield opened


async def refused(act: object) -> tuple[int, str]:
    """The code and the words with which ``act`` is refused."""
    with pytest.raises(asyncssh.SFTPError) as caught:
        await act  # type: ignore[misc] # any awaitable
    return caught.value.code, caught.value.reason


async def put(client: asyncssh.SFTPClient, path: str, data: bytes) -> None:
    """Upload ``data``."""
    async with client.open(path, NEW, encoding=None) as file:
        await file.write(data)


async def test_too_many_bytes_are_refused_with_words_and_an_event(house: House) -> None:
    """Over all directories and connections; the other sender feels nothing; what is deleted makes room."""
    other = asyncssh.generate_private_key("ssh-ed25519")
    house.accounts.add("beta", "654321", other)
    with capture_logs() as logs:
        async with house.client() as first, house.client() as second, house.client("beta", keys=[other]) as stranger:
            await put(first, f"IN/{FI}", b"x" * 6000)
            for _ in range(3):
                code, words = await refused(put(second, f"INTEST/{FI}", b"x" * 5000))
            await put(stranger, f"IN/{FI}", b"x" * 9000)
            await first.remove(f"IN/{FI}")
            await put(second, f"INTEST/{FI}", b"x" * 5000)
    assert (code, words[:49]) == (asyncssh.FX_FAILURE, "your IN directories may hold 10000 bytes together")
    assert [(entry["sender"], entry["limit"]) for entry in logs if entry["event"] == "sftp.limit.reached"] == [
        ("123456", words)
    ]


async def test_statvfs_says_what_may_still_be_sent(house: House) -> None:
    """By path and by handle, wherever it is asked; what waits is taken off, and so are files."""
    async with house.client() as client:
        await put(client, f"IN/{FI}", b"x" * 4096)
        async with client.open(f"IN/{FS}", NEW, encoding=None) as file:
            said = [await client.statvfs(path) for path in ("/", "IN", "OUT", f"IN/{FI}", "STATUS")]
            said.append(await file.statvfs())
    assert {(one.frsize, one.blocks, one.bavail, one.namemax) for one in said} == {(1024, 9, 5, 100)}
    assert {(one.files, one.favail) for one in said} == {(10, 8)}


async def test_a_long_listing_has_whole_answers_and_the_rest_later(house: House) -> None:
    """Seven names of five answers: the two oldest; when those are deleted, the next ones."""
    stems = [f"{kind}.999999.20261121.0000{number}.R" for number, kind in enumerate(("NOTI", *["ACRF"] * 4), 1)]
    house.answer(*(f"{prefix}.{stem}" for prefix in ("FO", "FS", "GO") for stem in stems))
    with capture_logs() as logs:
        async with house.client() as client:
            first = [str(name) for name in await client.listdir("OUT")]
            for name in first:
                await client.remove(f"OUT/{name}")
            second = [str(name) for name in await client.listdir("OUT")]
    assert first == sorted(f"{prefix}.{stem}" for prefix in ("FO", "FS", "GO") for stem in stems[:2])
    assert second == sorted(f"{prefix}.{stem}" for prefix in ("FO", "FS", "GO") for stem in stems[2:4])
    assert [entry["limit"] for entry in logs if entry["event"] == "sftp.limit.reached"] == ["files in a listing"]


def test_a_listing_that_fits_is_whole_and_one_answer_is_never_cut() -> None:
    """Even where an answer alone is longer than the limit."""
    entries = [Entry(f"{prefix}.ACRF.999999.20261121.00001.R", 1, 0.0) for prefix in ("FO", "FS", "GO")]
    assert oldest_answers(entries, 1) == entries
    assert oldest_answers(entries, 3) == entries


async def test_one_sender_has_so_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five acts that block, two do so at once; another sender's act is not kept waiting."""
    shares, go_on, running = Shares(ShareLimits(threads=2)), threading.Event(), []
    mine, theirs = shares.of("123456"), shares.of("654321")
    begun = threading.Semaphore(0)

    def block() -> int:
        running.append(1)
        begun.release()
        go_on.wait(10)
        return running.pop()

    tasks = [asyncio.create_task(mine.run(block)) for _ in range(5)]
    for _ in range(2):
        await asyncio.to_thread(begun.acquire)
    assert await theirs.run(lambda: "served") == "served"
    assert len(running) == 2
    go_on.set()
    assert await asyncio.gather(*tasks) == [1] * 5


async def test_long_lists_of_one_sender_are_made_one_at_a_time() -> None:
    """However many are asked for."""
    share, most, now = Share("123456", ShareLimits()), [0], [0]

    def count() -> None:
        now[0] += 1
        most[0] = max(most[0], now[0])
        now[0] -= 1

    await asyncio.gather(*(share.list(count) for _ in range(20)))
    assert most == [1]


async def test_who_asks_too_fast_is_slowed_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds' worth of requests at once; the next ones wait for their turn, and an event says so once."""
    clock, slept = [100.0], []

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds, 3))

    monkeypatch.setattr("channels.sftp.share.time", SimpleNamespace(monotonic=lambda: clock[0]))
    share = Share("123456", ShareLimits(requests=10))
    monkeypatch.setattr("channels.sftp.share.asyncio", SimpleNamespace(sleep=sleep))
    with capture_logs() as logs:
        for _ in range(100):
            await share.pace()
        assert slept == []
        for _ in range(3):
            await share.pace()
        clock[0] += 1
        await share.pace()
    assert slept == [0.1, 0.2, 0.3]
    assert [entry["limit"] for entry in logs] == ["requests slowed down"]


async def test_pieces_of_files_are_not_counted_as_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file is as fast as the disk and the network; a file sent byte by byte is not."""
    counted = [0]

    async def pace(_share: Share) -> None:
        counted[0] += 1

    monkeypatch.setattr(Share, "pace", pace)
    async with open_house(tmp_path / "house") as house, house.client() as client:
        house.answer(FO, data=b"x" * 1_000_000)
        async with client.open(f"IN/{FI}", NEW, encoding=None) as file:
            before = counted[0]
            await file.write(b"x" * 1_000_000, 0)
            assert counted[0] == before
            for number in range(5):
                await file.write(b"y", number)
            assert counted[0] == before + 5
        async with client.open(f"OUT/{FO}", "rb", encoding=None) as answer:
            before = counted[0]
            await answer.read(1_000_000, 0)
            assert counted[0] == before
            await answer.read(1, 0)
            assert counted[0] == before + 1


async def test_a_share_ends_with_the_last_connection(house: House) -> None:
    """All connections of a sender have the same; nothing is remembered of those who are gone."""
    shares = house.shares
    async with house.client() as first, house.client() as second:
        await asyncio.gather(first.stat("/"), second.stat("/"))
        assert list(shares._shares) == ["123456"]
    async with house.client("alpha") as third:
        await third.stat("/")
        assert list(shares._shares) == ["123456"]


@pytest.mark.parametrize("path", ["STATUS/today.json", "STATUS/new.json", "STATUS/FO.ACRF.999999.20261121.00001.R"])
async def test_status_is_for_reading(house: House, path: str) -> None:
    """Nothing is written, renamed, deleted or changed there, whatever way it is asked for."""
    house.shelf.documents["today.json"] = b"{}\n"
    async with house.client() as client:
        await put(client, f"IN/{FI}.part", b"data")
        for flags in (NEW, FXF_WRITE, FXF_READ | FXF_WRITE, FXF_READ | FXF_CREAT):
            assert (await refused(client.open(path, flags)))[0] == asyncssh.FX_PERMISSION_DENIED
        for act in (
            client.remove(path),
            client.rename(path, f"IN/{GO}"),
            client.posix_rename(f"IN/{FI}.part", path),
            client.truncate(path if "today" in path else "STATUS/today.json", 0),
        ):
            assert (await refused(act))[0] == asyncssh.FX_PERMISSION_DENIED
        assert await client.listdir("STATUS") == ["today.json"]
        assert oct((await client.stat("STATUS/today.json")).permissions or 0) == "0o100400"
    assert house.shelf.told == []


async def test_only_a_whole_download_is_fetched(house: House) -> None:
    """Not a part, one with a gap, or one whose connection was lost; but the rest after a cut, closed or simply left."""
    house.answer(FO, data=DATA)
    box = house.inbox("OUT")
    async with house.client() as client:
        for offset, size in ((0, 500), (100, 200), (0, 0)):
            async with client.open(f"OUT/{FO}", "rb", encoding=None) as file:
                await file.read(size, offset)
        async with client.open(f"OUT/{FO}", "rb", encoding=None) as file:
            await file.read(10, 0)
            await file.read(10, len(DATA) - 10)
    connection = await house.connect()
    client = await connection.start_sftp_client()
    left_open = await client.open(f"OUT/{FO}", "rb", encoding=None)
    await left_open.read(len(DATA), 0)
    assert connection._transport is not None
    connection._transport.abort()
    await connection.wait_closed()
    assert house.shelf.told == []
    async with house.client() as client, client.open(f"OUT/{FO}", "rb", encoding=None) as file:
        await file.read(len(DATA) - 500, 500)
    async with house.client() as client:
        file = await client.open(f"OUT/{FO}", "rb", encoding=None)
        await file.read(len(DATA), 0)
    await house.door.close()
    assert house.shelf.told == [("fetched", box, FO)] * 2


class Forgetful:
    """Records that cannot be written just now."""

    def entries(self, sender: str) -> list[Entry]:
        """Fail as the disk does."""
        raise OSError(5, "lost /secret")

    def document(self, sender: str, name: str) -> None:
        """Fail as the disk does."""
        raise OSError(5, "lost /secret")

    def fetched(self, mailbox: Mailbox, name: str, since: float, user: str) -> None:
        """Fail as the disk does."""
        raise OSError(5, "lost /secret")

    deleted = document


async def test_a_journal_in_trouble_keeps_nobody_from_its_answers(tmp_path: Path) -> None:
    """They are fetched and deleted as ever; status says to try again later; the operator hears of both."""
    with capture_logs() as logs:
        async with open_house(tmp_path / "house", records=Forgetful()) as house, house.client() as client:  # type: ignore[arg-type] # a double
            house.answer(FO, data=DATA)
            async with client.open(f"OUT/{FO}", "rb", encoding=None) as file:
                assert len(await file.read(len(DATA), 0)) == len(DATA)
            await client.remove(f"OUT/{FO}")
            later = [await refused(client.listdir("STATUS")), await refused(client.open("STATUS/today.json"))]
    assert later == [(asyncssh.FX_FAILURE, "the gateway cannot do this now; try again later")] * 2
    failed = [entry["event"] for entry in logs if entry["log_level"] == "warning"]
    assert failed == ["sftp.download.not_recorded", "sftp.removal.not_recorded", *["sftp.request.failed"] * 2]
    assert "secret" not in repr(logs)


async def test_who_waits_to_pass_keeps_no_other_session_waiting(tmp_path: Path) -> None:
    """With one thread for the sender: the OK to a GO comes when it may, and meanwhile another session lists."""
    asked, may_pass = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def passing(sender: str) -> AsyncIterator[None]:
        assert sender == "123456"
        asked.set()
        await may_pass.wait()
        yield

    async with (
        open_house(tmp_path / "house", passing=passing, share=ShareLimits(threads=1)) as house,
        house.client() as first,
        house.client() as second,
    ):
        bringing = asyncio.create_task(put(first, f"IN/{GO}", b""))
        await asked.wait()
        assert GO in [str(name) for name in await second.listdir("IN")]
        assert (house.ledger.names, bringing.done()) == ([], False)
        may_pass.set()
        await bringing
        assert house.ledger.names == [GO]
