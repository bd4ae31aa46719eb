"""The journal: where every fact is that the gateway must still know after a power cut.

This file opens the journal and gives transactions; what is written stands in ``submissions``, ``effects`` and
``routing_queue``, what a database needs to be one in ``database``.
"""

import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection, Engine

from config.errors import ConfigurationError, TemporaryError
from spool.connections import Connections
from spool.database import Begins, Place, begin, open_engine, sort_in_files
from spool.shared_commits import SharedCommits, TurnLostError
from spool.waking import Topic, listening

_MIGRATION_SECONDS: Final = 900.0
"""For how long a process waits at its start while another migrates."""


class JournalError(TemporaryError):
    """The journal cannot be read or written just now."""


def now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


class _Told:
    """A transaction for the time of a block; what goes wrong in the database is a fault of the journal."""

    __slots__ = ("_faults", "_transaction", "_words")

    def __init__(
        self, transaction: AbstractContextManager[Connection], faults: tuple[type[Exception], ...], words: str
    ) -> None:
        self._transaction = transaction
        self._faults = faults
        self._words = words

    def __enter__(self) -> Connection:
        try:
            return self._transaction.__enter__()
        except self._faults as fault:
            raise JournalError(self._words) from fault

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._transaction.__exit__(kind, fault, trace)
        except self._faults as found:
            raise JournalError(self._words) from found
        if isinstance(fault, self._faults):
            raise JournalError(self._words) from fault


class Journal:
    """One database.  Make it with :func:`open_journal`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._faults = (sa.exc.DBAPIError, engine.dialect.loaded_dbapi.Error, TurnLostError)
        self._kept = Connections(engine) if engine.dialect.name == "sqlite" else None
        # Threads queue here rather than ask SQLite again and again whether it is their turn.
        self._shared = None if self._kept is None else SharedCommits(self._kept)
        # A command that is done with it just ends.
        weakref.finalize(self, _close, engine, self._kept)

    def write(self) -> AbstractContextManager[Connection]:
        """One transaction that may write: committed at the end of the block, rolled back on any exception.

        With SQLite other threads of the process may commit with it (:mod:`spool.shared_commits`); it is undone alone.

        Raises:
            JournalError: the database failed; nothing was written.
        """
        return _Told(self._writing(Begins.WRITING), self._faults, "the journal cannot be written")

    def read(self) -> AbstractContextManager[Connection]:
        """One transaction that only reads, and holds up no writer.

        Raises:
            JournalError: the database failed.
        """
        reading = self._reading() if self._kept is None else self._kept.reading()
        return _Told(reading, self._faults, "the journal cannot be read")

    def claim(self) -> AbstractContextManager[Connection]:
        """One transaction that claims work or leases (:mod:`spool.claims`, :mod:`spool.leases`), and writes no more.

        On PostgreSQL it waits for no writer, and lets rows pass that others have locked.

        Raises:
            JournalError: the database failed; nothing was claimed.
        """
        return _Told(self._writing(Begins.CLAIMING), self._faults, "nothing can be claimed")

    def _writing(self, how: Begins) -> AbstractContextManager[Connection]:
        return self._beginning(how) if self._shared is None else self._shared.write()

    @contextmanager
    def _beginning(self, how: Begins) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            begin(connection, how)
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            begin(connection, Begins.READING)
            yield connection

    @property
    def has_many_hosts(self) -> bool:
        """Whether processes of several hosts may work with it."""
        return self._engine.dialect.name == "postgresql"

    @contextmanager
    def listening(self, ring: Callable[[Topic], None]) -> Iterator[None]:
        """Call ``ring``, in a thread of its own, for what other processes write, for the time of the block."""
        with listening(self._engine, ring):
            yield

    def close(self) -> None:
        """Give every connection back."""
        _close(self._engine, self._kept)


def _close(engine: Engine, kept: Connections | None) -> None:
    if kept is not None:
        kept.close()
    engine.dispose()


def _alembic() -> Config:
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    settings.set_main_option("path_separator", "os")
    return settings


def migrate(journal: Journal) -> None:
    """Bring the schema up to date, in one transaction."""
    journal.close()  # how it sorts can be said only to a connection that has not looked for anything yet
    try:
        with journal.write() as connection:
            sort_in_files(connection)
            settings = _alembic()
            settings.attributes["connection"] = connection
            command.upgrade(settings, "head")
    finally:
        journal.close()  # what sorts in files is not kept; the next transaction opens another


def _newest() -> str | None:
    return ScriptDirectory.from_config(_alembic()).get_current_head()


def _version(journal: Journal) -> str | None:
    with journal.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def open_journal(place: Place, *, create: bool = False, upgrade: bool = False) -> Journal:
    """Open the journal at ``place``.

    Args:
        place: a SQLite file, or the URL of a PostgreSQL database, which itself has to exist.
        create: make it; without this a missing journal is a fault, for a gateway that began again with an empty one
            would have forgotten what it answers for.
        upgrade: bring it to this version of the gateway where it is of an older one.

    Raises:
        ConfigurationError: there is none, or it is of another version of the gateway.
        JournalError: the database cannot be reached.
    """
    if isinstance(place, Path):
        if create:
            place.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        elif not place.is_file():
            raise _missing(place)
    journal = Journal(open_engine(place))
    try:
        if create:
            migrate(journal)
        else:
            _bring_up_to_date(journal, place, upgrade=upgrade)
    except BaseException:
        journal.close()
        raise
    return journal


def _bring_up_to_date(journal: Journal, place: Place, *, upgrade: bool) -> None:
    version = _version(journal)
    if version is None and not isinstance(place, Path):
        raise _missing(place)
    if upgrade:
        _upgrade(journal)
    elif version != _newest():
        words = f"{_words(place)} is of another version; `gateway migrate` or `gateway serve` brings it up to date"
        raise ConfigurationError([f"journal.path: {words}"])


def _upgrade(journal: Journal) -> None:
    """Bring it up to date, or let another process do so that has begun; with nothing to do, wait for nobody."""
    given_up = time.monotonic() + _MIGRATION_SECONDS
    while _version(journal) != _newest():
        try:
            migrate(journal)
        except JournalError:
            if time.monotonic() > given_up:
                raise


def _missing(place: Place) -> ConfigurationError:
    return ConfigurationError([f"journal.path: there is no journal at {_words(place)}; `gateway init` makes one"])


def _words(place: Place) -> str:
    """The place as it may be shown: without a password."""
    return str(place) if isinstance(place, Path) else sa.make_url(place).render_as_string()
