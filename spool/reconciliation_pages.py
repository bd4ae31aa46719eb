"""What the journal and the custody say of each submission, read a page at a time.

Reads only.  A page is read in one transaction; the folders are looked at after it, so that none stays open while a
large file is read.  However many submissions there are, a page of them and the names of one day are in memory.
"""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool.custody import ENVELOPE
from spool.effects import OPEN, Kind
from spool.reconciliation import File, Known, Misfit, Mismatch, Row
from spool.register_tables import institution_messages
from spool.retention_tables import purges
from spool.submissions import State
from spool.tables import answers, effects, events, files, routing_queue, submissions

PAGE: Final = 500
PURGED: Final = "payload.purged"
"""The event that says that the files of a submission are gone from custody because their time was up."""

_ROW: Final = tuple(submissions.c[name] for name in ("ticket", "received_at", "state", "forms", "closed_at"))


def bounds(day: str) -> tuple[int, int]:
    """From (inclusive) and to (exclusive) of a day such as 2026-11-21, in microseconds."""
    start = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    first, end = (int(moment.timestamp() * 1_000_000) for moment in (start, start + timedelta(days=1)))
    return first, end


def day_of(at: int) -> str:
    """The day of a time of the journal."""
    return datetime.fromtimestamp(at / 1_000_000, tz=UTC).strftime("%Y-%m-%d")


def days(connection: Connection, custody: Path) -> list[str]:
    """Every day that the journal or the custody has something of, oldest first."""
    found = {path.name for path in custody.glob("????-??-??")}
    after = -1
    earliest = sa.func.min(submissions.c.received_at)
    while (at := connection.execute(sa.select(earliest).where(submissions.c.received_at > after)).scalar()) is not None:
        day = day_of(at)
        found.add(day)
        after = bounds(day)[1] - 1
    return sorted(found)


def page(connection: Connection, day: str, after: tuple[int, str]) -> list[Known]:
    """The next submissions of a day after a moment and ticket, without their folders, in the order they came in."""
    first, end = bounds(day)
    at, ticket = submissions.c.received_at, submissions.c.ticket
    query = (
        sa.select(*_ROW)
        .where(at >= max(first, after[0]), at < end, (at > after[0]) | ((at == after[0]) & (ticket > after[1])))
        .order_by(at, ticket)
        .limit(PAGE)
    )
    return _known(connection, query)


def of_ticket(connection: Connection, ticket: str) -> Known | None:
    """The submission of ``ticket``, without its folder."""
    found = _known(connection, sa.select(*_ROW).where(submissions.c.ticket == ticket))
    return found[0] if found else None


def _known(connection: Connection, query: sa.Select[Any]) -> list[Known]:
    rows = connection.execute(query).all()
    purged = _purged(connection, [row.ticket for row in rows])
    found = {
        row.ticket: Known(
            Row(row.ticket, row.received_at, State(row.state), row.forms, row.closed_at, row.ticket in purged)
        )
        for row in rows
    }
    stored = sa.select(files.c.ticket, files.c.name, files.c.size, files.c.sha256).where(files.c.ticket.in_(found))
    for ticket, name, size, sha256 in connection.execute(stored):
        found[ticket].files[name] = File(size, sha256)
    made = sa.select(answers.c.ticket, answers.c.stem).where(answers.c.ticket.in_(found))
    for ticket, stem in connection.execute(made.order_by(answers.c.ticket, answers.c.ordinal)):
        found[ticket].stems.append(stem)
    _count_answers(connection, found)
    _count_messages(connection, found)
    return list(found.values())


def _purged(connection: Connection, tickets: Sequence[str]) -> set[str]:
    """Those whose files are gone, or going: what was planned may have been begun."""
    told = sa.select(events.c.ticket).where(events.c.ticket.in_(tickets), events.c.name == PURGED)
    begun = sa.select(purges.c.ticket).where(purges.c.ticket.in_(tickets), purges.c.kind == "payload")
    return {*connection.execute(told).scalars(), *connection.execute(begun).scalars()}


def _count_answers(connection: Connection, found: dict[str, Known]) -> None:
    # An effect that does not say which answer it places is of a time when there was one.
    ordinal = sa.func.coalesce(effects.c.facts["ordinal"].as_integer(), 1)
    answer_of = effects.c.facts["answer_of"].as_string()
    query = (
        sa.select(effects.c.ticket, answer_of, effects.c.state, answers.c.stem)
        .outerjoin(answers, (answers.c.ticket == answer_of) & (answers.c.ordinal == ordinal))
        .where(effects.c.ticket.in_(found), effects.c.kind.in_((Kind.ANSWER, Kind.PUBLISH)))
    )
    for ticket, of, state, stem in connection.execute(query):
        promises = found[ticket].promises
        promises.own += of == ticket
        promises.others += of != ticket
        promises.open_answers += state in OPEN
        promises.lost_answers += stem is None


def _count_messages(connection: Connection, found: dict[str, Known]) -> None:
    by_file = sa.case((sa.func.coalesce(effects.c.facts["payload"].as_string(), "form") == "form", 0), else_=1)
    query = (
        sa.select(
            effects.c.ticket,
            effects.c.state,
            sa.func.count(),
            sa.func.sum(by_file),
            sa.func.min(effects.c.ordinal),
            sa.func.max(effects.c.ordinal),
        )
        .where(effects.c.ticket.in_(found), effects.c.kind == Kind.FORWARD)
        .group_by(effects.c.ticket, effects.c.state)
    )
    for ticket, state, count, files_among, first, last in connection.execute(query):
        promises = found[ticket].promises
        promises.first = min(first, promises.first or first)
        promises.last = max(last, promises.last)
        promises.messages += count
        promises.by_file += files_among
        promises.open_messages += count if state in OPEN else 0
        promises.parked += count if state == "parked" else 0


# --- folders


def look(known: Known, custody: Path, *, hashes: bool) -> None:
    """Add what is in the submission's folder; with ``hashes`` every file is read."""
    known.folder = contents(custody / day_of(known.row.received_at) / known.row.ticket, hashes=hashes)


def contents(folder: Path, *, hashes: bool) -> dict[str, File] | None:
    """The files in ``folder`` as they came, None if there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if not entry.name.startswith(".")]
            return {entry.name: _file(Path(entry.path), hashes=hashes) for entry in found}
    except FileNotFoundError:
        return None


def _file(path: Path, *, hashes: bool) -> File:
    if not hashes:
        return File(path.lstat().st_size)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return File(file.tell(), digest.hexdigest())


def folder_names(day: Path) -> set[str]:
    """The names in the folder of a day; none if there is no such folder."""
    try:
        return set(os.listdir(day))  # noqa: PTH208 - a day may have very many
    except FileNotFoundError:
        return set()


def unrecorded(connection: Connection, custody: Path, day: str, ticket: str) -> list[Mismatch]:
    """What does not fit of a folder in custody that the journal has not on its day; one without an envelope is none."""
    if not (custody / day / ticket / ENVELOPE).is_file():
        return []
    row = connection.execute(sa.select(submissions.c.received_at).where(submissions.c.ticket == ticket)).scalar()
    if row is not None and day_of(row) == day:
        return []
    where = f"custody/{day}/{ticket}"
    detail = f"{where} is not in the journal" if row is None else f"{where} is of {day_of(row)}, says the journal"
    return [Mismatch(ticket, Misfit.NOT_RECORDED if row is None else Misfit.FILE_UNKNOWN, detail)]


# --- what only the journal can say


def messages_of(connection: Connection, ticket: str) -> int:
    """How many of the messages of ``ticket`` that were sent are, or were, in the embedded queue."""
    query = sa.select(effects.c.ordinal).where(
        effects.c.ticket == ticket, effects.c.kind == Kind.FORWARD, effects.c.state == "done"
    )
    count = 0
    ids = (f"{ticket}-{ordinal:06d}" for ordinal in connection.execute(query).scalars().all())
    while some := list(islice(ids, PAGE)):
        found = sa.select(sa.func.count()).where(routing_queue.c.message_id.in_(some))
        count += connection.execute(found).scalar_one()
    return count


def queued_unasked(connection: Connection, after: int) -> tuple[list[Mismatch], int | None]:
    """Of a page of the embedded queue after a position, what nobody was to send; the page's last position, or None."""
    query = sa.select(routing_queue.c.position, routing_queue.c.message_id)
    rows = connection.execute(
        query.where(routing_queue.c.position > after).order_by(routing_queue.c.position).limit(PAGE)
    ).all()
    if not rows:
        return [], None
    tickets = {message_id.partition("-")[0] for _, message_id in rows}
    ordinals = {number for _, message_id in rows if (number := _ordinal(message_id)) is not None}
    sent = sa.select(effects.c.ticket, effects.c.ordinal).where(
        effects.c.ticket.in_(tickets),
        effects.c.ordinal.in_(ordinals),
        effects.c.kind == Kind.FORWARD,
        effects.c.state == "done",
    )
    known = {f"{ticket}-{ordinal:06d}" for ticket, ordinal in connection.execute(sent)}
    words = "is in the embedded queue, and was not to be sent"
    misfits = [
        Mismatch(message_id.partition("-")[0], Misfit.QUEUED_UNASKED, f"{message_id} {words}")
        for _, message_id in rows
        if message_id not in known
    ]
    return misfits, rows[-1].position


def _ordinal(message_id: str) -> int | None:
    number = message_id.partition("-")[2]
    return int(number) if number.isascii() and number.isdigit() else None


_ORPHANS: Final[tuple[tuple[sa.Table, str], ...]] = ((answers, "answers"), (effects, "effects"))


def nobodys(read: Callable[[sa.Select[Any]], Sequence[Sequence[Any]]]) -> Iterator[Mismatch]:
    """Answers and effects of tickets that are no submission's and no institution's, and names accepted twice."""
    tickets: dict[str, list[str]] = defaultdict(list)
    for table, words in _ORPHANS:
        own = sa.exists().where(submissions.c.ticket == table.c.ticket)
        theirs = sa.exists().where(institution_messages.c.ticket == table.c.ticket)
        for (ticket,) in read(sa.select(table.c.ticket).where(~own, ~theirs).distinct().limit(PAGE)):
            tickets[ticket].append(words)
    for ticket, found in sorted(tickets.items()):
        yield Mismatch(ticket, Misfit.NOBODYS, f"the journal has {' and '.join(found)} of it, and no submission")
    named = (submissions.c.sender, submissions.c.directory, submissions.c.stem)
    twice = (
        sa.select(*named, sa.func.min(submissions.c.ticket), sa.func.max(submissions.c.ticket))
        .where(submissions.c.state == State.ACCEPTED)
        .group_by(*named)
        .having(sa.func.count() > 1)
        .limit(PAGE)
    )
    for sender, directory, stem, first, last in read(twice):
        detail = f"{stem} of sender {sender} in {directory} was accepted as {first} too"
        yield Mismatch(last, Misfit.ACCEPTED_TWICE, detail)
