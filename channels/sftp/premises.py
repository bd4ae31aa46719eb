"""What lies behind the door."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from channels.ports import Reception
from channels.records import Ebox, Records
from channels.sftp.admission import Seats
from channels.sftp.share import Shares
from spool.intake import Intake
from spool.mailbox import Mailbox
from spool.outbox import Outbox


def _nothing() -> str:
    return ""


def _at_once(_sender: str) -> AbstractAsyncContextManager[None]:
    return nullcontext()


class Names(Protocol):
    """What is wrong with the name of a file, before it comes."""

    @property
    def are_checked(self) -> bool:
        """Whether uploads of bad names are refused; if not, they are taken and answered."""

    def fault(self, mailbox: Mailbox, name: str) -> str:
        """What is wrong with ``name`` in ``mailbox``, in words with codes; empty if nothing is.  May block."""


@dataclass(frozen=True, slots=True)
class Premises:
    """Where uploads go, where answers, documents and messages come from, what every sender may have of the door.

    ``notice`` has the words that everybody is greeted with, empty if there are none; it does not block.  ``passing`` is
    what a set of a sender is taken in: it lets some wait while more come than can be judged.  ``seats`` are those of
    several processes that are one door; without ``names`` every name that is safe is taken.
    """

    reception: Reception
    intake: Intake
    outbox: Outbox
    records: Records
    ebox: Ebox
    shares: Shares = field(default_factory=Shares)
    seats: Seats | None = None
    names: Names | None = None
    notice: Callable[[], str] = _nothing
    passing: Callable[[str], AbstractAsyncContextManager[None]] = _at_once
