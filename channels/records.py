"""What the SFTP door asks and tells about what is no longer, or was never, at the door: answers and messages."""

from collections.abc import Sequence
from typing import Protocol

from spool.mailbox import Document, Entry, Mailbox


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

    def fetched(self, mailbox: Mailbox, name: str, since: float, user: str) -> None:
        """An answer that is there ``since`` a moment (seconds since the epoch) was read to its end by a user.

        Raises:
            TemporaryError: it cannot be written down now.
        """

    def deleted(self, mailbox: Mailbox, name: str) -> None:
        """The sender has deleted an answer.

        Raises:
            TemporaryError: it cannot be written down now.
        """


class Ebox(Protocol):
    """The mailbox of the quality that a sender belongs to. Every method may block on the journal.

    Raises in each: TemporaryError when that cannot be looked up or written down now.
    """

    def entries(self, sender: str, limit: int) -> Sequence[Entry]:
        """The files of the oldest messages, about ``limit`` of them; none for a sender without a quality."""

    def find(self, sender: str, name: str) -> Entry | None:
        """The file ``name``, or None."""

    def document(self, sender: str, name: str) -> Document | None:
        """What the file ``name`` holds, or None."""

    def fetched(self, sender: str, name: str) -> None:
        """The file ``name`` was read to its end."""

    def remove(self, sender: str, name: str) -> None:
        """Delete the file ``name``.

        Raises:
            MailboxRefusal: there is no such file.
        """
