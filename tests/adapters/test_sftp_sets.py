"""Sets of files over a real door into real custody: in any order, in pieces, twice, and by two connections at once."""

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest
from asyncssh import FXF_CREAT, FXF_TRUNC, FXF_WRITE
from structlog.testing import capture_logs

from gateway import parties
from gateway.parties import Sender, SignatureProfile
from gateway.reception import Patience, Reception
from spool import submissions
from spool.custody import Custody
from spool.journal import Journal
from spool.submissions import Submission
from tests.adapters.sftp_door import FI, FS, GO, SENDER, House, WatchedIntake, open_house

NEW = FXF_WRITE | FXF_CREAT | FXF_TRUNC
TD = GO.replace("GO", "TD")
PATIENCE = Patience(parts=60.0, start_file=24 * 3600.0)


class Site:
    """A house whose reception takes custody."""

    def __init__(self, house: House, journal: Journal, reception: Reception, intake: WatchedIntake) -> None:
        self.house = house
        self.intake = intake
        self.reception = reception
        self._journal = journal

    def taken(self) -> list[Submission]:
        """The submissions in custody with their files, oldest first."""
        with self._journal.read() as connection:
            found = [submissions.load(connection, one.ticket) for one in submissions.search(connection)]
        return [one for one in reversed(found) if one is not None]

    def names(self) -> list[list[str]]:
        """The names of the files of each."""
        return [[file.name for file in one.files] for one in self.taken()]


@pytest.fixture
async def site(tmp_path: Path, journal: Journal) -> AsyncIterator[Site]:
    """A site with one sender, who signs in FS files."""
    with journal.write() as connection:
        parties.add_sender(connection, Sender(SENDER, SignatureProfile.DETACHED, "RTS", ("*",), active=True))
    intake = WatchedIntake(tmp_path / "incoming")
    reception = Reception(intake, Custody(tmp_path / "custody", journal), journal, PATIENCE, lambda: None)
    async with open_house(tmp_path / "house", intake=intake, reception=reception) as house:
        yield Site(house, journal, reception, intake)


async def put(client: asyncssh.SFTPClient, name: str, data: bytes = b"data", directory: str = "IN") -> None:
    """An upload."""
    async with client.open(f"{directory}/{name}", NEW, encoding=None) as file:
        await file.write(data)


@pytest.mark.parametrize(
    "order", list(itertools.permutations((FI, FS, GO))), ids=lambda names: " ".join(n[:2] for n in names)
)
async def test_parts_come_in_any_order(site: Site, order: tuple[str, ...]) -> None:
    """Custody is taken with the last of them, whichever that is, and not before."""
    async with site.house.client() as client:
        for name in order:
            assert site.taken() == []
            await put(client, name)
    assert site.names() == [[FI, FS, GO]]
    assert site.house.left() == []


async def test_a_go_waits_for_its_parts_so_long(site: Site) -> None:
    """Then it is taken without them, to be answered; parts wait longer for their GO."""
    async with site.house.client() as client:
        await put(client, GO)
        await put(client, FI.replace("00001", "00002"))
    assert 0 == await site.reception.sweep()
    for path in site.house.intake.root.rglob("*.DIMN.*"):
        os.utime(path, (time.time() - 61, time.time() - 61))
    assert 1 == await site.reception.sweep()
    assert site.names() == [[GO]]


async def test_a_td_before_the_rest_withdraws_the_set(site: Site) -> None:
    """It closes the set at once; what comes of it later is a set of its own."""
    async with site.house.client() as client:
        await put(client, FI)
        await put(client, TD)
        assert site.names() == [[FI, TD]]
        await put(client, FS)
    assert site.house.left()
    assert site.names() == [[FI, TD]]


async def test_a_name_is_taken_again_with_the_same_and_with_other_bytes(site: Site) -> None:
    """Both are submissions of their own, to be judged as repeats; their contents tell them apart."""
    async with site.house.client() as client:
        for data in (b"data", b"data", b"other"):
            for name in (FI, FS, GO):
                await put(client, name, b"" if name == GO else data)
    first, second, third = site.taken()
    assert first.content == second.content != third.content
    assert {one.name for one in site.taken()} == {GO}


async def test_a_waiting_part_is_replaced_until_go(site: Site) -> None:
    """The last bytes count, also when fewer; temporary names and renames do the same."""
    async with site.house.client() as client:
        await put(client, FI, b"a first and longer try")
        await put(client, FI, b"second")
        await put(client, f"{FS}.part", b"signature")
        await put(client, FS, b"old signature")
        await client.posix_rename(f"IN/{FS}.part", f"IN/{FS}")
        await put(client, GO, b"")
    assert [(FI, 6), (FS, 9), (GO, 0)] == [(file.name, file.size) for file in site.taken()[0].files]


async def test_two_connections_send_one_set(site: Site) -> None:
    """Every part from another connection and all at once: one submission with all of them, whoever is last."""
    stems = [f"DIMN.123456.20261121.{number:05}.R" for number in range(1, 9)]
    async with site.house.client() as first, site.house.client() as second, site.house.client() as third:
        await asyncio.gather(
            *(put(first, f"FI.{stem}.1.1") for stem in stems),
            *(put(second, f"FS.{stem}.1.1") for stem in stems),
            *(put(third, f"GO.{stem}.1", b"") for stem in stems),
        )
    assert sorted(site.names()) == [[f"FI.{stem}.1.1", f"FS.{stem}.1.1", f"GO.{stem}.1"] for stem in stems]
    assert site.house.left() == []


async def test_one_part_from_two_connections_is_that_of_one(site: Site) -> None:
    """The second is refused while the first sends; nothing is mixed."""
    async with site.house.client() as first, site.house.client() as second:
        file = await first.open(f"IN/{FI}", NEW, encoding=None)
        await file.write(b"of the first")
        for flags in (NEW, FXF_WRITE, FXF_WRITE | FXF_CREAT):
            with pytest.raises(asyncssh.SFTPError, match="being uploaded by another connection"):
                await second.open(f"IN/{FI}", flags, encoding=None)
        for act in (second.remove(f"IN/{FI}"), second.rename(f"IN/{FI}", f"IN/{FI}.tmp")):
            with pytest.raises(asyncssh.SFTPError, match="being uploaded"):
                await act
        await put(second, FS)
        await put(second, GO, b"")
        assert site.taken() == []
        await file.close()
    assert [(FI, 12), (FS, 4), (GO, 0)] == [(one.name, one.size) for one in site.taken()[0].files]


async def test_a_go_does_not_take_half_a_part(site: Site) -> None:
    """A part whose upload was cut is not there; when it is gone on with, over another connection, the set is whole."""
    data = b"0123456789" * 5000
    connection = await site.house.connect()
    client = await connection.start_sftp_client()
    file = await client.open(f"IN/{FI}", NEW, encoding=None)
    await file.write(data[:20_000])
    await put(client, FS)
    connection.abort()
    await connection.wait_closed()
    with capture_logs() as logs:
        async with site.house.client() as again:
            await put(again, GO, b"")
            assert site.taken() == []
            await site.intake.cut.acquire()
            async with again.open(f"IN/{FI}", FXF_WRITE, encoding=None) as rest:
                await rest.write(data[20_000:], 20_000)
    assert site.names() == [[FI, FS, GO]]
    assert site.taken()[0].files[0].size == 50_000
    assert [entry["size"] for entry in logs if entry["event"] == "sftp.upload.resumed"] == [20_000]


async def test_custody_makes_room_in_the_quota(site: Site) -> None:
    """What is in custody no longer waits."""
    async with site.house.client() as client:
        before = (await client.statvfs("IN")).bavail
        await put(client, FI, b"x" * 1_000_000)
        between = (await client.statvfs("IN")).bavail
        await put(client, FS)
        await put(client, GO, b"")
        assert (await client.statvfs("IN")).bavail == before
    assert before - between == 977
