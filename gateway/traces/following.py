"""Who tells the collector what became of submissions, and what if it does not listen?

A round follows the journal, as the metrics do, and sends what is new.  No stage knows of it.  A collector that is away
or slow holds up nothing but this round: so many spans wait, the oldest are dropped and counted.  What happened long
before, when another process followed, is not told again.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from config.credential import revealed
from config.errors import ConfigurationError, TemporaryError
from config.traces import Traces
from gateway.metrics import steps
from gateway.metrics.steps import Step
from gateway.traces.spans import Forwarded, Span, is_traced, spans_of
from spool.effects import Kind
from spool.journal import Journal, now
from spool.tables import effects

if TYPE_CHECKING:
    from gateway.traces.collector import Collector

log = structlog.get_logger()

_MOST_BATCHES: Final = 25
_AT_ONCE: Final = 512
_OLD: Final = 600_000_000
"""How old a step may be, in microseconds, to be told still."""


class Tracer:
    """Follows one journal for one collector.  Make it with :func:`open_tracer`."""

    def __init__(self, journal: Journal, collector: "Collector", rules: Traces) -> None:
        self._journal = journal
        self._collector = collector
        self._rules = rules
        self._number: int | None = None
        self._waiting: deque[Span] = deque()
        self._looking = Lock()
        self._is_away = False

    async def turn(self) -> float:
        """Send what is new; answers the seconds until there may be more.

        Raises:
            JournalError: the journal cannot be read.
        """
        await self._look(now() - steps.SETTLED)
        await self._send()
        return self._rules.every_seconds

    async def finish(self) -> None:
        """Send what there is, for as long as the settings let a gateway that stops wait; the rest is dropped."""
        with suppress(TimeoutError, TemporaryError):
            async with asyncio.timeout(self._rules.stop_seconds):
                if self._number is not None:
                    await self._look(now())
                await self._send()
        self._drop(len(self._waiting), "the gateway stops")

    async def _look(self, until: int) -> None:
        await asyncio.to_thread(self._take, until)
        self._drop(len(self._waiting) - self._rules.max_waiting, "too many wait")

    def _take(self, until: int) -> None:
        # A turn that was given up may be here still when the last look is taken.
        with self._looking, self._journal.read() as connection:
            if self._number is None:
                self._number = steps.last(connection)
            for _ in range(_MOST_BATCHES):
                upto, found = steps.after(connection, self._number, until)
                if upto is None:
                    break
                wanted = [one for one in found if one.at > until - _OLD and is_traced(one.ticket, self._rules.share)]
                self._waiting.extend(_spans(connection, wanted))
                self._number = upto

    async def _send(self) -> None:
        from gateway.traces.collector import Away, Refused  # noqa: PLC0415 -- its libraries are an optional extra

        while self._waiting:
            batch = list(islice(self._waiting, _AT_ONCE))
            outcome = await self._collector.send(batch)
            if isinstance(outcome, Away):
                if not self._is_away:
                    log.warning("traces.unavailable", reason=outcome.reason)
                self._is_away = True
                return
            if isinstance(outcome, Refused):
                self._drop(len(batch), outcome.reason)
                continue
            self._note_taken(len(batch), outcome.rejected)

    def _note_taken(self, count: int, rejected: int) -> None:
        if self._is_away:
            log.info("traces.resumed")
        self._is_away = False
        self._drop(rejected, "the collector rejected them")
        self._forget(count - rejected)
        if count > rejected:
            log.debug("traces.sent", count=count - rejected)

    def _drop(self, count: int, reason: str) -> None:
        """Forget the oldest, and say so."""
        if count > 0:
            self._forget(count)
            log.warning("traces.dropped", count=count, reason=reason)

    def _forget(self, count: int) -> None:
        for _ in range(count):
            self._waiting.popleft()


def _spans(connection: Connection, found: Sequence[Step]) -> Iterator[Span]:
    forwarded = _forwarded(connection, [step.ticket for step in found if step.event == "submission.closed"])
    for step in found:
        yield from spans_of(step, forwarded.get(step.ticket))


def _forwarded(connection: Connection, tickets: Sequence[str]) -> Mapping[str, Forwarded]:
    """Of which of these declarations were forwarded."""
    query = (
        sa.select(effects.c.ticket, sa.func.count(), sa.func.max(effects.c.done_at))
        .where(effects.c.ticket.in_(tickets), effects.c.kind == Kind.FORWARD, effects.c.done_at.is_not(None))
        .group_by(effects.c.ticket)
    )
    return {ticket: Forwarded(count, at) for ticket, count, at in connection.execute(query)}


def faults(rules: Traces) -> list[str]:
    """What is wrong with the settings of traces, as far as they don't say it themselves."""
    if rules.endpoint is None:
        return []
    found: list[str] = []
    try:
        import gateway.traces.collector  # noqa: F401, PLC0415 -- its libraries are an optional extra
    except ModuleNotFoundError:
        found.append("traces.endpoint: OpenTelemetry is not installed; pip install 'batch-gateway[traces]'")
    for name, value in rules.headers.items():
        try:
            revealed(value)
        except ConfigurationError as fault:
            found += (f"traces.headers.{name}: {line}" for line in fault.faults)
    return found


@asynccontextmanager
async def open_tracer(rules: Traces, journal: Journal) -> AsyncIterator[Tracer]:
    """What follows the journal for the collector that ``rules`` name; at the end of the block it is finished.

    Raises:
        ConfigurationError: the extra isn't installed, or a header is a credential that cannot be read.
    """
    if found := faults(rules):
        raise ConfigurationError(found)
    from gateway.traces.collector import open_collector  # noqa: PLC0415 -- its libraries are an optional extra

    async with open_collector(rules) as collector:
        tracer = Tracer(journal, collector, rules)
        try:
            yield tracer
        finally:
            await tracer.finish()
