"""What is held by an operator's word, what was dropped, and what waits behind it?

A hold is of one ticket, or of what a sender sends, of a type, of an environment. What it covers is taken into custody
and waits, in the state held, until the hold ends or is released; nobody is refused for it. A dropped submission is one
that could not be judged (quarantined): its drop stands here before it gets its verdict, so that a kill between the two
changes nothing.

Every function takes the connection of a transaction. Times are microseconds since the epoch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.filename import Environment
from spool import waking
from spool.operator_tables import drops, holds
from spool.prepared import Prepared
from spool.submissions import OPEN_STATES, State, Submission, note
from spool.tables import events, submissions
from spool.waking import Topic

UNTIL_RELEASED: Final = 2**62
"""When a submission is due that no time releases: in the year 148,000."""

_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Selection:
    """What is held: one ticket, or all of a sender, a type (``purpose``), an environment (R, T or S); None is any."""

    ticket: str | None = None
    sender: str | None = None
    purpose: str | None = None
    environment: str | None = None

    def covers(self, submission: Submission) -> bool:
        """Whether ``submission`` is of it."""
        return all(
            wanted is None or wanted == found
            for wanted, found in (
                (self.ticket, submission.ticket),
                (self.sender, submission.sender),
                (self.purpose, purpose_of(submission)),
                (self.environment, environment_of(submission)),
            )
        )


@dataclass(frozen=True, slots=True)
class Word:
    """Who said so, and why."""

    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold; without ``ends_at`` it lasts until it is released."""

    number: int
    selection: Selection
    placed_at: int
    ends_at: int | None
    word: Word


def purpose_of(submission: Submission) -> str:
    """The type that the name says, empty where it says none."""
    return submission.stem.partition(".")[0]


def environment_of(submission: Submission) -> str:
    """The letter of the environment that it was put into."""
    return next((one.value for one in Environment if one.inbox == submission.directory), "")


def place(
    connection: Connection, selection: Selection, word: Word, at: int, ends_at: int | None, table: sa.Table = holds
) -> Hold:
    """Hold what is selected from now on; ``table`` is where holds of that kind are."""
    row = connection.execute(
        sa.insert(table)
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
        .returning(table.c.number)
    )
    return Hold(row.scalar_one(), selection, at, ends_at, word)


def in_force(connection: Connection, at: int) -> list[Hold]:
    """Every hold that neither was released nor has ended, oldest first."""
    return [_hold(*row) for row in _IN_FORCE.all(connection, {"at": at})]


def standing_on(connection: Connection, submission: Submission, at: int) -> Hold | None:
    """The hold that keeps ``submission`` waiting longest, None if none covers it or if it was dropped."""
    covering = [hold for hold in in_force(connection, at) if hold.selection.covers(submission)]
    if not covering or dropped(connection, submission.ticket) is not None:
        return None
    return max(covering, key=_end_of)


def _end_of(hold: Hold) -> int:
    return UNTIL_RELEASED if hold.ends_at is None else hold.ends_at


def keep(connection: Connection, submission: Submission, hold: Hold) -> bool:
    """Let ``submission`` wait for the end of ``hold``; answers whether that is news.  However often: one event."""
    this = (submissions.c.ticket == submission.ticket) & submissions.c.state.in_(OPEN_STATES)
    due = {"state": State.HELD, "next_attempt_at": _end_of(hold), "claimed_by": None}
    if not connection.execute(sa.update(submissions).where(this).values(due)).rowcount:
        return False
    last = sa.select(events.c.name, events.c.facts).where(events.c.ticket == submission.ticket)
    row = connection.execute(last.order_by(events.c.number.desc()).limit(1)).first()
    if row is not None and row.name == "submission.held" and row.facts.get("hold") == hold.number:
        return False
    note(connection, submission.ticket, "submission.held", reason=words_of(hold), hold=hold.number)
    return True


def words_of(hold: Hold) -> str:
    """A hold as a reason."""
    return f"held by an operator (hold {hold.number}): {hold.word.reason}"


def release(connection: Connection, hold: Hold, at: int) -> int:
    """End a hold and let everything it covers be judged; answers how many submissions had waited.  Harmless twice."""
    connection.execute(
        sa.update(holds).where(holds.c.number == hold.number, holds.c.released_at.is_(None)).values(released_at=at)
    )
    return wake(connection, [one.ticket for one in waiting(connection) if hold.selection.covers(one)])


def waiting(connection: Connection) -> Iterator[Submission]:
    """Every submission that is held, for whatever reason, without its files; oldest first."""
    query = sa.select(*_WAITING).where(submissions.c.state == State.HELD).order_by(submissions.c.received_at)
    for row in connection.execute(query):
        yield Submission(**{**row._mapping, "state": State.HELD})  # noqa: SLF001 - the documented way to read by name


def wake(connection: Connection, tickets: Sequence[str]) -> int:
    """Let these be judged at once if they are held; answers how many were."""
    count = 0
    waking.wake(connection, Topic.JUDGE)
    for start in range(0, len(tickets), _BATCH):
        named = submissions.c.ticket.in_(tickets[start : start + _BATCH]) & (submissions.c.state == State.HELD)
        count += connection.execute(sa.update(submissions).where(named).values(next_attempt_at=0)).rowcount
    return count


def is_plain(connection: Connection, submission: Submission, at: int) -> bool:
    """Whether nothing is held, nobody dropped it, and no other ever had its name: so it is of most, in one statement.

    Then there is no :func:`standing_on`, no :func:`dropped`, it :func:`is_alone`, and nothing of its name bears on it.
    """
    this = {"of": submission.sender, "box": submission.directory, "shared": submission.stem, "this": submission.ticket}
    return _SPECIAL.first(connection, {**this, "at": at}) is None


def is_alone(connection: Connection, submission: Submission) -> bool:
    """Whether no other ever had its sender, directory and stem, which is so of most."""
    this = {"of": submission.sender, "box": submission.directory, "shared": submission.stem, "this": submission.ticket}
    return _OTHER.first(connection, this) is None


def let_follow(connection: Connection, submission: Submission) -> None:
    """``submission`` has its verdict: what was held behind it, under the same name, need wait no longer."""
    _FOLLOW.run(connection, {"of": submission.sender, "box": submission.directory, "shared": submission.stem, "due": 0})


# --- dropping


def drop(connection: Connection, ticket: str, word: Word, at: int) -> bool:
    """Have a quarantined submission refused; answers whether it was quarantined."""
    if not free(connection, ticket, State.QUARANTINED):
        return False
    connection.execute(sa.insert(drops).values(ticket=ticket, dropped_at=at, actor=word.actor, reason=word.reason))
    return True


def dropped(connection: Connection, ticket: str) -> Word | None:
    """Who dropped it and why, None if nobody did."""
    row = _DROPPED.first(connection, {"ticket": ticket})
    return None if row is None else Word(*row)


def free(connection: Connection, ticket: str, *states: State) -> bool:
    """Give a submission in one of ``states`` a new first attempt at once; answers whether it was in one.

    A drop that came to nothing, since its answer could not be made either, is undone.
    """
    this = (submissions.c.ticket == ticket) & submissions.c.state.in_(states)
    anew = {"state": State.RECEIVED, "attempts": 0, "next_attempt_at": 0}
    if not connection.execute(sa.update(submissions).where(this).values(anew)).rowcount:
        return False
    connection.execute(sa.delete(drops).where(drops.c.ticket == ticket))
    waking.wake(connection, Topic.JUDGE)
    return True


def behind(connection: Connection, submission: Submission, limit: int = 20) -> list[str]:
    """Tickets of the same name that came later and have no verdict yet, oldest first."""
    mine = (submissions.c.sender == submission.sender) & (submissions.c.directory == submission.directory)
    query = (
        sa.select(submissions.c.ticket)
        .where(mine, submissions.c.stem == submission.stem, submissions.c.state.in_(OPEN_STATES))
        .where(submissions.c.received_at >= submission.received_at, submissions.c.ticket != submission.ticket)
        .order_by(submissions.c.received_at)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


_HOLD: Final = (
    "number", "placed_at", "ends_at", "actor", "reason", "ticket", "sender", "purpose", "environment",
)  # fmt: skip
_IS_IN_FORCE: Final = (
    holds.c.released_at.is_(None),
    sa.func.coalesce(holds.c.ends_at, UNTIL_RELEASED) > sa.bindparam("at"),
)
_IN_FORCE: Final = Prepared(sa.select(*(holds.c[name] for name in _HOLD)).where(*_IS_IN_FORCE).order_by(holds.c.number))
_DROPPED: Final = Prepared(sa.select(drops.c.actor, drops.c.reason).where(drops.c.ticket == sa.bindparam("ticket")))

_OF_NAME: Final = (
    submissions.c.sender == sa.bindparam("of"),
    submissions.c.directory == sa.bindparam("box"),
    submissions.c.stem == sa.bindparam("shared"),
)
_THIS: Final = sa.bindparam("this", type_=sa.String)
_OTHER_OF_NAME: Final = sa.select(submissions.c.ticket).where(*_OF_NAME, submissions.c.ticket != _THIS)
_OTHER: Final = Prepared(_OTHER_OF_NAME.limit(1))
_SPECIAL: Final = Prepared(
    sa.select(sa.literal_column("1")).where(
        _OTHER_OF_NAME.exists()
        | sa.select(holds.c.number).where(*_IS_IN_FORCE).exists()
        | sa.select(drops.c.ticket).where(drops.c.ticket == _THIS).exists()
    )
)
_FOLLOW: Final = Prepared(
    sa.update(submissions)
    .where(
        *_OF_NAME,
        submissions.c.state == State.HELD,
        submissions.c.attempts == 0,
    )
    .values(next_attempt_at=sa.bindparam("due"))
)

_WAITING: Final = tuple(
    submissions.c[name]
    for name in (
        "ticket", "received_at", "channel", "sender", "username", "directory", "name", "stem", "content", "state",
        "attempts",
    )
)  # fmt: skip


def hold_of(row: sa.Row[Any]) -> Hold:
    """The hold that a row of such a table is."""
    return _hold(*(row._mapping[name] for name in _HOLD))  # noqa: SLF001 - the documented way to read by name


def _hold(number: int, placed_at: int, ends_at: int | None, actor: str, reason: str, *selected: str | None) -> Hold:
    return Hold(number, Selection(*selected), placed_at, ends_at, Word(actor, reason))
