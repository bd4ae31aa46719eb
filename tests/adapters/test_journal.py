"""The journal on a real SQLite database."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from config.errors import ConfigurationError
from spool.journal import Journal, JournalError, open_journal
from spool.submissions import note
from spool.tables import events, metadata


def test_the_migrations_build_exactly_the_tables(tmp_path: Path) -> None:
    """What the migrations build differs in nothing from what the tables say."""
    journal = open_journal(tmp_path / "journal.sqlite3", create=True)

    with journal.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    journal.close()

    assert differences == []


def test_the_journal_keeps_what_a_power_cut_must_not_take(journal: Journal) -> None:
    """It is in WAL mode and every commit is synced in full (2 is FULL)."""
    with journal.read() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar()

    assert (mode, synchronous) == ("wal", 2)


def test_a_missing_journal_is_never_made_in_passing(tmp_path: Path) -> None:
    """Opening a journal that is not there is a configuration fault, and leaves no file."""
    path = tmp_path / "journal.sqlite3"

    with pytest.raises(ConfigurationError) as caught:
        open_journal(path, upgrade=True)

    assert "gateway init" in caught.value.faults[0]
    assert not path.exists()


def test_a_journal_of_another_version_is_refused_until_upgraded(tmp_path: Path) -> None:
    """Commands refuse a journal whose schema is not theirs; an upgrade makes it theirs."""
    path = tmp_path / "journal.sqlite3"
    journal = open_journal(path, create=True)
    with journal.write() as connection:
        metadata.drop_all(connection)
        connection.exec_driver_sql("DELETE FROM alembic_version")
    journal.close()

    with pytest.raises(ConfigurationError):
        open_journal(path)
    open_journal(path, upgrade=True).close()

    open_journal(path).close()


def test_an_exception_leaves_nothing_written(journal: Journal) -> None:
    """A transaction whose block fails is rolled back whole."""
    with pytest.raises(ZeroDivisionError), journal.write() as connection:
        note(connection, None, "never")
        raise ZeroDivisionError

    with journal.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(events)).scalar() == 0


def test_a_failing_database_is_temporary_trouble(journal: Journal) -> None:
    """An error of the driver becomes a JournalError that keeps its cause."""
    with pytest.raises(JournalError) as caught, journal.write() as connection:
        connection.exec_driver_sql("SELECT * FROM no_such_table")

    assert isinstance(caught.value.__cause__, sa.exc.OperationalError)


def test_a_reader_does_not_hold_up_a_writer(journal: Journal) -> None:
    """While one transaction reads, another can commit, and the reader's view stays as it was."""
    with journal.read() as reading:
        before = reading.execute(sa.select(sa.func.count()).select_from(events)).scalar()
        with journal.write() as writing:
            note(writing, None, "meanwhile")
        after = reading.execute(sa.select(sa.func.count()).select_from(events)).scalar()

    assert (before, after) == (0, 0)
