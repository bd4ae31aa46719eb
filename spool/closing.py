"""When is everything done that a submission's verdict has promised?

Then it is closed: an event says so, once.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool import chain
from spool.journal import now
from spool.prepared import Prepared
from spool.submissions import VERDICTS, is_any
from spool.tables import effects, submissions


@dataclass(frozen=True, slots=True)
class Closed:
    """A submission about which everything is done, its sender and the name it goes by."""

    ticket: str
    sender: str
    name: str


def close_done(connection: Connection, tickets: Collection[str]) -> list[Closed]:
    """Close those of ``tickets`` none of whose effects is still to do; answers which are closed now."""
    closed = [Closed(*row) for row in _DONE.all(connection, {"tickets": sorted(tickets)})]
    if closed:
        at = now()
        _CLOSE.run(connection, {"tickets": [one.ticket for one in closed], "at": at})
        chain.append(connection, [(one.ticket, at, "submission.closed", {}) for one in closed])
    return closed


# Asked for every submission, and so put together only once.
_OPEN_EFFECT: Final = sa.select(effects.c.number).where(
    effects.c.ticket == submissions.c.ticket, effects.c.state != "done"
)
_NAMED: Final = submissions.c.ticket.in_(sa.bindparam("tickets", expanding=True))
_DONE: Final = Prepared(
    sa.select(submissions.c.ticket, submissions.c.sender, submissions.c.name)
    .where(_NAMED, is_any(*VERDICTS), submissions.c.closed_at.is_(None), ~_OPEN_EFFECT.exists())
    .order_by(submissions.c.ticket),
    each="tickets",
)
_CLOSE: Final = Prepared(sa.update(submissions).where(_NAMED).values(closed_at=sa.bindparam("at")), each="tickets")
