"""Many sets into custody in one step: as if each had been taken by itself, and none lost for another's sake."""

import errno
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spool import custody_together, submissions
from spool.custody import ENVELOPE, Custody, CustodyDoubtfulError, Origin
from spool.custody_together import Gathered, take_together
from spool.files import sync_folder
from spool.journal import Journal, JournalError
from spool.mailbox import Mailbox
from spool.submissions import StoredFile, Submission
from spool.syncing import reaches_the_disk, to_sync
from tests.adapters.test_custody_doubt import GoneJournal, folders, tickets

pytestmark = pytest.mark.every_database

_BOX = Mailbox("123456", "IN")
_COUNT = 6


@pytest.fixture
def sets(tmp_path: Path) -> list[Gathered]:
    """Sets that came by message, each of one part."""
    return [gather(tmp_path / "sets" / str(number), number) for number in range(1, _COUNT + 1)]


def gather(folder: Path, number: int) -> Gathered:
    """A set whose files have their names as content."""
    folder.mkdir(parents=True)
    name = f"FI.DIMN.123456.20261121.{number:05}.R.1.1"
    files = []
    for each in (name, f"FS{name[2:]}"):
        (folder / each).write_text(each)
        (folder / each).chmod(0o440)
        files.append(StoredFile(each, len(each), hashlib.sha256(each.encode()).hexdigest()))
    return Gathered(folder, tuple(files), Origin("mq", _BOX, "payroll01", {name: f"message {number}"}))


def together(custody: Custody, journal: Journal, sets: list[Gathered]) -> list[str | Exception]:
    """Take them where all of a file system can be synced at once."""
    with to_sync(sets[0].folder.parent) as sync:
        return take_together(custody, journal, sets, sync)


def loaded(journal: Journal, ticket: object) -> Submission:
    """A submission as the journal has it."""
    with journal.read() as connection:
        found = submissions.load(connection, str(ticket))
    assert found is not None
    return found


def test_what_is_taken_together_is_as_if_it_were_taken_alone(
    tmp_path: Path, journal: Journal, sets: list[Gathered]
) -> None:
    """Row, files, envelope and event say the same; only ticket and time differ."""
    custody = Custody(tmp_path / "custody", journal)
    alone = gather(tmp_path / "alone", 1)
    ticket = custody.take(alone.folder, alone.origin)

    taken = together(custody, journal, sets)

    assert sorted([ticket, *map(str, taken)]) == tickets(journal) == [*folders(custody.root)]
    one, other = loaded(journal, ticket), loaded(journal, taken[0])
    assert replace(one, ticket=other.ticket, received_at=other.received_at) == other
    with journal.read() as connection:
        happened, also = (submissions.timeline(connection, each.ticket) for each in (one, other))
    assert [(event.name, event.facts) for event in happened] == [(event.name, event.facts) for event in also]
    first, second = (custody.folder(each.ticket, each.received_at) for each in (one, other))
    for path in first.iterdir():
        assert path.stat().st_mode == (second / path.name).stat().st_mode
    written = json.loads((first / ENVELOPE).read_bytes())
    same = {"ticket": other.ticket, "received_at": other.received_at}
    assert written | same == json.loads((second / ENVELOPE).read_bytes())
    assert [] == list((tmp_path / "sets").iterdir())


def test_all_of_it_is_on_the_disk_before_the_first_set_moves(
    tmp_path: Path, journal: Journal, sets: list[Gathered], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sync for every file and envelope; then the names, and then the journal."""
    done: list[str] = []
    custody = Custody(tmp_path / "custody", journal)

    def noting(word: str, function: Callable[..., Any]) -> Callable[..., None]:
        def noted(*of: Any) -> None:
            function(*of)
            done.append(word)

        return noted

    class Library:
        """syncfs, with a look at what it syncs."""

        def syncfs(self, descriptor: int) -> int:
            """See that every envelope is there."""
            assert all((each.folder / ENVELOPE).is_file() for each in sets)
            os.fsync(descriptor)
            done.append("files")
            return 0

    monkeypatch.setattr("spool.syncing._LIBRARY", Library())
    monkeypatch.setattr(os, "rename", noting("moved", os.rename))
    monkeypatch.setattr("spool.custody_together.sync_folder", noting("names", sync_folder))
    monkeypatch.setattr(custody_together, "_record", noting("recorded", custody_together._record))
    together(custody, journal, sets)

    assert ["files", *["moved"] * _COUNT, "names", "names", "recorded"] == done


def test_one_that_cannot_be_taken_keeps_no_other(tmp_path: Path, journal: Journal, sets: list[Gathered]) -> None:
    """Its folder is gone: of it alone it is told; the others have their tickets."""
    custody = Custody(tmp_path / "custody", journal)
    for path in sets[2].folder.iterdir():
        path.unlink()
    sets[2].folder.rmdir()

    taken = together(custody, journal, sets)

    assert isinstance(taken.pop(2), FileNotFoundError)
    assert sorted(map(str, taken)) == tickets(journal) == [*folders(custody.root)]


def test_where_the_kernel_does_not_sync_together_each_is_synced(
    tmp_path: Path, journal: Journal, sets: list[Gathered], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused by a filter of system calls, or failed: nothing moved before, and all are taken one by one."""

    class Refusing:
        """syncfs where it is not allowed."""

        def syncfs(self, _descriptor: int) -> int:
            """Refuse."""
            return -1

    monkeypatch.setattr("spool.syncing._LIBRARY", Refusing())
    monkeypatch.setattr("ctypes.get_errno", lambda: errno.EPERM)
    custody = Custody(tmp_path / "custody", journal)

    taken = together(custody, journal, sets)

    assert sorted(map(str, taken)) == tickets(journal) == [*folders(custody.root)]


def test_without_the_journal_every_set_stays_where_it_was(
    tmp_path: Path, journal: Journal, sets: list[Gathered], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And each is told so."""
    custody = Custody(tmp_path / "custody", journal)

    def refuse(*_: object) -> None:
        raise JournalError("locked")

    monkeypatch.setattr(submissions, "add", refuse)
    taken = together(custody, journal, sets)

    assert [JournalError] * _COUNT == [type(each) for each in taken]
    assert {} == folders(custody.root)
    assert all((each.folder / file.name).is_file() for each in sets for file in each.files)


@pytest.mark.parametrize("took_effect", [True, False])
def test_a_commit_that_nobody_can_tell_of_leaves_all_of_them_in_custody(
    tmp_path: Path, journal: Journal, sets: list[Gathered], took_effect: bool
) -> None:
    """When the database is back each has one ticket with its files, whichever way it was."""
    gone = GoneJournal(journal, took_effect=took_effect)
    custody = Custody(tmp_path / "custody", gone)

    taken = together(custody, gone, sets)
    assert [CustodyDoubtfulError] * _COUNT == [type(each) for each in taken]
    assert _COUNT == len(folders(custody.root))
    gone.back = True

    assert sorted(custody.settle_doubts()) == tickets(journal) == [*folders(custody.root)]


@pytest.mark.parametrize("took_effect", [True, False])
def test_a_commit_of_which_only_the_confirmation_is_lost_is_found_out_at_once(
    tmp_path: Path, journal: Journal, sets: list[Gathered], took_effect: bool
) -> None:
    """All of them are taken, once."""
    slow = GoneJournal(journal, took_effect=took_effect, slowly=True)
    custody = Custody(tmp_path / "custody", slow)

    taken = together(custody, slow, sets)

    assert sorted(map(str, taken)) == tickets(journal) == [*folders(custody.root)]


def test_without_a_sync_of_all_each_is_synced_by_itself(tmp_path: Path, journal: Journal, sets: list[Gathered]) -> None:
    """As on a volume by FUSE, whose server the kernel asks about single files only."""
    custody = Custody(tmp_path / "custody", journal)

    taken = take_together(custody, journal, sets, None)

    assert sorted(map(str, taken)) == tickets(journal) == [*folders(custody.root)]


@pytest.mark.parametrize(("device", "reaches"), [((8, 1), True), ((0, 50), False), ((0, 51), True)])
def test_what_fuse_mounts_is_not_synced_by_the_kernel(device: tuple[int, int], reaches: bool) -> None:
    """A mount is known by its device; one that is not listed is taken for a disk."""
    mounts = "\n".join(
        (
            "28 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
            "70 28 0:50 / /mnt/spool rw,nosuid - fuse.sshfs other:/spool rw",
        )
    )

    assert reaches == reaches_the_disk(mounts, os.makedev(*device))
