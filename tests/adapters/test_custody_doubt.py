"""Custody when nobody can tell whether a commit took effect, and after clocks that were wrong by months."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from config.errors import TemporaryError
from gateway import parties
from gateway.parties import Sender, SignatureProfile
from gateway.reception import CustodyFailedError, Patience, Reception
from spool import submissions
from spool.custody import COMPARED, ENVELOPE, Custody, CustodyDoubtfulError, Origin
from spool.intake import Intake, IntakeLimits
from spool.journal import Journal, JournalError, now
from spool.mailbox import Mailbox
from spool.redelivery import Message, is_in_custody
from spool.tables import submissions as received

pytestmark = pytest.mark.every_database

_BOX = Mailbox("123456", "IN")
_ORIGIN = Origin("sftp", _BOX, "payroll01")
_DAY = timedelta(days=1) // timedelta(microseconds=1)


class GoneJournal(Journal):
    """A journal whose database goes away while it commits, after the commit ``took_effect`` or before, until ``back``.

    With ``slowly`` only the commit's confirmation is lost: the next transaction is served again.
    """

    def __init__(self, real: Journal, *, took_effect: bool, slowly: bool = False) -> None:
        self._real = real
        self._took_effect = took_effect
        self._slowly = slowly
        self._commits = 0
        self.back = False

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Commit, or not, and be gone."""
        with self.read():
            self._commits += 1
        if self.back or (self._slowly and self._commits > 1):
            with self._real.write() as connection:
                yield connection
            return
        try:
            with self._real.write() as connection:
                yield connection
                if not self._took_effect:
                    raise JournalError("server closed the connection unexpectedly")
        finally:
            self._gone = not self._slowly
        raise JournalError("server closed the connection unexpectedly")

    _gone = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Read, unless the database is gone."""
        if self._gone and not self.back:
            raise JournalError("connection refused")
        with self._real.read() as connection:
            yield connection


def gather(folder: Path, number: int = 1) -> Path:
    """A set that is complete."""
    folder.mkdir(parents=True)
    for name in names(number):
        (folder / name).write_bytes(name.encode())
    return folder


def names(number: int = 1) -> list[str]:
    """The names of its files."""
    stem = f"DIMN.123456.20261121.{number:05}.R"
    return [f"FI.{stem}.1.1", f"FS.{stem}.1.1", f"GO.{stem}.1"]


def tickets(journal: Journal) -> list[str]:
    """Every ticket that the journal knows, in their order."""
    with journal.read() as connection:
        return list(connection.execute(sa.select(received.c.ticket).order_by(received.c.ticket)).scalars())


def folders(root: Path) -> dict[str, list[str]]:
    """The names of the files in custody, by ticket."""
    found = sorted(root.glob("*/*"))
    return {path.name: sorted(file.name for file in path.glob("[!.]*")) for path in found}


@pytest.mark.parametrize("took_effect", [True, False])
def test_a_commit_that_nobody_can_tell_of_leaves_the_set_in_custody(
    tmp_path: Path, journal: Journal, took_effect: bool
) -> None:
    """The door fails, the folder stays, and when the database is back there is one ticket with its files."""
    gone = GoneJournal(journal, took_effect=took_effect)
    custody = Custody(tmp_path / "custody", gone)
    gathered = gather(tmp_path / "set")

    with pytest.raises(CustodyDoubtfulError) as fault:
        custody.take(gathered, _ORIGIN)
    assert isinstance(fault.value, TemporaryError)
    assert not gathered.exists()
    [ticket] = folders(custody.root)

    with pytest.raises(CustodyDoubtfulError):
        custody.settle_doubts()
    gone.back = True
    assert [ticket] == custody.settle_doubts()
    assert [] == custody.settle_doubts()
    assert [ticket] == tickets(journal)
    assert {ticket: names()} == folders(custody.root)


def test_a_commit_whose_confirmation_alone_is_lost_is_asked_for(tmp_path: Path, journal: Journal) -> None:
    """Where the journal can say that it has the ticket, custody is taken."""
    custody = Custody(tmp_path / "custody", GoneJournal(journal, took_effect=True, slowly=True))

    assert [custody.take(gather(tmp_path / "set"), _ORIGIN)] == tickets(journal) == [*folders(custody.root)]
    assert [] == custody.settle_doubts()


def test_a_commit_that_surely_failed_gives_the_set_back(tmp_path: Path, journal: Journal) -> None:
    """Where the journal can say that it does not have the ticket, the set is where it was."""
    custody = Custody(tmp_path / "custody", GoneJournal(journal, took_effect=False, slowly=True))
    gathered = gather(tmp_path / "set")

    with pytest.raises(JournalError):
        custody.take(gathered, _ORIGIN)
    assert {*names(), ENVELOPE} == {path.name for path in gathered.iterdir()}
    assert {} == folders(custody.root)
    assert [] == tickets(journal)


def test_a_set_that_cannot_go_back_is_recorded_later(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that refuses the way back too leaves the set in custody, and the gateway knows that it does."""
    custody = Custody(tmp_path / "custody", journal)

    def fail_after_rename(source: Path, target: Path) -> None:
        source.rename(target)
        source.write_bytes(b"in the way")
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("spool.custody.move_durably", fail_after_rename)
    with pytest.raises(OSError, match="Not a directory"):
        custody.take(gather(tmp_path / "set"), _ORIGIN)
    monkeypatch.undo()

    assert [*folders(custody.root)] == custody.settle_doubts() == tickets(journal)


def test_a_second_sending_waits_for_the_first_to_be_known(tmp_path: Path, journal: Journal) -> None:
    """The same set sent again is never recorded before the one in doubt, or both could be accepted; others may pass."""
    gone = GoneJournal(journal, took_effect=False)
    custody = Custody(tmp_path / "custody", gone)
    with pytest.raises(CustodyDoubtfulError):
        custody.take(gather(tmp_path / "first"), _ORIGIN)
    [first] = folders(custody.root)

    again = gather(tmp_path / "again")
    with pytest.raises(CustodyDoubtfulError):
        custody.take(again, _ORIGIN)
    assert names() == sorted(path.name for path in again.iterdir())

    gone.back = True
    other = custody.take(gather(tmp_path / "other", 2), _ORIGIN)
    assert [other] == tickets(journal)
    second = custody.take(again, _ORIGIN)
    assert [first, other, second] == tickets(journal)


@pytest.mark.parametrize("took_effect", [True, False])
def test_a_message_that_comes_again_settles_the_doubt_first(
    tmp_path: Path, journal: Journal, took_effect: bool
) -> None:
    """It is known, and no submission of its own, as soon as the journal can be asked; until then nobody can tell."""
    gone = GoneJournal(journal, took_effect=took_effect)
    custody, name = Custody(tmp_path / "custody", gone), names()[0]
    with pytest.raises(CustodyDoubtfulError):
        custody.take(gather(tmp_path / "first"), Origin("mq", _BOX, "payroll01", {name: "mine"}))
    message = Message(_BOX, "payroll01", "mine", name, hashlib.sha256(name.encode()).hexdigest())

    with pytest.raises(TemporaryError):
        is_in_custody(gone, custody, message)
    gone.back = True
    assert is_in_custody(gone, custody, message)
    assert [*folders(custody.root)] == tickets(journal)
    assert not is_in_custody(gone, custody, replace(message, message_id="another"))
    assert [] == custody.settle_doubts()


async def test_a_running_gateway_settles_what_was_in_doubt(tmp_path: Path, journal: Journal) -> None:
    """The sender is told that it failed; the sweep records the set, and the GO that comes again is a set of its own."""
    with journal.write() as connection:
        parties.add_sender(connection, Sender("123456", SignatureProfile.DETACHED, "RTS", ("*",), active=True))
    gone, rung = GoneJournal(journal, took_effect=False), list[bool]()
    intake = Intake(tmp_path / "incoming", IntakeLimits(1000, 10, 1, sender_bytes=1000))
    custody = Custody(tmp_path / "custody", gone)
    reception = Reception(intake, custody, journal, Patience(3600, 3600), lambda: rung.append(True))
    for name in names():
        upload = intake.begin(_BOX, name)
        upload.write(0, name.encode())
        intake.finish(upload)
    free = intake.room(_BOX).free_bytes
    with pytest.raises(CustodyFailedError):
        await reception.arrived(_BOX, "payroll01", names()[-1])
    assert intake.room(_BOX).free_bytes > free

    assert await reception.sweep() == 0
    gone.back = True
    assert await reception.sweep() == 1
    assert [True] == rung
    assert [*folders(custody.root)] == tickets(journal)
    upload = intake.begin(_BOX, names()[-1])
    intake.finish(upload)
    await reception.arrived(_BOX, "payroll01", names()[-1])
    assert [names()[-1]] == [entry.name for entry in intake.entries(_BOX)]


@pytest.mark.parametrize("wrong_by", [-400, -40, 40, 400])
def test_a_clock_that_was_wrong_by_months_hides_no_folder(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch, wrong_by: int
) -> None:
    """Of two taken at each moment one is recorded, and one is not when the process dies: all of those are found."""
    custody, lost = Custody(tmp_path / "custody", journal), []
    right = now()
    for number, at in enumerate((right, right + wrong_by * _DAY, right + 1)):
        monkeypatch.setattr("spool.custody.now", lambda at=at: at)
        custody.take(gather(tmp_path / f"recorded{number}", 2 * number), _ORIGIN)
        with monkeypatch.context() as patch:
            patch.setattr(custody, "_record", lambda *_: None)
            lost.append(custody.take(gather(tmp_path / f"lost{number}", 2 * number + 1), _ORIGIN))

    assert sorted(lost) == sorted(Custody(tmp_path / "custody", journal).recover())
    assert 6 == len(tickets(journal))


def age(root: Path) -> None:
    """Let every day be as if nothing had come to it for an hour."""
    for day in root.glob("????-??-??"):
        os.utime(day, (day.stat().st_atime, day.stat().st_mtime - 3600))


def test_a_day_that_is_as_it_was_is_not_listed_again(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What every start does is bounded by the days and by what came since the last start."""
    custody = Custody(tmp_path / "custody", journal)
    custody.take(gather(tmp_path / "one", 1), _ORIGIN)
    age(custody.root)
    asked: list[str] = []
    recorded = custody._recorded

    def count(day: str) -> set[str]:
        asked.append(day)
        return recorded(day)

    monkeypatch.setattr(custody, "_recorded", count)

    for expected in (1, 1):
        assert custody.recover() == []
        assert expected == len(asked)

    with monkeypatch.context() as patch:
        patch.setattr(custody, "_record", lambda *_: None)
        lost = custody.take(gather(tmp_path / "two", 2), _ORIGIN)
    assert [lost] == custody.recover()


def test_an_older_journal_is_compared_with_every_day_again(tmp_path: Path, journal: Journal) -> None:
    """The journal is of a backup and has fewer submissions than it had: their folders are recorded anew."""
    custody = Custody(tmp_path / "custody", journal)
    ticket = custody.take(gather(tmp_path / "one", 1), _ORIGIN)
    age(custody.root)
    assert custody.recover() == []
    with journal.write() as connection:
        for table in ("files", "events", "submissions"):
            connection.execute(sa.text(f"DELETE FROM {table}"))  # noqa: S608 - names of tables, written here

    assert [ticket] == custody.recover()
    with journal.read() as connection:
        assert submissions.load(connection, ticket) is not None


@pytest.mark.parametrize("left", [b"", b"{", b"[1]", json.dumps({"2026-11-21": "odd"}).encode()])
def test_a_torn_comparison_is_made_again(tmp_path: Path, journal: Journal, left: bytes) -> None:
    """What was compared is a help, and nothing rests on it."""
    custody = Custody(tmp_path / "custody", journal)
    ticket = custody.take(gather(tmp_path / "one"), _ORIGIN)
    (custody.root / COMPARED).write_bytes(left)

    assert custody.recover() == []
    assert [ticket] == tickets(journal)
