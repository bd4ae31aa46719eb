"""Submissions in the journal: what came, where it stands, and every event on its way.

Every function takes the connection of a transaction, so that what belongs together is committed together.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool import chain, many_rows
from spool.journal import now
from spool.prepared import Prepared
from spool.tables import events, files, submissions
from spool.waking import Topic, wake


class State(StrEnum):
    """Where a submission stands; the table in ``spool/README.md`` says what is on disk in each."""

    RECEIVED = "received"
    HELD = "held"
    QUARANTINED = "quarantined"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    REPEATED = "repeated"


OPEN_STATES: Final = (State.RECEIVED, State.HELD)
VERDICTS: Final = (State.ACCEPTED, State.REJECTED, State.REPEATED)
_BATCH: Final = 500
_KEPT: Final = {State.HELD: "submission.held", State.QUARANTINED: "submission.quarantined"}
_RULED: Final = {
    State.ACCEPTED: "verdict.accepted",
    State.REJECTED: "verdict.rejected",
    State.REPEATED: "verdict.repeated",
}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in custody; ``size`` in bytes, ``sha256`` in hex."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Submission:
    """A set of files in custody.

    ``name`` is the file it goes by (its GO), ``stem`` what its files share, ``content`` one SHA-256 over those of its
    FI files, empty without any.  Times are microseconds since the epoch.  ``message_id`` is that of the message it came
    by, None for an upload.  ``findings`` (code, words) without a verdict are what the door found already.  ``waited``,
    which only its event keeps, is for how long (microseconds) its sender had waited at ``received_at``.  One that is
    ``recovered`` is recorded long after that, by who found it in custody: nobody waits for its OK.
    """

    ticket: str
    received_at: int
    channel: str
    sender: str
    username: str
    directory: str
    name: str
    stem: str
    content: str
    state: State
    attempts: int
    verdict_at: int | None = None
    findings: tuple[tuple[str, str], ...] = ()
    forms: int | None = None
    closed_at: int | None = None
    files: tuple[StoredFile, ...] = ()
    message_id: str | None = None
    waited: int = 0
    recovered: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a submission."""

    at: int
    name: str
    facts: Mapping[str, Any]


def note(connection: Connection, ticket: str | None, event: str, /, **facts: Any) -> None:
    """Append an event; facts hold codes, counts and names of files, never content."""
    chain.append(connection, [(ticket, now(), event, facts)])


def add(connection: Connection, *taken: Submission) -> None:
    """Record submissions that are in custody."""
    many_rows.insert(connection, _ADDED, [(*_as_received(one), 0, json.dumps(one.findings or None)) for one in taken])
    stored = [(one.ticket, file.name, file.size, file.sha256) for one in taken for file in one.files]
    many_rows.insert(connection, _ADDED_FILES, stored)
    digests = [{file.name: file.sha256 for file in one.files} for one in taken]
    wake(connection, Topic.JUDGE)
    facts = [
        {"name": one.name, "files": len(of), "sha256": of, "waited": one.waited}
        | ({"recovered": True} if one.recovered else {})
        for one, of in zip(taken, digests, strict=True)
    ]
    at = now()
    chain.append(connection, [(one.ticket, at, "custody.taken", of) for one, of in zip(taken, facts, strict=True)])


def load(connection: Connection, ticket: str) -> Submission | None:
    """The submission of ``ticket`` with its files, or None."""
    row = _LOAD.first(connection, {"of": ticket})
    if row is None:
        return None
    stored = _FILES.all(connection, {"of": ticket})
    return _submission(row, tuple(StoredFile(*file) for file in stored))


def timeline(connection: Connection, ticket: str) -> list[Event]:
    """Every event of ``ticket``, in order."""
    rows = connection.execute(
        sa.select(events.c.at, events.c.name, events.c.facts).where(events.c.ticket == ticket).order_by(events.c.number)
    )
    return [Event(*row) for row in rows]


def search(
    connection: Connection,
    *,
    state: State | None = None,
    sender: str | None = None,
    between: tuple[int, int] | None = None,
    limit: int = 100,
) -> Iterator[Submission]:
    """The newest submissions that fit, without their files; ``between`` is from (inclusive) and to (exclusive)."""
    query = sa.select(*_COLUMNS).order_by(submissions.c.received_at.desc()).limit(limit)
    if state is not None:
        query = query.where(submissions.c.state == state)
    if sender is not None:
        query = query.where(submissions.c.sender == sender)
    if between is not None:
        query = query.where(submissions.c.received_at >= between[0], submissions.c.received_at < between[1])
    return (_submission(row, ()) for row in connection.execute(query))


def next_due(connection: Connection, after: int) -> int | None:
    """When the next submission becomes due that is not due at ``after`` already, if any."""
    row = _NEXT_DUE.first(connection, {"at": after})
    return None if row is None else row[0]


def namesake(connection: Connection, submission: Submission) -> Submission | None:
    """The newest submission of the same sender, directory and stem that bears on this one, or None.

    An accepted one always does; one without a verdict does if it came before; the rejected and repeated do not.
    """
    this = {
        "of": submission.sender,
        "box": submission.directory,
        "shared": submission.stem,
        "at": submission.received_at,
        "this": submission.ticket,
    }
    row = _NAMESAKE.first(connection, this)
    return None if row is None else _submission(row, ())


def hold(
    connection: Connection, ticket: str, *, state: State, attempts: int, next_attempt_at: int, reason: str
) -> None:
    """No verdict yet: keep the submission for another attempt, or for a person (quarantined)."""
    this = sa.update(submissions).where(submissions.c.ticket == ticket, submissions.c.state.in_(OPEN_STATES))
    waiting = {"state": state, "attempts": attempts, "next_attempt_at": next_attempt_at, "claimed_by": None}
    if connection.execute(this.values(waiting)).rowcount:
        note(connection, ticket, _KEPT[state], reason=reason, attempt=attempts)


def hasten(connection: Connection, tickets: Collection[str] | None = None) -> int:
    """Let held submissions that never failed be judged at once, all or those of ``tickets``; answers how many.

    One that failed unexpectedly keeps its turn: it may fail again, and only so often.
    """
    query = (
        sa.update(submissions)
        .where(submissions.c.state == State.HELD, submissions.c.attempts == 0)
        .values(next_attempt_at=0)
    )
    wake(connection, Topic.JUDGE)
    if tickets is None:
        return connection.execute(query).rowcount
    named = sorted(tickets)
    batches = (named[start : start + _BATCH] for start in range(0, len(named), _BATCH))
    return sum(connection.execute(query.where(submissions.c.ticket.in_(batch))).rowcount for batch in batches)


@dataclass(frozen=True, slots=True)
class Ruling:
    """A verdict as the journal keeps it: findings are code and words, ``certificate`` the signer's SHA-256 in hex.

    ``facts`` go into the timeline: the checks that reported, whose certificate, which leniencies were used.
    """

    state: State
    findings: tuple[tuple[str, str], ...] = ()
    certificate: str | None = None
    schema_version: str | None = None
    forms: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def settle(connection: Connection, ticket: str, ruling: Ruling) -> bool:
    """Write the verdict; answers False if there already is one, and then nothing may follow from this one."""
    values = {
        "of": ticket,
        "state": ruling.state,
        "verdict_at": now(),
        "findings": [list(finding) for finding in ruling.findings],
        "certificate": ruling.certificate,
        "schema_version": ruling.schema_version,
        "forms": ruling.forms,
    }
    found = _SETTLE.run(connection, values)
    if found:
        codes = [code for code, _ in ruling.findings]
        note(connection, ticket, _RULED[ruling.state], codes=codes, forms=ruling.forms, **ruling.facts)
    return bool(found)


_AS_RECEIVED: Final = (
    "ticket", "received_at", "channel", "sender", "username", "directory", "name", "stem", "content", "state",
    "attempts", "message_id",
)  # fmt: skip
_COLUMN_NAMES: Final = (
    "ticket", "received_at", "channel", "sender", "username", "directory", "name", "stem", "content", "state",
    "attempts", "verdict_at", "findings", "forms", "closed_at", "message_id",
)  # fmt: skip
_COLUMNS: Final = tuple(submissions.c[name] for name in _COLUMN_NAMES)

# Asked for every submission, and so put together only once.
_THIS: Final = submissions.c.ticket == sa.bindparam("of")
_as_received: Final = attrgetter(*(name if name != "state" else "state.value" for name in _AS_RECEIVED))
_ADDED: Final = tuple(submissions.c[name] for name in (*_AS_RECEIVED, "next_attempt_at", "findings"))
_ADDED_FILES: Final = (files.c.ticket, files.c.name, files.c.size, files.c.sha256)
_LOAD: Final = Prepared(sa.select(*_COLUMNS).where(_THIS))
_FILES: Final = Prepared(
    sa.select(files.c.name, files.c.size, files.c.sha256)
    .where(files.c.ticket == sa.bindparam("of"))
    .order_by(files.c.name)
)


def is_any(*states: State) -> sa.ColumnElement[bool]:
    """As ``in_``, which would be put together anew each time."""
    return sa.or_(*(submissions.c.state == state for state in states))


# For each state the index knows it.
_NEXT_OF: Final = [
    sa.select(sa.func.min(submissions.c.next_attempt_at).label("due")).where(
        submissions.c.state == state, submissions.c.next_attempt_at > sa.bindparam("at")
    )
    for state in OPEN_STATES
]
_NEXT_DUE: Final = Prepared(sa.select(sa.func.min(sa.union_all(*_NEXT_OF).subquery().c.due)))
_CAME_BEFORE: Final = sa.tuple_(submissions.c.received_at, submissions.c.ticket) < sa.tuple_(
    sa.bindparam("at", type_=sa.BigInteger), sa.bindparam("this", type_=sa.String)
)
_NAMESAKE: Final = Prepared(
    sa.select(*_COLUMNS)
    .where(
        submissions.c.sender == sa.bindparam("of"),
        submissions.c.directory == sa.bindparam("box"),
        submissions.c.stem == sa.bindparam("shared"),
        submissions.c.ticket != sa.bindparam("this", type_=sa.String),
        (submissions.c.state == State.ACCEPTED) | (is_any(*OPEN_STATES, State.QUARANTINED) & _CAME_BEFORE),
    )
    .order_by(submissions.c.received_at.desc(), submissions.c.ticket.desc())
    .limit(1)
)
_RULING: Final = ("state", "verdict_at", "findings", "certificate", "schema_version", "forms")
_SETTLE: Final = Prepared(
    sa.update(submissions).where(_THIS, is_any(*OPEN_STATES)).values({name: sa.bindparam(name) for name in _RULING})
)


def _submission(row: Sequence[Any], stored: tuple[StoredFile, ...]) -> Submission:
    facts = dict(zip(_COLUMN_NAMES, row, strict=True))
    facts["state"] = State(facts["state"])
    facts["findings"] = tuple((code, detail) for code, detail in facts["findings"] or ())
    return Submission(**facts, files=stored)
