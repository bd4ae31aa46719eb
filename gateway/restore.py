"""Is a backup whole and ours, and how does a site begin again from it?

Verified before anything is written: our signature, the SHA-256 of every file and that there is no other, the chain of
events and its checkpoints. It goes only where there is nothing, and carries nothing out: that is for ``gateway serve``.
The journal is put in its place last: what a restore that was cut off leaves is a site that does not start.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from config.errors import ConfigurationError
from gateway.backup import FILES, HEAD, JOURNAL, SIGNATURE, SITE, Head
from gateway.sealing import verify_journal
from signing.own.check import fault_of
from spool import chain, effects
from spool.checkpoints import CHECKPOINTS, Checkpoint, Checkpoints
from spool.database import Place
from spool.effects import Kind
from spool.files import held_alone, make_folder, sync_folder
from spool.journal import Journal, open_journal
from spool.journal_backup import make_plain
from spool.journal_copy import copy, filled
from spool.submissions import OPEN_STATES, note
from spool.tables import effects as planned
from spool.tables import submissions

_RESTORING: Final = ".restoring.sqlite3"
_MAX_BYTES: Final = 64 * 1024
_BESIDE: Final = ("", "-wal", "-shm")


class BackupMisfitError(Exception):
    """The first thing about a backup that does not fit; the message says which."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back: the backup's head, submissions without a verdict, and declarations to be sent (again)."""

    head: Head
    undecided: int
    forwards: int


def verify(folder: Path, certificates: Collection[bytes]) -> tuple[Head, Mapping[str, str]]:
    """The head of a backup and the SHA-256 (hex) of its files by their names, if its files are what was signed.

    Args:
        certificates: those of the gateway, DER

    Raises:
        BackupMisfitError: they are not.
        OSError: something cannot be read.
    """
    head = _signed_head(folder, certificates)
    if _digest(folder / FILES) != head.manifest:
        raise BackupMisfitError(f"{FILES} was changed")
    listed = dict(_listed(folder / FILES))
    for name, digest in listed.items():
        if not (folder / name).is_file():
            raise BackupMisfitError(f"{name} is missing")
        if _digest(folder / name) != digest:
            raise BackupMisfitError(f"{name} was changed")
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    if more := there - set(listed) - {FILES, HEAD, SIGNATURE}:
        raise BackupMisfitError(f"{min(more)} was put in")
    return head, listed


def restore(folder: Path, spool: Path, place: Place, certificates: Collection[bytes]) -> Restored:
    """Put a backup into a site without journal and spool.

    Args:
        place: where the journal goes

    Raises:
        BackupMisfitError: the backup is not whole; nothing was put anywhere.
        ConfigurationError: there is something already.
        OSError, JournalError: it is not finished, and the site does not start.
    """
    head, listed = verify(folder, certificates)
    with held_alone(spool):
        _refuse_filled(spool, place)
        working = spool / _RESTORING
        _remove(working)
        shutil.copyfile(folder / JOURNAL, working)
        journal = open_journal(working, upgrade=True)
        try:
            _verify_chain(folder, journal, head, certificates)
            _put(folder, spool, listed)
            restored = _record(journal, head)
        except BaseException:
            journal.close()
            _remove(working)
            raise
        _settle(journal, working, place)
    return restored


def newest_copy(copies: Checkpoints, certificates: Collection[bytes]) -> Checkpoint | None:
    """The newest checkpoint in the second place, if it is ours; None if there is none.

    Raises:
        ValueError: it is no checkpoint, or not ours.
        OSError: it cannot be read.
    """
    sealed = copies.load(copies.highest())
    if sealed is None:
        return None
    if wrong := fault_of(sealed.checkpoint.statement(), sealed.signature, certificates):
        raise ValueError(wrong)
    return sealed.checkpoint


def _signed_head(folder: Path, certificates: Collection[bytes]) -> Head:
    try:
        with (folder / HEAD).open("rb") as file:
            written = file.read(_MAX_BYTES)
        signature = (folder / SIGNATURE).read_bytes()
    except FileNotFoundError:
        raise BackupMisfitError(f"there is no {HEAD}: this is no backup, or one that was not finished") from None
    if wrong := fault_of(written, signature, certificates):
        raise BackupMisfitError(f"{HEAD}: {wrong}")
    try:
        return Head(**json.loads(written))
    except (ValueError, TypeError) as fault:
        raise BackupMisfitError(f"{HEAD} is not written as it must be") from fault


def _listed(path: Path) -> Iterator[tuple[str, str]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            digest, _, name = line.rstrip("\n").partition("  ")
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise BackupMisfitError(f"{FILES} names a file outside")
            yield name, digest


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refuse_filled(spool: Path, place: Place) -> None:
    faults = [
        f"{path} has something in it"
        for path in sorted(spool.iterdir())
        if not path.name.startswith(".") and (path.is_file() or any(below.is_file() for below in path.rglob("*")))
    ]
    if not isinstance(place, Path) or place.exists():
        journal = open_journal(place, create=True)
        with journal.read() as connection:
            faults += [f"the journal has something in it: {name}" for name in filled(connection)]
        journal.close()
    if faults:
        raise ConfigurationError(faults)


def _verify_chain(folder: Path, journal: Journal, head: Head, certificates: Collection[bytes]) -> None:
    with journal.read() as connection:
        found = verify_journal(connection, Checkpoints(folder / CHECKPOINTS), certificates)
        end = chain.end(connection)
    if isinstance(found, str):
        raise BackupMisfitError(found)
    if (end.number, end.digest, found.checkpoints) != (head.event, head.digest, head.checkpoint):
        raise BackupMisfitError(f"the journal does not end where {HEAD} says")


def _put(folder: Path, spool: Path, listed: Mapping[str, str]) -> None:
    """Copy the files, which may have changed since they were verified."""
    for name, digest in listed.items():
        if name == JOURNAL or name.startswith(f"{SITE}/"):
            continue
        target = spool / name
        make_folder(target.parent)
        shutil.copyfile(folder / name, target)
        shutil.copymode(folder / name, target)
        if _digest(target) != digest:
            raise BackupMisfitError(f"{name} has changed meanwhile")
    os.sync()


def _record(journal: Journal, head: Head) -> Restored:
    waiting = sa.select(sa.func.count()).select_from(submissions).where(submissions.c.state.in_(OPEN_STATES))
    forwards = (
        sa.select(sa.func.count())
        .select_from(planned)
        .where(planned.c.kind == Kind.FORWARD, planned.c.state.in_(effects.OPEN))
    )
    with journal.write() as connection:
        note(connection, None, "journal.restored", at=head.at, event=head.event, manifest=head.manifest)
        return Restored(head, connection.execute(waiting).scalar_one(), connection.execute(forwards).scalar_one())


def _settle(journal: Journal, working: Path, place: Place) -> None:
    """Put the journal where the site has it, whole or not at all."""
    if not isinstance(place, Path):
        goal = open_journal(place, create=True)
        copy(journal, goal)
        goal.close()
        journal.close()
        _remove(working)
        return
    journal.close()
    make_plain(working)
    make_folder(place.parent)
    beside = place.with_name(f".{place.name}.restoring")
    shutil.copyfile(working, beside)
    with beside.open("rb") as file:
        os.fsync(file.fileno())
    _remove(place)
    beside.rename(place)
    sync_folder(place.parent)
    _remove(working)


def _remove(path: Path) -> None:
    """Remove a SQLite file with what SQLite keeps beside it."""
    for ending in _BESIDE:
        path.with_name(path.name + ending).unlink(missing_ok=True)
