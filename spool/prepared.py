"""How is a statement carried out that is asked for every submission, and in which nothing changes but its values?

Built with SQLAlchemy as any other, it is compiled once for a database: its text, the order of its values, and how each
value and each column is turned into what the driver takes and gives.  On SQLite that is handed to the driver itself;
what SQLAlchemy does around a statement takes several times longer there than carrying it out.  The rest is as ever: the
transaction is the connection's, and what the driver raises is an error of the journal (:mod:`spool.journal`).  On
PostgreSQL, and where somebody listens to what is carried out, SQLAlchemy does it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.compiler import SQLCompiler

Facts = Mapping[str, Any]
_Turned = Callable[[Any], Any] | None
_NOTHING: Final[Facts] = {}


@dataclass(frozen=True, slots=True)
class _Compiled:
    """Text, the values in their order (name, fixed value, how it is turned), and how each column is turned."""

    text: str
    values: tuple[tuple[str, Any, _Turned], ...]
    columns: tuple[_Turned, ...]
    is_plain: bool

    def given(self, facts: Facts) -> list[Any]:
        """What the driver gets."""
        found = []
        for name, fixed, turned in self.values:
            value = facts.get(name, fixed)
            found.append(value if turned is None else turned(value))
        return found

    def read(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """A row as the statement's types have it."""
        if self.is_plain:
            return tuple(row)
        return tuple(
            value if turned is None else turned(value) for value, turned in zip(row, self.columns, strict=True)
        )


class Prepared:
    """A statement with ``bindparam`` where values go; not with ``in_``, whose lists have a length.

    For an insert ``columns`` are the names of its values, always the same.
    """

    def __init__(self, statement: sa.Executable, columns: Iterable[str] | None = None) -> None:
        self.statement = statement
        self._columns = None if columns is None else list(columns)
        self._compiled: _Compiled | None = None

    def all(self, connection: Connection, facts: Facts = _NOTHING) -> list[Sequence[Any]]:
        """Every row."""
        if (driver := _driver(connection)) is None:
            return list(connection.execute(self.statement, facts))
        compiled = self._for(connection)
        return [compiled.read(row) for row in driver.execute(compiled.text, compiled.given(facts)).fetchall()]

    def first(self, connection: Connection, facts: Facts = _NOTHING) -> Sequence[Any] | None:
        """The first row, or None."""
        if (driver := _driver(connection)) is None:
            return connection.execute(self.statement, facts).first()
        compiled = self._for(connection)
        cursor = driver.execute(compiled.text, compiled.given(facts))
        row = cursor.fetchone()
        cursor.close()
        return None if row is None else compiled.read(row)

    def run(self, connection: Connection, facts: Facts) -> int:
        """Change something; answers how many rows."""
        if (driver := _driver(connection)) is None:
            return connection.execute(self.statement, facts).rowcount
        compiled = self._for(connection)
        count: int = driver.execute(compiled.text, compiled.given(facts)).rowcount
        return count

    def run_for_each(self, connection: Connection, rows: Sequence[Facts]) -> None:
        """Do so once for each of ``rows``, of which there are some."""
        if (driver := _driver(connection)) is None:
            connection.execute(self.statement, rows)
            return
        compiled = self._for(connection)
        driver.executemany(compiled.text, [compiled.given(facts) for facts in rows])

    def _for(self, connection: Connection) -> _Compiled:
        if self._compiled is None:
            self._compiled = _compile(self.statement, self._columns, connection.dialect)
        return self._compiled


def _driver(connection: Connection) -> Any:
    """The driver's own connection, None where SQLAlchemy is to do it."""
    if connection.dialect.name != "sqlite" or connection._has_events:  # noqa: SLF001 - as SQLAlchemy asks itself
        return None
    return connection.connection.driver_connection


def _compile(statement: Any, columns: list[str] | None, dialect: sa.Dialect) -> _Compiled:
    compiled: SQLCompiler = statement.compile(dialect=dialect, column_keys=columns)
    if compiled.post_compile_params:
        raise ValueError("a list of values is compiled anew for each length")
    fixed = compiled.construct_params(_check=False)
    turned: Mapping[str, Any] = compiled._bind_processors  # noqa: SLF001 - what SQLAlchemy turns values with; a test compares the two
    # An enumeration's word is text to the driver, which would have to find that out each time.
    plain = {name: str(value) if isinstance(value, str) else value for name, value in fixed.items()}
    values = tuple((name, plain[name], turned.get(name)) for name in compiled.positiontup or ())
    read = tuple(
        entry.type.dialect_impl(dialect).result_processor(dialect, None)
        for entry in compiled._result_columns  # noqa: SLF001 - likewise
    )
    return _Compiled(compiled.string, values, read, not any(read))
