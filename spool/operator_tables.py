"""The tables of what operators decide: what is held, what was dropped, and when the intake is closed.

Times are whole microseconds since the epoch, UTC. Nothing here is deleted but the drop of a submission that is judged
again: what has ended says when.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, String, Table

from spool.tables import Serial, metadata

# Of one ticket, or of what a sender sends, of a type, of an environment: whatever is not named may be any.
holds: Final = Table(
    "holds",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("ticket", String(13), index=True),
    Column("sender", String(6)),
    Column("purpose", String(4)),
    Column("environment", String(1)),
    Column("placed_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger),
    Column("released_at", BigInteger),
    Column("actor", String(80), nullable=False),
    Column("reason", String(500), nullable=False),
)

drops: Final = Table(
    "drops",
    metadata,
    Column("ticket", String(13), primary_key=True),
    Column("dropped_at", BigInteger, nullable=False),
    Column("actor", String(80), nullable=False),
    Column("reason", String(500), nullable=False),
)

maintenance_windows: Final = Table(
    "maintenance_windows",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("announced_at", BigInteger, nullable=False),
    Column("called_off_at", BigInteger),
    Column("actor", String(80), nullable=False),
    Column("reason", String(500), nullable=False),
)
