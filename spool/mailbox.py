"""The folders a sender sees, and what can be wrong with an act in one of them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

INBOXES: Final = ("IN", "INTEST", "INTEST-S")
OUTBOXES: Final = ("OUT", "OUTTEST", "OUTTEST-S")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One folder of one sender: ``sender`` is its six digits, ``directory`` one of the six names."""

    sender: str
    directory: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as a sender may see it; ``modified`` is in seconds since the epoch."""

    name: str
    size: int
    modified: float


class Trouble(StrEnum):
    """Why an act in a mailbox is refused."""

    MISSING = "missing"
    EXISTS = "exists"
    DENIED = "denied"
    BUSY = "busy"
    FULL = "full"


class MailboxRefusal(Exception):  # noqa: N818 - an answer to the client, not an error of the gateway
    """An act that a sender asked for is refused; ``words`` may be shown to the sender."""

    def __init__(self, trouble: Trouble, words: str) -> None:
        super().__init__(words)
        self.trouble = trouble
        self.words = words
