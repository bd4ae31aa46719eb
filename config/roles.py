"""Which parts of the gateway one process runs.

Roles meet in the journal and the spool alone, so each may run in a process of its own, with the rights that it needs.
"""

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a process does.

    SFTP is the door for uploads with log-ins, gathering and custody; MQ the doors of message queues, senders' and
    institutions', and the broker's questions about log-ins; JUDGE makes verdicts and signs answers; DELIVER places and
    publishes answers, forwards declarations, seals the journal and keeps the clocks; OPERATIONS tells how it goes.
    """

    SFTP = "sftp"
    MQ = "mq"
    JUDGE = "judge"
    DELIVER = "deliver"
    OPERATIONS = "operations"


ALL: Final = frozenset(Role)
