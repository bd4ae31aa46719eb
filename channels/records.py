"""What the SFTP door asks and tells about submissions that are no longer at the door."""

from collections.abc import Sequence
from typing import Protocol

from spool.mailbox import Entry, Mailbox
from spool.status import Document


class Records(Protocol):
    """Status documents and the fate of answers.  Every method may block on the journal."""

    def entries(self, sender: str) -> Sequence[Entry]:
        """The status documents that ``sender`` may list.

        Raises:
            TemporaryError: they cannot be made now.
        """

    def document(self, sender: str, name: str) -> Document | None:
        """The status document ``name`` of ``sender``, or None.

        Raises:
            TemporaryError: it cannot be made now.
        """

    def fetched(self, mailbox: Mailbox, name: str, since: float) -> None:
        """An answer that is there ``since`` a moment (seconds since the epoch) was read to its end.

        Raises:
            TemporaryError: it cannot be written down now.
        """

    def deleted(self, mailbox: Mailbox, name: str) -> None:
        """The sender has deleted an answer.

        Raises:
            TemporaryError: it cannot be written down now.
        """
