"""Taking custody of many small sets in one durable step, as :mod:`spool.custody` does of one.

The order is the same for all of them together: every file and envelope written and synced, each folder renamed into
custody, the parents synced, the journal committed; only then may anybody be told OK.  What a crash leaves in between is
what one set leaves, several times.

A set that cannot be taken must not keep the others: if anything fails before the journal has them, each goes its own
way.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spool import submissions
from spool.custody import ENVELOPE, Custody, CustodyDoubtfulError, Origin
from spool.envelopes import submission_of
from spool.files import make_folder, sync_folder
from spool.journal import Journal, now
from spool.submissions import StoredFile, Submission
from spool.syncing import Sync, write_read_only
from spool.tickets import new_ticket

_FEW: Final = 3
"""So many sets are synced as fast one by one."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """A set in a folder of its own on the file system of the custody: its files, read-only, and who brought it.

    Those that are taken together have one parent.
    """

    folder: Path
    files: tuple[StoredFile, ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class _Taken:
    gathered: Gathered
    submission: Submission
    target: Path


def take_together(
    custody: Custody, journal: Journal, sets: Sequence[Gathered], sync: Sync | None
) -> list[str | Exception]:
    """Take ``sets`` into custody; of each its ticket, or why it is not taken, as `Custody.take` would raise it.

    ``sync`` was opened before the first byte of them was written; without it each is synced by itself.
    A set that is not taken is back where it was, or in custody if nobody can tell whether the journal has it.
    """
    if sync is None or len(sets) <= _FEW:
        return [_take(custody, gathered) for gathered in sets]
    try:
        taken = _take_all(custody, journal, sets, sync)
    except CustodyDoubtfulError as fault:
        return [fault] * len(sets)
    except Exception:  # whichever of them it was: it is found out by trying each
        return [_take(custody, gathered) for gathered in sets]
    return [one.submission.ticket for one in taken]


def _take(custody: Custody, gathered: Gathered) -> str | Exception:
    try:
        return custody.take(gathered.folder, gathered.origin)
    except Exception as fault:  # whoever brought this set is told
        return fault


def _take_all(custody: Custody, journal: Journal, sets: Sequence[Gathered], sync: Sync) -> list[_Taken]:
    for gathered in sets:
        for file in gathered.files:
            custody.settle_doubts_like(gathered.origin.mailbox, file.name)
    taken = _seal_all(custody, sets)
    sync()
    moved: list[_Taken] = []
    try:
        for one in taken:
            make_folder(one.target.parent)
            os.rename(one.gathered.folder, one.target)  # noqa: PTH104 - called for every message
            moved.append(one)
        for parent in {one.target.parent for one in taken} | {one.gathered.folder.parent for one in taken}:
            sync_folder(parent)
        _record(custody, journal, taken)
    except CustodyDoubtfulError:
        for one in taken:
            custody.doubt(one.target, one.gathered.origin.mailbox, one.submission.name)
        raise
    except Exception:
        _put_back(custody, moved)
        raise
    return taken


def _seal_all(custody: Custody, sets: Sequence[Gathered]) -> list[_Taken]:
    """Write the envelope of each set."""
    taken = []
    for gathered in sets:
        ticket, received_at = new_ticket(), now()
        envelope = custody.envelope(ticket, received_at, gathered.origin)
        write_read_only(f"{gathered.folder}/{ENVELOPE}", json.dumps(envelope).encode())
        target = custody.folder(ticket, received_at)
        taken.append(_Taken(gathered, submission_of(envelope, gathered.files, gathered.origin.waited), target))
    return taken


def _record(custody: Custody, journal: Journal, taken: Sequence[_Taken]) -> None:
    is_written = False
    try:
        with journal.write() as connection:
            submissions.add(connection, *(one.submission for one in taken))
            is_written = True
    except Exception as fault:
        # All of them or none: it is one transaction, and it may have taken effect.
        recorded = custody.is_recorded(taken[0].submission.ticket)
        if recorded is None and is_written:
            raise CustodyDoubtfulError("the journal went away while it committed") from fault
        if not recorded:
            raise


def _put_back(custody: Custody, moved: Sequence[_Taken]) -> None:
    for one in moved:
        try:
            one.target.rename(one.gathered.folder)
        except OSError:
            custody.doubt(one.target, one.gathered.origin.mailbox, one.submission.name)
