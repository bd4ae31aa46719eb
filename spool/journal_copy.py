"""How does a journal get into another database, whole or not at all?

Every row of every table, in the order in which the tables depend on each other, read at one moment and written in one
transaction; then both sides are counted.  Nothing is changed where it comes from.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from config.errors import ConfigurationError
from spool.journal import Journal
from spool.register_tables import TABLES

_BATCH: Final = 500
_BATCH_BYTES: Final = 4 * 1024 * 1024


def copy(source: Journal, target: Journal) -> dict[str, int]:
    """Copy every row of ``source`` into ``target``, which must be new; answers how many rows of each table.

    Raises:
        ConfigurationError: ``target`` has something in it, or did not take everything; it is as it was.
        JournalError: a database failed; ``target`` is as it was.
    """
    with source.read() as reading, target.write() as writing:
        return copy_from(reading, writing)


def copy_from(reading: Connection, writing: Connection) -> dict[str, int]:
    """As :func:`copy`, in transactions that are open already.

    Raises:
        ConfigurationError: as there.
    """
    if full := filled(writing):
        raise ConfigurationError([f"the database has something in it already: {', '.join(full)}"])
    copied = {table.name: _copy_table(reading, writing, table) for table in TABLES}
    missed = [table.name for table in TABLES if _count(writing, table) != copied[table.name]]
    if missed:
        raise ConfigurationError([f"not every row arrived of: {', '.join(missed)}"])
    for statement in _counters(writing):
        writing.execute(statement)
    return copied


def filled(connection: Connection) -> list[str]:
    """The names of the tables that have something in them."""
    return [table.name for table in TABLES if _count(connection, table)]


def _copy_table(reading: Connection, writing: Connection, table: sa.Table) -> int:
    taking, count = _taking(table), 0
    # An answer may have megabytes, so rows with bytes are read one at a time.
    at_once = 1 if any(isinstance(column.type, sa.LargeBinary) for column in table.columns) else _BATCH
    rows = reading.execute(sa.select(table).execution_options(yield_per=at_once)).mappings()
    for part in _parts(dict(row) for row in rows):
        writing.execute(sa.insert(taking), part)
        count += len(part)
    return count


def _parts(rows: Iterable[dict[str, object]]) -> Iterator[list[dict[str, object]]]:
    """The rows in parts that memory has room for."""
    part: list[dict[str, object]] = []
    size = 0
    for row in rows:
        part.append(row)
        size += sum(len(value) for value in row.values() if isinstance(value, bytes))
        if len(part) == _BATCH or size >= _BATCH_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _taking(table: sa.Table) -> sa.Table:
    """The same table; nothing stays nothing in it, where JSON would write down a null."""
    taking = table.to_metadata(sa.MetaData())
    for column in taking.columns:
        if isinstance(column.type, sa.JSON):
            column.type = sa.JSON(none_as_null=True)
    return taking


def _count(connection: Connection, table: sa.Table) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def _counters(connection: Connection) -> Iterator[sa.Select[tuple[int]]]:
    """What lets a database that counts for itself go on after the highest number; SQLite looks for that itself."""
    if connection.dialect.name != "postgresql":
        return
    for table in TABLES:
        column = table.autoincrement_column
        if column is not None:
            counter = sa.func.pg_get_serial_sequence(table.name, column.name)
            yield sa.select(sa.func.setval(counter, sa.func.max(column))).having(sa.func.max(column).is_not(None))
