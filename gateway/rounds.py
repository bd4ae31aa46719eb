"""The rounds that keep work moving while the daemon runs: judge, place answers, forward, sweep, ...

Each looks in the journal or the spool for what is due, does it, and sleeps until a bell rings or something becomes due.
A round never ends by itself: trouble is logged, and the work stays where it is for the next turn.  Where several
processes could go the same round, the one goes it whose shift it is.
"""

import asyncio
import traceback
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum
from typing import Final

import structlog

from config.errors import TemporaryError
from gateway.shift import Shift
from spool.waking import Topic

log = structlog.get_logger()

# What a command changes in a SQLite journal (a release, say) rings no bell here.
IDLE: Final = 5.0
HOURLY: Final = 3600.0


class Round(StrEnum):
    """What rounds are for; those that other processes may ring for have the names of their topics."""

    JUDGE = Topic.JUDGE.value
    ANSWER = Topic.ANSWER.value
    PUBLISH = Topic.PUBLISH.value
    FORWARD = Topic.FORWARD.value
    FETCH = Topic.FETCH.value
    GATHER = "gather"
    RECOVER = "recover"
    SETTLE = "settle"
    SWEEP = "sweep"
    LOOK = "look"
    WATCH = "watch"
    RETIRE = "retire"
    WARN = "warn"
    TELL = "tell"
    SEAL = "seal"
    PURGE = "purge"
    TRACE = "trace"
    KEEP = "keep"


_BY_ANY: Final = frozenset({Round.JUDGE, Round.FETCH, Round.LOOK, Round.WATCH, Round.KEEP, Round.SETTLE})
"""Those that every process goes for itself: it has claims of its own, or looks at what is its host's."""


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


Turn = Callable[[], Awaitable[float]]


class Rounds:
    """The rounds of one process.

    Args:
        retry: seconds until the next turn after one that ended in trouble.
        shift: whose turn it is, where other processes may go the same rounds.
    """

    def __init__(self, retry: float, shift: Shift | None = None) -> None:
        self._retry = retry
        self._shift = shift
        self._bells: defaultdict[Round, Bell] = defaultdict(Bell)

    def ring(self, *names: Round) -> None:
        """There is something to do."""
        for name in names:
            self._bells[name].ring()

    def rung_by(self, topic: Topic) -> None:
        """Another process says so; to be called in the event loop."""
        self.ring(Round(topic.value))

    def promised(self) -> None:
        """There is something to place or to publish."""
        self.ring(Round.ANSWER, Round.PUBLISH)

    async def go(self, name: Round, turn: Turn, idle: float = IDLE) -> None:
        """Take turns for ever; each answers the seconds until the next is due, ``idle`` at most."""
        while True:
            await self._bells[name].wait(await self._guarded(name, turn, idle))

    async def _guarded(self, name: Round, turn: Turn, idle: float) -> float:
        try:
            if self._shift is not None and name not in _BY_ANY and not await self._shift.has(name):
                return min(idle, self._shift.seconds / 2)
            return min(idle, await turn())
        except TemporaryError as fault:
            words = {"fault": type(fault).__name__, "reason": str(fault), "seconds": self._retry}
            log.warning("round.waiting", round=name.value, **words)
            await self._pass_on(name)
        except Exception as fault:
            log.error("round.failed", round=name.value, **trouble(fault))
            await self._pass_on(name)
        return self._retry

    async def _pass_on(self, name: Round) -> None:
        """Let another process try, which may reach what this one does not."""
        if self._shift is not None and name not in _BY_ANY:
            with suppress(TemporaryError):
                await self._shift.pass_on(name)
