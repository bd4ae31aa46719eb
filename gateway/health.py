"""Is this process fit for work, and if not, which part of it isn't?

Every part is asked at the same time and has three seconds; one that has not answered counts as not ready.  What was
found is good for a second, and one that hangs is asked by one thread: however many ask, the journal notices nothing.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from channels.mq.publisher import Publisher
from channels.sftp.server import Door
from config.errors import TemporaryError
from config.settings import Settings
from gateway.gatekeeper import Gatekeeper
from gateway.workers import Workers
from spool.files import free_bytes
from spool.intake import IntakeLimits
from spool.journal import Journal
from spool.tables import submissions

_PATIENCE: Final = 3.0
_GOOD_FOR: Final = 1.0


@dataclass(frozen=True, slots=True)
class Running:
    """What runs in this process and can be asked; None for what runs in another, or not at all."""

    workers: Workers | None = None
    door: Door | None = None
    gatekeeper: Gatekeeper | None = None
    publisher: Publisher | None = None
    intake: IntakeLimits | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the process, whether it is ready, and why not, in words without anybody's data."""

    name: str
    ready: bool
    words: str = ""


STOPS: Final = ("evidence", "backlog", "maintenance")
"""Why intake may be stopped, besides the disk, which has a metric of its own."""


def stops(intake: IntakeLimits) -> list[str]:
    """Which of `STOPS` stop intake just now; maintenance is no fault, and answers can be fetched meanwhile."""
    found = (
        intake.unsealed is not None and intake.unsealed.stops_intake,
        intake.backlog is not None and intake.backlog.is_full,
        bool(intake.closed()),
    )
    return [why for why, stopped in zip(STOPS, found, strict=True) if stopped]


def _faults(intake: IntakeLimits) -> Iterator[str]:
    """Of what stops intake the faults, in words."""
    for why in stops(intake):
        if why == "evidence" and intake.unsealed is not None:
            yield f"evidence cannot be written, for {intake.unsealed.words}"
        elif why == "backlog" and intake.backlog is not None:
            backlog = intake.backlog
            yield f"{backlog.size} bytes of declarations wait to be forwarded, more than {backlog.limit}"


class Health:
    """Looks after one process; to be asked in its event loop.

    Args:
        settings: where the spool is, and what it keeps free.
        journal: has to be writable.
        running: what has to be alive.
        patience: seconds that a part has to answer.
    """

    def __init__(self, settings: Settings, journal: Journal, running: Running, patience: float = _PATIENCE) -> None:
        self._settings = settings
        self._journal = journal
        self._running = running
        self._patience = patience
        self._began = time.monotonic()
        self._asked: dict[str, tuple[float, asyncio.Task[str]]] = {}

    @property
    def seconds(self) -> float:
        """For how long the process runs."""
        return time.monotonic() - self._began

    async def parts(self, patience: float | None = None) -> tuple[Part, ...]:
        """Every part, in a fixed order.

        Args:
            patience: seconds that a part has to answer, if that is less than usual.
        """
        running, seconds = self._running, min(self._patience, patience or self._patience)
        questions: dict[str, Callable[[], Awaitable[str]]] = {"journal": self._journal_fault, "disk": self._disk_fault}
        if running.workers is not None:
            questions["workers"] = self._workers_fault
        if running.door is not None:
            questions["door"] = self._door_fault
        if running.intake is not None:
            questions["intake"] = self._intake_fault
        if running.publisher is not None:
            questions["broker"] = self._broker_fault
        return tuple(await asyncio.gather(*(self._part(name, ask, seconds) for name, ask in questions.items())))

    async def _part(self, name: str, ask: Callable[[], Awaitable[str]], seconds: float) -> Part:
        at = time.monotonic()
        begun, task = self._asked.get(name, (0.0, None))
        if task is None or (task.done() and at >= begun + _GOOD_FOR):
            task = asyncio.ensure_future(ask())
            self._asked[name] = (at, task)
        done, _ = await asyncio.wait((task,), timeout=seconds)
        if not done:
            return Part(name, ready=False, words=f"no answer in {seconds:g} seconds")
        fault = task.exception()
        words = task.result() if fault is None else type(fault).__name__
        return Part(name, ready=not words, words=words)

    async def _journal_fault(self) -> str:
        return await asyncio.to_thread(self._write_nothing)

    def _write_nothing(self) -> str:
        try:
            with self._journal.write() as connection:
                # Changes no row, and is refused where none may be changed.
                connection.execute(sa.update(submissions).where(submissions.c.ticket == "").values(attempts=0))
        except TemporaryError as fault:
            return str(fault)
        return ""

    async def _disk_fault(self) -> str:
        spool = self._settings.spool
        try:
            free = await asyncio.to_thread(free_bytes, spool.path)
        except OSError:
            return "the spool cannot be read"
        return "" if free >= spool.reserve else "the disk has less than its reserve left: nothing is taken in"

    async def _workers_fault(self) -> str:
        alive = self._running.workers is None or self._running.workers.alive()
        return "" if alive else "the workers were lost, and are made anew"

    async def _door_fault(self) -> str:
        return "" if self._running.door is None or self._running.door.is_open else "the SFTP door is closed"

    async def _intake_fault(self) -> str:
        intake = self._running.intake
        return "" if intake is None else ", ".join(f"nothing is taken in: {why}" for why in _faults(intake))

    async def _broker_fault(self) -> str:
        connected = self._running.publisher is None or self._running.publisher.connected
        return "" if connected else "the broker is not reached; submissions are taken in, and wait"
