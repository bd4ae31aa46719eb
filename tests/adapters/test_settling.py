"""What was closed gets onto the disk: before a GO has its OK, and otherwise soon; a power cut leaves no half file."""

import asyncio
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import parties
from gateway.parties import Sender, SignatureProfile
from gateway.reception import CustodyFailedError, Patience, Reception
from spool import leftovers
from spool.custody import Custody
from spool.intake import Intake, IntakeLimits
from spool.journal import open_journal
from spool.mailbox import Mailbox
from spool.settling import is_unsettled

BOX = Mailbox("123456", "IN")
FI = "FI.DIMN.123456.20261121.00001.R.1.1"
FS = "FS.DIMN.123456.20261121.00001.R.1.1"
GO = "GO.DIMN.123456.20261121.00001.R.1"
PART = f"{FI}.part"


class Disk:
    """Every fsync goes through it: it keeps account of what was synced, and may refuse one file."""

    def __init__(self) -> None:
        self.synced: list[str] = []
        self.refused = ""

    def fsync(self, descriptor: int) -> None:
        """Sync it, or fail once as a disk does that has lost pages."""
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        if name == self.refused:
            self.refused = ""
            raise OSError(errno.EIO, "Input/output error")
        self.synced.append(name)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The disk."""
    watched = Disk()
    monkeypatch.setattr(os, "fsync", watched.fsync)
    return watched


@pytest.fixture
def intake(tmp_path: Path) -> Intake:
    """An intake after its first start."""
    return started(tmp_path / "incoming")


@pytest.fixture
def reception(tmp_path: Path, intake: Intake) -> Iterator[Reception]:
    """A reception that knows the sender."""
    journal = open_journal(tmp_path / "journal.sqlite3", create=True)
    with journal.write() as connection:
        parties.add_sender(connection, Sender("123456", SignatureProfile.DETACHED, "RTS", ("*",), active=True))
    custody = Custody(tmp_path / "custody", journal)
    yield Reception(intake, custody, journal, Patience(parts=3600, start_file=3600), lambda: None)
    journal.close()


def started(root: Path) -> Intake:
    """The intake of a process that has just started."""
    intake = Intake(root, IntakeLimits(file_bytes=1_000_000, files=50, reserve=0))
    intake.recover()
    return intake


def put(intake: Intake, name: str, data: bytes = b"data") -> None:
    """Upload a file."""
    upload = intake.begin(BOX, name)
    upload.write(0, data)
    intake.finish(upload)


def bring(intake: Intake, reception: Reception, *names: str) -> None:
    """Upload files as the door does."""
    for name in names:
        put(intake, name)
        asyncio.run(reception.arrived(BOX, "payroll01", name))


def waiting(intake: Intake) -> list[str]:
    """What waits."""
    return [entry.name for entry in intake.entries(BOX)]


@pytest.fixture
def power_cut(intake: Intake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Restart":
    """Start the intake again on a machine that was off."""
    return Restart(intake.root, tmp_path / "boot_id", monkeypatch)


class Restart:
    """Starts an intake; the kernel has another boot id then."""

    def __init__(self, root: Path, boot_id: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._root, self._boot_id = root, boot_id
        self._monkeypatch = monkeypatch

    def __call__(self) -> list[str]:
        """What waits afterwards."""
        self._boot_id.write_text("another")
        self._monkeypatch.setattr(leftovers, "_BOOT_ID", self._boot_id)
        return waiting(started(self._root))


def test_the_close_of_a_part_waits_for_no_disk(intake: Intake, reception: Reception, disk: Disk) -> None:
    """Nor does its renaming; only the inbox itself is made durably, with its first file."""
    put(intake, PART)
    disk.synced.clear()
    intake.rename(BOX, PART, FI)
    bring(intake, reception, FS)

    assert [] == disk.synced


def test_every_file_is_on_the_disk_before_the_go_has_its_ok(intake: Intake, reception: Reception, disk: Disk) -> None:
    """Bytes of all three, then the folder with their names."""
    bring(intake, reception, FI, FS)
    disk.synced.clear()
    bring(intake, reception, GO)

    assert {FI, FS, GO} < set(disk.synced)
    assert [] == waiting(intake)


def test_what_waits_is_settled_by_the_sweep(intake: Intake, reception: Reception, power_cut: Restart) -> None:
    """Under its own name or a temporary one, once nothing more came for a while: a power cut cannot take it back."""
    bring(intake, reception, FI)
    put(intake, PART)
    path = intake.set_folder(BOX, FI) / FI
    asyncio.run(reception.sweep())

    assert is_unsettled(path)

    os.utime(path.parent, times=(0, 0))
    asyncio.run(reception.sweep())

    assert (False, 0o640) == (is_unsettled(path), stat.S_IMODE(path.stat().st_mode))
    assert sorted([FI, PART]) == power_cut()


def test_a_power_cut_takes_what_was_only_with_the_kernel(intake: Intake, power_cut: Restart) -> None:
    """Nobody knows which of its bytes reached the disk, so the sender's GO finds nothing and says so."""
    put(intake, FI)
    put(intake, FS)
    put(intake, PART)
    intake.settle(BOX, intake.set_folder(BOX, FS))
    intake.rename(BOX, FI, FI.replace("00001", "00002"))

    assert [FS] == power_cut()


def test_a_process_that_dies_loses_nothing(intake: Intake) -> None:
    """The kernel has the bytes; the next process puts them onto the disk."""
    put(intake, FI)

    later = started(intake.root)
    assert [FI] == waiting(later)
    later.settle(BOX, later.set_folder(BOX, FI))
    assert not is_unsettled(later.set_folder(BOX, FI) / FI)


def test_a_go_that_came_first_survives_a_power_cut(intake: Intake, reception: Reception, power_cut: Restart) -> None:
    """Its OK promises an answer; the parts that come after it are settled with their close, too."""
    bring(intake, reception, GO, FI)

    assert sorted([FI, GO]) == power_cut()


@pytest.mark.parametrize("lost", [FI, GO])
def test_a_file_that_the_disk_did_not_keep_is_never_taken(
    intake: Intake, reception: Reception, disk: Disk, lost: str
) -> None:
    """The kernel tells of lost bytes once: the GO is refused, the file is gone, and sending both again helps."""
    bring(intake, reception, FI, FS)
    disk.refused = lost
    with pytest.raises(CustodyFailedError):
        bring(intake, reception, GO)

    assert sorted({FI, FS} - {lost}) == waiting(intake)
    bring(intake, reception, FI, GO)
    assert [] == waiting(intake)


def test_a_disk_that_loses_a_part_is_told_of_and_keeps_no_other_waiting(
    intake: Intake, reception: Reception, disk: Disk
) -> None:
    """The part is gone, the other is settled."""
    other = FI.replace("00001", "00002")
    bring(intake, reception, FI, other)
    disk.refused = FI
    for name in (FI, other):
        os.utime(intake.set_folder(BOX, name), times=(0, 0))
    asyncio.run(reception.sweep())

    assert ([other], False) == (waiting(intake), is_unsettled(intake.set_folder(BOX, other) / other))


def test_a_file_sent_anew_while_the_old_one_is_synced_is_not_taken_for_it(
    intake: Intake, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what was synced counts as being on the disk."""
    put(intake, FI, b"old")

    def replaced_meanwhile(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", disk.fsync)
        disk.fsync(descriptor)
        put(intake, FI, b"new")

    monkeypatch.setattr(os, "fsync", replaced_meanwhile)
    intake.settle(BOX, intake.set_folder(BOX, FI))

    assert is_unsettled(intake.set_folder(BOX, FI) / FI)


def test_what_another_has_begun_to_settle_is_on_the_disk_before_a_go_has_its_ok(
    intake: Intake, reception: Reception, disk: Disk
) -> None:
    """The sweep has given the file its permissions, and nobody knows yet whether that reached the disk."""
    upload = intake.begin(BOX, GO)
    intake.finish(upload)
    (intake.set_folder(BOX, GO) / GO).chmod(0o640)
    disk.synced.clear()
    asyncio.run(reception.arrived(BOX, "payroll01", GO))

    assert GO in disk.synced
