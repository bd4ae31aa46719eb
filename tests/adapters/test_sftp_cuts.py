"""What is left when a client, a disk or the gateway itself ends in the middle of something."""

import asyncio
import errno
import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from asyncssh import FXF_CREAT, FXF_TRUNC, FXF_WRITE
from asyncssh.packet import Byte, String, UInt32, UInt64
from structlog.testing import capture_logs

from channels.sftp.handles import Outgoing
from channels.sftp.visit import Visit
from config.errors import TemporaryError
from spool.intake import Upload
from spool.mailbox import Mailbox
from tests.adapters.sftp_door import FI, FO, FS, GO, USER, House, WatchedIntake, open_house

NEW = FXF_WRITE | FXF_CREAT | FXF_TRUNC
LATER = "the gateway cannot do this now; try again later"


@asynccontextmanager
async def watched_house(folder: Path, **options: Any) -> AsyncIterator[tuple[House, WatchedIntake]]:
    """An open door whose intake is watched."""
    intake = WatchedIntake(folder / "incoming")
    async with open_house(folder / "house", intake=intake, **options) as house:
        yield house, intake


async def begin(client: asyncssh.SFTPClient, path: str, data: bytes = b"half") -> asyncssh.SFTPClientFile:
    """An upload that is not closed."""
    file = await client.open(path, NEW, encoding=None)
    await file.write(data)
    return file


async def put(client: asyncssh.SFTPClient, path: str, data: bytes = b"data") -> None:
    """An upload."""
    await (await begin(client, path, data)).close()


async def refused(act: "asyncio.Future[None] | object") -> tuple[int, str]:
    """The code and the words with which ``act`` is refused."""
    with pytest.raises(asyncssh.SFTPError) as caught:
        await act  # type: ignore[misc] # any awaitable
    return caught.value.code, caught.value.reason


async def test_a_killed_client_leaves_no_file(tmp_path: Path) -> None:
    """OpenSSH's sftp, killed in the middle of a file: nothing arrives, and a new upload replaces what came."""
    (tmp_path / FI).write_bytes(b"x" * 50_000_000)
    async with watched_house(tmp_path) as (house, intake):
        slow = ["-l", "4000", "-P", str(house.door.port), f"{USER}@127.0.0.1"]
        process = await house.start("sftp", *house.options(), "-b", "-", *slow)
        assert process.stdin is not None
        process.stdin.write(f"put {tmp_path / FI} IN/\n".encode())
        await process.stdin.drain()
        await intake.begun.acquire()
        process.kill()
        await process.communicate()
        await intake.cut.acquire()
        assert (house.gathered(), house.ledger.names) == ([], [])
        async with house.client() as client:
            await put(client, f"IN/{FI}")
        assert (house.ledger.names, house.left()) == ([FI], [FI])


async def test_an_aborted_connection_leaves_no_file(tmp_path: Path) -> None:
    """Several open files of one connection: none becomes a file."""
    async with watched_house(tmp_path) as (house, intake):
        connection = await house.connect()
        client = await connection.start_sftp_client()
        for name in (FI, FS, GO):
            await begin(client, f"IN/{name}")
        connection.abort()
        for _ in range(3):
            await intake.cut.acquire()
        assert (house.gathered(), house.ledger.names) == ([], [])


async def test_a_channel_closed_without_closing_the_file_leaves_nothing(tmp_path: Path) -> None:
    """The end of the channel is not the end of the file, also when the connection stays."""
    async with watched_house(tmp_path) as (house, intake), house.connect() as connection:
        client = await connection.start_sftp_client()
        await begin(client, f"IN/{GO}")
        client.exit()
        await intake.cut.acquire()
        assert (house.gathered(), house.ledger.names) == ([], [])
        async with connection.start_sftp_client() as again:
            await put(again, f"IN/{GO}")
        assert house.ledger.names == [GO]


@pytest.mark.parametrize(
    "nonsense",
    [
        UInt32(0xFFFFFFFF),
        UInt32(262_145) + b"x" * 100,
        UInt32(1) + Byte(6),
        UInt32(0),
    ],
    ids=["endless", "too long", "no id", "empty"],
)
async def test_nonsense_on_the_channel_leaves_nothing(tmp_path: Path, nonsense: bytes) -> None:
    """A broken packet ends the channel; an upload that was open is not taken for finished."""
    async with watched_house(tmp_path) as (house, intake), house.client() as client:
        await begin(client, f"IN/{GO}")
        writer = client._handler._writer
        assert writer is not None
        writer.write(nonsense)
        await intake.cut.acquire()
        assert (house.gathered(), house.ledger.names) == ([], [])


async def test_a_broken_request_is_answered_and_harms_nothing(tmp_path: Path) -> None:
    """A request with missing or odd fields is refused; the upload beside it goes on."""
    async with watched_house(tmp_path) as (house, _), house.client() as client:
        file = await begin(client, f"IN/{GO}")
        handler = client._handler
        for kind, body in ((6, b"\x00"), (200, String(b"unknown@example.com")), (99, b""), (12, UInt32(9))):
            with pytest.raises(asyncssh.SFTPError):
                await handler._make_request(kind, body)
        huge = String(file._handle or b"") + UInt64(2**64 - 1) + String(b"x")
        assert (await refused(handler._make_request(6, huge)))[0] == asyncssh.FX_FAILURE
        assert (await refused(file.close()))[0] == asyncssh.FX_FAILURE
        await put(client, f"IN/{FS}")
        assert (house.ledger.names, house.left()) == ([FS], [FS])


async def test_signals_on_the_channel_are_ignored(tmp_path: Path) -> None:
    """Signals and breaks do not end an upload."""
    async with watched_house(tmp_path) as (house, _), house.client() as client:
        file = await begin(client, f"IN/{GO}")
        writer = client._handler._writer
        assert writer is not None
        channel = writer.channel
        assert isinstance(channel, asyncssh.SSHClientChannel)
        channel.send_signal("INT")
        channel.change_terminal_size(80, 25)
        await file.write(b"more")
        await file.close()
        assert house.ledger.names == [GO]


class Scrupulous:
    """A reception that fails in a way of its own."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error
        self.names: list[str] = []

    def is_waiting(self, mailbox: Mailbox, username: str, name: str) -> bool:
        """Never at once, so that it is told of every arrival."""
        return False

    async def arrived(self, mailbox: Mailbox, username: str, name: str, since: float | None = None) -> None:
        """Fail as long as there is an error to fail with."""
        self.names.append(name)
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize(
    "error",
    [TemporaryError("journal at /secret"), OSError(errno.ENOSPC, "no space on /secret"), RuntimeError("/secret")],
    ids=repr,
)
async def test_no_custody_no_ok(tmp_path: Path, error: Exception) -> None:
    """A reception that fails: the client is told to try again, not why; trying again works."""
    reception = Scrupulous(error)
    async with open_house(tmp_path / "house", reception=reception) as house, house.client() as client:
        with capture_logs() as logs:
            assert await refused(put(client, f"IN/{GO}")) == (asyncssh.FX_FAILURE, LATER)
            await put(client, f"IN/{FI}.part")
            assert await refused(client.rename(f"IN/{FI}.part", f"IN/{FI}")) == (asyncssh.FX_FAILURE, LATER)
        assert [entry["error"] for entry in logs if entry["event"] == "sftp.request.failed"] == [
            type(error).__name__
        ] * 2
        assert "secret" not in repr(logs)
        reception.error = None
        await put(client, f"IN/{GO}")
        assert reception.names == [GO, FI, GO]


class Patient:
    """A reception that takes its time."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        self.done = False

    def is_waiting(self, mailbox: Mailbox, username: str, name: str) -> bool:
        """Never at once, so that it is told of every arrival."""
        return False

    async def arrived(self, mailbox: Mailbox, username: str, name: str, since: float | None = None) -> None:
        """Wait until told to go on."""
        self.reached.set()
        await self.go_on.wait()
        for _ in range(100):  # turns of the loop, as a real one needs
            await asyncio.sleep(0)
        self.done = True


@pytest.mark.parametrize("way", ["close", "rename"])
async def test_ok_comes_after_custody(tmp_path: Path, way: str) -> None:
    """The client has no answer while custody is being taken, though others are served meanwhile."""
    reception = Patient()
    async with open_house(tmp_path / "house", reception=reception) as house, house.client() as client:
        if way == "rename":
            await put(client, f"IN/{GO}.tmp")
            act = client.rename(f"IN/{GO}.tmp", f"IN/{GO}")
        else:
            act = put(client, f"IN/{GO}")
        ok = asyncio.create_task(act)
        await reception.reached.wait()
        async with house.client() as other:
            assert len(await other.listdir("/")) == 8
        assert not ok.done()
        reception.go_on.set()
        await ok
        assert reception.done


async def test_custody_goes_on_when_the_client_leaves(tmp_path: Path) -> None:
    """A client that is lost after it closed the file does not take the file with it."""
    reception = Patient()
    async with open_house(tmp_path / "house", reception=reception) as house:
        connection = await house.connect()
        client = await connection.start_sftp_client()
        ok = asyncio.create_task(put(client, f"IN/{GO}"))
        await reception.reached.wait()
        connection.abort()
        with pytest.raises(asyncssh.Error):
            await ok
        reception.go_on.set()
        assert house.left() == [GO]
    assert reception.done


class BrokenDisk(WatchedIntake):
    """A disk that cannot make anything durable."""

    def finish(self, upload: Upload) -> None:
        """Fail as fsync does."""
        raise OSError(errno.EIO, "lost /secret")


async def test_a_disk_that_fails_is_no_ok(tmp_path: Path) -> None:
    """Bytes that cannot be made durable are not reported, and nothing of them stays."""
    intake = BrokenDisk(tmp_path / "incoming")
    async with open_house(tmp_path / "house", intake=intake) as house, house.client() as client:
        assert await refused(put(client, f"IN/{GO}")) == (asyncssh.FX_FAILURE, LATER)
        assert (house.left(), house.ledger.names) == ([], [])


@pytest.mark.parametrize("where", ["pwrite", "fsync"])
async def test_an_upload_with_lost_bytes_is_never_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """One failed write or fsync, and the close fails too, though the disk works again."""
    async with watched_house(tmp_path) as (house, _), house.client() as client:
        file = await begin(client, f"IN/{GO}", b"data")

        def full(*_arguments: object) -> int:
            raise OSError(errno.ENOSPC, "no space on /secret")

        with monkeypatch.context() as patch:
            patch.setattr(f"os.{where}", full)
            act = file.fsync() if where == "fsync" else file.write(b"more", 4)
            assert await refused(act) == (asyncssh.FX_FAILURE, LATER)
        assert await refused(file.close()) == (asyncssh.FX_FAILURE, LATER)
        assert (house.left(), house.ledger.names) == ([], [])


class StuckOnce(WatchedIntake):
    """Cannot set aside the first upload it is asked to."""

    stuck = True

    def set_aside(self, upload: Upload) -> None:
        """Fail once."""
        if self.stuck:
            self.stuck = False
            raise OSError(errno.EIO, "stuck")
        super().set_aside(upload)


async def test_one_upload_that_cannot_be_given_back_keeps_no_other(tmp_path: Path) -> None:
    """Cleaning up goes on after a failure, which is logged."""
    intake = StuckOnce(tmp_path / "incoming")
    with capture_logs() as logs:
        async with open_house(tmp_path / "house", intake=intake) as house:
            connection = await house.connect()
            client = await connection.start_sftp_client()
            for name in (FI, FS, GO):
                await begin(client, f"IN/{name}")
            connection.abort()
            for _ in range(2):
                await intake.cut.acquire()
    assert [entry["error"] for entry in logs if entry["event"] == "sftp.upload.left"] == ["OSError"]


@pytest.mark.parametrize("way", ["channel", "connection"])
async def test_a_client_that_reads_nothing_fills_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Answers wait for the client: of 400 large requests only some are answered until it takes them.

    It stops reading its channel, or with an endless window for the channel, the whole connection.
    """
    answered = []
    original = Outgoing.read

    def counted(self: Outgoing, offset: int, size: int) -> bytes:
        answered.append(offset)
        return original(self, offset, size)

    monkeypatch.setattr(Outgoing, "read", counted)
    async with watched_house(tmp_path) as (house, _), house.connect() as connection, house.client() as other:
        house.answer(FO, data=b"x" * 1_000_000)
        if way == "connection":
            endless = functools.partial(connection.open_session, window=1 << 30)
            monkeypatch.setattr(connection, "open_session", endless)
        client = await connection.start_sftp_client()
        file = await client.open(f"OUT/{FO}", "rb", encoding=None)
        writer, handle = client._handler._writer, file._handle
        assert writer is not None
        assert handle is not None
        reading = writer.channel if way == "channel" else connection._transport
        reading.pause_reading()
        asked = [asyncio.create_task(client._handler.read(handle, 0, 261_120)) for _ in range(400)]
        for _ in range(300):
            await other.stat(f"OUT/{FO}")
        assert 0 < len(answered) < 100
        reading.resume_reading()
        assert {len(data) for data, _ in await asyncio.gather(*asked)} == {261_120}


async def test_a_client_that_read_nothing_and_leaves_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of the connection also ends the waiting for it to take bytes."""
    paused = asyncio.Event()
    pause = Visit.pause

    def noting(self: Visit) -> None:
        pause(self)
        paused.set()

    monkeypatch.setattr(Visit, "pause", noting)
    async with watched_house(tmp_path) as (house, intake):
        house.answer(FO, data=b"x" * 1_000_000)
        connection = await house.connect()
        monkeypatch.setattr(connection, "open_session", functools.partial(connection.open_session, window=1 << 30))
        client = await connection.start_sftp_client()
        await begin(client, f"IN/{GO}")
        handle = (await client.open(f"OUT/{FO}", "rb", encoding=None))._handle or b""
        connection._transport.pause_reading()
        asked = [asyncio.create_task(client._handler.read(handle, 0, 261_120)) for _ in range(400)]
        await paused.wait()
        connection.abort()
        await intake.cut.acquire()
        assert (house.gathered(), house.ledger.names) == ([], [])
        await asyncio.gather(*asked, return_exceptions=True)


async def test_a_fault_of_ours_between_requests_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever breaks the loop that reads requests, what was open is given back and the connection ends."""
    async with watched_house(tmp_path) as (house, intake), house.connect() as connection:
        client = await connection.start_sftp_client()
        await begin(client, f"IN/{GO}")

        def broken(*_arguments: object) -> None:
            raise RuntimeError("broken")

        monkeypatch.setattr(Visit, "work", broken)
        with pytest.raises(asyncssh.Error):
            await client.stat("/")
        await intake.cut.acquire()
        await connection.wait_closed()
        assert (house.gathered(), house.ledger.names) == ([], [])


async def test_the_door_closes_after_open_uploads_have_ended(tmp_path: Path) -> None:
    """While it closes: no new files or connections, but what is open may end."""
    leaving = asyncio.Event()
    async with watched_house(tmp_path) as (house, _):
        connection = await house.connect()
        client = await connection.start_sftp_client()
        file = await begin(client, f"IN/{GO}", b"first ")

        async def close() -> None:
            leaving.set()
            await house.door.close()

        closing = asyncio.create_task(close())
        await leaving.wait()
        assert (await refused(begin(client, f"IN/{FI}")))[1] == "the gateway is about to stop; try again later"
        await file.write(b"second")
        assert not closing.done()
        await file.close()
        await closing
        await connection.wait_closed()
        assert (house.ledger.names, house.left()) == ([GO], [GO])


async def test_the_door_does_not_wait_for_ever(tmp_path: Path) -> None:
    """An upload that does not end in time is cut, and is no file."""
    async with watched_house(tmp_path, drain_timeout=0.05) as (house, _):
        connection = await house.connect()
        await begin(await connection.start_sftp_client(), f"IN/{GO}")
    assert (house.gathered(), house.ledger.names) == ([], [])
    await connection.wait_closed()


async def test_many_uploads_at_once_are_each_themselves(tmp_path: Path) -> None:
    """Forty files over eight connections: all arrive, each with its bytes."""
    names = [f"FI.DIMN.123456.20261121.{number:05}.R.1.1" for number in range(40)]
    async with watched_house(tmp_path) as (house, intake):

        async def send(some: list[str]) -> None:
            async with house.client() as client:
                for name in some:
                    await put(client, f"IN/{name}", name.encode() * 1000)

        await asyncio.gather(*(send(names[number::8]) for number in range(8)))
        assert sorted(house.ledger.names) == names
        for name in names:
            assert (intake.set_folder(house.inbox(), name) / name).read_bytes() == name.encode() * 1000
