"""Which submissions does a process judge, where several may, and in which order?

In turn by sender, so that one that sends ten thousand files keeps nobody else waiting; of one sender those first that
were never tried, oldest first, then by when they became due.

A claim keeps other processes away from a submission until it runs out, is given up, or its process is gone.  It saves
work and decides nothing: of two verdicts the journal takes the first alone (:func:`spool.submissions.settle`).
Times are microseconds since the epoch.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool.holds import UNTIL_RELEASED
from spool.prepared import Prepared
from spool.tables import OPEN, submissions

_BATCH: Final = 500


class Waiting(NamedTuple):
    """A submission without a verdict, and whose it is."""

    ticket: str
    sender: str


def due(
    connection: Connection,
    at: int,
    limit: int,
    *,
    after: str = "",
    holder: str | None = None,
    without: Collection[str] = (),
) -> list[Waiting]:
    """What waits for a verdict and whose time has come, in turn by sender.

    Args:
        at: now
        limit: how many at most
        after: the sender whose turn was last
        holder: who asks, if others may have claims: what these claimed is left out
        without: tickets that are left out too
    """
    facts = {"at": at, "holder": holder, "most": limit, "without": sorted(without)}
    statement = _OF_SENDER if holder is None else _FREE_OF_SENDER
    found: list[Waiting] = []
    senders = _in_turn([sender for (sender,) in _SENDERS.all(connection, {"at": at})], after)
    while senders and len(found) < limit:
        some, senders = senders[: limit - len(found)], senders[limit - len(found) :]
        queues = [_queue(connection, statement, {**facts, "of": sender}) for sender in some]
        found += [one for one in chain.from_iterable(zip_longest(*queues)) if one is not None]
    return found[:limit]


def _queue(connection: Connection, statement: Prepared, facts: Mapping[str, Any]) -> list[Waiting]:
    return [Waiting(ticket, facts["of"]) for (ticket,) in statement.all(connection, facts)]


def _in_turn(senders: Sequence[str], after: str) -> list[str]:
    return sorted(senders, key=lambda sender: (sender <= after, sender))


@dataclass(frozen=True, slots=True)
class Claim:
    """Who claims, now, and until when (microseconds)."""

    holder: str
    at: int
    until: int


def claim(
    connection: Connection, wanted: Claim, limit: int, *, after: str = "", without: Collection[str] = ()
) -> list[Waiting]:
    """Claim what is due and nobody else's, in turn by sender; not what is ``without``, as what is judged already."""
    holder, at = wanted.holder, wanted.at
    passed: set[str] = set(without)
    while chosen := due(connection, at, limit, after=after, holder=holder, without=passed):
        named = [one.ticket for one in chosen]
        ours = set(connection.execute(_LOCKED, {"tickets": named, "at": at, "holder": holder}).scalars())
        if ours:
            _extend(connection, submissions.c.ticket.in_(ours), holder, wanted.until)
            return [one for one in chosen if one.ticket in ours]
        passed.update(one.ticket for one in chosen)
    return []


def renew(connection: Connection, holder: str, tickets: Collection[str], until: int) -> None:
    """Keep claims until then, as far as they are still the holder's."""
    named = sorted(tickets)
    for start in range(0, len(named), _BATCH):
        mine = submissions.c.ticket.in_(named[start : start + _BATCH]) & (submissions.c.claimed_by == holder)
        _extend(connection, mine, holder, until)


def _extend(connection: Connection, which: sa.ColumnElement[bool], holder: str, until: int) -> None:
    claimed = {"claimed_by": holder, "claimed_until": until}
    connection.execute(sa.update(submissions).where(which, sa.text(OPEN)).values(claimed))


def give_up(connection: Connection, holders: Collection[str]) -> int:
    """What these have claimed is free; answers how many submissions that are."""
    claimed = sa.text(OPEN) & submissions.c.claimed_by.in_(sorted(holders))
    return connection.execute(
        sa.update(submissions).where(claimed).values(claimed_by=None, claimed_until=None)
    ).rowcount


def bring_near(connection: Connection, beyond: int) -> int:
    """Let what is held until after ``beyond`` be judged at once; answers how many.

    No attempt is put off so long: the clock was set back.  What an operator holds until a moment is held again.
    """
    off = (submissions.c.next_attempt_at > beyond) & (submissions.c.next_attempt_at < UNTIL_RELEASED)
    far = sa.text(OPEN) & (submissions.c.state == "held") & off
    return connection.execute(sa.update(submissions).where(far).values(next_attempt_at=0)).rowcount


def holders(connection: Connection) -> set[str]:
    """Who has claims."""
    query = sa.select(submissions.c.claimed_by).where(sa.text(OPEN), submissions.c.claimed_by.is_not(None)).distinct()
    return set(connection.execute(query).scalars())


def _senders() -> sa.Select[str]:
    """Every sender of whom something is due: one step in the index for each, and for what is not due yet."""
    due_now = sa.text(OPEN) & (submissions.c.next_attempt_at <= sa.bindparam("at"))
    first = sa.select(sa.func.min(submissions.c.sender).label("sender")).where(due_now).cte("waiting", recursive=True)
    following = sa.select(sa.func.min(submissions.c.sender)).where(due_now, submissions.c.sender > first.c.sender)
    more = sa.select(following.scalar_subquery()).where(first.c.sender.is_not(None))
    waiting = first.union_all(more)
    return sa.select(waiting.c.sender).where(waiting.c.sender.is_not(None))


# Put together once: these are asked for every few submissions.
_SENDERS: Final = Prepared(_senders())
_IS_FREE: Final = (
    submissions.c.claimed_by.is_(None)
    | (submissions.c.claimed_by == sa.bindparam("holder"))
    | (submissions.c.claimed_until <= sa.bindparam("at"))
)
_QUEUE: Final = (
    sa.select(submissions.c.ticket)
    .where(
        sa.text(OPEN),
        submissions.c.sender == sa.bindparam("of"),
        submissions.c.next_attempt_at <= sa.bindparam("at"),
    )
    .order_by(submissions.c.next_attempt_at, submissions.c.received_at, submissions.c.ticket)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_OF_SENDER: Final = Prepared(_QUEUE)
_FREE_OF_SENDER: Final = Prepared(
    _QUEUE.where(_IS_FREE, submissions.c.ticket.not_in(sa.bindparam("without", expanding=True))), each="without"
)
_LOCKED: Final = (
    sa.select(submissions.c.ticket)
    .where(
        submissions.c.ticket.in_(sa.bindparam("tickets", expanding=True)),
        sa.text(OPEN),
        submissions.c.next_attempt_at <= sa.bindparam("at"),
        _IS_FREE,
    )
    .with_for_update(skip_locked=True)
)
