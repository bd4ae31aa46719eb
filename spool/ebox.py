"""The e-Box: the mailbox of a quality, for what isn't sent over a channel of its own.

A message lies there as three files, like an answer in OUT. Each is deleted by itself, since there are clients that
delete a file as soon as they have it; with the third the message is removed, and keeps its bytes. What was deleted
stands in the events of its ticket, and counts from when it was put there last.

A sender sees the e-Box of its own quality and no other: the quality of its number is in every query.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool.answers import FETCHED, AnswerName, StoredAnswer, file_names, stem_of
from spool.holds import Word
from spool.journal import Journal, now
from spool.mailbox import Document, Entry, Mailbox, MailboxRefusal, Trouble
from spool.outbox import answer_files
from spool.register_tables import ebox
from spool.submissions import note
from spool.tables import events, senders

PLACED: Final = "ebox.placed"
DELETED: Final = "ebox.deleted"
REMOVED: Final = "ebox.removed"
EXPIRED: Final = "ebox.expired"
PLACE: Final = "EBOX"
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Letter:
    """A message in the e-Box of ``quality``; sizes in bytes, times in microseconds since the epoch."""

    number: int
    quality: int
    environment: str
    ticket: str
    prefix: str
    stem: str
    size: int
    signature_size: int
    placed_at: int
    read_at: int | None = None
    removed_at: int | None = None

    @property
    def file_name(self) -> str:
        """The name of the file that holds the message."""
        return f"{self.prefix}.{self.stem}"


def put(connection: Connection, quality: int, environment: str, answer: StoredAnswer) -> None:
    """Put a message into the e-Box of ``quality``; ``answer`` says its ticket, name and bytes."""
    name = answer.name
    connection.execute(
        sa.insert(ebox).values(
            quality=quality,
            environment=environment,
            ticket=name.ticket,
            prefix=name.prefix,
            stem=name.stem,
            data=answer.data,
            signature=answer.signature,
            placed_at=now(),
        )
    )
    note(connection, name.ticket, PLACED, quality=quality, stem=name.stem)


def letters(connection: Connection, quality: int, limit: int, *, removed: bool = False) -> list[Letter]:
    """The oldest messages of ``quality``, oldest first; those that were ``removed`` only if that is said."""
    query = _LETTERS.where(ebox.c.quality == quality).order_by(ebox.c.placed_at, ebox.c.number).limit(limit)
    if not removed:
        query = query.where(ebox.c.removed_at.is_(None))
    return [Letter(*row) for row in connection.execute(query)]


def find(connection: Connection, stem: str, quality: int | None = None) -> Letter | None:
    """The message of ``stem``, there or removed; of ``quality`` alone if that is given."""
    mine = sa.true() if quality is None else ebox.c.quality == quality
    row = connection.execute(_LETTERS.where(ebox.c.stem == stem, mine)).first()
    return None if row is None else Letter(*row)


def load(connection: Connection, letter: Letter) -> StoredAnswer:
    """The message with its bytes."""
    query = sa.select(ebox.c.data, ebox.c.signature).where(ebox.c.number == letter.number)
    data, signature = connection.execute(query).one()
    return StoredAnswer(name_of(letter), data, signature)


def name_of(letter: Letter) -> AnswerName:
    """The name of the message as of something that is given to a sender; of which sender, is left open."""
    return AnswerName(letter.ticket, 1, Mailbox("", PLACE), letter.prefix, letter.stem, "ebox")


def read(connection: Connection, letter: Letter, name: str, *, by: str, counts: bool = True) -> None:
    """The file ``name`` of the message was read ``by`` somebody; the message itself once, if that ``counts``."""
    if counts and name == letter.file_name:
        unread = (ebox.c.number == letter.number) & ebox.c.read_at.is_(None)
        connection.execute(sa.update(ebox).where(unread).values(read_at=now()))
    note(connection, letter.ticket, FETCHED, file=name, by=by)


def remove(connection: Connection, letter: Letter, event: str = REMOVED, **facts: Any) -> bool:
    """Take the message out of the e-Box, its bytes are kept; answers False if it was out already."""
    here = (ebox.c.number == letter.number) & ebox.c.removed_at.is_(None)
    taken = connection.execute(sa.update(ebox).where(here).values(removed_at=now())).rowcount
    if taken:
        note(connection, letter.ticket, event, stem=letter.stem, **facts)
    return bool(taken)


def of_ticket(connection: Connection, ticket: str) -> list[AnswerName]:
    """The names of the messages of ``ticket`` that are or were in an e-Box."""
    query = _LETTERS.where(ebox.c.ticket == ticket).order_by(ebox.c.number)
    return [name_of(Letter(*row)) for row in connection.execute(query)]


def put_back(connection: Connection, ticket: str, word: Word) -> list[AnswerName]:
    """Have the messages of ``ticket`` in their e-Box as if they had just come; answers which these are."""
    found = of_ticket(connection, ticket)
    if found:
        values = {"placed_at": now(), "read_at": None, "removed_at": None}
        connection.execute(sa.update(ebox).where(ebox.c.ticket == ticket).values(**values))
        note(connection, ticket, PLACED, actor=word.actor, reason=word.reason, again=True)
    return found


def expire(journal: Journal, read_before: int, placed_before: int, batch: int = 500) -> int:
    """Take out what was read before a moment, or put there before another and never read; answers how many."""
    due = sa.case((ebox.c.read_at.is_not(None), ebox.c.read_at < read_before), else_=ebox.c.placed_at < placed_before)
    query = _LETTERS.where(ebox.c.removed_at.is_(None), due).limit(batch)
    count = 0
    while True:
        with journal.write() as connection:
            found = [Letter(*row) for row in connection.execute(query)]
            count += sum(remove(connection, letter, EXPIRED) for letter in found)
        if len(found) < batch:
            return count


_LETTERS: Final = sa.select(
    ebox.c.number,
    ebox.c.quality,
    ebox.c.environment,
    ebox.c.ticket,
    ebox.c.prefix,
    ebox.c.stem,
    sa.func.length(ebox.c.data),
    sa.func.length(ebox.c.signature),
    ebox.c.placed_at,
    ebox.c.read_at,
    ebox.c.removed_at,
)


class Ebox:
    """The e-Boxes as senders see them: the directory EBOX. Every method may block on the journal.

    Raises in each: JournalError when the journal can't be read or written now.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def entries(self, sender: str, limit: int) -> list[Entry]:
        """The files in the e-Box of the sender's quality, of the oldest messages, ``limit`` files about."""
        with self._journal.read() as connection:
            quality = _quality(connection, sender)
            if quality is None:
                return []
            found = letters(connection, quality, max(1, limit // 3))
            gone = _deleted(connection, found)
        return sorted(_files(found, gone), key=lambda entry: entry.name)

    def find(self, sender: str, name: str) -> Entry | None:
        """The file ``name`` in the e-Box of the sender's quality, or None."""
        with self._journal.read() as connection:
            letter = _visible(connection, sender, name)
        return None if letter is None else next(entry for entry in _files([letter], ()) if entry.name == name)

    def document(self, sender: str, name: str) -> Document | None:
        """What the file ``name`` in the e-Box of the sender's quality holds, or None."""
        with self._journal.read() as connection:
            letter = _visible(connection, sender, name)
            if letter is None:
                return None
            data = dict(answer_files(load(connection, letter)))[name]
        return Document(data, letter.placed_at / 1_000_000)

    def fetched(self, sender: str, name: str) -> None:
        """The file ``name`` was read to its end; the first time that this is the message itself is kept."""
        with self._journal.write() as connection:
            letter = _visible(connection, sender, name)
            if letter is not None and letter.read_at is None and name == letter.file_name:
                read(connection, letter, name, by=sender)

    def remove(self, sender: str, name: str) -> None:
        """The sender deletes the file ``name``; with its last file a message is removed.

        Raises:
            MailboxRefusal: there is no such file.
        """
        with self._journal.write() as connection:
            letter = _visible(connection, sender, name)
            if letter is None:
                raise MailboxRefusal(Trouble.MISSING, "no such file")
            note(connection, letter.ticket, DELETED, file=name, by=sender)
            if set(file_names(letter.prefix, letter.stem)) <= _deleted(connection, [letter]):
                remove(connection, letter, by=sender)


def _quality(connection: Connection, sender: str) -> int | None:
    return connection.execute(sa.select(senders.c.quality).where(senders.c.number == sender)).scalar()


def _visible(connection: Connection, sender: str, name: str) -> Letter | None:
    """The message that a file ``name`` of the sender's e-Box belongs to, unless one of them is gone."""
    quality = _quality(connection, sender)
    letter = None if quality is None else find(connection, stem_of(name), quality)
    if letter is None or letter.removed_at is not None or name not in file_names(letter.prefix, letter.stem):
        return None
    return None if name in _deleted(connection, [letter]) else letter


def _deleted(connection: Connection, found: Collection[Letter]) -> set[str]:
    """The files of some messages that were deleted since these were put there."""
    placed = events.alias()
    # By the order of the events: a clock may be set back.
    last = sa.select(sa.func.max(placed.c.number)).where(placed.c.ticket == events.c.ticket, placed.c.name == PLACED)
    query = sa.select(events.c.facts["file"].as_string()).where(
        events.c.name == DELETED, events.c.number > last.scalar_subquery()
    )
    gone: set[str] = set()
    tickets = iter(dict.fromkeys(letter.ticket for letter in found))
    while batch := list(islice(tickets, _BATCH)):
        gone.update(connection.execute(query.where(events.c.ticket.in_(batch))).scalars())
    return gone


def _files(found: Collection[Letter], gone: Collection[str]) -> Iterator[Entry]:
    for letter in found:
        sizes = (letter.size, letter.signature_size, 0)
        for name, size in zip(file_names(letter.prefix, letter.stem), sizes, strict=True):
            if name not in gone:
                yield Entry(name, size, letter.placed_at / 1_000_000)
