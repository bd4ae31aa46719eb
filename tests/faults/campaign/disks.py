"""What disks do to a gateway under load: they are full, of bytes or of files, or their power is cut."""

import asyncio
import random
from collections.abc import Callable
from functools import partial
from typing import Final

from tests.faults.campaign.world import World
from tests.faults.ground import Memory

_FULL_SECONDS: Final = 1.5
_ROOM: Final = (0, 0, 4096, 20_000, 100_000)
"""So many bytes are left on a disk that is as good as full."""
_AFTER_CUT: Final = 0.3


async def fill(world: World, chance: random.Random) -> bool:
    """No room for one more page, or for a few."""
    ground = world.ground
    assert isinstance(ground, Memory)
    await _full(world, chance, partial(ground.fill, bytes_left=chance.choice(_ROOM)))
    return True


async def fill_inodes(world: World, chance: random.Random) -> bool:
    """No room for one more file."""
    assert isinstance(world.ground, Memory)
    await _full(world, chance, world.ground.fill_inodes)
    return True


async def _full(world: World, chance: random.Random, begin: Callable[[], None]) -> None:
    """Full for a while, in which the gateway may be killed too: then it starts on a disk that is full."""
    assert isinstance(world.ground, Memory)
    await asyncio.to_thread(begin)
    try:
        await asyncio.sleep(_FULL_SECONDS / 2)
        if chance.random() < 1 / 4:
            world.kill()
        await asyncio.sleep(_FULL_SECONDS / 2)
    finally:
        await asyncio.to_thread(world.ground.empty)


async def cut_power(world: World, chance: random.Random, *, log_written: bool) -> bool:
    """All at once; what the gateway goes on to do then it does in vain."""
    await asyncio.sleep(chance.uniform(0.05, 0.8))
    await asyncio.to_thread(world.cut_power, log_written=log_written, seconds=chance.uniform(0, _AFTER_CUT))
    return True
