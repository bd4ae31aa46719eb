"""The course of one world: fault after fault under load, each followed by a comparison, and what it all came to."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from tests.faults.campaign.faults import Fault
from tests.faults.campaign.figures import Line
from tests.faults.campaign.world import World

_AFTER: Final = 30.0
"""After each fault senders are given so many seconds to be told OK again."""


@dataclass(frozen=True, slots=True)
class Course:
    """What is done on which database, and how many sets are told OK between two of its faults."""

    database: str
    turns: Iterable[Fault]
    sets: int = 1


async def run(world: World, course: Course, chance: random.Random, say: Callable[[str], None]) -> Line:
    """Do it all to a world; ``say`` is told how far it is.  What did not come about is not counted."""
    try:
        return await _run(world, course, chance, say)
    finally:
        await asyncio.to_thread(world.clear)


async def _run(world: World, course: Course, chance: random.Random, say: Callable[[str], None]) -> Line:
    began = time.monotonic()
    killed, hurt = Counter[str](), Counter[str]()
    async with world.at_work():
        for fault in course.turns:
            if await fault.strike(world, chance):
                (killed if fault.is_kill else hurt)[fault.name] += 1
            await world.more_told(course.sets, _AFTER)
            found = await asyncio.to_thread(world.reconcile)
            counts = f"{world.sent} told OK, {killed.total()} kills, {hurt.total()} faults"
            say(f"{course.database}: {counts}; {fault.name}; {len(found)} misfits")
    outcome = await asyncio.to_thread(world.close)
    return Line(course.database, dict(killed), dict(hurt), outcome, time.monotonic() - began)
