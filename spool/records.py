"""What the door may ask the journal for a sender, and tell it: status, and what the sender did with its answers.

That an answer was fetched is recorded once for every file, user and placing, and a deletion once for every time a file
is there: a client that fetches the same answer every minute fills nothing.
"""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool.answers import stem_of
from spool.mailbox import Mailbox
from spool.status import FETCHED, Status
from spool.submissions import note
from spool.tables import answers, events

DELETED = "answer.deleted"


class Records(Status):
    """The documents of every sender, and the fate of its answers.  Every method may block on the journal."""

    def fetched(self, mailbox: Mailbox, name: str, since: float, user: str = "") -> None:
        """``name``, there ``since`` a moment (seconds since the epoch), was read to its end, by ``user`` if known.

        Raises:
            JournalError: it cannot be written down now.
        """
        with self._journal.write() as connection:
            ticket = _ticket_of(connection, mailbox, name)
            if ticket is None:
                return
            again = sa.select(events.c.number).where(
                events.c.ticket == ticket,
                events.c.name == FETCHED,
                events.c.facts["file"].as_string() == name,
                events.c.at >= int(since * 1_000_000),
            )
            who = {"by": user} if user else {}
            if user:
                again = again.where(events.c.facts["by"].as_string() == user)
            if connection.execute(again).first() is None:
                note(connection, ticket, FETCHED, file=name, **who)

    def deleted(self, mailbox: Mailbox, name: str) -> None:
        """The sender has deleted ``name``.

        Raises:
            JournalError: it cannot be written down now.
        """
        with self._journal.write() as connection:
            ticket = _ticket_of(connection, mailbox, name)
            if ticket is not None:
                note(connection, ticket, DELETED, file=name)


def _ticket_of(connection: Connection, mailbox: Mailbox, name: str) -> str | None:
    mine = (answers.c.sender == mailbox.sender) & (answers.c.directory == mailbox.directory)
    query = sa.select(answers.c.ticket).where(answers.c.stem == stem_of(name), mine)
    ticket: str | None = connection.execute(query).scalar()
    return ticket
