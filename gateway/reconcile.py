"""Is everything that was promised kept?  Journal, custody, answers, effects and the embedded queue side by side.

Sent OK = in custody = answered once = forwarded once.  It reads only, and may run beside a gateway at work: what does
not fit is read again after a moment, and named only if it still does not.  With a sender's own list it also says what
that sender believes to have sent and this gateway does not know.  What the broker has is not asked: it can't be read
without taking it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from schemas.filename import set_key
from spool import reconciliation_pages as pages
from spool.journal import Journal
from spool.reconciliation import Known, Misfit, Mismatch, compare
from spool.submissions import VERDICTS
from spool.tables import files, submissions

_PAUSES: Final = (0.2, 2.0)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared.

    ``hashes``: read every file in custody.  ``is_embedded``: the embedded queue is the one in use, so that everything
    that was sent is in it.  ``pauses``: seconds before what does not fit is read again, each time.
    """

    journal: Journal
    spool: Path
    hashes: bool = False
    is_embedded: bool = False
    pauses: Sequence[float] = _PAUSES

    @property
    def custody(self) -> Path:
        """Where the folders are."""
        return self.spool / "custody"


@dataclass(slots=True)
class Tally:
    """How many submissions were compared, in which state they are, and what is still to be done."""

    submissions: int = 0
    states: dict[str, int] = field(default_factory=dict)
    undecided: int = 0
    to_answer: int = 0
    to_forward: int = 0
    parked: int = 0
    purged: int = 0

    def count(self, known: Known) -> None:
        """Count one submission."""
        row, promises = known.row, known.promises
        self.submissions += 1
        self.states[row.state] = self.states.get(row.state, 0) + 1
        self.undecided += row.state not in VERDICTS
        self.to_answer += promises.open_answers
        self.to_forward += promises.open_messages - promises.parked
        self.parked += promises.parked
        self.purged += row.is_purged


def reconcile(comparison: Comparison, tally: Tally) -> Iterator[Mismatch]:
    """What does not fit, day by day; ``tally`` counts along.  Blocks on journal and disk.

    Raises:
        JournalError, OSError: one of them cannot be read.
    """
    with comparison.journal.read() as connection:
        found = pages.days(connection, comparison.custody)
    for day in found:
        yield from _of_day(comparison, day, tally)
    yield from _of_queue(comparison)
    yield from _standing(comparison, partial(_nobodys, comparison))


def _nobodys(comparison: Comparison) -> list[Mismatch]:
    return list(pages.nobodys(partial(_rows, comparison)))


def _of_day(comparison: Comparison, day: str, tally: Tally) -> Iterator[Mismatch]:
    # Before the journal is read: what is not in the journal now may be a moment later, and is asked for again.
    folders = pages.folder_names(comparison.custody / day)
    after = (0, "")
    while True:
        with comparison.journal.read() as connection:
            page = pages.page(connection, day, after)
            _ask_queue(comparison, connection, page)
        if not page:
            break
        after = (page[-1].row.received_at, page[-1].row.ticket)
        for known in page:
            folders.discard(known.row.ticket)
            tally.count(known)
        suspects = [known.row.ticket for known in page if _misfits(comparison, known)]
        yield from _again(comparison, suspects, partial(_of_ticket, comparison))
    unknown = [ticket for ticket in sorted(folders) if _unrecorded(comparison, day, ticket)]
    yield from _again(comparison, unknown, partial(_unrecorded, comparison, day))


def _ask_queue(comparison: Comparison, connection: sa.Connection, page: Iterable[Known]) -> None:
    if comparison.is_embedded:
        for known in page:
            if known.promises.messages:
                known.promises.queued = pages.messages_of(connection, known.row.ticket)


def _misfits(comparison: Comparison, known: Known) -> list[Mismatch]:
    pages.look(known, comparison.custody, hashes=comparison.hashes)
    return compare(known)


def _of_ticket(comparison: Comparison, ticket: str) -> list[Mismatch]:
    with comparison.journal.read() as connection:
        known = pages.of_ticket(connection, ticket)
        if known is None:
            return []
        _ask_queue(comparison, connection, [known])
    return _misfits(comparison, known)


def _unrecorded(comparison: Comparison, day: str, ticket: str) -> list[Mismatch]:
    with comparison.journal.read() as connection:
        return pages.unrecorded(connection, comparison.custody, day, ticket)


def _again(comparison: Comparison, tickets: Sequence[str], read: Callable[[str], list[Mismatch]]) -> Iterator[Mismatch]:
    """Read those that did not fit again, and again, while work may be in progress; what is left doesn't fit."""
    left = {ticket: list[Mismatch]() for ticket in tickets}
    for pause in comparison.pauses if left else ():
        time.sleep(pause)
        left = {ticket: found for ticket in left if (found := read(ticket))}
        if not left:
            return
    for ticket, found in left.items():
        yield from found or read(ticket)


def _standing(comparison: Comparison, read: Callable[[], list[Mismatch]]) -> list[Mismatch]:
    found = read()
    for pause in comparison.pauses if found else ():
        time.sleep(pause)
        now = read()
        found = [each for each in found if each in now]
        if not found:
            break
    return found


def _rows(comparison: Comparison, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
    with comparison.journal.read() as connection:
        return connection.execute(query).all()


def _of_queue(comparison: Comparison) -> Iterator[Mismatch]:
    after, last = 0, _queue_page(comparison, 0)[1]
    while last is not None:
        yield from _standing(comparison, partial(_queued_unasked, comparison, after))
        after, last = last, _queue_page(comparison, last)[1]


def _queue_page(comparison: Comparison, after: int) -> tuple[list[Mismatch], int | None]:
    with comparison.journal.read() as connection:
        return pages.queued_unasked(connection, after)


def _queued_unasked(comparison: Comparison, after: int) -> list[Mismatch]:
    return _queue_page(comparison, after)[0]


# --- a sender's list


@dataclass(frozen=True, slots=True)
class Sent:
    """A line of a sender's list: the name of a file that it was told OK for, and the ticket of its answer, or none."""

    name: str
    ticket: str


def compare_sent(comparison: Comparison, sent: Iterable[Sent], sender: str | None = None) -> Iterator[Mismatch]:
    """What a sender has sent and this gateway does not know; one after the other, so the list may be long."""
    for line in sent:
        yield from _standing(comparison, partial(_of_sent, comparison, line, sender))


def _of_sent(comparison: Comparison, line: Sent, sender: str | None) -> list[Mismatch]:
    rows = _rows(comparison, _query(line, sender))
    if not rows:
        if line.ticket:
            return [Mismatch(line.ticket, Misfit.UNKNOWN_TICKET, f"{line.name} was answered under it, says its sender")]
        return [Mismatch("", Misfit.NEVER_RECEIVED, f"{line.name} was sent, says its sender")]
    if line.ticket and not any(_is_named(comparison, row, line.name) for row in rows):
        return [Mismatch(line.ticket, Misfit.OTHER_NAME, f"{line.name}, says its sender; it is {rows[0].name}")]
    return []


def _query(line: Sent, sender: str | None) -> sa.Select[Any]:
    query = sa.select(submissions.c.ticket, submissions.c.stem, submissions.c.name)
    wanted = submissions.c.ticket == line.ticket if line.ticket else submissions.c.stem == set_key(line.name)
    owned = sa.true() if sender is None else submissions.c.sender == sender
    return query.where(wanted, owned).limit(10)


def _is_named(comparison: Comparison, row: sa.Row[Any], name: str) -> bool:
    if row.stem == set_key(name):
        return True
    query = sa.select(files.c.name).where(files.c.ticket == row.ticket, files.c.name == name)
    return bool(_rows(comparison, query))
