"""Threads that write to the journal together: each answers for its own part, and nobody goes on before the commit."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from spool import chain
from spool.journal import Journal, JournalError, open_journal
from spool.submissions import note
from spool.tables import events


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """One in a file, whose time stands still: nobody commits because it has taken long."""
    made = open_journal(tmp_path / "journal", create=True)
    assert made._shared is not None
    made._shared._clock = lambda: 0.0
    return made


def names(journal: Journal) -> list[str]:
    """Of every event, in order."""
    with journal.read() as connection:
        assert isinstance(chain.verify(connection), chain.Place)
        return list(connection.execute(sa.select(events.c.name).order_by(events.c.number)).scalars())


class Writers:
    """Threads that begin to write while the first one holds its turn, and so write with it."""

    def __init__(self, journal: Journal) -> None:
        self.faults: dict[str, BaseException] = {}
        self._journal = journal
        self._threads: list[threading.Thread] = []

    def begin(self, name: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Write an event of this name in a thread, and do something before the block ends."""
        thread = threading.Thread(target=self._write, args=(name, meanwhile))
        self._threads.append(thread)
        thread.start()

    def _write(self, name: str, meanwhile: Callable[[], None]) -> None:
        try:
            with self._journal.write() as connection:
                note(connection, None, name)
                meanwhile()
        except Exception as fault:
            self.faults[name] = fault

    def waiting(self, count: int) -> None:
        """Return when so many wait for their turn."""
        shared = self._journal._shared
        assert shared is not None
        while shared._waiting < count:
            threading.Event().wait(0.001)

    def end(self) -> None:
        """Return when all have ended."""
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()


def fail() -> None:
    """As a block that finds something wrong does."""
    raise ValueError("not this one")


def test_those_who_wait_write_in_one_transaction(journal: Journal) -> None:
    """One commit for all of them, and the chain of the events holds."""
    commits: list[object] = []
    sa.event.listen(journal._engine, "commit", commits.append)
    writers = Writers(journal)

    with journal.write() as connection:
        note(connection, None, "first")
        for number in range(5):
            writers.begin(f"other{number}")
        writers.waiting(5)
    writers.end()

    assert len(commits) == 1
    assert sorted(names(journal)) == ["first", *(f"other{number}" for number in range(5))]


@pytest.mark.parametrize("which", ["first", "second", "last"])
def test_what_fails_is_undone_alone(journal: Journal, which: str) -> None:
    """Whoever it is; the others' events are there, and who failed hears its own fault."""
    writers = Writers(journal)
    waits = threading.Event()

    def meanwhile(name: str) -> Callable[[], None]:
        def act() -> None:
            if name == "first":
                waits.wait(20)
            if name == which:
                fail()

        return act

    for name in ("first", "second", "last"):
        writers.begin(name, meanwhile(name))
        writers.waiting(0 if name == "first" else 1)
    waits.set()
    writers.end()

    assert {name: type(fault) for name, fault in writers.faults.items()} == {which: ValueError}
    assert sorted(names(journal)) == sorted({"first", "second", "last"} - {which})


def test_a_commit_that_fails_has_failed_for_all(journal: Journal) -> None:
    """Nobody is told that it was written, and nothing was."""
    writers = Writers(journal)

    def refuse(_connection: object) -> None:
        raise sa.exc.OperationalError("COMMIT", None, Exception("the disk is full"))

    sa.event.listen(journal._engine, "commit", refuse)
    with pytest.raises(JournalError), journal.write() as connection:
        note(connection, None, "first")
        writers.begin("second")
        writers.waiting(1)
    writers.end()
    sa.event.remove(journal._engine, "commit", refuse)

    assert [JournalError] == [type(fault) for fault in writers.faults.values()]
    assert not names(journal)
    with journal.write() as connection:
        note(connection, None, "later")
    assert ["later"] == names(journal)


def test_nobody_goes_on_before_the_commit(journal: Journal) -> None:
    """Whoever has left the transaction to the next one sees, when it goes on, what both have written."""
    writers = Writers(journal)
    seen: list[list[str]] = []

    with journal.write() as connection:
        note(connection, None, "first")
        writers.begin("second")
        writers.waiting(1)
    seen.append(names(journal))
    writers.end()

    assert seen == [["first", "second"]]


def test_what_the_database_has_undone_is_not_said_to_be_written(journal: Journal) -> None:
    """As a full disk makes it do; also if whose block it was takes no notice."""
    with pytest.raises(JournalError), journal.write() as connection:
        note(connection, None, "a")
        connection.exec_driver_sql("ROLLBACK")
    with journal.write() as connection:
        note(connection, None, "b")

    assert ["b"] == names(journal)
