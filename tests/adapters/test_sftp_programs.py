"""Every program that senders use does its whole job: upload, list, download, delete, and hear what is wrong."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from asyncssh import FXF_CREAT, FXF_TRUNC, FXF_WRITE
from structlog.testing import capture_logs

from spool.intake import Intake, IntakeLimits
from spool.mailbox import Mailbox
from tests.adapters.programs import (
    Asyncssh,
    Client,
    Curl,
    Lftp,
    Paramiko,
    ParamikoByBoth,
    ParamikoByPassword,
    Pscp,
    Psftp,
    Scp,
    Sftp,
    Sshfs,
    fuse_works,
)
from tests.adapters.sftp_door import FI, FO, FS, GO, House, open_house

NEW = FXF_WRITE | FXF_CREAT | FXF_TRUNC
DATA = bytes(range(256)) * 1000
with_fuse = pytest.mark.skipif(not fuse_works(), reason="this machine lets nobody mount with FUSE")
OF_PARAMIKO = [Paramiko, ParamikoByPassword, ParamikoByBoth]
EVERY = [Sftp, Scp, Lftp, Psftp, Pscp, Curl, pytest.param(Sshfs, marks=with_fuse), *OF_PARAMIKO, Asyncssh]

Make = Callable[[House], Client]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """An open door that takes files of 300 kB."""
    intake = Intake(tmp_path / "incoming", IntakeLimits(file_bytes=300_000, files=100, reserve=0))
    async with open_house(tmp_path / "house", intake=intake) as opened:
        yield opened


def write(folder: Path, name: str, data: bytes) -> Path:
    """A file of the sender's."""
    (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize("make", EVERY)
async def test_a_set_is_uploaded(house: House, tmp_path: Path, make: Make) -> None:
    """FI, FS and GO arrive in order and with their bytes."""
    client = make(house)
    for name, data in {FI: DATA, FS: b"signature", GO: b""}.items():
        ended = await client.put(write(tmp_path, name, data), f"IN/{name}")
        assert ended.status == 0, ended
    assert list(dict.fromkeys(house.ledger.names)) == [FI, FS, GO]
    assert (house.intake.set_folder(house.inbox(), FI) / FI).read_bytes() == DATA
    assert house.left() == [FI, FS, GO]


@pytest.mark.parametrize("make", EVERY)
async def test_an_answer_is_listed_fetched_and_deleted(house: House, tmp_path: Path, make: Make) -> None:
    """It comes whole, is recorded as fetched, and is gone when it was deleted."""
    house.answer(FO, data=DATA)
    client = make(house)
    assert FO in (await client.names("OUT")).out
    got = await client.get(f"OUT/{FO}", tmp_path / "got")
    assert got.status == 0, got
    assert (tmp_path / "got").read_bytes() == DATA
    ended = await client.delete(f"OUT/{FO}")
    assert ended.status == 0, ended
    assert house.outbox.entries(Mailbox("123456", "OUT")) == []
    fetched, deleted = ("fetched", house.inbox("OUT"), FO), ("deleted", house.inbox("OUT"), FO)
    # lftp may take its connection away before its last request is out; then nothing says that it read to the end.
    assert house.shelf.told == [fetched, deleted] or (make is Lftp and house.shelf.told == [deleted])


@pytest.mark.parametrize("make", EVERY)
async def test_a_status_document_is_read(house: House, tmp_path: Path, make: Make) -> None:
    """A ticket's document is listed and comes whole."""
    house.shelf.documents["ABCDEFGH12345.json"] = b'{"state": "accepted"}\n'
    client = make(house)
    assert "ABCDEFGH12345.json" in (await client.names("STATUS")).out
    got = await client.get("STATUS/ABCDEFGH12345.json", tmp_path / "got")
    assert got.status == 0, got
    assert (tmp_path / "got").read_bytes() == b'{"state": "accepted"}\n'


@pytest.mark.parametrize("make", EVERY)
async def test_a_wrong_name_is_refused(house: House, tmp_path: Path, make: Make) -> None:
    """A name with a space: the program says that it failed, and nothing comes of it."""
    ended = await make(house).put(write(tmp_path, "data", DATA), "IN/my file")
    assert ended.status != 0
    assert (house.left(), house.ledger.names) == ([], [])


@pytest.mark.parametrize("make", EVERY)
async def test_a_file_that_is_too_large_is_refused(house: House, tmp_path: Path, make: Make) -> None:
    """The program says that it failed, and nothing of the file waits."""
    ended = await make(house).put(write(tmp_path, FI, DATA * 10), f"IN/{FI}")
    assert ended.status != 0
    assert (house.gathered(), house.ledger.names) == ([], [])


@pytest.mark.parametrize("make", [Lftp, Paramiko, Asyncssh])
async def test_these_programs_show_our_words(house: House, tmp_path: Path, make: Make) -> None:
    """Their users read what is wrong with a name, with its code."""
    ended = await make(house).put(write(tmp_path, "data", DATA), "IN/my file")
    assert "the file name has a space in it" in ended.err + ended.out
    assert "(129)" in ended.err + ended.out


@pytest.mark.parametrize("make", [Sftp, Lftp, Psftp, Curl])
async def test_a_broken_upload_is_gone_on_with(
    house: House, tmp_path: Path, make: Callable[[House], Sftp | Lftp | Psftp | Curl]
) -> None:
    """A connection cut after 100 kB: the program sends the rest, not the whole again, and the file is right."""
    async with house.client() as first:
        file = await first.open(f"IN/{FI}", NEW, encoding=None)
        await file.write(DATA[:100_000])
        first.exit()
        await first.wait_closed()
    with capture_logs() as logs:
        ended = await make(house).resume(write(tmp_path, FI, DATA), f"IN/{FI}")
    assert ended.status == 0, ended
    assert [entry["size"] for entry in logs if entry["event"] == "sftp.upload.resumed"] == [100_000]
    assert (house.intake.set_folder(house.inbox(), FI) / FI).read_bytes() == DATA
    assert house.left() == [FI]


async def test_lftp_mirrors_in_parallel(house: House, tmp_path: Path) -> None:
    """A folder of files goes up over four connections, answers come down the same way and are removed."""
    names = [f"FI.DIMN.123456.20261121.{number:05}.R.1.1" for number in range(24)]
    sent = tmp_path / "sent"
    sent.mkdir()
    for name in names:
        write(sent, name, name.encode() * 100)
    house.answer(*(f"FO.ACRF.999999.20261121.{number:05}.R" for number in range(12)), data=DATA)
    ended = await Lftp(house).run(
        f"mirror -R --parallel=4 --no-perms {sent} IN",
        f"mirror --parallel=4 --Remove-source-files OUT {tmp_path / 'got'}",
    )
    assert ended.status == 0, ended
    assert sorted(house.ledger.names) == names
    assert {path.stat().st_size for path in (tmp_path / "got").iterdir()} == {len(DATA)}
    assert house.outbox.entries(house.inbox("OUT")) == []


async def test_df_shows_what_may_still_be_sent(house: House, tmp_path: Path) -> None:
    """OpenSSH's sftp asks by statvfs; what waits is taken off."""
    ended = await house.sftp(f"put {write(tmp_path, FI, DATA)} IN/", "df IN")
    size, used, free = ended.out.splitlines()[-1].split()[:3]
    assert (int(size), int(used), int(free)) == (4 * 1024**2, 250, 4 * 1024**2 - 250)
