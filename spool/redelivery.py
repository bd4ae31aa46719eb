"""Is a message that the broker delivers the one that is in custody already?

The broker delivers again what it has no acknowledgement of, also when custody was taken and only the acknowledgement
was lost.  The same message is one of the same user, with the same message id, that brings the same bytes under the same
name.  Whether the broker says that it delivers again is not asked: after a fail-over it may say so of what never came.
Where it is in doubt whether the journal has the set of an earlier delivery, that is settled first: as a set of its own
the message would be judged as a repeat, and its sender answered twice.
A message without an id cannot be known again; it is judged as a repeat.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

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


def came_before(connection: Connection, messages: Sequence[Message]) -> list[bool]:
    """Of each message, whether another of its mailbox and stem is in custody: of one without, it need not be asked."""
    stems: dict[Mailbox, set[str]] = {}
    for message in messages:
        stems.setdefault(message.mailbox, set()).add(set_key(message.name))
    found: set[tuple[Mailbox, str]] = set()
    for mailbox, asked in stems.items():
        query = _STEMS.where(submissions.c.sender == mailbox.sender, submissions.c.directory == mailbox.directory)
        rows = connection.execute(query.where(submissions.c.stem.in_(asked)))
        found |= {(mailbox, stem) for (stem,) in rows}
    return [(message.mailbox, set_key(message.name)) in found for message in messages]


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


_STEMS: Final = sa.select(submissions.c.stem).where(submissions.c.channel == "mq").distinct()
