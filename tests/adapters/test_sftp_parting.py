"""The SFTP door closes, and nobody who is at work notices: real clients, real sockets."""

import asyncio
import errno
from pathlib import Path

import asyncssh
import pytest
from structlog.testing import capture_logs

from channels.sftp import parting
from channels.sftp.server import Door
from tests.adapters.sftp_door import FI, FS, GO, USER, open_house

_SETS = 40


async def test_a_batch_that_runs_goes_on_to_its_end(tmp_path: Path) -> None:
    """OpenSSH's sftp in one session, dozens of files yet to come when the door closes: not one of them fails."""
    names = [f"GO.DIMN.123456.20261121.{number:05}.R.1" for number in range(_SETS)]
    for name in names:
        (tmp_path / name).touch()
    async with open_house(tmp_path / "house", finish_timeout=60.0) as house:
        batch = asyncio.create_task(house.sftp("cd IN", *(f"put {tmp_path}/{name}" for name in names)))
        while not house.ledger.names:  # noqa: ASYNC110 -- the ledger is a list
            await asyncio.sleep(0.01)
        await house.door.close()
        done = await batch
        assert (done.status, sorted(house.ledger.names)) == (0, names)


async def put(client: asyncssh.SFTPClient, path: str) -> None:
    """An upload."""
    async with client.open(path, "wb") as file:
        await file.write(b"data")


async def test_who_is_logging_in_when_the_door_closes_may_come_in_and_send(tmp_path: Path) -> None:
    """A connection that was taken is a promise; a program would tell its user that the upload has failed."""
    async with open_house(tmp_path / "house", finish_timeout=60.0) as house:
        connecting = house.connect()

        async def send() -> None:
            async with connecting as connection, connection.start_sftp_client() as client:
                await put(client, f"IN/{GO}")

        sending = asyncio.create_task(send())
        while not house.door.connections:  # noqa: ASYNC110 -- nothing tells of it
            await asyncio.sleep(0)
        await house.door.close()
        await sending
        assert house.ledger.names == [GO]


@pytest.mark.parametrize("brought", [(FI, FS), (f"{GO}.part",)], ids=["a part of a set", "a temporary name"])
async def test_who_rests_is_sent_away_with_words_and_who_is_within_a_set_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, brought: tuple[str, ...]
) -> None:
    """One client has nothing under way; of the other's set GO, or its name, is still to come."""
    monkeypatch.setattr(parting, "_QUIET", 0.0)
    async with open_house(tmp_path / "house", finish_timeout=60.0) as house:
        said = ["-N", "-o", "LogLevel=VERBOSE", *house.options(), "-p", str(house.door.port), f"{USER}@127.0.0.1"]
        resting = await house.start("ssh", *said)
        assert resting.stderr is not None
        await resting.stderr.readuntil(b"Authenticated to")
        async with house.client() as client:
            for name in brought:
                await put(client, f"IN/{name}")
            closing = asyncio.create_task(house.door.close())
            await resting.stderr.readuntil(parting.GOODBYE.encode())
            assert not closing.done()
            if FI in brought:
                await put(client, f"IN/{GO}")
            else:
                await client.rename(f"IN/{brought[0]}", f"IN/{GO}")
        await closing
        assert house.ledger.names[-1] == GO


async def test_the_door_closes_though_the_disk_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can say whether the client is within a set: it stays as long as any may, and then all are gone."""
    monkeypatch.setattr(parting, "_QUIET", 0.0)
    monkeypatch.setattr(parting, "_QUIET_LATE", 0.0)
    looked: list[str] = []

    def failing(_mailbox: object, name: str) -> None:
        looked.append(name)
        raise OSError(errno.EIO, "Input/output error")

    async with open_house(tmp_path / "house", finish_timeout=0.3) as house, house.client() as client:
        await put(client, f"IN/{FI}")
        monkeypatch.setattr(house.intake, "find", failing)
        await house.door.close()
        assert looked[0] == FI
        assert house.door.connections == 0


async def test_nothing_is_left_of_a_door_that_could_not_close_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever fails, nothing of the door runs on."""

    async def failing(_door: Door) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Door, "close", failing)
    with capture_logs() as logs, pytest.raises(OSError, match="Input"):
        async with open_house(tmp_path / "house"):
            pass
    await asyncio.sleep(0)
    assert logs[-1]["event"] == "sftp.closed"
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_who_has_not_read_its_last_answer_does_not_rest(tmp_path: Path) -> None:
    """A file's OK may be in it."""
    async with open_house(tmp_path / "house") as house, house.client():
        (visit,) = house.door._present.values()
        before = visit.standing.is_busy
        visit.pause()
        assert (before, visit.standing.is_busy) == (False, True)
        visit.resume()
