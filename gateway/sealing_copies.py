"""Does a second copy of every checkpoint stand where the gateway's disk is not?

Whoever can write the journal, the spool and use the key can take away the newest checkpoints with their events; a copy
elsewhere shows it. A copy is written before the journal records the checkpoint, and what was missed is made up for
later; there is never one replaced. Trouble with the copy stops nothing, and never costs the first: it is logged each
time, counted, and written into the journal when it begins and when it is over.
"""

import asyncio
import threading
from pathlib import Path
from typing import Final

import structlog

from config.administration import Evidence
from signing.durable import write_new
from spool.checkpoints import Checkpoints
from spool.journal import Journal, now
from spool.submissions import note

log = structlog.get_logger()

_SECONDS: Final = 30.0
_AGAIN: Final = 300_000_000
_AT_ONCE: Final = 1000


class CopyMisfitError(Exception):
    """What is in the folder of copies is not of these checkpoints; the message says what."""


class Copies:
    """The copies in ``folder``, of the checkpoints of one gateway."""

    def __init__(self, folder: Path) -> None:
        self.files = Checkpoints(folder)
        self._busy = threading.Lock()
        self._up_to: int | None = None
        self._is_failing = False
        self._tried_at = 0

    def is_due(self, ordinal: int, at: int) -> bool:
        """Whether something is missing, or not known, up to a checkpoint, and was not tried ``at`` about this time."""
        return self._up_to is None or (self._up_to < ordinal and at - self._tried_at >= _AGAIN)

    async def bring(self, first: Checkpoints, ordinal: int, journal: Journal) -> None:
        """Have a copy of every checkpoint of ``first`` up to ``ordinal``; trouble is told and not raised.

        Raises:
            JournalError: that it began, or is over, cannot be written down now.
        """
        self._tried_at = now()
        try:
            # A disk far away may hang, and what waits for it then is a thread; sealing goes on.
            await asyncio.wait_for(asyncio.to_thread(self.copy, first, ordinal), _SECONDS)
        except (OSError, CopyMisfitError) as fault:
            await self._failed(ordinal, _words(fault), journal)
        else:
            await self._went_well(ordinal, journal)

    async def _failed(self, ordinal: int, reason: str, journal: Journal) -> None:
        self._up_to = self._up_to or 0
        log.error("checkpoint.not_copied", checkpoint=ordinal, reason=reason)
        if not self._is_failing:
            await asyncio.to_thread(_note_failure, journal, ordinal, reason)
            self._is_failing = True

    async def _went_well(self, ordinal: int, journal: Journal) -> None:
        if self._is_failing:
            log.warning("checkpoint.copied", checkpoint=ordinal)
            await asyncio.to_thread(_note_success, journal, ordinal)
            self._is_failing = False

    def copy(self, first: Checkpoints, ordinal: int) -> None:
        """Copy what is missing up to ``ordinal``, some of it if it is very much.  Blocks on both disks.

        Raises:
            CopyMisfitError: there are checkpoints of another journal.
            OSError: one of the disks failed.
        """
        if not self._busy.acquire(blocking=False):
            raise TimeoutError("an earlier copy has not ended yet")
        try:
            missing = self._missing(first, ordinal)
            for number in missing[:_AT_ONCE]:
                content = first.path(number).read_bytes()
                try:
                    write_new(self.files.path(number), content, 0o440)
                except FileExistsError:
                    self._compare(first, number)
                self._up_to = number
            self._up_to = ordinal if len(missing) <= _AT_ONCE else self._up_to
        finally:
            self._busy.release()

    def _missing(self, first: Checkpoints, ordinal: int) -> list[int]:
        if self._up_to is not None and self._up_to > 0:
            return [*range(self._up_to + 1, ordinal + 1)]
        there = {int(path.stem) for path in self.files.folder.glob("[0-9]" * 10 + ".json")}
        if not self.files.folder.is_dir():
            # Made by nobody but an operator: where it hangs from a mount, the disk below must not be taken for it.
            raise FileNotFoundError(2, "there is no such folder")
        if newest := max(there, default=0):
            # One that was not recorded yet when a process died may be there, and is among the first too.
            if newest > ordinal and not first.path(newest).exists():
                raise CopyMisfitError(f"it has checkpoint {newest}, and the journal has {ordinal}")
            self._compare(first, newest)
        return [number for number in range(1, ordinal + 1) if number not in there]

    def _compare(self, first: Checkpoints, number: int) -> None:
        if self.files.path(number).read_bytes() != first.path(number).read_bytes():
            raise CopyMisfitError(f"it has another checkpoint {number}")

    def fault(self, first: Checkpoints) -> str:
        """The first copy that is not what the checkpoint is, in words; empty if all fit.  Missing ones are no fault.

        Raises:
            OSError: one of the disks failed.
        """
        for path in sorted(self.files.folder.glob("[0-9]" * 10 + ".json")):
            number = int(path.stem)
            if not first.path(number).exists():
                return f"checkpoint {number} is missing: its copy is {path}"
            if path.read_bytes() != first.path(number).read_bytes():
                return f"checkpoint {number} is not what its copy is, {path}"
        return ""

    def has(self, ordinal: int) -> bool:
        """Whether there is a copy of a checkpoint."""
        return self.files.path(ordinal).exists()


def open_copies(rules: Evidence) -> Copies | None:
    """The copies that the settings ask for."""
    return None if rules.copy_folder is None else Copies(rules.copy_folder)


def _words(fault: Exception) -> str:
    if isinstance(fault, TimeoutError):
        return "it takes too long"
    return (fault.strerror or type(fault).__name__) if isinstance(fault, OSError) else str(fault)


def _note_failure(journal: Journal, ordinal: int, reason: str) -> None:
    with journal.write() as connection:
        note(connection, None, "checkpoint.not_copied", checkpoint=ordinal, reason=reason)


def _note_success(journal: Journal, ordinal: int) -> None:
    with journal.write() as connection:
        note(connection, None, "checkpoint.copied", checkpoint=ordinal)
