"""What does a path of a client mean?

A path is only ever compared with the eight names below and taken apart; it never reaches the operating system.
There is a root, eight directories in it and files in those, no link and nothing deeper, so that ``..`` can be resolved
by looking at the path alone (draft-ietf-secsh-filexfer-02, 6.2).
"""

from dataclasses import dataclass
from typing import Final

from schemas.filename import is_safe
from spool.mailbox import INBOXES, OUTBOXES, MailboxRefusal, Trouble, bad_name

EBOX: Final = "EBOX"
STATUS: Final = "STATUS"
DIRECTORIES: Final = (*INBOXES, *OUTBOXES, EBOX, STATUS)


@dataclass(frozen=True, slots=True)
class Place:
    """The root (no ``directory``), one of the directories (no ``name``) or a file in one."""

    directory: str = ""
    name: str = ""

    @property
    def path(self) -> bytes:
        """The one way to write this place."""
        return "/".join(("", self.directory, self.name)).rstrip("/").encode() or b"/"


def locate(path: bytes) -> Place:
    """Where ``path`` leads; a relative one starts at the root.

    Raises:
        MailboxRefusal: there can be no such place; the name of a file need not exist, but must be allowed.
    """
    try:
        parts = _resolved(path.decode("ascii"))
    except UnicodeDecodeError:
        name = path.rpartition(b"/")[2].decode(errors="replace")
        raise MailboxRefusal(Trouble.DENIED, bad_name(name)) from None
    if not parts:
        return Place()
    if parts[0] not in DIRECTORIES:
        raise MailboxRefusal(Trouble.MISSING, "no such file; there is nothing here but " + ", ".join(DIRECTORIES))
    if len(parts) > 2:
        raise MailboxRefusal(Trouble.MISSING, "no such file; there are no directories below " + parts[0])
    if len(parts) == 2 and not is_safe(parts[1]):
        raise MailboxRefusal(Trouble.DENIED, bad_name(parts[1]))
    return Place(*parts)


def _resolved(path: str) -> list[str]:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return parts
