"""How do connections to a SQLite file get from one transaction to the next?

They stay as they are: whoever has ended a transaction leaves its connection, and the next one takes the one that was
left last, which knows most of the file.  Giving it back to SQLAlchemy's pool and asking for one takes as long as some
statements.  One whose transaction could not be ended is thrown away.  What is set on one stays on it: options go with
a statement.
"""

from types import TracebackType
from typing import Any, Final

from sqlalchemy.engine import Connection, Engine

from spool.prepared import carry_out

_MOST: Final = 8
"""So many are left open."""


class Connections:
    """Connections of one engine; safe from any thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._left: list[Connection] = []

    def take(self) -> Connection:
        """One without a transaction."""
        try:
            return self._left.pop()
        except IndexError:
            return self._engine.connect()

    def end(self, connection: Connection) -> None:
        """Undo what is left of its transaction, and leave it."""
        try:
            _undo(connection)
        except BaseException:
            self.drop(connection)
            raise
        if len(self._left) < _MOST:
            self._left.append(connection)
        else:
            connection.close()

    @staticmethod
    def drop(connection: Connection) -> None:
        """In which state it is nobody knows; without it the database undoes what it had begun."""
        connection.invalidate()
        connection.close()

    def reading(self) -> "Reading":
        """One transaction that only reads."""
        return Reading(self)

    def close(self) -> None:
        """Give all that were left to the engine."""
        while self._left:
            self._left.pop().close()


class Reading:
    """A transaction that only reads, for the time of a block."""

    __slots__ = ("_connection", "_connections")

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._connection: Connection | None = None

    def __enter__(self) -> Connection:
        connection = self._connection = self._connections.take()
        try:
            carry_out(connection, "BEGIN")
        except BaseException:
            self._connections.drop(connection)
            raise
        return connection

    def __exit__(
        self, _kind: type[BaseException] | None, _fault: BaseException | None, _trace: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._connections.end(connection)


def _undo(connection: Connection) -> None:
    """End the transaction, whether SQLAlchemy has seen statements of it or not."""
    if connection.in_transaction():
        connection.rollback()
        return
    driver: Any = connection.connection.dbapi_connection
    driver.rollback()
