"""How much do the lists that a sender reads leave out?

They are bounded, and so is this: what is beyond them is counted up to `COUNTED`.  It is asked only of a list that is
full, which hardly ever happens.
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool import status_messages as messages
from spool.tables import answers, submissions

COUNTED: Final = 20_000


def submissions_since(connection: Connection, sender: str, at: int) -> int:
    """How many came at ``at`` (microseconds) or later."""
    came = sa.select(submissions.c.ticket).where(submissions.c.sender == sender, submissions.c.received_at >= at)
    return _count(connection, came)


def messages_since(connection: Connection, sender: str, at: int) -> int:
    """How many messages of institutions came at ``at`` (microseconds) or later."""
    return sum(one.received >= at for one in messages.newest(connection, sender, COUNTED))


def unfetched(connection: Connection, sender: str) -> int:
    """How many answers and messages in OUT nobody has fetched yet."""
    answered = answers_unfetched(sender)
    return _count(connection, answered) + len(messages.unfetched(connection, sender, COUNTED))


def answers_unfetched(sender: str) -> "sa.Select[Any]":
    """Prefix and stem of every answer to ``sender`` that nobody has fetched yet, newest first."""
    return (
        sa.select(answers.c.prefix, answers.c.stem)
        .join(submissions, submissions.c.ticket == answers.c.ticket)
        .where(answers.c.sender == sender, submissions.c.sender == sender, answers.c.channel == "sftp")
        .where(messages.fetched_at().is_(None), sa.func.length(answers.c.data) > 0)
        .order_by(submissions.c.received_at.desc())
    )


def _count(connection: Connection, query: "sa.Select[Any]") -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(query.limit(COUNTED).subquery())).scalar() or 0
