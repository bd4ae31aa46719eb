"""Connections to a SQLite file that go from one transaction to the next, and rows that go into it some at a time."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool import many_rows
from spool.journal import Journal, JournalError, open_journal
from spool.submissions import note
from spool.tables import events, files


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Journal]:
    """A journal in a file."""
    made = open_journal(tmp_path / "journal", create=True)
    yield made
    made.close()


def made_by(journal: Journal) -> list[object]:
    """The connections that are made from now on."""
    made: list[object] = []
    sa.event.listen(journal._engine, "connect", lambda connection, _: made.append(connection))
    journal.close()
    return made


def count(connection: Connection) -> int:
    """How many events there are, asked through SQLAlchemy."""
    return connection.execute(sa.select(sa.func.count()).select_from(events)).scalar_one()


def test_one_transaction_after_the_other_needs_one_connection(opened: Journal) -> None:
    """Reading and writing, through SQLAlchemy or not, whether the block fails or not; each sees what was committed."""
    made = made_by(opened)
    for number in range(1, 4):
        with pytest.raises(ZeroDivisionError), opened.write() as connection:
            note(connection, None, "never")
            raise ZeroDivisionError
        with opened.write() as connection:
            note(connection, None, "something.happened")
        with opened.read() as connection:
            assert number == count(connection)
        with pytest.raises(ZeroDivisionError), opened.read():
            raise ZeroDivisionError

    assert 1 == len(made)


def test_only_some_are_left_open(opened: Journal) -> None:
    """However many there were at a time."""
    made = made_by(opened)
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(opened.read())
    assert opened._kept is not None
    assert 8 == len(opened._kept._left)
    assert 20 == len(made)


def test_who_reads_sees_one_moment(opened: Journal) -> None:
    """What others commit meanwhile is seen by the next transaction, by the same connection."""
    with opened.read() as connection:
        assert 0 == count(connection)
        with opened.write() as other:
            note(other, None, "something.happened")
        assert 0 == count(connection)
    with opened.read() as again:
        assert connection is again
        assert 1 == count(again)


@pytest.mark.parametrize("how", ["read", "write"])
def test_one_that_cannot_be_ended_is_thrown_away(opened: Journal, how: str) -> None:
    """Whose transaction it was is told, and the next one gets another."""
    made = made_by(opened)
    with pytest.raises(JournalError), getattr(opened, how)() as connection:
        driver: Any = connection.connection.dbapi_connection
        driver.close()

    with opened.write() as connection:
        note(connection, None, "something.happened")
    with opened.read() as connection:
        assert 1 == count(connection)
    assert 2 == len(made)


def test_threads_have_each_its_own(opened: Journal) -> None:
    """While one reads, the others do so too."""
    together, found = threading.Barrier(4), list[int]()

    def read() -> None:
        with opened.read() as connection:
            together.wait(20)
            found.append(id(connection))
            together.wait(20)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert 4 == len(set(found))


@pytest.mark.parametrize("many", [0, 1, 7, 8, 9, 16, 19])
def test_every_row_is_written_however_many_go_together(opened: Journal, many: int) -> None:
    """In their order, each once."""
    rows = [("T000000000001", f"FI.{number:02}", number, "a" * 64) for number in range(many)]
    with opened.write() as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        many_rows.insert(connection, (files.c.ticket, files.c.name, files.c.size, files.c.sha256), rows)
        written = connection.execute(sa.select(files).order_by(sa.text("rowid"))).all()
        connection.execute(sa.delete(files))

    assert rows == [tuple(row) for row in written]
