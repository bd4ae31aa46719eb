"""How do thousands of rows get into a table in one go?

A large file names tens of thousands of persons, and SQLAlchemy takes longer over a row than the database does. So what
its Core says of the table becomes a statement of the driver's: SQLite's runs it for some rows at a time, PostgreSQL
takes the columns as arrays. Values go to the driver as they are: an enumeration has to be text by then, and JSON
written.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool.prepared import carry_out_for_each

_AT_ONCE: Final = 8
"""So many rows are one statement: beginning one takes as long as some rows of it."""


def insert(connection: Connection, columns: Sequence[sa.Column[Any]], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert ``rows``, which have values for these columns of one table, in their order; others get their defaults."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        _insert_some(connection, tuple(columns), rows)
    else:
        arrays = tuple(list(values) for values in zip(*rows, strict=True))
        connection.exec_driver_sql(_from_arrays(tuple(columns), connection.dialect), arrays)


def _insert_some(connection: Connection, columns: tuple[sa.Column[Any], ...], rows: Sequence[tuple[Any, ...]]) -> None:
    whole = len(rows) - len(rows) % _AT_ONCE
    for count, part in ((_AT_ONCE, rows[:whole]), (len(rows) - whole, rows[whole:])):
        if part:
            starts = range(0, len(part), count)
            values = (tuple(chain.from_iterable(part[start : start + count])) for start in starts)
            carry_out_for_each(connection, _of_values(columns, count), values)


@lru_cache(maxsize=128)
def _of_values(columns: tuple[sa.Column[Any], ...], count: int) -> str:
    row = f"({', '.join('?' * len(columns))})"
    return f"{_begin(columns)} VALUES {', '.join([row] * count)}"


@lru_cache(maxsize=16)
def _from_arrays(columns: tuple[sa.Column[Any], ...], dialect: sa.Dialect) -> str:
    arrays = ", ".join(f"%s::{_type_of(column, dialect)}[]" for column in columns)
    return f"{_begin(columns)} SELECT * FROM unnest({arrays})"  # noqa: S608 - names and types of our own tables


def _begin(columns: tuple[sa.Column[Any], ...]) -> str:
    return f"INSERT INTO {columns[0].table.name} ({', '.join(column.name for column in columns)})"


def _type_of(column: sa.Column[Any], dialect: sa.Dialect) -> str:
    """Of text without its length: a cast would cut what is too long, which the column refuses."""
    return "VARCHAR" if isinstance(column.type, sa.String) else column.type.compile(dialect)
