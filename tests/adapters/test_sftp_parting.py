"""The SFTP door closes, and nobody who is at work notices: real clients, real sockets."""

import asyncio
from pathlib import Path

import asyncssh
import pytest

from channels.sftp import parting
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


async def test_who_rests_is_sent_away_with_words_and_who_is_within_a_set_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One client has nothing under way; the other has brought FI and FS, and its GO is still to come."""
    monkeypatch.setattr(parting, "_QUIET", 0.0)
    async with open_house(tmp_path / "house", finish_timeout=60.0) as house:
        said = ["-N", "-o", "LogLevel=VERBOSE", *house.options(), "-p", str(house.door.port), f"{USER}@127.0.0.1"]
        resting = await house.start("ssh", *said)
        assert resting.stderr is not None
        await resting.stderr.readuntil(b"Authenticated to")
        async with house.client() as client:
            for name in (FI, FS):
                await put(client, f"IN/{name}")
            closing = asyncio.create_task(house.door.close())
            await resting.stderr.readuntil(parting.GOODBYE.encode())
            assert not closing.done()
            await put(client, f"IN/{GO}")
        await closing
        assert house.ledger.names == [FI, FS, GO]
