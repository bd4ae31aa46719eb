"""What is done to gateways: by name, how it is done, and whether it is a kill or another fault.

Each is done to a world under load and answers once it is over; what has become of the gateway by then is the world's to
see to.
"""

import asyncio
import os
import random
import signal
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from tests.faults.campaign.world import Means, World
from tests.faults.halting import STEPS
from tests.faults.hurt import CALLS, ERRORS, Order, struck

_AWAY: Final = 1.0
"""Seconds for which a broker or a database is away."""
_STEP_SECONDS: Final = 10.0
"""A step that does not come within so many seconds is not on the way of what these senders send."""
_KILLS: Final = 4
_WITHOUT_BROKER: Final = ("channels.mq.", "pika.")
_EMBEDDED: Final = "embedded queue"


@dataclass(frozen=True, slots=True)
class Fault:
    """``strike`` answers whether the fault came about; ``is_kill``: the gateway dies by it."""

    name: str
    strike: Callable[[World, random.Random], Awaitable[bool]]
    is_kill: bool = False


def kills(*, is_embedded: bool) -> list[Fault]:
    """Death at each step of a file's way, and at any moment."""
    steps = [name for name in STEPS if _is_passed(name, is_embedded=is_embedded)]
    at_steps = [Fault(f"killed: {name}", partial(_kill_at, step=name), is_kill=True) for name in steps]
    return [*at_steps, Fault("killed at any moment", _kill, is_kill=True)]


def faults(*, has_broker: bool, on_postgresql: bool) -> list[Fault]:
    """Everything else."""
    found = [Fault(f"{call}: {error}", partial(_fail, call=call, error=error)) for call in CALLS for error in ERRORS]
    found += [
        Fault("worker killed", _kill_worker),
        Fault("worker hung", _hang_worker),
        Fault("all workers killed", _kill_all_workers),
    ]
    if on_postgresql:
        found += [Fault("database gone and back", _restart_database), Fault("database cuts everybody off", _cut_off)]
    else:
        found.append(Fault("database locked", _lock_database))
    if has_broker:
        found += [
            Fault("broker closes connections", _close_connections),
            Fault("broker hangs", _freeze_broker),
            Fault("broker blocks", _block_broker),
            Fault("broker killed and back", _kill_broker),
        ]
    return found


def _is_passed(name: str, *, is_embedded: bool) -> bool:
    by_broker = STEPS[name].function.startswith(_WITHOUT_BROKER)
    return not by_broker if is_embedded else _EMBEDDED not in name


# --- the gateway itself

_NUMBERS = iter(range(1, 1_000_000_000))


async def _kill_at(world: World, chance: random.Random, *, step: str) -> bool:
    return await _ordered(world, Order(next(_NUMBERS), step=step, call=STEPS[step].call))


async def _fail(world: World, chance: random.Random, *, call: str, error: str) -> bool:
    return await _ordered(world, Order(next(_NUMBERS), fail=call, error=error, times=chance.randint(1, 5)))


async def _ordered(world: World, order: Order) -> bool:
    """Give an order and wait until it is carried out; withdraw it if it is not."""
    world.order(order)
    done = await world.until(lambda: struck(world.orders) == order.number, _STEP_SECONDS)
    if not done:
        world.order(Order())
    return done


async def _kill(world: World, chance: random.Random) -> bool:
    await asyncio.sleep(chance.uniform(0.05, 0.8))
    return world.kill()


# --- what it works with


async def _kill_worker(world: World, chance: random.Random) -> bool:
    workers = world.workers()
    return bool(workers) and _signal(chance.choice(workers), signal.SIGKILL)


async def _kill_all_workers(world: World, chance: random.Random) -> bool:
    killed = [_signal(pid, signal.SIGKILL) for pid in world.workers()]
    return any(killed)


async def _hang_worker(world: World, chance: random.Random) -> bool:
    workers = world.workers()
    return bool(workers) and _signal(chance.choice(workers), signal.SIGSTOP)


async def _lock_database(world: World, chance: random.Random) -> bool:
    await asyncio.to_thread(_hold_lock, world.site.settings.journal.path)
    return True


def _hold_lock(path: Path) -> None:
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        signal.sigtimedwait([], _AWAY)
        connection.execute("ROLLBACK")


async def _restart_database(world: World, chance: random.Random) -> bool:
    cluster = world.means.cluster
    assert cluster is not None
    await asyncio.to_thread(cluster.stop, "immediate")
    await asyncio.sleep(_AWAY)
    await asyncio.to_thread(cluster.start)
    return True


async def _cut_off(world: World, chance: random.Random) -> bool:
    activity = sa.table("pg_stat_activity", sa.column("pid"), sa.column("datname"))
    others = (activity.c.pid != sa.func.pg_backend_pid(), activity.c.datname == sa.func.current_database())
    cut = sa.select(sa.func.pg_terminate_backend(activity.c.pid)).where(*others)

    def cut_off() -> None:
        with world.comparison.journal.read() as connection:
            connection.execute(cut)

    await asyncio.to_thread(cut_off)
    return True


async def _close_connections(world: World, chance: random.Random) -> bool:
    assert world.means.broker is not None
    await asyncio.to_thread(world.means.broker.close_connections)
    return True


async def _freeze_broker(world: World, chance: random.Random) -> bool:
    broker = world.means.broker
    assert broker is not None
    broker.freeze()
    await asyncio.sleep(_AWAY)
    broker.thaw()
    return True


async def _block_broker(world: World, chance: random.Random) -> bool:
    broker = world.means.broker
    assert broker is not None
    for share in ("0.00001", "0.6"):
        await asyncio.to_thread(broker.evaluate, f"vm_memory_monitor:set_vm_memory_high_watermark({share}).")
        await asyncio.sleep(_AWAY)
    return True


async def _kill_broker(world: World, chance: random.Random) -> bool:
    broker = world.means.broker
    assert broker is not None
    await asyncio.to_thread(broker.settle)
    await asyncio.to_thread(broker.kill)
    await asyncio.sleep(_AWAY)
    await asyncio.to_thread(broker.start)
    return True


def _signal(pid: int, number: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


def wanted(means: Means, only: str = "") -> tuple[list[Fault], list[Fault]]:
    """The kills and the other faults of a world with these means, those with ``only`` in their names."""
    has_broker = means.broker is not None
    others = faults(has_broker=has_broker, on_postgresql=means.cluster is not None)
    every = kills(is_embedded=not has_broker), others
    mine, hurts = ([fault for fault in each if only in fault.name] for each in every)
    return mine, hurts


def in_turn(deaths: list[Fault], others: list[Fault], chance: random.Random) -> Iterator[Fault]:
    """Without end: four kills, then another fault; each list in an order of its own, all of it before it repeats."""
    first, second = _again_and_again(deaths, chance), _again_and_again(others, chance)
    while deaths or others:
        yield from islice(first, _KILLS)
        yield from islice(second, 1)


def _again_and_again(found: list[Fault], chance: random.Random) -> Iterator[Fault]:
    while found:
        yield from chance.sample(found, len(found))
