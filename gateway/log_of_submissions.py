"""What does the log say of a submission that is taken or found, and of one with which everything is done?"""

from collections.abc import Iterable
from contextlib import suppress
from time import monotonic

import structlog

from config.errors import TemporaryError
from spool import submissions
from spool.closing import Closed
from spool.journal import Journal, now
from spool.mailbox import Mailbox
from spool.tickets import seconds_since

log = structlog.get_logger()


def report_taken(ticket: str, mailbox: Mailbox, file: str, since: float | None = None) -> None:
    """Log that a set with this ``file`` is in custody, and for how long its sender waited for that.

    Args:
        ticket: that it has got.
        mailbox: that it lay in.
        file: its name.
        since: when the sender began to wait (`time.monotonic`); None if nobody did.
    """
    facts = {"sender": mailbox.sender, "directory": mailbox.directory, "file": file}
    log.info("custody.taken", ticket=ticket, seconds=None if since is None else round(monotonic() - since, 3), **facts)


def report_recovered(journal: Journal, tickets: Iterable[str]) -> None:
    """Log each as recorded after all; without sender and file, should the journal have gone away again."""
    for ticket in tickets:
        found = None
        with suppress(TemporaryError), journal.read() as connection:
            found = submissions.load(connection, ticket)
        sender, file = (None, None) if found is None else (found.sender, found.name)
        log.info("custody.recovered", ticket=ticket, sender=sender, file=file)


def report_closed(closed: Iterable[Closed]) -> None:
    """Log each, with the seconds since its receipt; to be called once that is committed."""
    at = now()
    for one in closed:
        seconds = seconds_since(one.ticket, at)
        log.info("submission.closed", ticket=one.ticket, sender=one.sender, file=one.name, seconds=seconds)
