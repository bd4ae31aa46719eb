"""The rounds that keep work moving while the daemon runs: judge, answer, publish, forward, sweep, retire, ...

Each looks in the journal or the spool for what is due, does it, and sleeps until a bell rings or something becomes due.
A round never ends by itself: trouble is logged, and the work stays where it is for the next turn.
"""

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Final

import structlog
from structlog.contextvars import bound_contextvars

from config.errors import TemporaryError
from config.settings import Settings
from gateway import delivery
from gateway.delivery import Post
from gateway.fetching import Fetcher
from gateway.forward import Forwarder
from gateway.pipeline import Pipeline
from gateway.reception import Reception
from gateway.register import expiry
from gateway.sealing import Sealer
from gateway.watch import Watch
from signing.evidence import TrustUnavailable
from spool import answers, retention, submissions
from spool.journal import Journal, now
from spool.outbox import Outbox
from spool.retention import Retention
from spool.submissions import State, Submission

log = structlog.get_logger()

_SECOND: Final = 1_000_000
# What the command line changes (a release, say) rings no bell here.
_IDLE: Final = 5.0
_WATCH: Final = 60.0
_RETIRE: Final = 3600.0
_DAY: Final = 86_400.0


class Bell:
    """Wakes one sleeper; a ring before the sleep is not lost."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake the sleeper."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Sleep until the bell rings, ``seconds`` at most."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            pass
        self._event.clear()


def trouble(fault: BaseException) -> dict[str, object]:
    """What a log may say of an unexpected exception: its type and where, never its words, which may quote a file."""
    frames = traceback.extract_tb(fault.__traceback__)
    return {"fault": type(fault).__name__, "where": [f"{frame.filename}:{frame.lineno}" for frame in frames[-4:]]}


class Rounds:
    """The rounds of one daemon."""

    def __init__(self, pipeline: Pipeline, settings: Settings) -> None:
        self._pipeline = pipeline
        self._settings = settings
        self._slots = asyncio.Semaphore(2 * settings.judging.workers)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._fetcher: Fetcher | None = None
        self.judging = Bell()
        self.answering = Bell()
        self.publishing = Bell()
        self.forwarding = Bell()
        self.sweeping = Bell()
        self.fetching = Bell()
        self.watching = Bell()
        self.retiring = Bell()
        self.warning = Bell()
        self.sealing = Bell()

    async def judge(self) -> None:
        """Judge what is due, several submissions at a time."""
        while True:
            seconds = await self._guarded("judge", self._start_judging, _IDLE)
            await self.judging.wait(seconds)

    async def answer(self) -> None:
        """Place answers."""
        while True:
            seconds = await self._guarded("answer", self._place_answers, _IDLE)
            await self.answering.wait(seconds)

    async def publish(self, post: Post) -> None:
        """Publish answers for those who are reached by message."""

        async def turn() -> float:
            await post.publisher.wait_connected()
            await delivery.publish_all(post)
            return _IDLE

        while True:
            await self.publishing.wait(await self._guarded("publish", turn, _IDLE))

    def promised(self) -> None:
        """There is something to place or to publish."""
        self.answering.ring()
        self.publishing.ring()

    async def forward(self, forwarder: Forwarder) -> None:
        """Send declarations to the routing queue."""
        while True:
            await self.forwarding.wait(await self._guarded("forward", forwarder.turn, _IDLE))

    async def fetch(self, fetcher: Fetcher) -> None:
        """Fetch revocation data, at once where a submission waits for them."""
        self._fetcher = fetcher
        try:
            while True:
                await self.fetching.wait(await self._guarded("fetch", fetcher.turn, _IDLE))
        finally:
            await fetcher.close()

    async def watch(self, watch: Watch) -> None:
        """Tell what runs out."""
        while True:
            await self.watching.wait(await self._guarded("watch", watch.turn, _WATCH))

    async def seal(self, sealer: Sealer) -> None:
        """Make checkpoints over the journal's events."""
        while True:
            await self.sealing.wait(await self._guarded("seal", sealer.turn, _RETIRE))

    async def warn(self) -> None:
        """Warn senders of what ends soon."""

        async def turn() -> float:
            await asyncio.to_thread(expiry.warn, self._pipeline.journal, now())
            return _RETIRE

        while True:
            await self.warning.wait(await self._guarded("warn", turn, _RETIRE))

    async def resume(self, tickets: Collection[str]) -> None:
        """What these held submissions waited for is there: judge them now."""
        try:
            count = await asyncio.to_thread(self._hasten, tickets)
        except TemporaryError as fault:
            # They are tried again anyhow, only later.
            log.warning("submissions.not_resumed", fault=type(fault).__name__)
        else:
            if count:
                log.info("submissions.resumed", count=count)
                self.judging.ring()

    def _hasten(self, tickets: Collection[str]) -> int:
        with self._pipeline.journal.write() as connection:
            return submissions.hasten(connection, tickets)

    async def stop(self) -> None:
        """Give up the judgements in progress; they begin anew when the gateway starts again."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def sweep(self, reception: Reception, outbox: Outbox) -> None:
        """Take sets whose time is up, and clear away what nobody needs any more."""
        pause = min(15.0, max(0.2, self._settings.intake.parts_grace_seconds / 4))

        async def turn() -> float:
            await reception.sweep()
            await asyncio.to_thread(clear_away, self._pipeline.journal, outbox)
            return pause

        while True:
            await self.sweeping.wait(await self._guarded("sweep", turn, pause))

    async def retire(self, outbox: Outbox) -> None:
        """Take away answers whose time is up."""
        rules = self._settings.answers
        ages = Retention(rules.fetched_days * _DAY, rules.unfetched_days * _DAY)

        async def turn() -> float:
            await asyncio.to_thread(retention.expire, self._pipeline.journal, outbox, ages, time.time())
            return _RETIRE

        while True:
            await self.retiring.wait(await self._guarded("retire", turn, _RETIRE))

    async def _guarded(self, name: str, turn: Callable[[], Awaitable[float]], idle: float) -> float:
        retry = self._settings.judging.retry_seconds
        try:
            return min(idle, await turn())
        except TemporaryError as fault:
            log.warning("round.waiting", round=name, fault=type(fault).__name__, reason=str(fault), seconds=retry)
        except Exception as fault:
            log.error("round.failed", round=name, **trouble(fault))
        return retry

    async def _place_answers(self) -> float:
        await self._pipeline.answer()
        return _IDLE

    async def _start_judging(self) -> float:
        tickets, next_due = await asyncio.to_thread(self._due)
        for ticket in tickets:
            if ticket not in self._running:
                await self._slots.acquire()
                task = asyncio.create_task(self._judge_one(ticket))
                self._running[ticket] = task
                task.add_done_callback(partial(self._finished, ticket))
        return _IDLE if next_due is None else max(0.05, (next_due - now()) / _SECOND)

    def _finished(self, ticket: str, _task: asyncio.Task[None]) -> None:
        del self._running[ticket]
        self._slots.release()

    def _due(self) -> tuple[list[str], int | None]:
        with self._pipeline.journal.read() as connection:
            tickets = submissions.due(connection, now(), limit=100 + len(self._running))
            return tickets, submissions.next_due(connection, now())

    async def _judge_one(self, ticket: str) -> None:
        with bound_contextvars(ticket=ticket):
            try:
                verdict = await self._pipeline.settle(ticket)
            except TemporaryError as fault:
                await self._keep(ticket, f"{type(fault).__name__}: {fault}", failed=False)
                self._ask_for(ticket, fault)
            except (PermissionError, FileNotFoundError) as fault:
                log.error("judge.failed", **trouble(fault))
                await self._keep(ticket, type(fault).__name__, failed=True)
            except OSError as fault:
                # A disk that is full or failing is nobody's file; its words would name a path.
                await self._keep(ticket, f"{type(fault).__name__} {fault.errno}", failed=False)
            except Exception as fault:
                log.error("judge.failed", **trouble(fault))
                await self._keep(ticket, type(fault).__name__, failed=True)
            else:
                if verdict is not None:
                    codes = [finding.error_id for finding in verdict.findings]
                    log.info(
                        "submission.judged", verdict=verdict.state, sender=verdict.case.submission.sender, codes=codes
                    )
            self.promised()
            self.forwarding.ring()
            self.judging.ring()

    def _ask_for(self, ticket: str, fault: TemporaryError) -> None:
        if self._fetcher is not None and isinstance(fault, TrustUnavailable) and fault.authority is not None:
            self._fetcher.ask(ticket, fault.authority, fault.certificate)

    async def _keep(self, ticket: str, reason: str, *, failed: bool) -> None:
        try:
            await asyncio.to_thread(self._hold, ticket, reason, failed=failed)
        except TemporaryError as fault:
            # Not even that can be written down: the submission stays as it is, and its turn comes again, not at once.
            log.error("submission.not_held", fault=type(fault).__name__)
            await asyncio.sleep(self._settings.judging.retry_seconds)

    def _hold(self, ticket: str, reason: str, *, failed: bool) -> None:
        """Keep the submission: try again after as long as it has waited so far, within the settings' bounds."""
        rules = self._settings.judging
        with self._pipeline.journal.write() as connection:
            submission = submissions.load(connection, ticket)
            if submission is None:
                return
            attempts = submission.attempts + failed
            age = (now() - submission.received_at) / _SECOND
            wait = min(rules.retry_ceiling_seconds, max(rules.retry_seconds, age))
            state = State.QUARANTINED if failed and attempts >= rules.max_failures else State.HELD
            due = now() + int(wait * _SECOND)
            submissions.hold(connection, ticket, state=state, attempts=attempts, next_attempt_at=due, reason=reason)
        _report_hold(submission, state, reason, overdue=age > rules.alert_seconds)


def _report_hold(submission: Submission, state: State, reason: str, *, overdue: bool) -> None:
    log.warning("submission.held", state=state, sender=submission.sender, reason=reason)
    if overdue or state is State.QUARANTINED:
        log.error("submission.overdue", sender=submission.sender, state=state, reason=reason)


def clear_away(journal: Journal, outbox: Outbox) -> None:
    """Drop the tombstones of answers whose placing is recorded."""
    tombstones = outbox.tombstones()
    with journal.read() as connection:
        unsettled = answers.unsettled_stems(connection)
    outbox.bury(tombstones, unsettled)
