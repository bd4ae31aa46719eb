"""What lies behind the door."""

from collections.abc import Callable
from dataclasses import dataclass, field

from channels.ports import Reception
from channels.records import Ebox, Records
from channels.sftp.share import Shares
from spool.intake import Intake
from spool.outbox import Outbox


def _nothing() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Premises:
    """Where uploads go, where answers, documents and messages come from, what every sender may have of the door.

    ``notice`` has the words that everybody is greeted with, empty if there are none; it does not block.
    """

    reception: Reception
    intake: Intake
    outbox: Outbox
    records: Records
    ebox: Ebox
    shares: Shares = field(default_factory=Shares)
    notice: Callable[[], str] = _nothing
