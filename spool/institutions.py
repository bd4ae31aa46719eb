"""Messages of institutions in the journal: who published what, for whom, and where it went.

Every function takes the connection of a transaction. The bytes of a message are in ``answers`` or ``ebox``, under the
ticket that it got here.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool.prepared import Prepared
from spool.register_tables import ebox, institution_messages


class State(StrEnum):
    """Whether a message is where its recipient gets it."""

    PROMISED = "promised"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class InstitutionMessage:
    """A message as it was taken.

    ``sender`` is whom it is for and ``about`` the submission that it answers, where these are known; ``sha256`` is that
    of the bytes as published (hex), ``channel`` sftp, mq or ebox, ``received_at`` in microseconds since the epoch.
    """

    ticket: str
    publisher: str
    message_id: str
    received_at: int
    purpose: str
    environment: str
    sender: str | None
    about: str | None
    sha256: str
    state: State
    channel: str


def add(connection: Connection, message: InstitutionMessage) -> None:
    """Record a message that was taken."""
    connection.execute(sa.insert(institution_messages).values(**asdict(message)))


def find(connection: Connection, publisher: str, message_id: str) -> InstitutionMessage | None:
    """The message that ``publisher`` called ``message_id``, or None."""
    table = institution_messages.c
    return _one(connection, (table.publisher == publisher) & (table.message_id == message_id))


def twin(connection: Connection, message: InstitutionMessage, quality: int | None = None) -> InstitutionMessage | None:
    """A message of the same publisher with the same bytes, purpose and recipient, under another id, or None.

    ``quality`` is whose e-Box it is for, where it is for one.
    """
    table = institution_messages.c
    same = (table.sender.is_(None) if message.sender is None else table.sender == message.sender) & (
        table.about.is_(None) if message.about is None else table.about == message.about
    )
    same &= (table.publisher == message.publisher) & (table.sha256 == message.sha256)
    if quality is not None:
        same &= sa.exists().where(ebox.c.ticket == table.ticket, ebox.c.quality == quality)
    return _one(connection, same & (table.purpose == message.purpose) & (table.environment == message.environment))


def load(connection: Connection, ticket: str) -> InstitutionMessage | None:
    """The message that got ``ticket``, or None."""
    return _one(connection, institution_messages.c.ticket == ticket)


def of_sender(connection: Connection, sender: str, limit: int, ticket: str | None = None) -> list[InstitutionMessage]:
    """The newest messages for ``sender``, newest first; only ``ticket`` if that is given."""
    table = institution_messages.c
    query = sa.select(institution_messages).where(table.sender == sender)
    if ticket is not None:
        query = query.where(table.ticket == ticket)
    query = query.order_by(table.received_at.desc(), table.ticket.desc()).limit(limit)
    return [_message(row) for row in connection.execute(query)]


def of_quality(connection: Connection, quality: int, limit: int, ticket: str | None = None) -> list[InstitutionMessage]:
    """The same of those that are or were in the e-Box of ``quality``, by when they were put there."""
    query = (
        sa.select(institution_messages)
        .join(ebox, ebox.c.ticket == institution_messages.c.ticket)
        .where(ebox.c.quality == quality)
        .order_by(ebox.c.placed_at.desc(), ebox.c.number.desc())
        .limit(limit)
    )
    if ticket is not None:
        query = query.where(ebox.c.ticket == ticket)
    return [_message(row) for row in connection.execute(query)]


def delivered(connection: Connection, tickets: Collection[str]) -> None:
    """Record that the messages among ``tickets`` are where their recipients get them."""
    _DELIVER.run(connection, {"tickets": sorted(tickets)})


_DELIVER: Final = Prepared(
    sa.update(institution_messages)
    .where(
        institution_messages.c.ticket.in_(sa.bindparam("tickets", expanding=True)),
        institution_messages.c.state == State.PROMISED,
    )
    .values(state=State.DELIVERED),
    each="tickets",
)


def _one(connection: Connection, where: sa.ColumnElement[bool]) -> InstitutionMessage | None:
    row = connection.execute(sa.select(institution_messages).where(where).limit(1)).first()
    return None if row is None else _message(row)


def _message(row: sa.Row[Any]) -> InstitutionMessage:
    facts = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented way to read a row by name
    facts["state"] = State(facts["state"])
    return InstitutionMessage(**facts)
