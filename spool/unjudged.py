"""How many submissions wait for their first verdict, and whose are they?

Both are found by an index in as many steps as are asked for, however much is in the journal.
"""

from collections.abc import Collection
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool.prepared import Prepared
from spool.submissions import State
from spool.tables import OPEN, senders, submissions


def count(connection: Connection, most: int) -> int:
    """How many submissions were not judged yet, counted no further than ``most``; those that are held are none."""
    return sum(found for (found,) in _COUNT.all(connection, {"most": most}))


def among(connection: Connection, numbers: Collection[str]) -> set[str]:
    """Those of these senders of whom something waits for a verdict, held or not."""
    return {number for (number,) in _AMONG.all(connection, {"numbers": sorted(numbers)})}


_SOME: Final = (
    sa.select(submissions.c.ticket).where(submissions.c.state == State.RECEIVED).limit(sa.bindparam("most")).subquery()
)
_COUNT: Final = Prepared(sa.select(sa.func.count()).select_from(_SOME))
_AMONG: Final = Prepared(
    sa.select(senders.c.number).where(
        senders.c.number.in_(sa.bindparam("numbers", expanding=True)),
        sa.exists().where(sa.text(OPEN), submissions.c.sender == senders.c.number),
    ),
    each="numbers",
)
