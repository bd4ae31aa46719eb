"""Which submissions are judged now, how many at a time, and what becomes of one that cannot be judged yet?

One that meets temporary trouble is held and tried again; one that fails unexpectedly so many times is quarantined, for
a person to look at.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog
from structlog.contextvars import bound_contextvars

from config.errors import TemporaryError
from config.settings import Judging as JudgingRules
from gateway.cases import Case
from gateway.judge import Verdict
from gateway.pipeline import Pipeline
from gateway.rounds import IDLE, Round, trouble
from gateway.shift import Shift
from signing.evidence import TrustUnavailable
from spool import claims, leases, submissions
from spool.journal import now
from spool.submissions import State, Submission
from spool.tickets import seconds_since
from spool.waking import Topic, wake
from spool.wanted import Want, Wanted

log = structlog.get_logger()

_SECOND: Final = 1_000_000
_SOON: Final = 0.05
_FOR_EVER: Final = 2**63
_FRESH: Final = 1.0
"""For so many seconds a case may wait as it was opened."""


@dataclass(frozen=True, slots=True)
class _Due:
    """What is due, with the ``cases`` that were opened at a moment, and seconds until more may be."""

    tickets: Sequence[str]
    cases: Mapping[str, Case]
    pause: float
    opened_at: float

    def case(self, ticket: str) -> Case | None:
        """Its case; None if it was not opened, or so long ago that something may bear on it since."""
        return self.cases.get(ticket) if time.monotonic() - self.opened_at < _FRESH else None


class Judging:
    """Judges what is due, several submissions at a time.

    Args:
        pipeline: the stages.
        rules: how many at a time, and how often one is tried.
        wanted: where to ask for revocation data, if somebody fetches them.
        ring: there is something to do for these rounds.
        shift: what is claimed with, where other processes judge too.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        rules: JudgingRules,
        wanted: Wanted | None,
        ring: Callable[..., None],
        shift: Shift | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._rules = rules
        self._wanted = wanted
        self._ring = ring
        self._shift = shift
        self._most = 2 * rules.workers
        self._slots = asyncio.Semaphore(self._most)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._last = ""
        self._ahead = _FOR_EVER

    async def turn(self) -> float:
        """Begin with what is due; answers seconds until more may be.

        Raises:
            JournalError: the journal cannot be read or written just now.
        """
        if len(self._running) >= self._most:
            return IDLE  # each that ends rings
        due = await asyncio.to_thread(self._due, frozenset(self._running))
        for ticket in due.tickets:
            if ticket not in self._running:
                await self._slots.acquire()
                task = asyncio.create_task(self._judge_one(ticket, due.case(ticket)))
                self._running[ticket] = task
                task.add_done_callback(partial(self._finished, ticket))
        return due.pause

    async def stop(self) -> None:
        """Give up the judgements in progress; they begin anew when the gateway starts again."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _finished(self, ticket: str, _task: asyncio.Task[None]) -> None:
        del self._running[ticket]
        if self._shift is not None:
            self._shift.judged(ticket)
        self._slots.release()
        self._ring(Round.JUDGE)

    def _due(self, running: Collection[str]) -> "_Due":
        # Alone it may ask for more than it begins with at once; what others could judge stays theirs.
        limit = 8 * self._rules.workers + len(running)
        waiting = None if self._shift is None else self._shift.claim(self._most, self._last, tuple(running))
        opened_at = time.monotonic()
        with self._pipeline.journal.read() as connection:
            at = leases.clock(connection)
            if waiting is None:
                waiting = claims.due(connection, at, limit, after=self._last)
            next_due = submissions.next_due(connection, at)
            tickets = [one.ticket for one in waiting]
            # What is judged just now may have its verdict by the time that its turn would come again.
            cases = self._pipeline.open_plain(connection, [one for one in tickets if one not in running])
        if waiting:
            self._last = waiting[-1].sender
        is_soon = self._was_set_back(at)
        pause = IDLE if next_due is None else (next_due - at) / _SECOND
        return _Due(tickets, cases, _SOON if is_soon else max(_SOON, pause), opened_at)

    def _was_set_back(self, at: int) -> bool:
        """Whether the clock was, or may have been before the start; what waits by the old one is due at once then."""
        ahead = at - int(time.monotonic() * _SECOND)
        was_set_back = ahead < self._ahead - _SECOND
        if was_set_back:
            with self._pipeline.journal.write() as connection:
                claims.bring_near(connection, at + int(self._rules.retry_ceiling_seconds * _SECOND))
        self._ahead = ahead
        return was_set_back

    async def _judge_one(self, ticket: str, case: Case | None) -> None:
        with bound_contextvars(ticket=ticket):
            try:
                verdict = await self._pipeline.settle(ticket, case)
            except TemporaryError as fault:
                await self._keep(ticket, f"{type(fault).__name__}: {fault}", fault=fault)
            except (PermissionError, FileNotFoundError) as fault:
                await self._fail(ticket, fault)
            except OSError as fault:
                # A disk that is full or failing is nobody's file; its words would name a path.
                await self._keep(ticket, f"{type(fault).__name__} {fault.errno}")
            except Exception as fault:
                await self._fail(ticket, fault)
            else:
                if verdict is not None:
                    _report(verdict)
                    by_message = verdict.case.submission.channel == "mq"
                    self._ring(Round.PUBLISH if by_message else Round.ANSWER)
                else:
                    self._ring(Round.ANSWER, Round.PUBLISH)
            self._ring(Round.FORWARD)

    async def _fail(self, ticket: str, fault: Exception) -> None:
        known = await asyncio.to_thread(self._known, ticket)
        sender, file = (None, None) if known is None else (known.sender, known.name)
        log.error("judge.failed", sender=sender, file=file, **trouble(fault))
        await self._keep(ticket, type(fault).__name__, failed=True)

    def _known(self, ticket: str) -> Submission | None:
        with suppress(TemporaryError), self._pipeline.journal.read() as connection:
            return submissions.load(connection, ticket)
        return None

    async def _keep(
        self, ticket: str, reason: str, *, failed: bool = False, fault: TemporaryError | None = None
    ) -> None:
        try:
            await asyncio.to_thread(self._hold, ticket, reason, failed=failed, fault=fault)
        except TemporaryError as trouble_of_ours:
            # Not even that can be written down: the submission stays as it is, and its turn comes again, not at once.
            log.error("submission.not_held", fault=type(trouble_of_ours).__name__)
            await asyncio.sleep(self._rules.retry_seconds)
        else:
            self._ring(Round.FETCH)

    def _hold(self, ticket: str, reason: str, *, failed: bool, fault: TemporaryError | None) -> None:
        """Keep the submission: try again after as long as it has waited so far, within the settings' bounds."""
        rules = self._rules
        with self._pipeline.journal.write() as connection:
            submission = submissions.load(connection, ticket)
            if submission is None:
                return
            attempts = submission.attempts + failed
            age = (now() - submission.received_at) / _SECOND
            wait = min(rules.retry_ceiling_seconds, max(rules.retry_seconds, age))
            state = State.QUARANTINED if failed and attempts >= rules.max_failures else State.HELD
            due = leases.clock(connection) + int(wait * _SECOND)
            submissions.hold(connection, ticket, state=state, attempts=attempts, next_attempt_at=due, reason=reason)
        # Not before it is held: what is fetched at once would find nothing to resume.
        self._ask_for(ticket, fault)
        _report_hold(submission, state, reason, overdue=age > rules.alert_seconds)

    def _ask_for(self, ticket: str, fault: TemporaryError | None) -> None:
        if self._wanted is None or not isinstance(fault, TrustUnavailable) or fault.authority is None:
            return
        with suppress(OSError, TemporaryError):  # it is tried again anyhow, only later
            self._wanted.note(Want(ticket, fault.authority, fault.certificate))
            with self._pipeline.journal.claim() as connection:
                wake(connection, Topic.FETCH)


def _report(verdict: Verdict) -> None:
    submission = verdict.case.submission
    log.info(
        "submission.judged",
        verdict=verdict.state,
        sender=submission.sender,
        file=submission.name,
        codes=[finding.error_id for finding in verdict.findings],
        seconds=seconds_since(submission.ticket, now()),
    )


def _report_hold(submission: Submission, state: State, reason: str, *, overdue: bool) -> None:
    seconds = seconds_since(submission.ticket, now())
    facts = {"sender": submission.sender, "file": submission.name, "reason": reason}
    log.warning("submission.held", state=state, seconds=seconds, **facts)
    if overdue or state is State.QUARANTINED:
        log.error("submission.overdue", state=state, seconds=seconds, **facts)
