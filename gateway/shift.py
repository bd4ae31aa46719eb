"""Which work is this process's, where several share one journal?

It holds leases on rounds that one goes at a time (:mod:`spool.leases`) and claims on what it judges
(:mod:`spool.claims`), puts their end off while it lives, and takes over what processes leave that are gone.
"""

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from config.roles import Role
from spool import claims, leases, processes
from spool.claims import Claim, Waiting
from spool.journal import Journal

log = structlog.get_logger()

_PARTS: Final = 3


@dataclass(slots=True)
class Shift:
    """The work of the process ``holder``, for ``seconds`` at a time."""

    journal: Journal
    spool: Path
    holder: str
    seconds: float
    _mine: dict[str, float] = field(default_factory=dict)
    _judged: set[str] = field(default_factory=set)
    _rests: dict[str, float] = field(default_factory=dict)

    async def has(self, name: str) -> bool:
        """Whether the round ``name`` is ours, if need be from now on.

        Raises:
            JournalError: nobody can tell.
        """
        if time.monotonic() < self._rests.get(name, 0.0):
            return False
        # Its memory is no longer good than the lease: the database may have been away meanwhile, and others not.
        if time.monotonic() < self._mine.get(name, 0.0):
            return True
        begun = time.monotonic()
        if not await asyncio.to_thread(self._take, name):
            self._mine.pop(name, None)
            return False
        if name not in self._mine:
            log.info("shift.begun", round=str(name))
        self._mine[name] = begun + self.seconds
        return True

    async def pass_on(self, name: str) -> None:
        """Leave the round ``name`` to others for a while, if there are any who could go it: here it is in trouble.

        Raises:
            JournalError: they have to wait until the lease runs out.
        """
        others = [one for one in processes.alive(self.spool) if one.id != self.holder and Role.DELIVER in one.roles]
        if name not in self._mine or not others:
            return
        self._mine.pop(name, None)
        self._rests[name] = time.monotonic() + self.seconds
        await asyncio.to_thread(self._give_up, name)

    def _give_up(self, name: str) -> None:
        with self.journal.claim() as connection:
            leases.give_up(connection, {self.holder}, name)

    def claim(self, limit: int, after: str, without: Collection[str]) -> list[Waiting]:
        """Submissions to judge, claimed, but those ``without``, which are being judged; blocks on the journal.

        Raises:
            JournalError: nothing can be claimed.
        """
        with self.journal.claim() as connection:
            at = leases.clock(connection)
            until = at + int(self.seconds * 1_000_000)
            wanted = Claim(self.holder, at, until)
            waiting = claims.claim(connection, wanted, limit, after=after, without=without)
        self._judged.update(one.ticket for one in waiting)
        return waiting

    def judged(self, ticket: str) -> None:
        """It is no longer being judged here."""
        self._judged.discard(ticket)

    async def keep(self) -> float:
        """Put off the end of what is ours, and take over what is nobody's any more; answers seconds until next time.

        Raises:
            JournalError: it can't be done now; others may take over soon.
        """
        await asyncio.to_thread(self._keep)
        return self.seconds / _PARTS

    def _take(self, name: str) -> bool:
        with self.journal.claim() as connection:
            return leases.take(connection, name, self.holder, self.seconds)

    def _keep(self) -> None:
        self.take_over()
        with self.journal.claim() as connection:
            begun, known = time.monotonic(), sorted(self._mine)
            kept = {name for name in known if leases.take(connection, name, self.holder, self.seconds)}
            until = leases.clock(connection) + int(self.seconds * 1_000_000)
            claims.renew(connection, self.holder, tuple(self._judged), until)
        for name in known:
            if name in kept and name in self._mine:  # it may have been passed on meanwhile
                self._mine[name] = begun + self.seconds
            elif self._mine.pop(name, None) is not None:
                log.warning("shift.lost", round=str(name))

    def take_over(self) -> None:
        """Free what processes have left that are gone; blocks on the journal.

        Raises:
            JournalError: it can't be done now.
        """
        with self.journal.read() as connection:
            known = claims.holders(connection) | leases.holders(connection)
        if left := processes.gone(self.spool, known - {self.holder}):
            self._free(left)

    def _free(self, left: Collection[str]) -> None:
        with self.journal.claim() as connection:
            freed = claims.give_up(connection, left)
            rounds = leases.give_up(connection, left)
        log.info("shift.taken_over", processes=len(left), submissions=freed, rounds=rounds)

    def end(self) -> None:
        """Leave everything to others at once; blocks on the journal.

        Raises:
            JournalError: they have to wait until it runs out.
        """
        self._mine.clear()
        self._judged.clear()
        with self.journal.claim() as connection:
            claims.give_up(connection, {self.holder})
            leases.give_up(connection, {self.holder})
