"""The tables of what is kept no longer, and of what must be kept all the same.

Times are whole microseconds since the epoch, UTC. Nothing here is deleted but a plan of which nothing was carried out.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table

from spool.tables import Serial, metadata

# One row for each ticket and kind of data: planned first, done when it is gone.
purges: Final = Table(
    "purges",
    metadata,
    Column("ticket", String(13), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("planned_at", BigInteger, nullable=False),
    Column("done_at", BigInteger),
    Column("files", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Index(None, "done_at", "ticket"),
)

# What a court or an authority wants kept: whatever is not named may be any.
legal_holds: Final = Table(
    "legal_holds",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("ticket", String(13)),
    Column("sender", String(6)),
    Column("purpose", String(4)),
    Column("environment", String(1)),
    Column("placed_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger),
    Column("released_at", BigInteger),
    Column("actor", String(80), nullable=False),
    Column("reason", String(500), nullable=False),
)
