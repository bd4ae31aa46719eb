"""Is a message that the broker delivers the one that is in custody already?

The broker delivers again what it has no acknowledgement of, also when custody was taken and only the acknowledgement
was lost.  The same message is one of the same user, with the same message id, that brings the same bytes under the same
name.  Whether the broker says that it delivers again is not asked: after a fail-over it may say so of what never came.
Where it is in doubt whether the journal has the set of an earlier delivery, that is settled first: as a set of its own
the message would be judged as a repeat, and its sender answered twice.
A message without an id cannot be known again; it is judged as a repeat.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from schemas.filename import set_key
from spool.custody import Custody
from spool.journal import Journal
from spool.mailbox import Mailbox
from spool.tables import files, submissions


@dataclass(frozen=True, slots=True)
class Message:
    """What a message brought: into which mailbox, from which user, under which id, a file of this SHA-256 (hex)."""

    mailbox: Mailbox
    username: str
    message_id: str
    name: str
    sha256: str


def is_in_custody(journal: Journal, custody: Custody, message: Message) -> bool:
    """Whether this very message was taken into custody.  Blocks on journal and disk.

    Raises:
        OSError, TemporaryError: it cannot be told now.
    """
    if not message.message_id:
        return False
    custody.settle_doubts_like(message.mailbox, message.name)
    query = (
        sa.select(submissions.c.ticket, submissions.c.received_at)
        .join(files, files.c.ticket == submissions.c.ticket)
        .where(
            submissions.c.sender == message.mailbox.sender,
            submissions.c.directory == message.mailbox.directory,
            submissions.c.stem == set_key(message.name),
            submissions.c.channel == "mq",
            submissions.c.username == message.username,
            files.c.name == message.name,
            files.c.sha256 == message.sha256,
        )
        .order_by(submissions.c.received_at.desc())
    )
    with journal.read() as connection:
        found = connection.execute(query).all()
    return any(custody.message_ids(*row).get(message.name) == message.message_id for row in found)
