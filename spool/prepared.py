"""How is a statement carried out that is asked for every submission, and in which nothing changes but its values?

Built with SQLAlchemy as any other, it is compiled once for a database: its text, the order of its values, and how each
value and each column is turned into what the driver takes and gives.  On SQLite that is handed to the driver itself;
what SQLAlchemy does around a statement takes several times longer there than carrying it out.  The rest is as ever: the
transaction is the connection's, and what the driver raises is an error of the journal (:mod:`spool.journal`).  On
PostgreSQL, and where somebody listens to what is carried out, SQLAlchemy does it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.compiler import SQLCompiler

Facts = Mapping[str, Any]
_NOTHING: Final[Facts] = {}


@dataclass(frozen=True, slots=True)
class _Compiled:
    """Text, what picks its values in their order, those that are fixed, and how values and columns are turned.

    ``turned`` are values by their names, ``columns`` the places in a row of those that are turned, ``listed`` the names
    of the items of a list.
    """

    text: str
    pick: Callable[[Facts], Sequence[Any]]
    fixed: Facts
    turned: tuple[tuple[str, Callable[[Any], Any]], ...]
    columns: tuple[tuple[int, Callable[[Any], Any]], ...]
    listed: tuple[str, ...]

    def given(self, facts: Facts) -> Sequence[Any]:
        """What the driver gets."""
        found = {**self.fixed, **facts}
        for name, turn in self.turned:
            found[name] = turn(found[name])
        return self.pick(found)

    def read(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """A row as the statement's types have it."""
        if not self.columns:
            return tuple(row)
        found = list(row)
        for place, turn in self.columns:
            found[place] = turn(found[place])
        return tuple(found)


class Prepared:
    """A statement with ``bindparam`` where values go.

    For an insert ``columns`` are the names of its values, always the same.  ``each`` is the name of a value that is a
    list, for ``in_``; it is filled up with its last item to the next power of two, so that there are few such texts.
    """

    def __init__(self, statement: sa.Executable, columns: Iterable[str] | None = None, each: str | None = None) -> None:
        self.statement = statement
        self._columns = None if columns is None else list(columns)
        self._each = each
        self._compiled: dict[int, _Compiled] = {}

    def all(self, connection: Connection, facts: Facts = _NOTHING) -> list[Sequence[Any]]:
        """Every row."""
        if (driver := self._driver(connection, facts)) is None:
            return list(connection.execute(self.statement, facts))
        compiled, given = self._for(connection, facts)
        return [compiled.read(row) for row in driver.execute(compiled.text, given).fetchall()]

    def first(self, connection: Connection, facts: Facts = _NOTHING) -> Sequence[Any] | None:
        """The first row, or None."""
        if (driver := self._driver(connection, facts)) is None:
            return connection.execute(self.statement, facts).first()
        compiled, given = self._for(connection, facts)
        cursor = driver.execute(compiled.text, given)
        row = cursor.fetchone()
        cursor.close()
        return None if row is None else compiled.read(row)

    def run(self, connection: Connection, facts: Facts) -> int:
        """Change something; answers how many rows."""
        if (driver := self._driver(connection, facts)) is None:
            return connection.execute(self.statement, facts).rowcount
        compiled, given = self._for(connection, facts)
        count: int = driver.execute(compiled.text, given).rowcount
        return count

    def run_for_each(self, connection: Connection, rows: Sequence[Facts]) -> None:
        """Do so once for each of ``rows``, of which there are some."""
        if (driver := _driver(connection)) is None:
            connection.execute(self.statement, rows)
            return
        compiled, _ = self._for(connection, rows[0])
        driver.executemany(compiled.text, [compiled.given(facts) for facts in rows])

    def _driver(self, connection: Connection, facts: Facts) -> Any:
        """As below; a list without items is said otherwise in SQL, by SQLAlchemy."""
        return None if self._each is not None and not facts[self._each] else _driver(connection)

    def _for(self, connection: Connection, facts: Facts) -> tuple[_Compiled, Sequence[Any]]:
        if self._each is None and (only := self._compiled.get(0)) is not None:
            return only, only.given(facts)
        items = () if self._each is None else facts[self._each]
        size = 1 << (len(items) - 1).bit_length() if items else 0
        compiled = self._compiled.get(size)
        if compiled is None:
            listed = {} if self._each is None else {self._each: [None] * size}
            compiled = self._compiled[size] = _compile(self.statement, self._columns, connection.dialect, listed)
        if items:
            filled = [*items, *[items[-1]] * (size - len(items))]
            facts = {**facts, **dict(zip(compiled.listed, filled, strict=True))}
        return compiled, compiled.given(facts)


def carry_out(connection: Connection, text: str) -> None:
    """Have SQLite carry out a statement without values, such as those that begin and part a transaction."""
    driver: Any = connection.connection.dbapi_connection
    driver.execute(text)


def carry_out_for_each(connection: Connection, text: str, rows: Iterable[Sequence[Any]]) -> None:
    """Have SQLite carry out a statement once for each of ``rows``, its values in their order."""
    driver: Any = connection.connection.dbapi_connection
    driver.executemany(text, rows)


def _driver(connection: Connection) -> Any:
    """The driver's own connection, None where SQLAlchemy is to do it."""
    if connection.dialect.name != "sqlite" or connection._has_events:  # noqa: SLF001 - as SQLAlchemy asks itself
        return None
    return connection.connection.dbapi_connection


def _compile(
    statement: Any, columns: list[str] | None, dialect: sa.Dialect, listed: Mapping[str, list[None]]
) -> _Compiled:
    compiled: SQLCompiler = statement.compile(dialect=dialect, column_keys=columns)
    known = compiled.construct_params(_check=False)
    unlisted = compiled.post_compile_params - {compiled.binds[name] for name in listed}
    if any(known[compiled.bind_names[of]] is None for of in unlisted):
        raise ValueError("a list of values is compiled anew for each length")
    whole = compiled.construct_expanded_state({**known, **listed})
    turned: Mapping[str, Any] = {**compiled._bind_processors, **whole.processors}  # noqa: SLF001 - what SQLAlchemy turns values with; a test compares the two
    # An enumeration's word is text to the driver, which would have to find that out each time.
    plain = {name: str(value) if isinstance(value, str) else value for name, value in whole.parameters.items()}
    names = tuple(whole.positiontup or ())
    read = [
        entry.type.dialect_impl(dialect).result_processor(dialect, None)
        for entry in compiled._result_columns  # noqa: SLF001 - likewise
    ]
    return _Compiled(
        text=whole.statement,
        pick=_picking(names),
        fixed={name: plain[name] for name in names},
        turned=tuple((name, turn) for name in dict.fromkeys(names) if (turn := turned.get(name)) is not None),
        columns=tuple((place, turn) for place, turn in enumerate(read) if turn is not None),
        listed=tuple(name for of in listed for name in whole.parameter_expansion[of]),
    )


def _picking(names: tuple[str, ...]) -> Callable[[Facts], Sequence[Any]]:
    """What picks the values with these names, in their order."""
    if len(names) < 2:
        return lambda facts: [facts[name] for name in names]
    return itemgetter(*names)
