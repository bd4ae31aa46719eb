"""Which process does what only one should do at a time, where several could: forward, place answers, seal, ...

A lease has a name, a holder and an end.  The holder puts the end off while it lives; somebody else takes over when the
end has passed, or at once when the holder is known to be gone.  As with claims nothing is decided by it: each of these
acts is harmless twice.  Times are microseconds since the epoch, by the clock of the database, which all hosts share.
"""

import time
from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from spool.tables import leases


def clock(connection: Connection) -> int:
    """Now, by the database's clock."""
    if connection.dialect.name != "postgresql":
        return time.time_ns() // 1000  # a file has the clock of its one host
    return int(connection.execute(sa.text("SELECT extract(epoch FROM clock_timestamp()) * 1000000")).scalar_one())


def take(connection: Connection, name: str, holder: str, seconds: float) -> bool:
    """Take the lease for so long, or go on with it; answers whether it is ours."""
    at = clock(connection)
    until = at + int(seconds * 1_000_000)
    ours = (leases.c.name == name) & ((leases.c.holder == holder) | (leases.c.until <= at))
    if connection.execute(sa.update(leases).where(ours).values(holder=holder, until=until)).rowcount:
        return True
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    first = dialect.insert(leases).values(name=name, holder=holder, until=until).on_conflict_do_nothing()
    return connection.execute(first.returning(leases.c.name)).first() is not None


def give_up(connection: Connection, holders: Collection[str], name: str | None = None) -> int:
    """What these hold is free, or one ``name`` of it; answers how many leases that are."""
    theirs = leases.c.holder.in_(sorted(holders))
    return connection.execute(
        sa.delete(leases).where(theirs if name is None else theirs & (leases.c.name == name))
    ).rowcount


def holders(connection: Connection) -> set[str]:
    """Who holds leases."""
    return set(connection.execute(sa.select(leases.c.holder).distinct()).scalars())
