"""How is the journal copied into a file while a gateway writes it?

At one moment: writers wait until a snapshot is held and what has to be of that very moment is secured, and not for the
copy itself. SQLite copies its pages (the online backup of SQLite), PostgreSQL is copied row by row into a new SQLite
file, so that a backup is the same whatever the journal is kept in.
"""

import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from sqlalchemy.engine import Connection

from spool import chain
from spool.journal import Journal, open_journal
from spool.journal_copy import copy_from


def snapshot(journal: Journal, target: Path, secure: Callable[[], None]) -> chain.Place:
    """Copy the journal as it is at one moment to ``target``, a new SQLite file; answers its last event.

    Args:
        secure: called at that moment, while nobody writes; it has to be quick

    Raises:
        JournalError: a database failed.
    """
    with ExitStack() as stack:
        with journal.write():
            reading = stack.enter_context(journal.read())
            place = chain.end(reading)  # the first question fixes the moment
            secure()
        if reading.dialect.name == "sqlite":
            _copy_pages(reading, target)
        else:
            _copy_rows(reading, target)
    return place


def make_plain(path: Path) -> None:
    """Make a SQLite file one file again, that is read without writing beside it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")


def _copy_pages(reading: Connection, target: Path) -> None:
    source = reading.connection.driver_connection
    if not isinstance(source, sqlite3.Connection):
        raise TypeError("this is no connection to SQLite")
    with closing(sqlite3.connect(target)) as connection:
        source.backup(connection)


def _copy_rows(reading: Connection, target: Path) -> None:
    goal = open_journal(target, create=True)
    try:
        with goal.write() as writing:
            copy_from(reading, writing)
    finally:
        goal.close()
