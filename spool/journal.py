"""The journal: where every fact is that the gateway must still know after a power cut.

This file opens the database and gives transactions; what is written stands in ``submissions``, ``effects`` and
``routing_queue``.  SQLite runs with WAL and ``synchronous=FULL``: a commit that returned survives (with NORMAL the
last ones do not).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection, Engine

from config.errors import ConfigurationError, TemporaryError


class JournalError(TemporaryError):
    """The journal cannot be read or written just now."""


def now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


class Journal:
    """One database.  Make it with :func:`open_journal`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that may write: committed at the end of the block, rolled back on any exception.

        Raises:
            JournalError: the database failed; nothing was written.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.DBAPIError as fault:
            raise JournalError("the journal cannot be written") from fault

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One transaction that only reads, and holds up no writer.

        Raises:
            JournalError: the database failed.
        """
        try:
            with self._engine.connect().execution_options(reads=True) as connection:
                yield connection
        except sa.exc.DBAPIError as fault:
            raise JournalError("the journal cannot be read") from fault

    def close(self) -> None:
        """Give every connection back."""
        self._engine.dispose()


def _alembic() -> Config:
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    settings.set_main_option("path_separator", "os")
    return settings


def migrate(journal: Journal) -> None:
    """Bring the schema up to date, in one transaction."""
    with journal.write() as connection:
        settings = _alembic()
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")


def _is_current(journal: Journal) -> bool:
    wanted = ScriptDirectory.from_config(_alembic()).get_current_head()
    with journal.read() as connection:
        return MigrationContext.configure(connection).get_current_revision() == wanted


def open_journal(path: Path, *, create: bool = False, upgrade: bool = False) -> Journal:
    """Open the SQLite journal at ``path``.

    Args:
        path: the database file.
        create: make it; without this a missing journal is a fault, for a gateway that began again with an empty one
            would have forgotten what it answers for.
        upgrade: bring it to this version of the gateway where it is of an older one.

    Raises:
        ConfigurationError: there is none, or it is of another version of the gateway.
    """
    if create:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    elif not path.is_file():
        raise ConfigurationError([f"journal.path: there is no journal at {path}; `gateway init` makes one"])
    # An error's text would quote what was to be written, and that may be a declaration.
    engine = sa.create_engine(
        f"sqlite:///{path}", connect_args={"timeout": 30.0}, hide_parameters=True, pool_size=8, max_overflow=56
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    journal = Journal(engine)
    if create or upgrade:
        migrate(journal)
    elif not _is_current(journal):
        journal.close()
        raise ConfigurationError([f"journal.path: {path} is of another version; `gateway serve` brings it up to date"])
    return journal


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # Taking the write lock at once turns a conflict into a wait; a later upgrade of the lock would fail instead.
    reads = connection.get_execution_options().get("reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
