"""What lies behind the door."""

from dataclasses import dataclass, field

from channels.ports import Reception
from channels.records import Records
from channels.sftp.share import Shares
from spool.intake import Intake
from spool.outbox import Outbox


@dataclass(frozen=True, slots=True)
class Premises:
    """Where uploads go, where answers and documents come from, and what every sender may have of the door."""

    reception: Reception
    intake: Intake
    outbox: Outbox
    records: Records
    shares: Shares = field(default_factory=Shares)
