"""What lies behind the door."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field

from channels.ports import Reception
from channels.records import Ebox, Records
from channels.sftp.share import Shares
from spool.intake import Intake
from spool.outbox import Outbox


def _nothing() -> str:
    return ""


def _at_once(_sender: str) -> AbstractAsyncContextManager[None]:
    return nullcontext()


@dataclass(frozen=True, slots=True)
class Premises:
    """Where uploads go, where answers, documents and messages come from, what every sender may have of the door.

    ``notice`` has the words that everybody is greeted with, empty if there are none; it does not block.  ``passing`` is
    what a set of a sender is taken in: it lets some wait while more come than can be judged.
    """

    reception: Reception
    intake: Intake
    outbox: Outbox
    records: Records
    ebox: Ebox
    shares: Shares = field(default_factory=Shares)
    notice: Callable[[], str] = _nothing
    passing: Callable[[str], AbstractAsyncContextManager[None]] = _at_once
