"""What do the roles of one process work with?

It is opened once, whichever of them there are, and only what one of them needs: who doesn't sign has no key, and who
neither delivers nor takes messages doesn't reach the broker.
"""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

from channels.mq import topology
from channels.mq.connection import brokers_of
from channels.mq.publisher import Destination, Publisher, open_publisher
from channels.mq.topology import Topology
from config.roles import ALL, Role
from config.settings import Settings
from gateway.maintenance import Calendar, open_calendar
from gateway.rounds import Rounds
from gateway.timestamping import Stamping, open_stamping
from gateway.workers import WorkerLimits, Workers, open_workers
from signing.own.own_keys import OwnKeys, open_keys
from spool.custody import Custody
from spool.declarations import Backlog
from spool.journal import Journal
from spool.processes import Process
from spool.unsealed import Unsealed
from spool.upload import IntakeLimits

_DOORS: Final = frozenset({Role.SFTP, Role.MQ})


@dataclass(frozen=True, slots=True)
class Equipment:
    """What the roles of one process share; None for what none of them needs.

    ``taking_over`` is what each role has to be told of settings that were changed meanwhile.
    """

    settings: Settings
    roles: frozenset[Role]
    journal: Journal
    rounds: Rounds
    custody: Custody
    limits: IntakeLimits
    backlog: Backlog
    calendar: Calendar
    workers: Workers | None
    keys: OwnKeys | None
    stamping: Stamping | None
    publisher: Publisher | None
    taking_over: list[Callable[[Settings], None]] = field(default_factory=list)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of what senders read."""
        return ZoneInfo(self.settings.intake.time_zone)

    @property
    def is_shared(self) -> bool:
        """Whether other processes may use what is in the spool."""
        return self.roles != ALL or self.journal.has_many_hosts

    @property
    def has_door(self) -> bool:
        """Whether it takes anything in."""
        return bool(self.roles & _DOORS)


def open_keys_of(settings: Settings, roles: Collection[Role]) -> OwnKeys | None:
    """The signing keys, if one of ``roles`` signs: answers, checkpoints, what institutions send.

    Raises:
        ConfigurationError: a key or a certificate cannot be used.
    """
    is_signing = Role.JUDGE in roles or Role.DELIVER in roles or (Role.MQ in roles and settings.back.enabled)
    return open_keys(settings.signing) if is_signing else None


def needs_workers(settings: Settings, roles: Collection[Role]) -> bool:
    """Whether one of ``roles`` reads what others wrote."""
    return Role.JUDGE in roles or (Role.MQ in roles and settings.back.enabled)


def needs_broker(settings: Settings, roles: Collection[Role]) -> bool:
    """Whether one of ``roles`` sends messages, and there is a broker."""
    return bool(settings.broker.urls) and (Role.MQ in roles or Role.DELIVER in roles)


@asynccontextmanager
async def open_workers_of(settings: Settings, roles: Collection[Role]) -> AsyncIterator[Workers | None]:
    """The worker processes, if one of ``roles`` needs them."""
    if not needs_workers(settings, roles):
        yield None
        return
    judging = settings.judging
    limits = WorkerLimits(judging.workers, judging.worker_memory_bytes, judging.worker_seconds)
    async with open_workers(limits) as workers:
        yield workers


@asynccontextmanager
async def equipped(
    settings: Settings,
    me: Process,
    journal: Journal,
    rounds: Rounds,
    workers: Workers | None,
    keys: OwnKeys | None,
) -> AsyncIterator[Equipment]:
    """What the roles of ``me`` work with, for the time of the block.

    Raises:
        ConfigurationError: an address cannot be used.
        JournalError: the journal cannot be read.
    """
    calendar = open_calendar(journal, ZoneInfo(settings.intake.time_zone))
    backlog = Backlog(settings.spool.path / "declarations", settings.routing.max_waiting_bytes)
    async with AsyncExitStack() as stack:
        yield Equipment(
            settings=settings,
            roles=me.roles,
            journal=journal,
            rounds=rounds,
            custody=Custody(settings.spool.path / "custody", journal, me.id),
            limits=_limits(settings, calendar, backlog),
            backlog=backlog,
            calendar=calendar,
            workers=workers,
            keys=keys,
            stamping=None if keys is None else await stack.enter_async_context(open_stamping(settings.signing)),
            publisher=await stack.enter_async_context(_broker(settings)) if needs_broker(settings, me.roles) else None,
        )


@asynccontextmanager
async def _broker(settings: Settings) -> AsyncIterator[Publisher]:
    """What sends messages to the broker, declarations, answers and others alike."""
    routing = settings.routing
    made = topology.routing(routing) if routing.declare else Topology()
    destination = Destination(brokers_of(settings.broker), made, routing.confirm_seconds, routing.window)
    async with open_publisher(destination) as publisher:
        yield publisher


def _limits(settings: Settings, calendar: Calendar, backlog: Backlog) -> IntakeLimits:
    intake, spool = settings.intake, settings.spool
    return IntakeLimits(
        intake.max_file_bytes,
        intake.max_waiting_files,
        spool.reserve,
        intake.max_waiting_bytes,
        backlog,
        unsealed=Unsealed(spool.path, int(settings.evidence.max_unsealed_seconds * 1_000_000)),
        closed=calendar.refusal,
    )
