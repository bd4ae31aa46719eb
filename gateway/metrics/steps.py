"""Which events of the journal are steps of a submission, and which came after the last look?

The journal is shared by every process of a gateway, and its events are numbered.  Each look reads a bounded number of
rows by the primary key, and leaves what is younger than some seconds for the next one: on PostgreSQL an earlier number
may be committed after a later one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool.tables import events, submissions

BATCH: Final = 2_000
"""The most events that one look reads."""

SETTLED: Final = 5_000_000
"""How old an event is, in microseconds, when none with an earlier number is on its way any more."""

STEPS: Final = {
    "custody.taken": ("received", "taken"),
    "submission.held": ("judged", "held"),
    "submission.quarantined": ("judged", "quarantined"),
    "verdict.accepted": ("judged", "accepted"),
    "verdict.rejected": ("judged", "rejected"),
    "verdict.repeated": ("judged", "repeated"),
    "answer.placed": ("answered", "placed"),
    "answer.published": ("answered", "published"),
    "submission.closed": ("closed", "done"),
}
"""The events that are steps, each with its stage and outcome."""


_COLUMNS: Final[Sequence[sa.ColumnElement[Any]]] = (
    *(events.c[name] for name in ("number", "ticket", "at", "name", "facts")),
    *(submissions.c[name] for name in ("name", "channel", "directory", "state")),
    *(submissions.c[name] for name in ("received_at", "verdict_at", "closed_at")),
)


@dataclass(frozen=True, slots=True)
class Step:
    """An event of a submission; times are microseconds, those of the submission as they are by now."""

    number: int
    ticket: str
    at: int
    event: str
    facts: Any
    name: str
    channel: str
    directory: str
    state: str
    received_at: int
    verdict_at: int | None
    closed_at: int | None


def last(connection: Connection) -> int:
    """The number of the last event; 0 if there is none."""
    return connection.execute(sa.select(sa.func.max(events.c.number))).scalar() or 0


def after(connection: Connection, number: int, until: int) -> tuple[int | None, Sequence[Step]]:
    """The number to go on from, and the steps of the next events that happened until then.

    Args:
        connection: of the journal.
        number: that of the last event that was read.
        until: microseconds; the first event after it ends the look, whatever comes behind it.

    Returns:
        None in the place of a number if nothing is new.
    """
    window = (
        sa.select(events.c.number, events.c.at).where(events.c.number > number).order_by(events.c.number).limit(BATCH)
    )
    upto = None
    for found, at in connection.execute(window):
        if at > until:
            break
        upto = found
    if upto is None:
        return None, ()
    query = (
        sa.select(*_COLUMNS)
        .join(submissions, submissions.c.ticket == events.c.ticket)
        .where(events.c.number > number, events.c.number <= upto, events.c.name.in_(STEPS))
        .order_by(events.c.number)
    )
    return upto, [Step(*row) for row in connection.execute(query)]
