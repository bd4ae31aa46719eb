"""Where is what was read from a file kept while it is examined, however much it is?

In a database of its own, which SQLite keeps in a nameless file that is gone with this process; nothing of it is in the
journal.  Of an INSS only the mark comes here.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Final

from gateway.register.bulk.kinds import LAYOUTS, Facts, Kind

BATCH: Final = 1000
"""About as many records are examined or written together."""

_LOOKED_UP: Final = 500
_TABLE: Final = """
    CREATE TABLE staged (
        kind TEXT NOT NULL, owner TEXT NOT NULL, key TEXT NOT NULL, line INTEGER NOT NULL,
        other TEXT NOT NULL, facts TEXT NOT NULL, changes INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (kind, owner, key)
    ) WITHOUT ROWID
"""
_OTHERS: Final = "CREATE INDEX others ON staged (kind, other) WHERE other <> ''"


@dataclass(frozen=True, slots=True)
class Staged:
    """A record as it was read: ``line`` is where it begins in its file, ``facts`` what it says."""

    line: int
    owner: str
    key: str
    facts: Facts


class Staging:
    """The records of one import.  Make it with :func:`open_staging`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, kind: Kind, line: int, facts: Facts) -> int | None:
        """Take a record; answers the line of another that goes by the same key, and then keeps that one."""
        layout = LAYOUTS[kind]
        owner, key = layout.owner(facts), layout.key_of(facts)
        row = (kind, owner, key, line, layout.other(facts), json.dumps(facts, ensure_ascii=False))
        query = "INSERT OR IGNORE INTO staged (kind, owner, key, line, other, facts) VALUES (?, ?, ?, ?, ?, ?)"
        if self._connection.execute(query, row).rowcount:
            return None
        known = "SELECT line FROM staged WHERE kind = ? AND owner = ? AND key = ?"
        line_of: int = self._connection.execute(known, (kind, owner, key)).fetchone()[0]
        return line_of

    def batches(self, kind: Kind) -> Iterator[list[Staged]]:
        """The records of a kind, about `BATCH` at a time, those of one owner always together."""
        query = "SELECT line, owner, key, facts FROM staged WHERE kind = ? ORDER BY owner, key"
        batch: list[Staged] = []
        for line, owner, key, facts in self._connection.execute(query, (kind,)):
            if len(batch) >= BATCH and batch[-1].owner != owner:
                yield batch
                batch = []
            batch.append(Staged(line, owner, key, json.loads(facts)))
        if batch:
            yield batch

    def changing(self, kind: Kind) -> Iterator[list[Staged]]:
        """All records of the owners of those that were marked, of so many owners at a time."""
        query = "SELECT DISTINCT owner FROM staged WHERE kind = ? AND changes = 1 ORDER BY owner"
        owners = (owner for (owner,) in self._connection.execute(query, (kind,)))
        while chunk := list(islice(owners, BATCH)):
            yield list(self.of_owners(kind, chunk))

    def of_owners(self, kind: Kind, owners: Collection[str]) -> Iterator[Staged]:
        """The records of a kind that belong to these owners."""
        return self._found(kind, "owner", owners)

    def of_others(self, kind: Kind, others: Collection[str]) -> Iterator[Staged]:
        """The records of a kind by the second thing they are looked up by."""
        return self._found(kind, "other", others)

    def mark(self, kind: Kind, changing: Iterable[Staged]) -> None:
        """Say which records would change the register."""
        query = "UPDATE staged SET changes = 1 WHERE kind = ? AND owner = ? AND key = ?"
        self._connection.executemany(query, [(kind, record.owner, record.key) for record in changing])

    def _found(self, kind: Kind, column: str, values: Collection[str]) -> Iterator[Staged]:
        wanted = sorted(values)
        for start in range(0, len(wanted), _LOOKED_UP):
            chunk = wanted[start : start + _LOOKED_UP]
            places = ", ".join("?" * len(chunk))
            query = f"SELECT line, owner, key, facts FROM staged WHERE kind = ? AND {column} IN ({places})"  # noqa: S608 - a name of ours and question marks
            if column == "other":
                query += " AND other <> ''"
            for line, owner, key, facts in self._connection.execute(query, (kind, *chunk)):
                yield Staged(line, owner, key, json.loads(facts))


@contextmanager
def open_staging() -> Iterator[Staging]:
    """A staging for the time of the block."""
    connection = sqlite3.connect("")
    try:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute(_TABLE)
        connection.execute(_OTHERS)
        yield Staging(connection)
    finally:
        connection.close()
