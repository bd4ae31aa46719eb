"""How do several threads that write to the journal share one commit?

A commit waits for the disk, and the disk takes as long for one submission as for ten.  Whoever has written, and sees
that others wait for their turn, leaves the transaction to the next of them and waits for its commit; the last one
commits for all.  Each answers for its own part: what fails is undone to the savepoint before it, and the others know
nothing of it.  Nobody goes on before the commit: what a power cut or a kill takes, it takes from all of them before any
has said so, and a commit that fails has failed for all.
"""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final

from sqlalchemy.engine import Connection

from spool.connections import Connections
from spool.database import WAIT_SECONDS, Begins, begin
from spool.prepared import carry_out

MOST: Final = 16
"""So many share one commit at most."""

_LONGEST: Final = 0.05
_LOOK: Final = 0.1


class TurnLostError(Exception):
    """Others have written for too long, or what was written together could not be committed."""


class _Transaction:
    """One transaction, and those who write in it."""

    def __init__(self, connection: Connection, begun: float) -> None:
        self.connection = connection
        self.begun = begun
        self.parts = 0
        self.ended = threading.Event()
        self.fault: BaseException | None = None


class SharedCommits:
    """Gives turns to write; safe from any thread.

    Args:
        connections: to a database that one writes to at a time.
        clock: answers seconds.
    """

    def __init__(self, connections: Connections, clock: Callable[[], float] = time.monotonic) -> None:
        self._connections = connections
        self._clock = clock
        self._turn = threading.Lock()
        self._count = threading.Lock()
        self._waiting = 0
        self._open: _Transaction | None = None

    def write(self) -> "Part":
        """A part of a transaction: undone if the block raises, committed when it is left.

        Raises:
            TurnLostError: nothing was written.
            sqlalchemy.exc.DBAPIError, sqlite3.Error: likewise.
        """
        return Part(self)

    def begin(self) -> _Transaction:
        """What a part is written in, once it is its turn."""
        self._take_turn()
        try:
            return self._join()
        except BaseException:
            self._turn.release()
            raise

    def end(self, transaction: _Transaction, *, is_whole: bool) -> None:
        """The part is written: return when it is committed.  One that is not whole is taken back."""
        if is_whole:
            self._leave(transaction)
            self._await(transaction)
        else:
            self._undo(transaction)

    def _take_turn(self) -> None:
        with self._count:
            self._waiting += 1
        try:
            if not self._turn.acquire(timeout=WAIT_SECONDS):
                raise TurnLostError("others write for too long")
        finally:
            with self._count:
                self._waiting -= 1

    def _join(self) -> _Transaction:
        """The transaction that others have left open, or a new one; it is our turn."""
        transaction = self._open
        if transaction is None:
            transaction = self._begin()
        else:
            try:
                carry_out(transaction.connection, "SAVEPOINT part")
            except BaseException as fault:
                self._end(transaction, fault)
                raise
        transaction.parts += 1
        return transaction

    def _begin(self) -> _Transaction:
        connection = self._connections.take()
        try:
            begin(connection, Begins.WRITING)
        except BaseException:
            self._connections.drop(connection)
            raise
        return _Transaction(connection, self._clock())

    def _undo(self, transaction: _Transaction) -> None:
        """Our part failed: take it back, and see to the commit of the others."""
        if transaction.parts == 1:
            try:
                self._end(transaction, None)
            finally:
                self._turn.release()
            return
        try:
            carry_out(transaction.connection, "ROLLBACK TO part")
        except BaseException as fault:
            try:
                self._end(transaction, fault)
            finally:
                self._turn.release()
            raise
        self._leave(transaction)

    def _leave(self, transaction: _Transaction) -> None:
        """Commit, unless somebody waits who can do so; then it is the next one's turn."""
        try:
            is_late = transaction.parts >= MOST or self._clock() - transaction.begun > _LONGEST
            if self._waiting and not is_late:
                self._open = transaction
            else:
                self._commit(transaction)
        finally:
            self._turn.release()

    def _await(self, transaction: _Transaction) -> None:
        while not transaction.ended.wait(_LOOK):
            # Whoever was to go on with it may have given up waiting for its turn.
            if self._turn.acquire(blocking=False):
                try:
                    if self._open is transaction:
                        self._commit(transaction)
                finally:
                    self._turn.release()
        if transaction.fault is not None:
            raise TurnLostError("what was written together was not committed") from transaction.fault

    def _commit(self, transaction: _Transaction) -> None:
        try:
            _check_open(transaction.connection)
            transaction.connection.commit()
        except Exception as fault:  # told to everybody who wrote
            self._end(transaction, fault)
        else:
            self._end(transaction, None)

    def _end(self, transaction: _Transaction, fault: BaseException | None) -> None:
        """It is over, and what was not committed is undone."""
        self._open = None
        transaction.fault = fault
        try:
            if fault is None:
                self._connections.end(transaction.connection)
            else:
                self._connections.drop(transaction.connection)
        finally:
            transaction.ended.set()


class Part:
    """What somebody writes in a transaction, for the time of a block."""

    __slots__ = ("_shared", "_transaction")

    def __init__(self, shared: SharedCommits) -> None:
        self._shared = shared
        self._transaction: _Transaction | None = None

    def __enter__(self) -> Connection:
        transaction = self._transaction = self._shared.begin()
        return transaction.connection

    def __exit__(
        self, kind: type[BaseException] | None, _fault: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._transaction is not None:
            self._shared.end(self._transaction, is_whole=kind is None)


def _check_open(connection: Connection) -> None:
    """See that the database has not undone it all: a full disk makes it do so, whoever takes notice."""
    driver = connection.connection.driver_connection
    if driver is None or not driver.in_transaction:
        raise TurnLostError("the database has undone what was written")
