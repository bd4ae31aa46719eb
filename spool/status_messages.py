"""What does a sender read about the messages that institutions sent by themselves?

Those that went to the sender, and those that are in the e-Box of its quality; of no other. The files of an answer or of
a message are read by their names here, whatever became of them in OUT or in the e-Box.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool import answers as made
from spool import ebox as boxes
from spool import institutions
from spool.answers import FETCHED, StoredAnswer, file_names, stem_of
from spool.institutions import InstitutionMessage
from spool.mailbox import Document
from spool.outbox import answer_files
from spool.register_tables import ebox, institution_messages
from spool.tables import answers, events, senders, submissions


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as its recipient is told of it; times in microseconds since the epoch."""

    message: InstitutionMessage
    directory: str
    files: tuple[str, ...]
    fetched: int | None

    @property
    def ticket(self) -> str:
        """The ticket it got here."""
        return self.message.ticket

    @property
    def received(self) -> int:
        """When it was taken from its institution."""
        return self.message.received_at

    @property
    def facts(self) -> dict[str, Any]:
        """What there is to say of it, but for times."""
        return {
            "ticket": self.ticket,
            "state": self.message.state.value,
            "purpose": self.message.purpose,
            "environment": self.message.environment,
            "about": self.message.about,
            "channel": self.message.channel,
            "directory": None if self.message.channel == "mq" else self.directory,
            "files": self.files,
        }


def newest(connection: Connection, sender: str, limit: int, ticket: str | None = None) -> list[Seen]:
    """The newest messages for ``sender``, newest first; only ``ticket`` if that is given."""
    found = {message.ticket: message for message in institutions.of_sender(connection, sender, limit, ticket)}
    quality = quality_of(connection, sender)
    if quality is not None:
        found |= {each.ticket: each for each in institutions.of_quality(connection, quality, limit, ticket)}
    ordered = sorted(found.values(), key=lambda message: (message.received_at, message.ticket), reverse=True)[:limit]
    given = _given(connection, [message.ticket for message in ordered], sender, quality)
    return [Seen(message, *given.get(message.ticket, ("", (), None))) for message in ordered]


def unfetched(connection: Connection, sender: str, limit: int) -> list[str]:
    """The newest messages in OUT that nobody has fetched yet, by name, oldest first."""
    message = institution_messages.c
    query = (
        sa.select(answers.c.prefix, answers.c.stem)
        .join(institution_messages, message.ticket == answers.c.ticket)
        .where(message.sender == sender, answers.c.sender == sender, answers.c.channel == "sftp")
        .where(fetched_at().is_(None), sa.func.length(answers.c.data) > 0)
        .order_by(message.received_at.desc())
        .limit(limit)
    )
    return [f"{prefix}.{stem}" for prefix, stem in reversed(connection.execute(query).all())]


def file(connection: Connection, sender: str, name: str) -> Document | None:
    """One file of an answer or a message that was made for ``sender``, whatever became of it."""
    found = _answer(connection, sender, name) or _letter(connection, sender, name)
    if found is None:
        return None
    answer, modified = found
    if not answer.data:
        return None  # its time was up
    data = dict(answer_files(answer)).get(name)
    return None if data is None else Document(data, modified / 1_000_000)


def fetched_at() -> Any:
    """When the answer of a query over ``answers`` was fetched last; None if it wasn't."""
    name = answers.c.prefix + "." + answers.c.stem
    return (
        sa.select(sa.func.max(events.c.at))
        .where(
            events.c.ticket == answers.c.ticket, events.c.name == FETCHED, events.c.facts["file"].as_string() == name
        )
        .scalar_subquery()
    )


def quality_of(connection: Connection, sender: str) -> int | None:
    """The quality that ``sender`` belongs to, if it does to one."""
    return connection.execute(sa.select(senders.c.quality).where(senders.c.number == sender)).scalar()


def _given(
    connection: Connection, tickets: list[str], sender: str, quality: int | None
) -> dict[str, tuple[str, tuple[str, ...], int | None]]:
    """Where the messages of some tickets are, under which names, and when they were fetched."""
    sent = sa.select(answers.c.ticket, answers.c.directory, answers.c.prefix, answers.c.stem, fetched_at()).where(
        answers.c.ticket.in_(tickets), answers.c.sender == sender
    )
    boxed = sa.select(ebox.c.ticket, sa.literal(boxes.PLACE), ebox.c.prefix, ebox.c.stem, ebox.c.read_at).where(
        ebox.c.ticket.in_(tickets), ebox.c.quality == quality
    )
    rows = [*connection.execute(sent), *(connection.execute(boxed) if quality is not None else ())]
    return {ticket: (place, file_names(prefix, stem), at) for ticket, place, prefix, stem, at in rows}


def _answer(connection: Connection, sender: str, name: str) -> tuple[StoredAnswer, int] | None:
    """The answer, and when there was a verdict or the message came."""
    message = institution_messages.c
    query = (
        sa.select(answers.c.ticket, answers.c.ordinal, submissions.c.verdict_at, message.received_at)
        .outerjoin(submissions, submissions.c.ticket == answers.c.ticket)
        .outerjoin(institution_messages, message.ticket == answers.c.ticket)
        .where(answers.c.stem == stem_of(name), answers.c.sender == sender)
    )
    row = connection.execute(query).first()
    return None if row is None else (made.load(connection, row[0], row[1]), row[2] or row[3] or 0)


def _letter(connection: Connection, sender: str, name: str) -> tuple[StoredAnswer, int] | None:
    quality = quality_of(connection, sender)
    letter = None if quality is None else boxes.find(connection, stem_of(name), quality)
    return None if letter is None else (boxes.load(connection, letter), letter.placed_at)
