"""Arrive, gather, custody: from a finished upload to a submission the gateway answers for.

A set is taken as soon as it is complete, whichever file came last; a set that stays incomplete is taken when its time
is up, so that it gets an answer too.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path

import structlog

from config.errors import TemporaryError
from gateway import parties
from gateway.lane import Lane, Leave
from gateway.log_of_submissions import report_recovered, report_taken
from gateway.signature_rules import signature_files
from spool.custody import Custody, CustodyDoubtfulError, Origin
from spool.gather import SignatureFiles, closing_name, is_complete, is_complete_anyhow, naming_file
from spool.intake import Intake
from spool.journal import Journal
from spool.mailbox import Mailbox, MailboxRefusal
from spool.received_files import names_in
from spool.settling import Fingerprints, fingerprint

log = structlog.get_logger()

_UPLOADED_BY = ".uploaded-by"
_QUIET_SECONDS = 5.0  # while more follow, a sender is not held up by the disk
_NANO = 1_000_000_000
_TOGETHER = 50


class CustodyFailedError(TemporaryError):
    """Custody could not be taken; the sender's GO is not accepted."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a GO waits for its parts, that parts wait for their GO, and that temporary names are kept."""

    parts: float
    start_file: float


@dataclass(frozen=True, slots=True)
class _Look:
    """A set that waits for its GO, on the disk: when its folder had changed, and (seconds) its newest file."""

    changed_at: int
    newest: float


class Reception:
    """Takes sets into custody; ``taken`` is called after each."""

    def __init__(
        self, intake: Intake, custody: Custody, journal: Journal, patience: Patience, taken: Callable[[], None]
    ) -> None:
        self._intake = intake
        self._custody = custody
        self._journal = journal
        self.patience = patience
        self._taken = taken
        self._lane = Lane()
        self._closing = threading.Event()
        self._uploaders: dict[Path, str] = {}
        self._looked_at: dict[Path, _Look] = {}

    def close(self) -> None:
        """Let a sweep that is under way end with the set it is at, and write down who has uploaded what waits."""
        self._closing.set()
        for folder in list(self._uploaders):
            with suppress(OSError):
                self._note_uploader(folder)

    def is_waiting(self, mailbox: Mailbox, username: str, name: str) -> bool:
        """Whether a file that has just got its name is a part of a set that nothing has closed yet; does not block."""
        with self._intake.at_once(mailbox) as free:
            if not free:
                return False
            folder = self._intake.set_folder(mailbox, name)
            names = [name] if self._intake.is_alone(folder, name) else names_in(folder)
            if name not in names or closing_name(names) is not None:
                return False
            # The sweep writes it down; nearly always the rest of the set comes before.
            self._uploaders[folder] = username
            return True

    async def arrived(self, mailbox: Mailbox, username: str, name: str, since: float | None = None) -> None:
        """A file has got its final name: if its set is complete now, custody is taken before this returns.

        Raises:
            CustodyFailedError: it could not be taken.  The file is gone again: sending it once more is enough.
        """
        ticket = await asyncio.to_thread(self._lane.go, partial(self._gather, mailbox, username, name, since))
        if ticket is not None:
            report_taken(ticket, mailbox, name, since)
            self._taken()

    def _gather(self, mailbox: Mailbox, username: str, name: str, since: float | None, leave: Leave) -> str | None:
        folder = self._intake.set_folder(mailbox, name)
        synced = self._prepare(mailbox, name, folder)
        with self._intake.locked(mailbox):
            names = names_in(folder)
            if name not in names:
                return None  # another connection's file completed the set, and it was taken with ours
            try:
                if not self._is_complete(mailbox, names):
                    self._uploaders[folder] = username
                    if closing_name(names) is not None:
                        # The OK to a GO that came first promises an answer too.
                        self._note_uploader(folder)
                        self._intake.settle_all(mailbox, folder)
                    return None
                return self._take(folder, names, Origin("sftp", mailbox, username, since=since, moved=leave), synced)
            except (OSError, TemporaryError) as fault:
                self._take_back(mailbox, name)
                raise CustodyFailedError("custody could not be taken") from fault

    def _is_complete(self, mailbox: Mailbox, names: list[str]) -> bool:
        """Whether it is whole by its sender's rules; of few sets the journal has to be asked what those are."""
        if is_complete_anyhow(names):
            return True
        rule = None if closing_name(names) is None else self._rule(mailbox)
        return rule is not None and is_complete(names, rule)

    def _prepare(self, mailbox: Mailbox, name: str, folder: Path) -> Fingerprints:
        """Write what may be large onto the disk before anybody has to wait for the mailbox."""
        names = names_in(folder)
        if closing_name(names) is None:
            return frozenset()
        try:
            return self._intake.sync(mailbox, folder, names=names)
        except OSError as fault:
            self._take_back(mailbox, name)
            raise CustodyFailedError("the disk did not take the files") from fault

    def _take(self, folder: Path, names: list[str], origin: Origin, synced: Fingerprints = frozenset()) -> str:
        seen = {name: fingerprint(os.lstat(f"{folder}/{name}")) for name in names}
        if not synced.issuperset(seen.values()):  # another connection may have brought a file since
            synced = self._intake.sync(origin.mailbox, folder, synced, names)
        size = sum(size for _, _, size in seen.values())
        self._intake.check(origin.mailbox)
        try:
            ticket = self._custody.take(folder, origin, synced, seen)
        except CustodyDoubtfulError:
            if not folder.exists():
                self._intake.left(origin.mailbox, folder, size)
            raise
        self._intake.left(origin.mailbox, folder, size)
        self._uploaders.pop(folder, None)
        return ticket

    def _take_back(self, mailbox: Mailbox, name: str) -> None:
        try:
            self._intake.remove(mailbox, name)
        except (OSError, MailboxRefusal):
            log.warning("custody.take_back_failed", sender=mailbox.sender, directory=mailbox.directory)

    async def sweep(self) -> int:
        """Take every set that is complete or has waited long enough; answers how many were taken."""
        if count := await asyncio.to_thread(self._sweep):
            self._taken()
        return count

    def _sweep(self) -> int:
        count = self._settle_doubts()
        before, self._looked_at = self._looked_at, {}
        for mailbox, sets in groupby(self._intake.sets(), itemgetter(0)):
            changed = (folder for _, folder in sets if not self._need_not_look(folder, before.get(folder)))
            while (some := list(islice(changed, _TOGETHER))) and not self._closing.is_set():
                with _told(mailbox):
                    count += self._look(mailbox, some, self._rule(mailbox))
        self._forget_uploaders()
        self._intake.settle_temporary()
        self._intake.expire_temporary(time.time() - self.patience.start_file)
        return count

    def _need_not_look(self, folder: Path, known: "_Look | None") -> bool:
        """Whether a set that was found to wait for its GO has not changed since, and may wait on."""
        if known is None or _changed_at(folder) != known.changed_at:
            return False
        self._looked_at[folder] = known
        return time.time() < known.newest + self.patience.start_file

    def _look(self, mailbox: Mailbox, folders: list[Path], rule: SignatureFiles | None) -> int:
        """Put onto the disk what is there, and take what is due; answers how many were taken."""
        settled, count = self._settled(mailbox, folders), 0
        for folder in folders:
            # One set that cannot be taken must not keep the others waiting.
            with _told(mailbox):
                if self._take_if_due(mailbox, folder, rule):
                    count += 1
                elif folder in settled:
                    self._remember(mailbox, folder, settled[folder])
        return count

    def _settled(self, mailbox: Mailbox, folders: list[Path]) -> dict[Path, int]:
        """Those into which no file came just now, on the disk, and when that was."""
        late = time.time() - _QUIET_SECONDS
        quiet = [folder for folder in folders if _changed_at(folder) / _NANO <= late]
        for folder in quiet:
            with _told(mailbox), self._intake.locked(mailbox):
                self._note_uploader(folder)
        changed_at = {folder: _changed_at(folder) for folder in quiet}
        try:
            # For all of them the disk is waited for as often as it would be for one.
            self._intake.settle(mailbox, *quiet)
        except OSError:
            for folder in quiet:
                changed_at.pop(folder)
                with _told(mailbox):
                    self._intake.settle(mailbox, folder)
        return changed_at

    def _remember(self, mailbox: Mailbox, folder: Path, changed_at: int) -> None:
        """A set that waits for its GO need not be looked at again before it changes or its time is up."""
        with self._intake.locked(mailbox):
            names = names_in(folder)
            if names and closing_name(names) is None:
                newest = max((folder / name).stat().st_mtime for name in names)
                self._looked_at[folder] = _Look(changed_at, newest)

    def _note_uploader(self, folder: Path) -> None:
        username = self._uploaders.get(folder)
        if username is not None:
            with suppress(FileNotFoundError):  # the set was taken
                (folder / _UPLOADED_BY).write_text(username, encoding="utf-8")
            if self._uploaders.get(folder) == username:
                self._uploaders.pop(folder, None)

    def _forget_uploaders(self) -> None:
        """Another door may have taken the set."""
        for folder in list(self._uploaders):
            if not folder.exists():
                self._uploaders.pop(folder, None)

    def _settle_doubts(self) -> int:
        try:
            settled = self._custody.settle_doubts()
        except (OSError, TemporaryError) as fault:
            log.error("custody.in_doubt", fault=type(fault).__name__)
            return 0
        report_recovered(self._journal, settled)
        return len(settled)

    def _take_if_due(self, mailbox: Mailbox, folder: Path, rule: SignatureFiles | None) -> bool:
        with self._intake.locked(mailbox):
            names = names_in(folder)
            if not names or not self._is_due(mailbox, folder, names, rule):
                return False
            uploader = self._uploaders.get(folder) or _uploader(folder)
            ticket = self._take(folder, names, Origin("sftp", mailbox, uploader))
        report_taken(ticket, mailbox, naming_file(names))
        return True

    def _is_due(self, mailbox: Mailbox, folder: Path, names: list[str], rule: SignatureFiles | None) -> bool:
        closing = closing_name(names)
        if rule is not None and is_complete(names, rule):
            return True
        newest = max((folder / name).stat().st_mtime for name in names)
        waited = time.time() - (newest if closing is None else (folder / closing).stat().st_mtime)
        patience = self.patience.start_file if closing is None else self.patience.parts
        return waited >= patience and not self._intake.is_growing(mailbox, folder)

    def _rule(self, mailbox: Mailbox) -> SignatureFiles | None:
        with self._journal.read() as connection:
            profile = parties.signature_of(connection, mailbox.sender)
        return None if profile is None else signature_files(profile, mailbox.directory)


@contextmanager
def _told(mailbox: Mailbox) -> Iterator[None]:
    """Log what goes wrong in the block, and go on: the next sweep tries again."""
    try:
        yield
    except (OSError, TemporaryError) as fault:
        log.error("custody.failed", fault=type(fault).__name__, sender=mailbox.sender, directory=mailbox.directory)


def _changed_at(folder: Path) -> int:
    """When the last file came into ``folder``, in nanoseconds since the epoch; now if it is gone."""
    try:
        return folder.stat().st_mtime_ns
    except FileNotFoundError:
        return time.time_ns()


def _uploader(folder: Path) -> str:
    path = folder / _UPLOADED_BY
    return path.read_text(encoding="utf-8") if path.exists() else ""
