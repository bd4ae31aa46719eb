"""The folders a sender sees, and what can be wrong with an act in one of them."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from schemas.filename import is_safe

INBOXES: Final = ("IN", "INTEST", "INTEST-S")
OUTBOXES: Final = ("OUT", "OUTTEST", "OUTTEST-S")
_LONGEST: Final = 100


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


@dataclass(frozen=True, slots=True)
class Document:
    """A file that is in no folder, as it is at this moment; ``modified`` is in seconds since the epoch."""

    data: bytes
    modified: float


@dataclass(frozen=True, slots=True)
class Room:
    """What a sender may have waiting, and how much of that is left: bytes in all its inboxes, files in one."""

    total_bytes: int
    free_bytes: int
    total_files: int
    free_files: int


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


def entry_of(path: Path) -> Entry | None:
    """The file at ``path``, or None."""
    try:
        facts = path.lstat()
    except FileNotFoundError:
        return None
    return Entry(path.name, facts.st_size, facts.st_mtime)


def check_name(name: str) -> None:
    """Refuse a name that is not safe.

    Raises:
        MailboxRefusal: it is not.
    """
    if not is_safe(name):
        raise MailboxRefusal(Trouble.DENIED, bad_name(name))


def bad_name(name: str) -> str:
    """What is wrong with a name that is not safe, in words for its sender; the name itself is not repeated."""
    rule = "; a file name has at most 100 letters, digits, dots, hyphens and underscores (129)"
    if len(name) > _LONGEST:
        return f"the file name is too long: {len(name)} characters" + rule
    odd = next(
        (
            character
            for character in name
            if not (character.isascii() and character.isalnum()) and character not in "._-"
        ),
        "",
    )
    if odd:
        words = {" ": "a space", "\\": "a backslash", ":": "a colon", ",": "a comma"}
        what = words.get(odd) or (
            f"the character {odd}" if odd.isascii() and odd.isprintable() else "a special character"
        )
        return f"the file name has {what} in it" + rule
    return "the file name begins with a sign or has two dots in a row" + rule
