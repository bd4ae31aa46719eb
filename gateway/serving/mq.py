"""The doors of message queues: senders', institutions', and the broker's questions about who may come in."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from config.errors import TemporaryError
from gateway.answer import Desk
from gateway.broker_access import open_broker_access
from gateway.institutions import WayBack, take_back
from gateway.message_door import Behind, Bounds, open_message_door
from gateway.rounds import Round
from gateway.serving.equipment import Equipment
from gateway.serving.intake import recover
from gateway.serving.turns import running
from gateway.shift import Shift
from spool import processes
from spool.files import make_folder
from spool.processes import Process

_LOOK: Final = 1.0


@asynccontextmanager
async def open_mq(equipment: Equipment, me: Process, shift: Shift | None) -> AsyncIterator[None]:
    """Take messages for the time of the block, as far as the settings say so.

    Raises:
        ConfigurationError: there is no broker, or an address, a file or a port cannot be used.
    """
    settings, journal, rounds = equipment.settings, equipment.journal, equipment.rounds
    behind = Behind(
        equipment.custody,
        journal,
        equipment.publisher,
        partial(rounds.ring, Round.JUDGE),
        equipment.limits.is_held_up,
        own_folder(settings.spool.path / "messages", me, is_shared=journal.has_many_hosts),
    )
    bounds = Bounds(settings)
    equipment.taking_over.append(bounds.take_over)
    async with AsyncExitStack() as stack:
        if settings.back.enabled:
            folder = own_folder(settings.spool.path / "back", me, is_shared=journal.has_many_hosts)
            await stack.enter_async_context(running([take_back(settings, _way_back(equipment, folder))]))
        if shift is None:
            await stack.enter_async_context(open_message_door(bounds, behind))
        else:
            await stack.enter_async_context(running([_in_turn(equipment, bounds, behind, shift)]))
        await stack.enter_async_context(open_broker_access(settings, journal))
        yield


async def _in_turn(equipment: Equipment, bounds: Bounds, behind: Behind, shift: Shift) -> None:
    """Open the door of senders' messages while it is this process's turn: the broker would deal the parts of a set out.

    What a door that died has taken is recorded first, for its messages come again.
    """
    spool = equipment.settings.spool.path
    while True:
        if await _has_turn(shift):
            with suppress(TemporaryError, OSError):  # it is tried again every minute
                await asyncio.to_thread(recover, equipment.custody, equipment.journal, spool)
            async with open_message_door(bounds, behind):
                while await _has_turn(shift):  # noqa: ASYNC110 -- it is lost in the database, which tells nobody
                    await asyncio.sleep(_LOOK)
        await asyncio.sleep(_LOOK)


async def _has_turn(shift: Shift) -> bool:
    try:
        return await shift.has("messages")
    except TemporaryError:
        return False


def own_folder(root: Path, me: Process, *, is_shared: bool) -> Path:
    """Where this process keeps what it has in hand: where others share ``root``, a folder in it; of those gone it goes.

    What an earlier process had there comes again from the broker.
    """
    if not is_shared:
        return root
    make_folder(root)
    for name in processes.gone(root.parent, [path.name for path in root.iterdir()]):
        shutil.rmtree(root / name, ignore_errors=True)
    return root / me.id


def _way_back(equipment: Equipment, folder: Path) -> WayBack:
    assert equipment.keys is not None  # noqa: S101 - by the settings, see equipment
    assert equipment.workers is not None  # noqa: S101 - likewise
    desk = Desk(equipment.keys, equipment.zone, equipment.journal, equipment.settings.answers.compress_above_bytes)
    promised = equipment.rounds.promised
    return WayBack(
        equipment.journal, desk, equipment.stamping, equipment.workers, equipment.publisher, promised, folder
    )
