"""``gateway serve``: the roles of one process, opened in order and closed in the reverse.

Before a door opens, what an earlier process left half done is put right: uploads of dead connections are dropped, sets
that were taken but not recorded are recorded, and everything else simply is still to do.  What each role opens stands
in :mod:`gateway.serving`.
"""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final

import structlog

from channels.mq.clashes import faults_of_messages
from config.errors import ConfigurationError, TemporaryError
from config.roles import ALL, Role
from config.settings import Settings
from gateway import routes, service_notice
from gateway.health import Health, Running
from gateway.metrics.meter import measuring
from gateway.operations.app import open_operations
from gateway.operations.neighbours import Neighbours, told
from gateway.reloading import faults_of_rules, reloadable
from gateway.rounds import Round, Rounds
from gateway.serving.deliver import open_delivery
from gateway.serving.equipment import Equipment, equipped, open_keys_of, open_workers_of
from gateway.serving.intake import open_intake
from gateway.serving.judge import open_judge
from gateway.serving.mq import open_mq
from gateway.serving.sftp import Entrance, open_sftp
from gateway.serving.turns import running
from gateway.shift import Shift
from schemas import catalogue
from spool.journal import open_journal
from spool.processes import Process
from spool.waking import Topic

log = structlog.get_logger()

_THREADS: Final = 48


async def serve(settings: Settings, me: Process, reread: Callable[[], Settings] | None = None) -> None:
    """Run the roles of ``me`` until SIGTERM or SIGINT; on SIGHUP take over from ``reread`` what can change meanwhile.

    Raises:
        ConfigurationError: a key, a certificate or the journal cannot be used, or the settings of messages are at odds.
    """
    if faults := [*faults_of_messages(settings), *faults_of_rules(settings)]:
        raise ConfigurationError(faults)
    notice = service_notice.taken_from(os.environ)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # Threads here wait for the disk or for a mailbox, not for a core; the default is a few for each core.
    loop.set_default_executor(ThreadPoolExecutor(_THREADS))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with notice.alive(), AsyncExitStack() as stack:
        meter = stack.enter_context(measuring())
        keys = open_keys_of(settings, me.roles)
        routes.check(settings.routing, catalogue.current(settings.schemas.folder))
        workers = await stack.enter_async_context(open_workers_of(settings, me.roles))
        journal = open_journal(settings.journal.place, upgrade=True)
        stack.callback(journal.close)
        shift = Shift(journal, settings.spool.path, me.id, settings.journal.lease_seconds)
        rounds = Rounds(settings.judging.retry_seconds, shift if journal.has_many_hosts else None)
        equipment = await stack.enter_async_context(equipped(settings, me, journal, rounds, workers, keys))
        entrance = await stack.enter_async_context(_opened(equipment, me, shift))
        here = _running_here(equipment, entrance)
        if Role.OPERATIONS in me.roles:
            neighbours = Neighbours(settings, me)
            watched = open_operations(settings, journal, meter=meter, running=here, neighbours=neighbours)
            await stack.enter_async_context(watched)
        else:
            meter.attach_inside(here)
            await stack.enter_async_context(told(me, Health(settings, journal, here), meter))
        reloading = reloadable(settings, reread or (lambda: settings), me, equipment.taking_over)
        loop.add_signal_handler(signal.SIGHUP, notice.reload, reloading.reload)
        gc.collect()
        gc.freeze()  # what was loaded for the start is looked through by no later collection
        port = None if entrance is None else entrance.door.port
        log.info("gateway.ready", roles=sorted(me.roles), loop=_library(loop), host=settings.sftp.host, port=port)
        await notice.open_until(stop)
        log.info("gateway.stopping")
    log.info("gateway.stopped")


@asynccontextmanager
async def _opened(equipment: Equipment, me: Process, shift: Shift) -> AsyncIterator[Entrance | None]:
    """Everything but operations: what was left first, doors last.  Answers the SFTP door if there is one."""
    roles, rounds, journal = equipment.roles, equipment.rounds, equipment.journal
    claims = shift if journal.has_many_hosts else None
    async with AsyncExitStack() as stack:
        if claims is not None:
            await asyncio.to_thread(shift.take_over)
            stack.push_async_callback(_end, shift)
            await stack.enter_async_context(running([rounds.go(Round.KEEP, shift.keep)]))
        if Role.DELIVER in roles:
            await stack.enter_async_context(open_delivery(equipment))
        if Role.JUDGE in roles:
            await stack.enter_async_context(open_judge(equipment, claims))
        if claims is not None or roles != ALL:
            loop = asyncio.get_running_loop()

            def ring(topic: Topic) -> None:
                loop.call_soon_threadsafe(rounds.rung_by, topic)

            stack.enter_context(journal.listening(ring))
        if equipment.has_door:
            await stack.enter_async_context(open_intake(equipment))
        if Role.MQ in roles:
            await stack.enter_async_context(open_mq(equipment, me, claims))
        yield await stack.enter_async_context(open_sftp(equipment, me)) if Role.SFTP in roles else None


def _running_here(equipment: Equipment, entrance: Entrance | None) -> Running:
    limits = equipment.limits if equipment.has_door else None
    if entrance is None:
        return Running(equipment.workers, publisher=equipment.publisher, intake=limits)
    return Running(equipment.workers, entrance.door, entrance.gatekeeper, equipment.publisher, intake=limits)


async def _end(shift: Shift) -> None:
    with suppress(TemporaryError):  # others find out that we are gone
        await asyncio.to_thread(shift.end)


def _library(loop: asyncio.AbstractEventLoop) -> str:
    """Whose event loop it is: ``asyncio`` or ``uvloop``."""
    return type(loop).__module__.partition(".")[0]
