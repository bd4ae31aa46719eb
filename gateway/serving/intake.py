"""What do all doors need before and while they are open?

What a process that died took but did not record is recorded; and while the forwarding and the sealing are done by
another process, what they would have told the doors is looked up: whether too much waits, or evidence can't be written.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog

from config.roles import Role
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


@asynccontextmanager
async def open_intake(equipment: Equipment) -> AsyncIterator[None]:
    """Keep what is behind the doors in order for the time of the block; to be opened before they are.

    Raises:
        JournalError: the journal cannot be read or written.
    """
    journal, limits = equipment.journal, equipment.limits
    custody, spool = equipment.custody, equipment.settings.spool.path
    await asyncio.to_thread(recover, custody, journal, spool)
    await asyncio.to_thread(look, journal, limits)

    async def settle() -> float:
        for ticket in await asyncio.to_thread(custody.settle_doubts):
            log.info("custody.recovered", ticket=ticket)
        return _LOOK

    async def look_again() -> float:
        await asyncio.to_thread(look, journal, limits)
        return _LOOK

    async def recover_again() -> float:
        await asyncio.to_thread(recover, custody, journal, spool)
        return _RECOVER

    turns = [equipment.calendar.follow(), equipment.rounds.go(Round.SETTLE, settle)]
    if Role.DELIVER not in equipment.roles:
        turns.append(equipment.rounds.go(Round.LOOK, look_again))
    if equipment.is_shared:
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


def look(journal: Journal, limits: IntakeLimits) -> None:
    """See whether intake has to wait; blocks on the journal and the disk."""
    if limits.backlog is not None:
        limits.backlog.measure()
    if limits.unsealed is not None:
        with journal.read() as connection:
            oldest = chain.after(connection, checkpoints.latest(connection).last, 1)
        limits.unsealed.look(oldest[0].at if oldest else None, now())
