"""What is done to gateways: by name, how it is done, and whether it is a kill or another fault.

Each is done to a world under load and answers once it is over; what has become of the gateway by then is the world's to
see to.
"""

import asyncio
import os
import random
import resource
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

from tests.faults.campaign import disks, times
from tests.faults.campaign.world import LEASE_SECONDS, Means, World
from tests.faults.halting import STEPS
from tests.faults.hurt import CALLS, ERRORS, READ_ONLY, Order, struck
from tests.postgres import Cluster

_AWAY: Final = 1.0
"""Seconds for which a broker or a database is away."""
_STEP_SECONDS: Final = 30.0
"""A step that does not come within so many seconds is not on the way of what these senders send."""
_KILLS: Final = 4
_SOME: Final = 4
_LITTLE_MEMORY: Final = 1024**2
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


def faults(*, has_broker: bool, on_postgresql: bool, on: str = "folder") -> list[Fault]:
    """Everything else; what a disk does several times over, for only some worlds lie on one that can do it."""
    found = [Fault(f"{call}: {error}", partial(_fail, call=call, error=error)) for call in CALLS for error in ERRORS]
    found += [
        Fault("worker killed", _kill_worker),
        Fault("worker hung", _hang_worker),
        Fault("all workers killed", _kill_all_workers),
        Fault("worker out of memory", _starve_worker),
        Fault("clock set forwards", times.forwards),
        Fault("clock set back", times.backwards),
        Fault("clock passes midnight", times.midnight),
        Fault("clock set back over midnight", times.back_over_midnight),
        Fault("clock passes the start of summer time", partial(times.change, to_summer=True)),
        Fault("clock passes the end of summer time", partial(times.change, to_summer=False)),
    ]
    found += _SOME * _of_disk(on)
    if on_postgresql:
        found += [
            Fault("database gone and back", _restart_database),
            Fault("database cuts everybody off", _cut_off),
            Fault("database read-only", _forbid_writing),
            Fault("two processes have the same work", _let_both_work),
        ]
    else:
        found += [Fault("database locked", _lock_database), Fault("database read-only", _forbid_writing_to_file)]
    if has_broker:
        found += [
            Fault("broker closes connections", _close_connections),
            Fault("broker hangs", _freeze_broker),
            Fault("broker blocks", _block_broker),
            Fault("broker killed and back", _kill_broker),
        ]
    return found


def _of_disk(on: str) -> list[Fault]:
    if on == "folder":
        return []
    if on == "tmpfs":
        return [Fault("disk full", disks.fill), Fault("inodes full", disks.fill_inodes)]
    return [
        Fault(f"power cut ({on})", partial(disks.cut_power, log_written=False)),
        Fault(f"power cut, the file system's log written ({on})", partial(disks.cut_power, log_written=True)),
    ]


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


async def _starve_worker(world: World, chance: random.Random) -> bool:
    """A worker gets no more memory than it has, for a while."""
    if not (workers := world.workers()):
        return False
    pid = chance.choice(workers)
    with suppress(ProcessLookupError):  # the gateway may make others meanwhile
        soft, hard = resource.prlimit(pid, resource.RLIMIT_AS)
        resource.prlimit(pid, resource.RLIMIT_AS, (_LITTLE_MEMORY, hard))
        await asyncio.sleep(_AWAY)
        resource.prlimit(pid, resource.RLIMIT_AS, (soft, hard))
        return True
    return False


async def _lock_database(world: World, chance: random.Random) -> bool:
    await asyncio.to_thread(_hold_lock, world.site.settings.journal.path)
    return True


def _hold_lock(path: Path) -> None:
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        signal.sigtimedwait([], _AWAY)
        connection.execute("ROLLBACK")


async def _forbid_writing_to_file(world: World, chance: random.Random) -> bool:
    done = await _ordered(world, Order(next(_NUMBERS), fail=READ_ONLY))
    await asyncio.sleep(_AWAY)
    world.order(Order())
    return done


async def _forbid_writing(world: World, chance: random.Random) -> bool:
    cluster = world.means.cluster
    assert cluster is not None
    for value in ("on", "off"):
        await asyncio.to_thread(_let_write, cluster, value)
        await asyncio.sleep(_AWAY)
    return True


def _let_write(cluster: Cluster, value: str) -> None:
    url = sa.make_url(cluster.url("postgres")).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"ALTER SYSTEM SET default_transaction_read_only = {value}"))
        connection.execute(sa.text("SELECT pg_reload_conf()"))
    engine.dispose()


async def _let_both_work(world: World, chance: random.Random) -> bool:
    """One process is stopped until another has taken over what it had claimed, and then goes on as if nothing were."""
    rival = await asyncio.to_thread(world.rival)
    first = world.gateway
    assert first is not None
    first.process.send_signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(LEASE_SECONDS + 2 * _AWAY)
    finally:
        first.process.send_signal(signal.SIGCONT)
    await asyncio.sleep(_AWAY)
    both_live = rival.process.poll() is None and first.process.poll() is None
    await asyncio.to_thread(world.end, rival)
    return both_live


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


def wanted(means: Means, only: str = "", on: str = "folder") -> tuple[list[Fault], list[Fault]]:
    """The kills and the other faults of a world with these means, with one of the words of ``only`` in their names."""
    has_broker = means.broker is not None
    others = faults(has_broker=has_broker, on_postgresql=means.cluster is not None, on=on)
    every = kills(is_embedded=not has_broker), others
    words = only.split(",")
    mine, hurts = ([fault for fault in each if any(word in fault.name for word in words)] for each in every)
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
