"""Traps of gathering: a set's last part comes at the very moment at which somebody gives up waiting for it."""

import asyncio
import itertools
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import parties
from gateway.parties import Sender, SignatureProfile
from gateway.reception import Patience, Reception
from spool import submissions
from spool.custody import Custody
from spool.intake import Intake, IntakeLimits
from spool.journal import Journal
from spool.mailbox import Mailbox

BOX = Mailbox("123456", "IN")
PATIENCE = Patience(parts=60.0, start_file=3600.0)


class Sets:
    """An intake with sets that wait, and custody behind it."""

    def __init__(self, intake: Intake, custody: Custody, journal: Journal) -> None:
        self._intake = intake
        self._journal = journal
        self.reception = Reception(intake, custody, journal, PATIENCE, lambda: None)

    def put(self, name: str) -> None:
        """Upload a file as the door does."""
        upload = self._intake.begin(BOX, name)
        upload.write(0, b"data")
        self._intake.finish(upload)

    def bring(self, name: str) -> None:
        """Upload it, and tell the reception."""
        self.put(name)
        asyncio.run(self.reception.arrived(BOX, "payroll01", name))

    def let_time_pass(self) -> None:
        """Whatever waits has waited longer than it may."""
        before = time.time() - PATIENCE.parts - 1
        for path in self._intake.root.rglob("*.DIMN.*"):
            os.utime(path, (before, before))

    def waiting(self) -> set[str]:
        """The names of what no set was taken with."""
        return {entry.name for entry in self._intake.entries(BOX)}

    def taken(self) -> Iterator[set[str]]:
        """The names of the files of every submission."""
        with self._journal.read() as connection:
            for found in submissions.search(connection, limit=1000):
                loaded = submissions.load(connection, found.ticket)
                assert loaded is not None
                yield {file.name for file in loaded.files}


@pytest.fixture
def sets(tmp_path: Path, journal: Journal) -> Sets:
    """A sender who signs in FS files."""
    with journal.write() as connection:
        parties.add_sender(connection, Sender("123456", SignatureProfile.DETACHED, "RTS", ("*",), active=True))
    intake = Intake(tmp_path / "incoming", IntakeLimits(file_bytes=1_000_000, files=500, reserve=0))
    return Sets(intake, Custody(tmp_path / "custody", journal), journal)


def test_receipt_and_missing_receipt_both_sent(sets: Sets) -> None:
    """The last part races the end of the wait: a set is answered as whole or as incomplete, and never as both."""
    stems = [f"DIMN.123456.20261121.{number:05}.R" for number in range(1, 21)]
    for stem in stems:
        sets.put(f"GO.{stem}.1")
        sets.put(f"FI.{stem}.1.1")
    sets.let_time_pass()
    begin = threading.Barrier(2)

    def give_up() -> None:
        begin.wait()
        asyncio.run(sets.reception.sweep())

    sweeping = threading.Thread(target=give_up)
    sweeping.start()
    begin.wait()
    for stem in reversed(stems):
        sets.bring(f"FS.{stem}.1.1")
    sweeping.join()

    taken = list(sets.taken())
    assert [] == [names & others for names, others in itertools.combinations(taken, 2) if names & others]
    for stem in stems:
        parts = {f"GO.{stem}.1", f"FI.{stem}.1.1"}
        [names] = [names for names in taken if f"GO.{stem}.1" in names]
        late = {f"FS.{stem}.1.1"}
        assert (names, sets.waiting() & late) in [(parts | late, set()), (parts, late)]
