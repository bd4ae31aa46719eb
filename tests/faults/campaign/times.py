"""What clocks do to a gateway under load: set forwards and back, past midnight, into summer time and out of it.

Nobody is told of it.  Where a clock is set to shortly before a moment, that moment passes under load.
"""

import asyncio
import random
from typing import Final

from tests.faults.campaign.world import World
from tests.faults.clock import SECOND, next_change

_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR * SECOND
_SHORTEST: Final = _HOUR // 2
_LONGEST: Final = 5 * _HOUR
_BEFORE: Final = SECOND // 2
_PASSING: Final = 1.0


async def forwards(world: World, chance: random.Random) -> bool:
    """By hours."""
    world.clock.jump(int(chance.uniform(_SHORTEST, _LONGEST) * SECOND))
    return True


async def backwards(world: World, chance: random.Random) -> bool:
    """By hours, but never before the true time: keys and lists would not be valid yet."""
    by = min(world.clock.ahead, int(chance.uniform(_SHORTEST, _LONGEST) * SECOND))
    world.clock.jump(-by)
    return by >= _SHORTEST * SECOND


async def midnight(world: World, chance: random.Random) -> bool:
    """In UTC: the day by which custody is kept changes."""
    await _pass(world, world.clock.now() // _DAY * _DAY + _DAY)
    return True


async def back_over_midnight(world: World, chance: random.Random) -> bool:
    """A day has begun, and the clock is set to the evening before, which passes again."""
    last = world.clock.now() // _DAY * _DAY
    if last - world.clock.now() + world.clock.ahead < SECOND:
        return False  # that midnight was before the true time
    await _pass(world, last)
    return True


async def change(world: World, chance: random.Random, *, to_summer: bool) -> bool:
    """An hour is left out, or there twice, by the clock on the wall."""
    await _pass(world, next_change(world.clock.now(), to_summer=to_summer))
    return True


async def _pass(world: World, moment: int) -> None:
    world.clock.jump(moment - _BEFORE - world.clock.now())
    await asyncio.sleep(_PASSING)
