"""What do all doors need before and while they are open?

What a process that died took but did not record is recorded; and where the forwarding and the sealing may be another
process's, what they would have told the doors is looked up: whether too much waits, or evidence can't be written.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog

from gateway.log_of_submissions import report_recovered
from gateway.rounds import Round
from gateway.serving.equipment import Equipment
from gateway.serving.turns import running
from spool import chain, checkpoints, processes, submissions
from spool.custody import Custody
from spool.journal import Journal, now
from spool.upload import IntakeLimits

log = structlog.get_logger()

_LOOK: Final = 5.0
_RECOVER: Final = 60.0
_FIRST_SEALING: Final = 300.0


@asynccontextmanager
async def open_intake(equipment: Equipment) -> AsyncIterator[None]:
    """Keep what is behind the doors in order for the time of the block; to be opened before they are.

    Raises:
        JournalError: the journal cannot be read or written.
    """
    journal, limits = equipment.journal, equipment.limits
    custody, spool = equipment.custody, equipment.settings.spool.path
    await asyncio.to_thread(recover, custody, journal, spool)
    started, grace = time.monotonic(), min(_FIRST_SEALING, equipment.settings.evidence.max_unsealed_seconds)
    await asyncio.to_thread(look, journal, limits, by_age=False)

    async def settle() -> float:
        settled = await asyncio.to_thread(custody.settle_doubts)
        await asyncio.to_thread(report_recovered, journal, settled)
        return _LOOK

    async def look_again() -> float:
        await asyncio.to_thread(look, journal, limits, by_age=time.monotonic() - started >= grace)
        return _LOOK

    async def recover_again() -> float:
        await asyncio.to_thread(recover, custody, journal, spool)
        return _RECOVER

    turns = [equipment.calendar.follow(), equipment.rounds.go(Round.SETTLE, settle)]
    if equipment.is_shared:
        turns.append(equipment.rounds.go(Round.LOOK, look_again))
        turns.append(equipment.rounds.go(Round.RECOVER, recover_again, _RECOVER))
    async with running(turns):
        yield


def recover(custody: Custody, journal: Journal, spool: Path) -> None:
    """Record what was taken into custody by a process that died before it could."""
    unrecorded = custody.recover(lambda process: not process or bool(processes.gone(spool, [process])))
    if not unrecorded:
        return
    with journal.write() as connection:
        for ticket in unrecorded:
            submissions.note(connection, ticket, "custody.recovered")
    log.info("gateway.recovered", unrecorded_submissions=len(unrecorded))


def look(journal: Journal, limits: IntakeLimits, *, by_age: bool) -> None:
    """See whether intake has to wait; blocks on the journal and the disk.

    Args:
        by_age: whether it waits for what is unsealed for long, too: after a standstill everything is, and the first
            sealing comes before that is looked at
    """
    if limits.backlog is not None:
        limits.backlog.measure()
    if limits.unsealed is not None:
        oldest = _oldest_unsealed(journal) if by_age else None
        limits.unsealed.look(oldest, now())


def _oldest_unsealed(journal: Journal) -> int | None:
    with journal.read() as connection:
        oldest = chain.after(connection, checkpoints.latest(connection).last, 1)
    return oldest[0].at if oldest else None
