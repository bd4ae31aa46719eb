"""What lies behind the door."""

from dataclasses import dataclass, field

from channels.ports import Reception
from channels.records import Ebox, Records
from channels.sftp.share import Shares
from spool.intake import Intake
from spool.outbox import Outbox


@dataclass(frozen=True, slots=True)
class Premises:
    """Where uploads go, where answers, documents and messages come from, what every sender may have of the door."""

    reception: Reception
    intake: Intake
    outbox: Outbox
    records: Records
    ebox: Ebox
    shares: Shares = field(default_factory=Shares)
