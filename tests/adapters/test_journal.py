"""The journal on a real SQLite database."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy.engine import Connection

import spool
from config.errors import ConfigurationError
from spool import answers, register_tables, submissions
from spool.database import sort_in_files
from spool.journal import Journal, JournalError, migrate, open_journal
from spool.submissions import State, Submission, note
from spool.tables import certificates, events, metadata, senders, technical_users
from tests.authority import Credential


def test_the_migrations_build_exactly_the_tables(tmp_path: Path) -> None:
    """What the migrations build differs in nothing from what the tables say."""
    journal = open_journal(tmp_path / "journal.sqlite3", create=True)

    with journal.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    journal.close()

    assert register_tables.mandates.name in metadata.tables
    assert differences == []


@pytest.mark.sqlite_only
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


def test_what_the_first_version_registered_is_still_there_after_the_upgrade(tmp_path: Path, signer: Credential) -> None:
    """A first journal's certificate stays its sender's for ever, and its expiry is known; senders keep their users."""
    path = tmp_path / "journal.sqlite3"
    journal = open_journal(path, create=True)
    der = signer.read().public_bytes(Encoding.DER)
    with journal.write() as connection:
        _migrate(connection, command.downgrade, "0001")
        for statement in (
            "INSERT INTO senders VALUES ('123456', 'detached', 'RTS', '[\"*\"]', 'active', 1)",
            "INSERT INTO technical_users VALUES ('payroll01', '123456', 1)",
        ):
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql("INSERT INTO certificates VALUES ('123456', 'f', ?, 1)", (der,))
    journal.close()

    journal = open_journal(path, upgrade=True)
    with journal.read() as connection:
        sender = connection.execute(sa.select(senders)).one()
        user = connection.execute(sa.select(technical_users.c.sender)).scalar()
        certificate = connection.execute(sa.select(certificates)).one()
    journal.close()

    assert ("123456", [], []) == (user, sender.formats, sender.leniencies)
    assert (der, None, None, None) == (
        certificate.der,
        certificate.valid_from,
        certificate.valid_to,
        certificate.holder,
    )
    assert int(signer.read().not_valid_after_utc.timestamp()) * 1_000_000 == certificate.not_after


def test_what_was_answered_before_there_were_several_answers_is_the_first(tmp_path: Path) -> None:
    """An answer of an earlier version keeps its name and its bytes, up and down again; senders read French."""
    path = tmp_path / "journal.sqlite3"
    journal = open_journal(path, create=True)
    with journal.write() as connection:
        connection.execute(sa.insert(senders), _SENDER)
        submissions.add(connection, Submission("A", 1, "sftp", "123456", "u", "IN", "n", "n", "c", State.RECEIVED, 0))
        _migrate(connection, command.downgrade, "0002")
        connection.exec_driver_sql("INSERT INTO answers VALUES ('A', '123456', 'OUT', 'stem', x'01', x'02')")
    journal.close()

    journal = open_journal(path, upgrade=True)
    with journal.write() as connection:
        [name] = answers.names(connection, "A")
        stored = answers.load(connection, "A", 1)
        language = connection.execute(sa.select(senders.c.language)).scalar()
        answers.store(connection, replace(stored, name=replace(name, ordinal=2, stem="other")))
        _migrate(connection, command.downgrade, "0002")
        kept = connection.exec_driver_sql("SELECT * FROM answers").all()
    journal.close()

    assert ((1, "FO", "stem"), b"\1", b"\2", "fr") == (
        (name.ordinal, name.prefix, name.stem),
        stored.data,
        stored.signature,
        language,
    )
    assert [("A", "123456", "OUT", "stem", b"\1", b"\2")] == kept


def test_every_step_back_can_be_taken(tmp_path: Path) -> None:
    """Down to nothing and up again, and the tables are the same."""
    journal = open_journal(tmp_path / "journal.sqlite3", create=True)
    with journal.write() as connection:
        connection.execute(sa.insert(senders), _SENDER)
        connection.execute(sa.insert(technical_users), {"username": "u", "sender": "123456", "created_at": 1})
        _migrate(connection, command.downgrade, "0001")
        kept = connection.exec_driver_sql("SELECT number FROM senders").scalar()
        _migrate(connection, command.downgrade, "base")
        _migrate(connection, command.upgrade, "head")
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    journal.close()

    assert (kept, differences) == ("123456", [])


_SENDER = {
    "number": "123456",
    "signature": "detached",
    "environments": "RTS",
    "purposes": ["*"],
    "state": "active",
    "created_at": 1,
}


def _migrate(connection: Connection, step: Callable[[Config, str], None], revision: str) -> None:
    settings = Config()
    settings.set_main_option("script_location", str(Path(spool.__file__).with_name("migrations")))
    settings.set_main_option("path_separator", "os")
    settings.attributes["connection"] = connection
    step(settings, revision)


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

    assert isinstance(caught.value.__cause__, sa.exc.DBAPIError)


def test_a_reader_does_not_hold_up_a_writer(journal: Journal) -> None:
    """While one transaction reads, another can commit, and the reader's view stays as it was."""
    with journal.read() as reading:
        before = reading.execute(sa.select(sa.func.count()).select_from(events)).scalar()
        with journal.write() as writing:
            note(writing, None, "meanwhile")
        after = reading.execute(sa.select(sa.func.count()).select_from(events)).scalar()

    assert (before, after) == (0, 0)


def _temporary_files() -> list[str]:
    """Files of SQLite without a name that this process has open."""
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            links.append(str(descriptor.readlink()))
    return [link for link in links if "etilqs" in link]


@pytest.mark.sqlite_only
def test_what_may_be_undone_is_noted_in_memory(journal: Journal) -> None:
    """A part of a transaction that changes many pages writes to no file beside the journal."""
    seen: list[str] = []
    with journal.write() as connection:
        rows: list[dict[str, Any]] = [
            {"ticket": None, "at": number, "name": f"{number:060}", "facts": {}} for number in range(5000)
        ]
        connection.execute(sa.insert(events), rows)
        connection.exec_driver_sql("SAVEPOINT part")
        connection.execute(sa.update(events).values(at=events.c.at + 1))
        seen += _temporary_files()

    assert seen == []


@pytest.mark.sqlite_only
def test_a_migration_may_sort_in_files(journal: Journal) -> None:
    """The index of a large table need not find room in memory."""
    seen: list[str] = []
    with journal.write() as connection:
        sort_in_files(connection)
        driver: Any = connection.connection.dbapi_connection
        driver.set_progress_handler(lambda: seen.extend(_temporary_files()), 1000)
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i FROM n"
        assert connection.exec_driver_sql(f"{numbers} ORDER BY printf('%0100d', -i) LIMIT 1 OFFSET 90000").scalar()
        driver.set_progress_handler(None, 0)

    assert seen


@pytest.mark.sqlite_only
def test_after_a_migration_nothing_is_noted_in_files(journal: Journal) -> None:
    """What may take files is the migration's connection alone."""
    migrate(journal)

    with journal.write() as connection:
        assert connection.exec_driver_sql("PRAGMA temp_store").scalar() == 2


@pytest.mark.sqlite_only
def test_a_journal_whose_making_was_cut_off_is_made_at_the_next_start(tmp_path: Path) -> None:
    """A kill has left a file without anything in it."""
    place = tmp_path / "cut.sqlite3"
    place.touch()

    journal = open_journal(place, upgrade=True)
    with journal.write() as connection:
        note(connection, None, "made")
    journal.close()
