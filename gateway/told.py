"""What does the log say of a submission that is taken, and of one with which everything is done?"""

from collections.abc import Iterable
from time import monotonic

import structlog

from spool.closing import Closed
from spool.journal import now
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


def report_closed(closed: Iterable[Closed]) -> None:
    """Log each, with the seconds since its receipt; to be called once that is committed."""
    at = now()
    for one in closed:
        seconds = seconds_since(one.ticket, at)
        log.info("submission.closed", ticket=one.ticket, sender=one.sender, file=one.name, seconds=seconds)
