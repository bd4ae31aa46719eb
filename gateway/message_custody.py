"""Custody of sets that came by message: many small ones together, large ones by themselves."""

import asyncio
import itertools
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gateway.message_sets import MessageSet
from gateway.together import Together
from spool.custody import Custody
from spool.custody_together import Gathered, take_together
from spool.files import make_folder
from spool.journal import Journal
from spool.syncing import Sync, reaches_the_disk, to_sync

_SMALL: Final = 1024 * 1024
"""A set of more bytes keeps no others waiting."""

_MOST: Final = 512
_LARGE_AT_ONCE: Final = 16


class MessageCustody:
    """Takes sets into custody.

    They are built in ``folder``, on the file system of the custody; what is in there is removed.
    """

    def __init__(self, folder: Path, custody: Custody, journal: Journal) -> None:
        if folder.exists():
            shutil.rmtree(folder)
        make_folder(folder)
        self._folder = folder
        self._custody = custody
        self._journal = journal
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
        self._can_sync_all = reaches_the_disk(mounts, folder.stat().st_dev)
        self._numbers = itertools.count(1)
        self._small = Together(self._take_all, _MOST)
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)

    async def take(self, waiting: MessageSet) -> str:
        """Take a set into custody and answer its ticket.

        Raises:
            OSError, TemporaryError: not now.
        """
        if waiting.size <= _SMALL:
            return await self._small.ask(waiting)
        async with self._large:
            [ticket] = await asyncio.to_thread(self._take_all, [waiting])
        if isinstance(ticket, Exception):
            raise ticket
        return ticket

    def _take_all(self, sets: Sequence[MessageSet]) -> list[str | Exception]:
        # A descriptor that is opened later is not told of what went wrong with the files before.
        with self._to_sync() as sync:
            gathered = [self._gather(waiting) for waiting in sets]
            whole = [one for one in gathered if isinstance(one, Gathered)]
            taken = iter(take_together(self._custody, self._journal, whole, sync))
        tickets = [next(taken) if isinstance(one, Gathered) else one for one in gathered]
        for one, ticket in zip(gathered, tickets, strict=True):
            if isinstance(one, Gathered) and isinstance(ticket, Exception):
                # Of no use; the bodies are still where they were.
                shutil.rmtree(one.folder, ignore_errors=True)
        return tickets

    @contextmanager
    def _to_sync(self) -> Iterator[Sync | None]:
        if self._can_sync_all:
            with to_sync(self._folder) as sync:
                yield sync
        else:
            yield None

    def _gather(self, waiting: MessageSet) -> Gathered | Exception:
        folder = self._folder / str(next(self._numbers))
        try:
            folder.mkdir(mode=0o750)
            files = [file for part in list(waiting.parts.values()) for file in part.write(folder)]
        except Exception as fault:  # of this set alone
            shutil.rmtree(folder, ignore_errors=True)
            return fault
        return Gathered(folder, tuple(sorted(files, key=lambda file: file.name)), waiting.origin)
