"""Taking custody: the one act after which the gateway answers for a set of files.

In order: every file fsynced and made read-only, the envelope (who brought it, when, under which ticket) written
beside them, the set's folder renamed to ``custody/<day>/<ticket>``, both parents fsynced, the journal committed.
Only then may a sender be told OK.

What a power cut leaves: before the rename the set is still gathering, and is taken again; after it a folder that the
journal does not know, which :meth:`Custody.recover` records from its envelope.
"""

import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from schemas.filename import set_key
from spool import submissions
from spool.files import make_folder, move_durably, sync_file, write_durably
from spool.gather import naming_file
from spool.journal import Journal, JournalError, now
from spool.mailbox import Mailbox
from spool.submissions import State, StoredFile, Submission
from spool.tables import submissions as received

ENVELOPE: Final = ".envelope.json"
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def new_ticket() -> str:
    """A ticket: 13 upper-case alphanumerics (annex 30, 215): 8 for the millisecond, 5 at random.

    Tickets sort by time, and two of one millisecond differ but for one chance in sixty million; the journal's key
    refuses that one.
    """
    stamp, digits = time.time_ns() // 1_000_000, ""
    for _ in range(8):
        stamp, digit = divmod(stamp, 36)
        digits = _DIGITS[digit] + digits
    return digits + "".join(secrets.choice(_DIGITS) for _ in range(5))


@dataclass(frozen=True, slots=True)
class Origin:
    """Who brought a set: the channel, the mailbox and the technical user.

    Of messages also ``message_ids``, by the names of the files they brought, and what the door ``found`` wrong with
    them, as code and words.
    """

    channel: str
    mailbox: Mailbox
    username: str
    message_ids: Mapping[str, str] = field(default_factory=dict)
    found: tuple[tuple[str, str], ...] = ()


class Custody:
    """The submissions the gateway answers for, as received."""

    def __init__(self, root: Path, journal: Journal) -> None:
        self.root = root
        self._journal = journal

    def folder(self, ticket: str, received_at: int) -> Path:
        """Where the files of ``ticket`` are; ``received_at`` in microseconds."""
        return self.root / _day(received_at) / ticket

    def take(self, folder: Path, origin: Origin) -> str:
        """Take the set gathered in ``folder`` into custody and answer its ticket.

        Raises:
            OSError, JournalError: it could not be done; the set is back where it was.
        """
        ticket, received_at = new_ticket(), now()
        for path in _received_files(folder):
            sync_file(path)
            path.chmod(0o440)
        envelope = {
            "ticket": ticket,
            "received_at": received_at,
            "channel": origin.channel,
            "sender": origin.mailbox.sender,
            "directory": origin.mailbox.directory,
            "username": origin.username,
            "message_ids": dict(origin.message_ids),
            "found": origin.found,
        }
        write_durably(folder / ENVELOPE, json.dumps(envelope).encode(), 0o440)
        target = self.folder(ticket, received_at)
        make_folder(target.parent)
        try:
            move_durably(folder, target)
            self._record(target)
        except Exception:
            # A commit can fail after it took effect; then the ticket is out, and the set has to stay where it is.
            if self._is_recorded(ticket):
                return ticket
            if target.exists():
                target.rename(folder)
            raise
        return ticket

    def message_ids(self, ticket: str, received_at: int) -> Mapping[str, str]:
        """What the messages that brought the files of ``ticket`` were called; nothing of uploads, or if it is gone."""
        try:
            envelope = json.loads((self.folder(ticket, received_at) / ENVELOPE).read_bytes())
        except FileNotFoundError:
            return {}
        known: Mapping[str, str] = envelope.get("message_ids", {})
        return known

    def _is_recorded(self, ticket: str) -> bool:
        try:
            with self._journal.read() as connection:
                return submissions.load(connection, ticket) is not None
        except JournalError:
            return False

    def recover(self) -> list[str]:
        """Record what was taken but not committed when an earlier process died; answers those tickets."""
        found = []
        first = self._first_doubtful_day()
        for day in sorted(self.root.glob("????-??-??")):
            if day.name >= first:
                recorded = self._recorded(day.name)
                for folder in sorted(path.parent for path in day.glob(f"*/{ENVELOPE}")):
                    if folder.name not in recorded:
                        self._record(folder)
                        found.append(folder.name)
        return found

    def _recorded(self, day: str) -> set[str]:
        start = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
        first, end = (int(moment.timestamp() * 1_000_000) for moment in (start, start + timedelta(days=1)))
        within = (received.c.received_at >= first) & (received.c.received_at < end)
        with self._journal.read() as connection:
            return set(connection.execute(sa.select(received.c.ticket).where(within)).scalars())

    def _first_doubtful_day(self) -> str:
        # A folder is recorded at once or at the next start, so only those about as young as the newest can be unknown.
        with self._journal.read() as connection:
            newest = connection.execute(sa.select(sa.func.max(received.c.received_at))).scalar()
        return "" if newest is None else _day(newest - timedelta(days=31) // timedelta(microseconds=1))

    def _record(self, folder: Path) -> None:
        envelope = json.loads((folder / ENVELOPE).read_bytes())
        # An envelope of a time before there were messages has neither.
        message_ids, found = envelope.pop("message_ids", {}), envelope.pop("found", ())
        stored = tuple(_stored_file(path) for path in _received_files(folder))
        names = [file.name for file in stored]
        name = naming_file(names)
        submission = Submission(
            **envelope, name=name, stem=set_key(name), content=_content(stored), state=State.RECEIVED, attempts=0,
            files=stored, findings=tuple((code, words) for code, words in found),
            message_id=message_ids.get(name) or None,
        )  # fmt: skip
        with self._journal.write() as connection:
            submissions.add(connection, submission)


def _received_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _stored_file(path: Path) -> StoredFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return StoredFile(path.name, file.tell(), digest.hexdigest())


def _content(stored: tuple[StoredFile, ...]) -> str:
    data = [file.sha256 for file in stored if file.name.startswith("FI.")]
    return hashlib.sha256("".join(data).encode()).hexdigest() if data else ""


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000_000, tz=UTC).strftime("%Y-%m-%d")
