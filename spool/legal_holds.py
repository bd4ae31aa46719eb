"""What must be kept however old it is, by a court's or an authority's word?

A legal hold is of one ticket, or of what a sender sends, of a type, of an environment; several add up. It keeps
payload, answers and evidence from being purged, and does nothing else: what it covers is judged and answered as ever.

Every function takes the connection of a transaction. Times are microseconds since the epoch.
"""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool import holds
from spool.holds import UNTIL_RELEASED, Hold, Selection, Word
from spool.retention_tables import legal_holds


def place(connection: Connection, selection: Selection, word: Word, at: int, ends_at: int | None) -> Hold:
    """Keep what is selected from now on, until ``ends_at`` or until it is lifted."""
    return holds.place(connection, selection, word, at, ends_at, legal_holds)


def in_force(connection: Connection, at: int) -> list[Hold]:
    """Every legal hold that neither was lifted nor has ended, oldest first."""
    return [holds.hold_of(row) for row in connection.execute(_IN_FORCE, {"at": at})]


def lift(connection: Connection, number: int, at: int) -> bool:
    """End a legal hold; answers whether there was one that had not been lifted.  Harmless twice."""
    this = (legal_holds.c.number == number) & legal_holds.c.released_at.is_(None)
    return bool(connection.execute(sa.update(legal_holds).where(this).values(released_at=at)).rowcount)


_IN_FORCE: Final = (
    sa.select(legal_holds)
    .where(
        legal_holds.c.released_at.is_(None),
        sa.func.coalesce(legal_holds.c.ends_at, UNTIL_RELEASED) > sa.bindparam("at"),
    )
    .order_by(legal_holds.c.number)
)
