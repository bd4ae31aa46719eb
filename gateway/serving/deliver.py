"""The delivery: answers are placed and published, declarations forwarded, the journal sealed, the clocks kept."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from channels.mq.publisher import BrokerUnavailable
from config.errors import TemporaryError
from config.retention import NOT_SETTLED
from gateway import answer, breaker, delivery
from gateway.delivery import Post, post_of
from gateway.download import DownloadLimits, open_downloader
from gateway.fetching import Around, Fetcher
from gateway.forward import Forwarder
from gateway.notices import notices_of
from gateway.purge import Purger
from gateway.register import expiry
from gateway.rounds import HOURLY, IDLE, Round, Turn
from gateway.routing_queues import BrokerQueue, EmbeddedQueue
from gateway.sealing import Sealer
from gateway.sealing_copies import open_copies
from gateway.serving.equipment import Equipment
from gateway.serving.judge import FORGOTTEN_SECONDS, drop_forgotten
from gateway.serving.turns import running
from gateway.traces.following import open_tracer
from gateway.watch import Watch
from signing.own.own_keys import OwnKeys
from spool import answers, retention, submissions
from spool.checkpoints import CHECKPOINTS, Checkpoints
from spool.journal import Journal, now
from spool.outbox import Outbox
from spool.retention import Retention
from spool.unsealed import Unsealed
from spool.wanted import Wanted

log = structlog.get_logger()

_DAY: Final = 86_400.0
_SWEEP: Final = 15.0
_READY_SECONDS: Final = 5.0
_WATCH: Final = 60.0


@asynccontextmanager
async def open_delivery(equipment: Equipment) -> AsyncIterator[None]:
    """Deliver for the time of the block.

    Raises:
        JournalError: the journal cannot be read.
    """
    settings, journal, rounds = equipment.settings, equipment.journal, equipment.rounds
    if settings.retention.waits_for_a_choice:
        log.warning("purge.waiting", reason=NOT_SETTLED)
    hung = settings.journal.lease_seconds
    outbox = Outbox(settings.spool.path / "answers", is_shared=equipment.is_shared, hung=hung)
    async with AsyncExitStack() as stack:
        turns = [
            rounds.go(Round.ANSWER, partial(_place, journal, outbox)),
            rounds.go(Round.FORWARD, _reaching(equipment, _forwarder(equipment).turn)),
            rounds.go(Round.SWEEP, partial(_clear_away, journal, outbox), _SWEEP),
            rounds.go(Round.SEAL, sealer(equipment).turn, HOURLY),
            rounds.go(Round.RETIRE, _retiring(equipment, outbox), HOURLY),
            rounds.go(Round.WARN, partial(_warn, journal), HOURLY),
            rounds.go(Round.PURGE, Purger(settings, journal, _keys(equipment)).turn, HOURLY),
            rounds.go(Round.WATCH, Watch(settings, journal).turn, _WATCH),
        ]
        if equipment.publisher is not None:
            publish = partial(_publish, post_of(settings, journal, equipment.publisher))
            turns.append(rounds.go(Round.PUBLISH, _reaching(equipment, publish)))
            if settings.mq.enabled:
                telling = notices_of(settings, journal, equipment.publisher, equipment.zone)
                turns.append(rounds.go(Round.TELL, _reaching(equipment, telling.turn)))
        if settings.trust.fetch:
            fetcher = await stack.enter_async_context(_open_fetcher(equipment))
            stack.push_async_callback(fetcher.close)
            turns.append(rounds.go(Round.FETCH, fetcher.turn))
        if settings.traces.endpoint is not None:
            tracer = await stack.enter_async_context(open_tracer(settings.traces, journal))
            turns.append(rounds.go(Round.TRACE, tracer.turn, settings.traces.every_seconds))
        await stack.enter_async_context(running(turns))
        yield


def sealer(equipment: Equipment) -> Sealer:
    """What seals the journal, and lets intake wait while that can't be done."""
    files = Checkpoints(equipment.settings.spool.path / CHECKPOINTS)
    rules = equipment.settings.evidence
    age = int(rules.seal_seconds * 1_000_000)
    return Sealer(
        equipment.journal,
        files,
        _keys(equipment),
        equipment.stamping,
        rules.seal_events,
        age,
        _told_of_unsealed(equipment),
        open_copies(rules),
    )


def _told_of_unsealed(equipment: Equipment) -> Unsealed | None:
    """What the sealer tells: the doors of this process, but where those look for themselves, since others may seal.

    Then it has one of its own, so that a change is not seen by the doors first and told of by nobody.
    """
    doors = equipment.limits.unsealed
    if doors is None or not (equipment.is_shared and equipment.has_door):
        return doors
    return Unsealed(equipment.settings.spool.path, doors.limit)


def _keys(equipment: Equipment) -> OwnKeys:
    assert equipment.keys is not None  # noqa: S101 - by the role, see equipment
    return equipment.keys


def _forwarder(equipment: Equipment) -> Forwarder:
    settings, journal, publisher = equipment.settings, equipment.journal, equipment.publisher
    rules = settings.routing
    queue = BrokerQueue(journal, publisher, rules.exchange) if publisher is not None else EmbeddedQueue(journal)
    patience = breaker.Patience(rules.retry_seconds, rules.retry_ceiling_seconds, rules.max_attempts)
    return Forwarder(journal, queue, settings.spool.path, patience, equipment.backlog)


async def _place(journal: Journal, outbox: Outbox) -> float:
    await asyncio.to_thread(answer.place_all, journal, outbox)
    return IDLE


def _reaching(equipment: Equipment, turn: Turn) -> Turn:
    """The turn; where others could take it, refused while the broker is not reached from here: it may be from there."""
    publisher = equipment.publisher
    if publisher is None or not equipment.journal.has_many_hosts:
        return turn

    async def refused_unless_reached() -> float:
        try:
            async with asyncio.timeout(_READY_SECONDS):
                await publisher.wait_connected()
        except TimeoutError:
            raise BrokerUnavailable("the broker is not reached from here") from None
        return await turn()

    return refused_unless_reached


async def _publish(post: Post) -> float:
    await post.publisher.wait_connected()
    await delivery.publish_all(post)
    return IDLE


async def _warn(journal: Journal) -> float:
    """Warn senders of what ends soon."""
    await asyncio.to_thread(expiry.warn, journal, now())
    return HOURLY


def _retiring(equipment: Equipment, outbox: Outbox) -> Turn:
    rules = equipment.settings.answers
    ages = Retention(rules.fetched_days * _DAY, rules.unfetched_days * _DAY)

    async def turn() -> float:
        await asyncio.to_thread(retention.expire, equipment.journal, outbox, ages, time.time())
        if equipment.journal.has_many_hosts:
            # Where a judge is alone it clears away what an earlier one left when it starts.
            older_than = time.time() - FORGOTTEN_SECONDS
            root = equipment.settings.spool.path / "declarations"
            await asyncio.to_thread(drop_forgotten, equipment.journal, root, older_than)
        return HOURLY

    return turn


async def _clear_away(journal: Journal, outbox: Outbox) -> float:
    await asyncio.to_thread(clear_away, journal, outbox)
    return _SWEEP


def clear_away(journal: Journal, outbox: Outbox) -> None:
    """Drop the tombstones of answers whose placing is recorded."""
    tombstones = outbox.tombstones()
    with journal.read() as connection:
        unsettled = answers.unsettled_stems(connection)
    outbox.bury(tombstones, unsettled)


@asynccontextmanager
async def _open_fetcher(equipment: Equipment) -> AsyncIterator[Fetcher]:
    trust, rounds = equipment.settings.trust, equipment.rounds
    async with open_downloader(DownloadLimits(trust.fetch_seconds, trust.fetch_max_bytes)) as downloader:
        yield Fetcher(
            trust.authorities,
            equipment.journal,
            downloader,
            timedelta(minutes=trust.fetch_minutes),
            Around(
                resume=partial(resume, equipment.journal, partial(rounds.ring, Round.JUDGE)),
                ring=partial(rounds.ring, Round.FETCH),
                wanted=Wanted(equipment.settings.spool.path).news,
            ),
        )


async def resume(journal: Journal, ring: Callable[[], None], tickets: Collection[str]) -> None:
    """What these held submissions waited for is there: let them be judged now."""
    try:
        count = await asyncio.to_thread(_hasten, journal, tickets)
    except TemporaryError as fault:
        # They are tried again anyhow, only later.
        log.warning("submissions.not_resumed", fault=type(fault).__name__)
    else:
        if count:
            log.info("submissions.resumed", count=count)
            ring()


def _hasten(journal: Journal, tickets: Collection[str]) -> int:
    with journal.write() as connection:
        return submissions.hasten(connection, tickets)
