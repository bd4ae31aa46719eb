"""How fast may sets be taken while more wait for their verdict than can be judged soon?

A GO that comes then has its OK later, so that its client sends the next one later too: what is promised stays bounded
by what can be kept, and whoever has its OK has its answer soon.  Senders take turns.  One of whom nothing waits goes
first, and hardly waits itself, however much the others send.  Nobody waits longer than a time that no client takes for
the end of the connection; nothing is refused.

It is asked before custody is taken.  Who is cut off while it waits has promised nothing and was promised nothing: the
sweep takes the set, as it does with every one that is complete.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Final

import structlog

from config.errors import TemporaryError
from spool import unjudged
from spool.journal import Journal

log = structlog.get_logger()

_LOOK: Final = 0.05
_FRESH: Final = 1.0
_QUIET: Final = 60.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many submissions wait for a verdict, and which of those senders who were asked about have some."""

    count: int
    senders: Collection[str]


class Turnstile:
    """Lets sets pass.  To be used in one event loop.

    Args:
        look: answers what waits, at best of these senders; blocks on the journal.
        most: how many may wait for a verdict before others have to.
        seconds: how long one waits at most.
    """

    def __init__(self, look: Callable[[Collection[str]], Waiting], most: int, seconds: float) -> None:
        self.look = look
        self._most = most
        self._seconds = seconds
        self._room = 0
        self._looked = 0.0
        self._told = -_QUIET
        self._passing: Counter[str] = Counter()
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._looking: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def passing(self, sender: str) -> AsyncIterator[None]:
        """Wait until a set of ``sender`` may be taken, and take it in the block."""
        if not self._queues and self._room > 0 and monotonic() - self._looked < _FRESH:
            self._room -= 1
        else:
            await self._wait(sender)
        self._passing[sender] += 1
        try:
            yield
        finally:
            self._passing[sender] -= 1
            self._passing += Counter()  # keeps those that have some

    async def _wait(self, sender: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(sender, deque()).append(turn)
        if self._looking is None:
            self._looking = asyncio.create_task(self._let_pass())
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    await turn
        finally:
            if not turn.done() or turn.cancelled():
                self._give_up(sender, turn)

    def _give_up(self, sender: str, turn: asyncio.Future[None]) -> None:
        queue = self._queues.get(sender)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._queues[sender]

    async def _let_pass(self) -> None:
        try:
            while self._queues:
                waiting = await asyncio.to_thread(self.look, tuple(self._queues))
                self._looked = monotonic()
                self._let_some_pass(waiting)
                if self._queues:
                    await asyncio.sleep(_LOOK)
        except TemporaryError:
            # Whether the journal can be written is for custody to find out.
            while self._queues:
                self._next_of(next(iter(self._queues)))
        finally:
            self._looking = None

    def _let_some_pass(self, waiting: Waiting) -> None:
        self._room = self._most - waiting.count - self._passing.total()
        for sender in [one for one in self._queues if one not in waiting.senders and not self._passing[one]]:
            self._next_of(sender)
        while self._queues and self._room > 0:
            self._next_of(next(iter(self._queues)))
        if self._queues and self._looked - self._told > _QUIET:
            self._told = self._looked
            log.info("intake.slowed", waiting=waiting.count, senders=len(self._queues))

    def _next_of(self, sender: str) -> None:
        """Let one of ``sender`` pass; its next turn comes after those of all others."""
        queue = self._queues[sender]
        turn = queue.popleft()
        if queue:
            self._queues.move_to_end(sender)
        else:
            del self._queues[sender]
        if not turn.done():
            turn.set_result(None)
            self._room -= 1


def open_turnstile(journal: Journal, most: int, seconds: float) -> Turnstile:
    """One before the submissions of ``journal``."""

    def look(senders: Collection[str]) -> Waiting:
        with journal.read() as connection:
            count = unjudged.count(connection, most)
            return Waiting(count, unjudged.among(connection, senders) if count >= most else ())

    return Turnstile(look, most, seconds)
