"""Limited processes for untrusted bytes: bounded memory and time, hardly a secret of ours, gone when the daemon goes.

A worker that dies, hangs or runs out of memory fails only the task it had; that is our trouble, not a refusal.  One
that ran out of memory goes on, the others are replaced.  Of our keys a worker gets only the one that persons are marked
with, with each task (``docs/decisions/0025-who-exchanged-data.md``).
"""

import asyncio
import pickle
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, ParamSpec, TypeVar

import structlog

from config.errors import ConfigurationError, TemporaryError
from gateway.worker_link import SERVER_GONE, EndedError, Link, start

log = structlog.get_logger()

P = ParamSpec("P")
T = TypeVar("T")

_MOST_TASKS: Final = 1000  # libxml2 keeps every name it has met for the life of its process


class WorkerFailedError(Exception):
    """A worker died, hung or ran out of memory over one task."""


class WorkersLostError(TemporaryError):
    """All workers were lost at once; there are new ones when the task is tried again."""


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """How many workers, and what each task may cost: address space in bytes, seconds of wall clock for every step."""

    count: int
    memory: int
    seconds: float


class Trip:
    """One task at a worker, which is nobody else's until the last answer is there.  :meth:`Workers.begin` makes it."""

    def __init__(self, workers: "Workers", worker: Link) -> None:
        self._workers = workers
        self._worker = worker
        self.is_over = False

    async def next(self) -> Any:
        """What the next step of the task answers; what it raised comes through.

        Raises:
            WorkerFailedError: the worker did not live to answer.
            WorkersLostError: the process that makes the workers died, and all of them with it.
        """
        try:
            answer = await self._worker.answer()
        except EndedError as fault:
            self._end()
            if not fault.hung and fault.exit_status == SERVER_GONE:
                raise WorkersLostError("the workers were lost and made anew") from fault
            exit_status = None if fault.hung else fault.exit_status
            log.warning("worker.lost", reason="hung" if fault.hung else "died", exit=exit_status)
            raise WorkerFailedError("TimeoutError" if fault.hung else "ProcessExpired") from fault
        except BaseException:
            self.give_up()
            raise
        if answer.is_last:
            self._end()
        if not answer.failed:
            return answer.value
        if isinstance(answer.value, MemoryError):
            log.warning("worker.lost", reason="out of memory", exit=None)
            raise WorkerFailedError("MemoryError") from answer.value
        raise answer.value

    def give_up(self) -> None:
        """Want no more answers; a worker that has not given the last one is ended."""
        if not self.is_over:
            self._worker.kill()
            self._worker.let_go()
            self._end()

    def _end(self) -> None:
        if not self.is_over:
            self.is_over = True
            self._workers.take_back(self._worker)


class Workers:
    """The pool.  Make it with :func:`open_workers`; it belongs to the event loop that runs then."""

    def __init__(self, limits: WorkerLimits) -> None:
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._free = asyncio.Semaphore(limits.count)
        self._starting = asyncio.Lock()
        self._idle: list[Link] = []
        self._all: set[Link] = set()
        self._beside: set[asyncio.Task[None]] = set()
        self._lost = False
        self._closed = False

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``function`` answers when a worker calls it; its own exceptions come through.

        Raises:
            WorkerFailedError: the worker did not live to answer.
            WorkersLostError: there was none to ask.
        """
        trip = await self._begin(function, args, kwargs)
        answer: T = await trip.next()
        return answer

    async def begin(self, function: Callable[P, Generator[Any, None, Any]], *args: P.args, **kwargs: P.kwargs) -> Trip:
        """Have a worker do a task that answers in steps: what ``function`` yields, at last what it returns.

        Every step has the seconds of a task.  Whoever begins it asks until it is over, or gives it up.

        Raises:
            WorkersLostError: there was none to ask.
        """
        return await self._begin(function, args, kwargs)

    async def _begin(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Trip:
        task = pickle.dumps((function, args, kwargs))
        await self._free.acquire()
        try:
            worker = await self._one()
        except BaseException:
            self._free.release()
            raise
        worker.ask(task, self._limits.seconds)
        return Trip(self, worker)

    def take_back(self, worker: Link) -> None:
        """Have a worker that is idle again, or has ended."""
        self._free.release()
        if worker.asked < _MOST_TASKS and not worker.is_leaving:
            self._idle.append(worker)
        else:
            worker.kill()
            worker.let_go()

    def alive(self) -> bool:
        """Whether there are workers; lost ones are made anew.  Can be asked from any thread."""
        if self._lost:
            self._loop.call_soon_threadsafe(self._revive)
        return not self._lost

    async def _one(self) -> Link:
        while not self._closed and not self._idle:
            await asyncio.shield(self._aside(self._start()))
        if self._closed:
            raise WorkersLostError("the workers are closed")
        return self._idle.pop()

    async def _start(self) -> None:
        async with self._starting:
            try:
                worker = await start(self._limits.memory, self._gone)
            except (OSError, EOFError) as fault:
                self._lose()
                raise WorkersLostError("no worker can be started") from fault
        self._lost = False
        self._all.add(worker)
        self._idle.append(worker)
        if self._closed:
            worker.kill()
            worker.let_go()

    def _revive(self) -> None:
        if self._lost and not self._closed and not self._starting.locked():
            self._aside(self._start())

    def _gone(self, worker: Link) -> None:
        """A worker's connection is closed."""
        self._all.discard(worker)
        was_idle = worker in self._idle
        if was_idle:
            self._idle.remove(worker)
        self._aside(self._bury(worker, was_idle=was_idle))

    async def _bury(self, worker: Link, *, was_idle: bool) -> None:
        status = await worker.exit_status()
        if self._closed:
            return
        if status == SERVER_GONE:
            self._lose()
        elif was_idle:
            log.warning("worker.lost", reason="died", exit=status)

    def _lose(self) -> None:
        if not self._lost:
            self._lost = True
            log.error("workers.lost")

    def _aside(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._done_beside)
        return task

    def _done_beside(self, task: "asyncio.Task[None]") -> None:
        self._beside.discard(task)
        if not task.cancelled():
            task.exception()  # who waited for it has heard of it

    async def close(self) -> None:
        """End every worker."""
        self._closed = True
        for worker in tuple(self._all):
            worker.kill()
            worker.let_go()
        while self._beside:
            await asyncio.gather(*self._beside, return_exceptions=True)


@asynccontextmanager
async def open_workers(limits: WorkerLimits) -> AsyncIterator[Workers]:
    """A pool of workers for the time of the block; its tasks are given up when the block ends.

    Raises:
        ConfigurationError: this machine lets no worker start.
    """
    workers = Workers(limits)
    try:
        try:
            await asyncio.gather(*(workers.run(_is_alive) for _ in range(limits.count)))
        except WorkersLostError as fault:
            raise ConfigurationError([f"judging: {fault}: {fault.__cause__}"]) from fault
        yield workers
    finally:
        await workers.close()


def _is_alive() -> None:
    """Asked before the gateway says that it is ready, so that no sender waits for a worker to load."""
