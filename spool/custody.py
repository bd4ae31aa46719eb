"""Taking custody: the one act after which the gateway answers for a set of files.

In order: every file fsynced and made read-only, the envelope (who brought it, when, under which ticket) written
beside them, the set's folder renamed to ``custody/<day>/<ticket>``, both parents fsynced, the journal committed.
Only then may a sender be told OK.

What a power cut leaves: before the rename the set is still gathering, and is taken again; after it a folder that the
journal does not know, which :meth:`Custody.recover` records from its envelope.

A commit can end so that nobody can tell whether it took effect: the database went away meanwhile.  Then the folder
stays in custody, the sender is told that it failed, and :meth:`Custody.settle_doubts` finds out as soon as the journal
can be asked again.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from config.errors import TemporaryError
from schemas.filename import set_key
from spool import submissions
from spool.envelopes import submission_of
from spool.files import make_folder, move_durably, write_durably, write_unseen
from spool.gather import naming_file
from spool.journal import Journal, JournalError, now
from spool.mailbox import Mailbox
from spool.received_files import received_files, received_names, stored_file
from spool.settling import Fingerprints, Seen, fingerprints, secured
from spool.submissions import StoredFile
from spool.tables import submissions as received
from spool.tickets import new_ticket

ENVELOPE: Final = ".envelope.json"
COMPARED: Final = ".compared.json"
"""The days that were compared with the journal at a start, as they were then."""
_TICK: Final = 2_000_000_000
Stored = Sequence[StoredFile]


@dataclass(frozen=True, slots=True)
class Origin:
    """Who brought a set: the channel, the mailbox and the technical user.

    Of messages also ``message_ids``, by the names of the files they brought, and what the door ``found`` wrong with
    them, as code and words.  The sender waits ``since`` then (`time.monotonic`) for its OK; None if nobody waits.
    ``moved`` is called when the files are where they stay, and the journal alone is left, whose commit may be shared.
    """

    channel: str
    mailbox: Mailbox
    username: str
    message_ids: Mapping[str, str] = field(default_factory=dict)
    found: tuple[tuple[str, str], ...] = ()
    since: float | None = None
    moved: Callable[[], object] = field(default=bool, compare=False)

    @property
    def waited(self) -> int:
        """For how many microseconds the sender has waited by now."""
        return 0 if self.since is None else int((time.monotonic() - self.since) * 1_000_000)


class CustodyDoubtfulError(TemporaryError):
    """The set is in custody, and nobody can tell just now whether the journal has it."""


@dataclass(frozen=True, slots=True)
class _Likeness:
    """What sets share of which one may be another again."""

    mailbox: Mailbox
    stem: str


class Custody:
    """The submissions the gateway answers for, as received.

    ``by`` is the process that takes them (:mod:`spool.processes`), where there may be others.
    """

    def __init__(self, root: Path, journal: Journal, by: str = "") -> None:
        self.root = root
        self._journal = journal
        self._by = by
        self._doubts: dict[Path, _Likeness] = {}
        self._settling = threading.Lock()

    def folder(self, ticket: str, received_at: int) -> Path:
        """Where the files of ``ticket`` are; ``received_at`` in microseconds."""
        return self.root.joinpath(_day(received_at), ticket)

    def take(self, folder: Path, origin: Origin, synced: Fingerprints = frozenset(), seen: Seen | None = None) -> str:
        """Take the set gathered in ``folder`` into custody and answer its ticket.

        Of the files in ``synced`` the bytes are on the disk already, and nobody changes them meanwhile.  What was
        ``seen`` there by who has just looked, by name, is not looked for again before the set is moved.

        Raises:
            OSError, JournalError: it could not be done; the set is back where it was.
            CustodyDoubtfulError: nobody can tell; the set is in custody, or, if one like it is in doubt, where it was.
        """
        names = received_names(folder) if seen is None else sorted(seen)
        likeness = _Likeness(origin.mailbox, set_key(naming_file(names)))
        # Recorded after this one, the older could be accepted beside it.
        self._settle(likeness)
        ticket, received_at, waited = new_ticket(), now(), origin.waited
        before = fingerprints(folder, names) if seen is None else [seen[name] for name in names]
        stored = [secured(folder, name, synced) for name in names]
        envelope = self.envelope(ticket, received_at, origin)
        write_unseen(folder, ENVELOPE, json.dumps(envelope).encode(), 0o440)
        target = self.folder(ticket, received_at)
        make_folder(target.parent)
        try:
            move_durably(folder, target)
            # Only what is here nobody changes: this host may have stood still for so long that others held the mailbox.
            if (found := received_names(target)) != names or fingerprints(target, names) != before:
                stored = [secured(target, name, frozenset()) for name in found]
            origin.moved()
            self._record(target, waited, envelope, stored)
        except CustodyDoubtfulError:
            self._doubts[target] = likeness
            raise
        except Exception:
            self._put_back(target, folder, likeness)
            raise
        return ticket

    def envelope(self, ticket: str, received_at: int, origin: Origin) -> dict[str, Any]:
        """What is written beside the files of a set."""
        return {
            "ticket": ticket,
            "received_at": received_at,
            "channel": origin.channel,
            "sender": origin.mailbox.sender,
            "directory": origin.mailbox.directory,
            "username": origin.username,
            "message_ids": dict(origin.message_ids),
            "found": origin.found,
            "by": self._by,
        }

    def doubt(self, target: Path, mailbox: Mailbox, name: str) -> None:
        """Nobody can tell whether the journal has the set at ``target``, which the file ``name`` is in."""
        self._doubts[target] = _Likeness(mailbox, set_key(name))

    def _put_back(self, target: Path, folder: Path, likeness: _Likeness) -> None:
        try:
            if target.exists():
                target.rename(folder)
        except OSError:
            self._doubts[target] = likeness
            raise

    def settle_doubts(self) -> list[str]:
        """Record the sets of which it was in doubt whether the journal has them; answers their tickets.

        Raises:
            OSError, TemporaryError: nobody can tell of one of them yet.
        """
        return self._settle(None)

    def settle_doubts_like(self, mailbox: Mailbox, name: str) -> list[str]:
        """As `settle_doubts`, of those sets only that the file ``name`` of ``mailbox`` may be in."""
        return self._settle(_Likeness(mailbox, set_key(name)))

    def _settle(self, likeness: _Likeness | None) -> list[str]:
        settled: list[str] = []
        if not self._doubts:
            return settled
        with self._settling:
            for target, of in list(self._doubts.items()):
                if likeness in {None, of}:
                    recorded = self.is_recorded(target.name)
                    if recorded is None:
                        raise CustodyDoubtfulError("the journal cannot say yet whether it has a set that is in custody")
                    if not recorded:
                        self._record(target)
                    del self._doubts[target]
                    settled.append(target.name)
        return settled

    def message_ids(self, ticket: str, received_at: int) -> Mapping[str, str]:
        """What the messages that brought the files of ``ticket`` were called; nothing of uploads, or if it is gone."""
        try:
            envelope = json.loads((self.folder(ticket, received_at) / ENVELOPE).read_bytes())
        except FileNotFoundError:
            return {}
        return dict(envelope.get("message_ids", {}))

    def is_recorded(self, ticket: str) -> bool | None:
        """Whether the journal has ``ticket``; None if it cannot say.

        Asked in a transaction that writes: it waits for the end of a commit whose confirmation alone was lost.
        """
        found = None
        with suppress(JournalError), self._journal.write() as connection:
            found = submissions.load(connection, ticket) is not None
        return found

    def recover(self, has_ended: Callable[[str], bool] = lambda _: True) -> list[str]:
        """Record what was taken but not committed by a process that ``has_ended``; answers those tickets.

        What one has taken that lives it is just about to record, or to settle its doubts.

        A day is looked through unless its folder and the journal's count are what they were when it last was: no
        clock, which may have been wrong, says which days are past.
        """
        found: list[str] = []
        known, compared = self._compared(), {}
        for day in sorted(self.root.glob("????-??-??")):
            changed_at = day.stat().st_mtime_ns
            if known.get(day.name) != [changed_at, self._count(day.name)]:
                recorded = self._recorded(day.name)
                with os.scandir(day) as entries:
                    unknown = sorted(entry.name for entry in entries if entry.name not in recorded)
                folders = [day / name for name in unknown if (day / name / ENVELOPE).is_file()]
                left = [folder for folder in folders if has_ended(_taken_by(folder))]
                for folder in left:
                    self._record(folder)
                found += [folder.name for folder in left]
                if len(left) < len(folders):
                    continue  # this day is looked through once more
            if abs(time.time_ns() - changed_at) > _TICK:  # what comes now could leave the time as it is
                compared[day.name] = [changed_at, self._count(day.name)]
        if compared != known:
            self._keep(compared)
        return found

    def _compared(self) -> dict[str, object]:
        with suppress(FileNotFoundError, ValueError):
            known = json.loads((self.root / COMPARED).read_bytes())
            if isinstance(known, dict):
                return known
        return {}

    def _keep(self, compared: Mapping[str, object]) -> None:
        with suppress(OSError):  # without it the next start looks through all of them
            write_durably(self.root / COMPARED, json.dumps(compared).encode())

    def _count(self, day: str) -> int:
        with self._journal.read() as connection:
            count = connection.execute(sa.select(sa.func.count()).select_from(received).where(_within(day)))
            return int(count.scalar_one())

    def _recorded(self, day: str) -> set[str]:
        with self._journal.read() as connection:
            return set(connection.execute(sa.select(received.c.ticket).where(_within(day))).scalars())

    def _record(
        self, folder: Path, waited: int = 0, envelope: Mapping[str, Any] | None = None, stored: Stored | None = None
    ) -> None:
        """Commit what the envelope in ``folder`` says; its sender had ``waited`` so long, as far as that is known.

        Who has just written the ``envelope`` need not read it again, nor the files that were ``stored`` with it; who
        has not has found the set there.

        Raises:
            OSError, JournalError: the journal does not have it.
            CustodyDoubtfulError: nobody can tell.
        """
        recovered = envelope is None
        if envelope is None or stored is None:
            stored = list(map(stored_file, received_files(folder)))
            envelope = json.loads((folder / ENVELOPE).read_bytes())
        submission = submission_of(envelope, tuple(stored), waited, recovered=recovered)
        is_written = False
        try:
            with self._journal.write() as connection:
                submissions.add(connection, submission)
                is_written = True
        except Exception as fault:
            # A commit that failed may have taken effect; and others who recover may have been quicker.
            recorded = self.is_recorded(submission.ticket)
            if recorded is None and is_written:
                raise CustodyDoubtfulError("the journal went away while it committed") from fault
            if not recorded:
                raise


def _taken_by(folder: Path) -> str:
    return str(json.loads((folder / ENVELOPE).read_bytes()).get("by", ""))


def _within(day: str) -> sa.ColumnElement[bool]:
    start = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    first, end = (int(moment.timestamp() * 1_000_000) for moment in (start, start + timedelta(days=1)))
    return (received.c.received_at >= first) & (received.c.received_at < end)


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000_000, tz=UTC).strftime("%Y-%m-%d")
