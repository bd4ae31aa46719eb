"""Taking custody, on a real disk and a real journal."""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy.engine import Connection

from spool import submissions
from spool.custody import ENVELOPE, Custody, Origin
from spool.files import move_durably
from spool.intake import Intake, IntakeLimits
from spool.journal import Journal, JournalError
from spool.mailbox import Mailbox
from spool.settling import fingerprint
from spool.submissions import State, Submission
from spool.tickets import new_ticket

pytestmark = pytest.mark.every_database

_BOX = Mailbox("123456", "IN")
_STEM = "DIMN.123456.20261121.00001.R"
_ORIGIN = Origin("sftp", _BOX, "payroll01")


@pytest.fixture
def gathered(tmp_path: Path) -> Path:
    """The folder of a set that is complete."""
    intake = Intake(tmp_path / "incoming", IntakeLimits(1000, 10, 1))
    for name in (f"FI.{_STEM}.1.1", f"FS.{_STEM}.1.1", f"GO.{_STEM}.1"):
        upload = intake.begin(_BOX, name)
        upload.write(0, name.encode())
        intake.finish(upload)
    return intake.set_folder(_BOX, f"GO.{_STEM}.1")


@pytest.fixture
def custody(tmp_path: Path, journal: Journal) -> Custody:
    """Custody beside the intake."""
    return Custody(tmp_path / "custody", journal)


def loaded(journal: Journal, ticket: str) -> Submission:
    """The submission as the journal has it."""
    with journal.read() as connection:
        submission = submissions.load(connection, ticket)
    assert submission is not None
    return submission


def test_a_ticket_has_13_capitals_and_digits_and_sorts_by_time() -> None:
    """As the network's tickets do (annex 30, 215)."""
    tickets = [new_ticket() for _ in range(1000)]

    assert all(re.fullmatch(r"[0-9A-Z]{13}", ticket) for ticket in tickets)
    assert len(tickets) == len(set(tickets))
    assert [ticket[:8] for ticket in tickets] == sorted(ticket[:8] for ticket in tickets)


@pytest.mark.parametrize("name", [f"FI.{_STEM}.1.1", f"FI.{_STEM}.2.1"])
def test_what_others_brought_before_the_set_was_moved_is_recorded(
    gathered: Path, custody: Custody, journal: Journal, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A host that stood still meanwhile vouches for the bytes that are in custody, and they are on the disk."""

    def late(source: Path, target: Path) -> None:
        new = source.with_name("new")
        new.write_bytes(b"other bytes")
        new.rename(source / name)
        move_durably(source, target)

    monkeypatch.setattr("spool.custody.move_durably", late)
    submission = loaded(journal, custody.take(gathered, _ORIGIN))
    folder = custody.folder(submission.ticket, submission.received_at)

    assert {file.name: file.sha256 for file in submission.files} == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("[!.]*")
    }
    assert b"other bytes" == (folder / name).read_bytes()
    assert {0o440} == {path.stat().st_mode & 0o777 for path in folder.iterdir()}


def test_custody_moves_the_set_and_records_it(gathered: Path, custody: Custody, journal: Journal) -> None:
    """The files are in the ticket's folder, read-only and as they came; the journal knows each by its digest."""
    ticket = custody.take(gathered, _ORIGIN)
    submission = loaded(journal, ticket)
    folder = custody.folder(ticket, submission.received_at)

    assert not gathered.exists()
    assert (State.RECEIVED, "123456", "payroll01", "IN", f"GO.{_STEM}.1", _STEM) == (
        submission.state,
        submission.sender,
        submission.username,
        submission.directory,
        submission.name,
        submission.stem,
    )
    for file in submission.files:
        path = folder / file.name
        assert file.name.encode() == path.read_bytes()
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
        assert path.stat().st_mode & 0o777 == 0o440
    assert ticket == json.loads((folder / ENVELOPE).read_bytes())["ticket"]


class LockedJournal(Journal):
    """A journal that answers nobody."""

    def __init__(self) -> None:
        """No database is needed to refuse."""

    def write(self) -> NoReturn:
        """Fail as a locked database does."""
        raise JournalError("locked")

    def read(self) -> NoReturn:
        """The same."""
        raise JournalError("locked")


def test_what_was_synced_while_it_was_gathered_is_not_synced_again(
    gathered: Path, custody: Custody, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But what has changed since is, whether in its bytes or as another file of the same name."""
    again: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda number: again.append(Path(f"/proc/self/fd/{number}").readlink().name))
    files = sorted(path for path in gathered.iterdir() if path.name.startswith(("FI.", "GO.")))
    synced = frozenset(fingerprint(path.lstat()) for path in files)
    files[0].chmod(0o640)
    files[0].write_bytes(b"longer than it was before")

    ticket = custody.take(gathered, _ORIGIN, synced)

    assert files[0].name in again
    assert files[1].name not in again
    assert 13 == len(ticket)


def test_what_has_changed_since_it_was_seen_is_recorded_as_it_is(
    gathered: Path, custody: Custody, journal: Journal
) -> None:
    """In its bytes, and with a file that came later."""
    seen = {path.name: fingerprint(path.lstat()) for path in gathered.glob("[!.]*")}
    data, later = gathered / f"FI.{_STEM}.1.1", gathered / f"FI.{_STEM}.1.2"
    data.write_bytes(b"longer than it was before")
    later.write_bytes(b"came later")

    submission = loaded(journal, custody.take(gathered, _ORIGIN, frozenset(seen.values()), seen))
    folder = custody.folder(submission.ticket, submission.received_at)

    assert {*seen, later.name} == {file.name for file in submission.files}
    assert {file.name: file.sha256 for file in submission.files} == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("[!.]*")
    }


def test_without_the_journal_the_set_stays_where_it_was(gathered: Path, tmp_path: Path) -> None:
    """A failed commit takes nothing away: all files wait in the set's folder for another try."""
    with pytest.raises(JournalError):
        Custody(tmp_path / "custody", LockedJournal()).take(gathered, _ORIGIN)

    assert [f"FI.{_STEM}.1.1", f"FS.{_STEM}.1.1", f"GO.{_STEM}.1"] == sorted(
        path.name for path in gathered.glob("[!.]*")
    )
    assert list((tmp_path / "custody").glob("*/*")) == []


def test_what_was_taken_but_not_recorded_is_recorded_at_the_next_start(
    gathered: Path, custody: Custody, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A set that a dead process had moved is found with the ticket it was given."""
    monkeypatch.setattr(custody, "_record", lambda *_: None)
    ticket = custody.take(gathered, _ORIGIN)
    monkeypatch.undo()

    assert [ticket] == custody.recover()
    assert State.RECEIVED is loaded(journal, ticket).state
    assert custody.recover() == []
    with journal.read() as connection:
        [taken] = submissions.timeline(connection, ticket)
    assert taken.facts["recovered"]


def test_a_folder_that_is_not_the_gateways_is_left_alone(custody: Custody, journal: Journal) -> None:
    """A folder without an envelope was not put there by taking custody."""
    (custody.root / "2026-11-21" / "lost+found").mkdir(parents=True)

    assert custody.recover() == []
    assert (custody.root / "2026-11-21" / "lost+found").is_dir()


def test_a_move_that_fails_half_way_leaves_the_set_where_it_was(
    gathered: Path, custody: Custody, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that takes the rename and then refuses the fsync does not hide the set from the next try."""

    def fail_after_rename(source: Path, target: Path) -> None:
        source.rename(target)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("spool.custody.move_durably", fail_after_rename)
    with pytest.raises(OSError, match="Input"):
        custody.take(gathered, _ORIGIN)
    monkeypatch.undo()

    assert 3 == len(list(gathered.glob("[!.]*")))
    assert [] == custody.recover()
    assert custody.take(gathered, _ORIGIN)


class ForgetfulJournal(Journal):
    """A journal whose commits succeed and then say that they failed."""

    def __init__(self, real: Journal) -> None:
        """Write to ``real``."""
        self._real = real

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Commit, and fail."""
        with self._real.write() as connection:
            yield connection
        raise JournalError("disk I/O error")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Read what is there."""
        with self._real.read() as connection:
            yield connection


def test_a_commit_that_fails_after_it_took_effect_leaves_the_set_in_custody(
    gathered: Path, tmp_path: Path, journal: Journal
) -> None:
    """The journal has the ticket, so the files are where it says they are."""
    custody = Custody(tmp_path / "custody", ForgetfulJournal(journal))
    ticket = custody.take(gathered, _ORIGIN)

    assert 3 == len(list(custody.folder(ticket, loaded(journal, ticket).received_at).glob("[!.]*")))
    assert not gathered.exists()
