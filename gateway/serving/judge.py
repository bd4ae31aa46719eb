"""The judge: what is in custody gets its verdict and its signed answer."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy.engine import Connection

from gateway.judge import Judge
from gateway.judging import Judging
from gateway.pipeline import Pipeline
from gateway.rounds import Round
from gateway.serving.equipment import Equipment
from gateway.serving.turns import running
from gateway.shift import Shift
from spool import declarations, submissions
from spool.effects import Kind, tickets_with_pending
from spool.journal import Journal
from spool.outbox import Outbox
from spool.wanted import Wanted

FORGOTTEN_SECONDS: Final = 6 * 3600.0
"""How old a file of declarations is when no judge anywhere is about to promise that it is forwarded."""


@asynccontextmanager
async def open_judge(equipment: Equipment, shift: Shift | None) -> AsyncIterator[None]:
    """Judge for the time of the block.

    Raises:
        JournalError: the journal cannot be written.
    """
    settings, journal, rounds = equipment.settings, equipment.journal, equipment.rounds
    spool = settings.spool.path
    assert equipment.workers is not None  # noqa: S101 - by the role, see equipment
    assert equipment.keys is not None  # noqa: S101 - likewise
    judge = Judge(settings, journal, equipment.custody, equipment.workers)
    pipeline = Pipeline(
        journal=journal,
        judge=judge,
        keys=equipment.keys,
        zone=equipment.zone,
        outbox=Outbox(spool / "answers", is_shared=equipment.is_shared, hung=equipment.settings.journal.lease_seconds),
        declarations=spool / "declarations",
        stamping=equipment.stamping,
        compress_above=settings.answers.compress_above_bytes,
        routing=settings.routing,
    )
    older_than = time.time() - FORGOTTEN_SECONDS if journal.has_many_hosts else math.inf
    await asyncio.to_thread(drop_forgotten, journal, pipeline.declarations, older_than)
    await asyncio.to_thread(hasten, journal)
    wanted = Wanted(spool) if settings.trust.fetch else None
    judging = Judging(pipeline, settings.judging, wanted, rounds.ring, shift)
    async with running([rounds.go(Round.JUDGE, judging.turn)], judging.stop):
        yield


def drop_forgotten(journal: Journal, root: Path, older_than: float = math.inf) -> None:
    """Remove files of declarations that no effect needs, written before ``older_than`` (seconds since the epoch).

    They are those of verdicts that a process died over.
    """
    with journal.read() as connection:
        declarations.sweep(root, partial(_still_to_forward, connection), older_than)


def _still_to_forward(connection: Connection, tickets: Collection[str]) -> Collection[str]:
    return tickets_with_pending(connection, Kind.FORWARD, among=tickets)


def hasten(journal: Journal) -> None:
    """What was held before the start may be judged now: whatever it waited for may have changed."""
    with journal.write() as connection:
        submissions.hasten(connection)
