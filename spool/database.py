"""Which database holds the journal, and how do its transactions begin?

SQLite, a file beside the spool, or PostgreSQL, for several hosts.  On both, those who write take turns from their first
statement on, so that what one has read nobody else changes before it commits; those who only read see one moment and
hold nobody up.  A commit that returned survives a power cut: SQLite runs with WAL and ``synchronous=FULL`` (with NORMAL
the last commits do not), PostgreSQL with ``synchronous_commit=on`` whatever the server's default is.
"""

from enum import StrEnum
from pathlib import Path
from typing import Any, Final, assert_never

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from config.errors import ConfigurationError
from spool.prepared import carry_out

Place = Path | str
"""A SQLite file, or the URL of a PostgreSQL database."""

_WRITERS: Final = 4_736_251_903
"""The advisory lock that writers take; any number that no other program of the database uses."""

WAIT_SECONDS: Final = 30.0
"""For how long somebody waits for his turn to write."""

_SESSION: Final = {
    "synchronous_commit": "on",
    "timezone": "UTC",
    "lock_timeout": "30s",
    # A host that is gone, or hangs, in the middle of its turn must not keep the others waiting for ever.
    "idle_in_transaction_session_timeout": "15s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


_LOG_PAGES: Final = 4000
"""How many pages SQLite writes to its log before they go into the file: 16 MB, in which many change several times."""


class Begins(StrEnum):
    """What a transaction is for: to read; to write, in turn; or to claim work, beside writers."""

    READING = "reading"
    WRITING = "writing"
    CLAIMING = "claiming"


_NETWORK: Final = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
"""That a connection is cut is noticed within half a minute: seconds, but the last, which is milliseconds."""


def open_engine(place: Place) -> Engine:
    """What connections to the database at ``place`` come from.

    Raises:
        ConfigurationError: the URL is none of a PostgreSQL database, or what speaks to one is not installed.
    """
    return _open_sqlite(place) if isinstance(place, Path) else _open_postgresql(place)


def _open_sqlite(path: Path) -> Engine:
    # An error's text would quote what was to be written, and that may be a declaration.
    engine = sa.create_engine(
        f"sqlite:///{path}",
        connect_args={"timeout": WAIT_SECONDS},
        hide_parameters=True,
        pool_size=8,
        max_overflow=56,
        pool_use_lifo=True,  # what the last one has read of the file, the next one need not read again
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    # What several parts of a transaction change (:mod:`spool.shared_commits`) SQLite notes, page by page, to be able to
    # undo one of them: in memory it costs a copy, in a file it took more calls than the transaction itself.
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "temp_store=MEMORY",
        f"wal_autocheckpoint={_LOG_PAGES}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def sort_in_files(connection: Connection) -> None:
    """Let SQLite sort in files, as an index of a large table needs; the connection is not to be kept afterwards."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA temp_store=FILE")


def _open_postgresql(url: str) -> Engine:
    fault = "journal.url: expected postgresql://user:password@host:port/database"
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise ConfigurationError([fault]) from None  # the cause may quote the password
    if parsed.drivername != "postgresql" or not parsed.database:
        raise ConfigurationError([fault])
    words = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
    try:
        engine = sa.create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            connect_args={"options": words, "connect_timeout": 10, "application_name": "batch-gateway", **_NETWORK},
            hide_parameters=True,
            pool_size=8,
            max_overflow=56,
            pool_pre_ping=True,
        )
    except ModuleNotFoundError:
        raise ConfigurationError(["journal.url: needs the extra `postgres` (psycopg)"]) from None
    return engine


def begin(connection: Connection, how: Begins) -> None:
    """Begin the transaction of a connection that has done nothing yet."""
    if connection.dialect.name == "sqlite":
        if not connection.in_transaction():
            connection.begin()  # SQLAlchemy has to know, or would not commit
        # Taking the write lock at once turns a conflict into a wait; a later upgrade of the lock would fail.
        carry_out(connection, "BEGIN" if how is Begins.READING else "BEGIN IMMEDIATE")
        return
    match how:
        case Begins.READING:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        case Begins.WRITING:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")
        case Begins.CLAIMING:
            # Who claims waits for nobody long: somebody else has what it wants, and it comes again.
            connection.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
        case _:
            assert_never(how)
