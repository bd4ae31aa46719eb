"""What must be kept however old it is, by a court's or an authority's word?

A legal hold is of one ticket, or of what a sender sends, of a type, of an environment; several add up. It keeps
payload, answers and evidence from being purged, and does nothing else: what it covers is judged and answered as ever.

Every function takes the connection of a transaction. Times are microseconds since the epoch.
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool.holds import UNTIL_RELEASED, Hold, Selection, Word
from spool.retention_tables import legal_holds


def place(connection: Connection, selection: Selection, word: Word, at: int, ends_at: int | None) -> Hold:
    """Keep what is selected from now on, until ``ends_at`` or until it is lifted."""
    row = connection.execute(
        sa.insert(legal_holds)
        .values(
            ticket=selection.ticket,
            sender=selection.sender,
            purpose=selection.purpose,
            environment=selection.environment,
            placed_at=at,
            ends_at=ends_at,
            actor=word.actor,
            reason=word.reason,
        )
        .returning(legal_holds.c.number)
    )
    return Hold(row.scalar_one(), selection, at, ends_at, word)


def in_force(connection: Connection, at: int) -> list[Hold]:
    """Every legal hold that neither was lifted nor has ended, oldest first."""
    return [_hold(row) for row in connection.execute(_IN_FORCE, {"at": at})]


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


def _hold(row: sa.Row[Any]) -> Hold:
    selection = Selection(row.ticket, row.sender, row.purpose, row.environment)
    return Hold(row.number, selection, row.placed_at, row.ends_at, Word(row.actor, row.reason))
