"""``gateway serve``: what is opened, in which order, and closed in the reverse.

Before the door opens, what an earlier process left half done is put right: uploads of dead connections are dropped,
sets that were taken but not recorded are recorded, and everything else simply is still to do.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.engine import Connection

from channels.mq import topology
from channels.mq.clashes import faults_of_messages
from channels.mq.connection import brokers_of
from channels.mq.publisher import Destination, Publisher, open_publisher
from channels.mq.topology import Topology
from channels.sftp.admission import AdmissionLimits
from channels.sftp.server import Door, DoorSettings, Premises, open_door
from channels.sftp.share import ShareLimits
from channels.sftp.sockets import handed_over
from config.errors import ConfigurationError
from config.settings import Settings
from gateway import breaker, routes, service_notice
from gateway.broker_access import open_broker_access
from gateway.delivery import post_of
from gateway.download import DownloadLimits, open_downloader
from gateway.fetching import Fetcher
from gateway.forward import Forwarder
from gateway.gatekeeper import Gatekeeper, login_policy, open_gatekeeper
from gateway.health import Running
from gateway.institutions import WayBack, take_back
from gateway.judge import Judge
from gateway.maintenance import open_calendar
from gateway.message_door import Behind, open_message_door
from gateway.metrics.meter import measuring
from gateway.operations.app import open_operations
from gateway.pipeline import Pipeline
from gateway.reception import Patience, Reception
from gateway.rounds import Rounds
from gateway.routing_queues import BrokerQueue, EmbeddedQueue
from gateway.sealing import Sealer
from gateway.timestamping import open_stamping
from gateway.watch import Watch
from gateway.workers import WorkerLimits, Workers, open_workers
from schemas import catalogue
from signing.own.own_keys import OwnKeys, open_keys
from spool import declarations, submissions
from spool.checkpoints import CHECKPOINTS, Checkpoints
from spool.custody import Custody
from spool.declarations import Backlog
from spool.ebox import Ebox
from spool.effects import Kind, tickets_with_pending
from spool.intake import Intake, IntakeLimits
from spool.journal import Journal, open_journal
from spool.outbox import Outbox
from spool.records import Records
from spool.unsealed import Unsealed

log = structlog.get_logger()

_THREADS: Final = 48


@dataclass(frozen=True, slots=True)
class Entrance:
    """The open door and who says who may come in."""

    door: Door
    gatekeeper: Gatekeeper

    def reload(self, reread: Callable[[], Settings]) -> None:
        """Take over host keys, the limits of the door and the rules of accounts; nobody is sent away.

        What cannot be used is an event, and everything stays as it was.
        """
        try:
            settings = reread()
            self.door.reload(_door_settings(settings))
            self.gatekeeper.policy = login_policy(settings.accounts)
        except ConfigurationError as fault:
            log.error("gateway.reload_refused", faults=list(fault.faults))
        else:
            log.info("gateway.reloaded")


async def serve(settings: Settings, reread: Callable[[], Settings] | None = None) -> None:
    """Run until SIGTERM or SIGINT; on SIGHUP take over from ``reread`` what can change while it runs.

    Raises:
        ConfigurationError: a key, a certificate or the journal cannot be used, or the settings of messages are at odds.
    """
    if faults := faults_of_messages(settings):
        raise ConfigurationError(faults)
    notice = service_notice.taken_from(os.environ)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # Threads here wait for the disk or for a mailbox, not for a core; the default is a few for each core.
    loop.set_default_executor(ThreadPoolExecutor(_THREADS))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        meter = stack.enter_context(measuring())
        keys = open_keys(settings.signing)
        routes.check(settings.routing, catalogue.current(settings.schemas.folder))
        workers = await stack.enter_async_context(open_workers(_worker_limits(settings)))
        journal = open_journal(settings.journal.place, upgrade=True)
        stack.callback(journal.close)
        publisher = await stack.enter_async_context(_open_publisher(settings))
        entrance = await stack.enter_async_context(_open_rounds(settings, journal, publisher, workers, keys))
        running = Running(workers, entrance.door, entrance.gatekeeper, publisher)
        await stack.enter_async_context(open_operations(settings, journal, meter=meter, running=running))
        await stack.enter_async_context(open_broker_access(settings, journal))
        loop.add_signal_handler(signal.SIGHUP, notice.reload, entrance.reload, reread or (lambda: settings))
        log.info("gateway.ready", host=settings.sftp.host, port=entrance.door.port, loop=_library(loop))
        await notice.live_until(stop)
        log.info("gateway.stopping")
    log.info("gateway.stopped")


def _library(loop: asyncio.AbstractEventLoop) -> str:
    """Whose event loop it is: ``asyncio`` or ``uvloop``."""
    return type(loop).__module__.partition(".")[0]


@asynccontextmanager
async def _open_rounds(
    settings: Settings,
    journal: Journal,
    publisher: Publisher | None,
    workers: Workers,
    keys: OwnKeys,
) -> AsyncIterator[Entrance]:
    spool = settings.spool.path
    backlog = Backlog(spool / "declarations", settings.routing.max_waiting_bytes)
    calendar = open_calendar(journal, ZoneInfo(settings.intake.time_zone))
    unsealed = Unsealed(spool, int(settings.evidence.max_unsealed_seconds * 1_000_000))
    limits = replace(_intake_limits(settings, backlog), unsealed=unsealed, closed=calendar.refusal)
    intake = Intake(spool / "incoming", limits)
    outbox = Outbox(spool / "answers")
    custody = Custody(spool / "custody", journal)
    async with AsyncExitStack() as stack:
        pipeline = Pipeline(
            journal=journal,
            judge=Judge(settings, journal, custody, workers),
            keys=keys,
            zone=ZoneInfo(settings.intake.time_zone),
            outbox=outbox,
            declarations=spool / "declarations",
            stamping=await stack.enter_async_context(open_stamping(settings.signing)),
            compress_above=settings.answers.compress_above_bytes,
            routing=settings.routing,
        )
        rounds = Rounds(pipeline, settings)
        patience = Patience(settings.intake.parts_grace_seconds, settings.intake.start_file_hours * 3600)
        reception = Reception(intake, custody, journal, patience, rounds.judging.ring)
        await asyncio.to_thread(recover, intake, custody, journal, pipeline)
        await asyncio.to_thread(backlog.measure)  # before any door is open
        await asyncio.to_thread(unsealed.look, None, 0)
        forwarder = _forwarder(settings, journal, publisher, backlog)
        turns = [rounds.judge(), rounds.answer(), rounds.forward(forwarder), rounds.sweep(reception, outbox)]
        turns.append(rounds.seal(replace(_sealer(settings, pipeline), unsealed=unsealed)))
        turns += [rounds.watch(Watch(settings, journal)), rounds.retire(outbox), rounds.warn(), calendar.follow()]
        if settings.trust.fetch:
            turns.append(rounds.fetch(await stack.enter_async_context(_open_fetcher(settings, journal, rounds))))
        if publisher is not None:
            turns.append(rounds.publish(post_of(settings, journal, publisher)))
        if settings.back.enabled:
            way = WayBack(journal, pipeline.desk, pipeline.stamping, workers, publisher, rounds.promised)
            turns.append(take_back(settings, way))
        stack.push_async_callback(rounds.stop)
        stack.callback(reception.close)
        await stack.enter_async_context(_running(turns))
        gatekeeper = open_gatekeeper(settings.accounts, journal)
        stack.callback(gatekeeper.close)
        behind = Behind(custody, journal, publisher, rounds.judging.ring, limits.is_held_up)
        await stack.enter_async_context(open_message_door(settings, behind))
        records = Records(journal, pipeline.zone)
        premises = Premises(reception, intake, outbox, records, Ebox(journal), notice=calendar.banner)
        sockets = handed_over(os.environ)
        door = await stack.enter_async_context(open_door(_door_settings(settings), gatekeeper, premises, sockets))
        yield Entrance(door, gatekeeper)


@asynccontextmanager
async def _running(turns: Iterable[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Let the rounds run for the time of the block; what stops one of them stops the block."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(turn) for turn in turns]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


@asynccontextmanager
async def _open_fetcher(settings: Settings, journal: Journal, rounds: Rounds) -> AsyncIterator[Fetcher]:
    trust = settings.trust
    async with open_downloader(DownloadLimits(trust.fetch_seconds, trust.fetch_max_bytes)) as downloader:
        yield Fetcher(
            trust.authorities,
            journal,
            downloader,
            timedelta(minutes=trust.fetch_minutes),
            resume=rounds.resume,
            ring=rounds.fetching.ring,
        )


def recover(intake: Intake, custody: Custody, journal: Journal, pipeline: Pipeline) -> None:
    """Put right what a process that died left half done."""
    torn = intake.recover()
    unrecorded = custody.recover()
    with journal.read() as connection:
        declarations.sweep(pipeline.declarations, partial(_still_to_forward, connection))
    with journal.write() as connection:
        for ticket in unrecorded:
            submissions.note(connection, ticket, "custody.recovered")
        submissions.hasten(connection)
    log.info("gateway.recovered", torn_uploads=torn, unrecorded_submissions=len(unrecorded))


def _still_to_forward(connection: Connection, tickets: Collection[str]) -> Collection[str]:
    return tickets_with_pending(connection, Kind.FORWARD, among=tickets)


@asynccontextmanager
async def _open_publisher(settings: Settings) -> AsyncIterator[Publisher | None]:
    """What sends messages to the broker, declarations, answers and others alike; None where there is no broker."""
    routing = settings.routing
    if not settings.broker.urls:
        yield None
        return
    made = topology.routing(routing) if routing.declare else Topology()
    destination = Destination(brokers_of(settings.broker), made, routing.confirm_seconds, routing.window)
    async with open_publisher(destination) as publisher:
        yield publisher


def _sealer(settings: Settings, pipeline: Pipeline) -> Sealer:
    files, rules = Checkpoints(settings.spool.path / CHECKPOINTS), settings.evidence
    age = int(rules.seal_seconds * 1_000_000)
    return Sealer(pipeline.journal, files, pipeline.keys, pipeline.stamping, rules.seal_events, age)


def _worker_limits(settings: Settings) -> WorkerLimits:
    judging = settings.judging
    return WorkerLimits(judging.workers, judging.worker_memory_bytes, judging.worker_seconds)


def _forwarder(settings: Settings, journal: Journal, publisher: Publisher | None, backlog: Backlog) -> Forwarder:
    rules = settings.routing
    queue = BrokerQueue(journal, publisher, rules.exchange) if publisher is not None else EmbeddedQueue(journal)
    patience = breaker.Patience(rules.retry_seconds, rules.retry_ceiling_seconds, rules.max_attempts)
    return Forwarder(journal, queue, settings.spool.path, patience, backlog)


def _intake_limits(settings: Settings, backlog: Backlog) -> IntakeLimits:
    intake = settings.intake
    return IntakeLimits(
        intake.max_file_bytes, intake.max_waiting_files, settings.spool.reserve, intake.max_waiting_bytes, backlog
    )


def _door_settings(settings: Settings) -> DoorSettings:
    sftp = settings.sftp
    return DoorSettings(
        host=sftp.host,
        port=sftp.port,
        host_keys=tuple(path for path in (sftp.host_key, sftp.rsa_host_key) if path is not None),
        login_timeout=sftp.login_seconds,
        max_tries=sftp.max_tries,
        max_handles=sftp.max_handles,
        max_sessions=sftp.max_sessions,
        share=ShareLimits(sftp.sender_threads, sftp.max_requests, sftp.max_listing),
        idle_timeout=sftp.idle_seconds,
        admission=AdmissionLimits(
            start=sftp.login_start,
            rate=sftp.login_rate,
            full=sftp.login_full,
            source_starts=sftp.source_logins,
            connections=sftp.max_connections,
            user_sessions=sftp.user_connections,
            source_sessions=sftp.source_connections,
        ),
        password_alone=sftp.password_alone,
        reuse_port=sftp.reuse_port,
    )
