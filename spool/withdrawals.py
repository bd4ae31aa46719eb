"""Has the sender withdrawn a submission that has no verdict yet?

A TD that comes while its set is gathered closes the set.  One that comes later is a submission of its own: it withdraws
the sets of its sender, directory and stem that came before it and are still undecided.
"""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool.prepared import Prepared
from spool.submissions import OPEN_STATES, State, Submission, is_any
from spool.tables import submissions


def is_withdrawn(connection: Connection, submission: Submission) -> bool:
    """Whether a TD came after ``submission``, itself no TD, that waits for its own verdict.

    In the transaction that writes the verdict this is the last word: a TD that is taken later comes too late.
    """
    if submission.name.startswith("TD."):
        return False
    this = {
        "of": submission.sender,
        "box": submission.directory,
        "shared": submission.stem,
        "at": submission.received_at,
        "this": submission.ticket,
    }
    return _WITHDRAWN.first(connection, this) is not None


_WITHDRAWN: Final = Prepared(
    sa.select(submissions.c.ticket)
    .where(
        submissions.c.sender == sa.bindparam("of"),
        submissions.c.directory == sa.bindparam("box"),
        submissions.c.stem == sa.bindparam("shared"),
        submissions.c.name.startswith("TD.", autoescape=True),
        is_any(*OPEN_STATES, State.QUARANTINED),
        sa.tuple_(submissions.c.received_at, submissions.c.ticket)
        > sa.tuple_(sa.bindparam("at", type_=sa.BigInteger), sa.bindparam("this", type_=sa.String)),
    )
    .limit(1)
)
