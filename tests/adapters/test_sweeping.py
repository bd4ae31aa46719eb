"""What the sweep does about sets that wait: who uploaded is known, and what has not changed costs nothing."""

import asyncio
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway import parties
from gateway.parties import Sender, SignatureProfile
from gateway.reception import Patience, Reception
from spool.custody import Custody
from spool.intake import Intake, IntakeLimits
from spool.journal import Journal, open_journal
from spool.mailbox import Mailbox
from spool.tables import submissions

BOX = Mailbox("123456", "IN")
FI = "FI.DIMN.123456.20261121.00001.R.1.1"
FS = "FS.DIMN.123456.20261121.00001.R.1.1"
PATIENT = Patience(parts=3600, start_file=3600)


class WatchedIntake(Intake):
    """An intake that keeps account of the sets that it was asked to put onto the disk."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, IntakeLimits(file_bytes=1_000_000, files=100, reserve=0))
        self.asked: list[Path] = []

    def settle(self, mailbox: Mailbox, *folders: Path) -> None:
        """Do so, and keep account of it."""
        self.asked += [folder for folder in folders if folder.name.startswith("set-")]
        super().settle(mailbox, *folders)


@pytest.fixture
def intake(tmp_path: Path) -> WatchedIntake:
    """An empty one."""
    return WatchedIntake(tmp_path / "incoming")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A journal that knows the sender."""
    journal = open_journal(tmp_path / "journal.sqlite3", create=True)
    with journal.write() as connection:
        parties.add_sender(connection, Sender("123456", SignatureProfile.DETACHED, "RTS", ("*",), active=True))
    yield journal
    journal.close()


def opened(intake: Intake, journal: Journal, patience: Patience = PATIENT) -> Reception:
    """The reception of a process that has just started."""
    return Reception(intake, Custody(intake.root.parent / "custody", journal), journal, patience, lambda: None)


def bring(intake: Intake, reception: Reception, name: str, username: str = "payroll01") -> Path:
    """Upload a part as the door does; answers the folder of its set."""
    upload = intake.begin(BOX, name)
    upload.write(0, b"data")
    intake.finish(upload)
    if not reception.is_waiting(BOX, username, name):
        asyncio.run(reception.arrived(BOX, username, name))
    return intake.set_folder(BOX, name)


def age(folder: Path, seconds: float = 60.0) -> None:
    """Nothing has come into it for so long."""
    at = folder.stat().st_mtime - seconds
    os.utime(folder, times=(at, at))


def uploaders(journal: Journal) -> list[str]:
    """Who brought what was taken."""
    with journal.read() as connection:
        return list(connection.execute(sa.select(submissions.c.username)).scalars())


def test_who_uploaded_is_known_when_time_is_up(intake: WatchedIntake, journal: Journal) -> None:
    """From memory in the process that took the file; nothing was written for it."""
    reception = opened(intake, journal, Patience(parts=0, start_file=0))
    bring(intake, reception, FI)
    asyncio.run(reception.sweep())

    assert ["payroll01"] == uploaders(journal)


@pytest.mark.parametrize("way", ["sweep", "close"])
def test_who_uploaded_is_known_after_a_restart(intake: WatchedIntake, journal: Journal, way: str) -> None:
    """The sweep has written it down with the files, and so does a gateway that stops; the last who did counts."""
    reception = opened(intake, journal)
    bring(intake, reception, FI)
    folder = bring(intake, reception, FS, "payroll02")
    if way == "sweep":
        age(folder)
        asyncio.run(reception.sweep())
    else:
        reception.close()
    asyncio.run(opened(intake, journal, Patience(parts=0, start_file=0)).sweep())

    assert ["payroll02"] == uploaders(journal)


def test_who_uploaded_is_not_forgotten_by_a_disk_that_was_full(
    intake: WatchedIntake, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays in memory until it is written; one that cannot be written keeps no other from it at the end."""
    reception = opened(intake, journal)
    age(bring(intake, reception, FI))
    bring(intake, reception, FI.replace("00001", "00002"), "payroll02")
    write, asked = Path.write_text, []

    def full(path: Path, *text: str, **how: str) -> int:
        asked.append(path)
        if len(asked) < 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, *text, **how)

    monkeypatch.setattr(Path, "write_text", full)
    asyncio.run(reception.sweep())
    reception.close()
    reception.close()
    asyncio.run(opened(intake, journal, Patience(parts=0, start_file=0)).sweep())

    assert ["payroll01", "payroll02"] == sorted(uploaders(journal))


def test_a_set_that_waits_is_looked_at_when_it_changes(intake: WatchedIntake, journal: Journal) -> None:
    """Once it is on the disk, and its uploader beside it, a sweep passes it by until another file comes."""
    reception = opened(intake, journal)
    folder = bring(intake, reception, FI)
    for _ in range(4):
        age(folder, 60.0 if not intake.asked else 0.0)
        asyncio.run(reception.sweep())
    waiting = len(intake.asked)
    age(bring(intake, reception, FS))
    asyncio.run(reception.sweep())

    assert waiting < 4
    assert len(intake.asked) == waiting + 1


def test_a_set_that_waits_is_taken_when_its_time_is_up(intake: WatchedIntake, journal: Journal) -> None:
    """Also one that sweeps have passed by."""
    reception = opened(intake, journal, Patience(parts=0, start_file=30))
    folder = bring(intake, reception, FI)
    for _ in range(3):
        age(folder)
        asyncio.run(reception.sweep())
    assert [] == uploaders(journal)

    file = folder / FI
    at = file.stat().st_mtime - 60
    os.utime(file, times=(at, at))
    age(folder)
    asyncio.run(reception.sweep())

    assert ["payroll01"] == uploaders(journal)


def test_many_sets_are_put_onto_the_disk_together(
    intake: WatchedIntake, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that the disk does not keep is gone, and no harm to the others."""
    reception = opened(intake, journal)
    names = [FI.replace("00001", f"{number:05}") for number in range(1, 61)]
    paths = [bring(intake, reception, name) / name for name in names]
    for path in paths:
        age(path.parent)
    fsync, lost = os.fsync, paths[7].stat().st_ino

    def failing(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == lost:
            raise OSError(errno.EIO, "Input/output error")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    asyncio.run(reception.sweep())

    assert not paths.pop(7).exists()
    assert {0o640} == {stat.S_IMODE(path.stat().st_mode) for path in paths}
