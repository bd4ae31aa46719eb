"""Limited processes for untrusted bytes: bounded memory and time, hardly a secret of ours, gone when the daemon goes.

A worker that dies, hangs or runs out of memory fails only the task it had; that is our trouble, not a refusal.  One
that ran out of memory goes on, the others are replaced.  Of our keys a worker gets only the one that persons are marked
with, with each task (``docs/decisions/0025-who-exchanged-data.md``).
"""

import asyncio
import ctypes
import gc
import multiprocessing
import os
import resource
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import TimeoutError as TaskTimeoutError
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver
from typing import Any, Final, ParamSpec, TypeVar

import structlog
from pebble import ProcessExpired, ProcessPool

from config.errors import ConfigurationError, TemporaryError
from gateway.logs import cap_libraries

log = structlog.get_logger()

P = ParamSpec("P")
T = TypeVar("T")

_PR_SET_PDEATHSIG: Final = 1
_SAFE_PATH: Final = "PYTHONSAFEPATH"
_MADE_BEFORE_COLLECTING: Final = 20_000
"""Objects that a worker makes before it looks for those that hold each other; Python's default is 700."""


class WorkerFailedError(Exception):
    """A worker died, hung or ran out of memory over one task."""


class WorkersLostError(TemporaryError):
    """All workers were lost at once; there are new ones by now, and the task can be tried again."""


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """How many workers, and what each task may cost: address space in bytes, seconds of wall clock."""

    count: int
    memory: int
    seconds: float


class Workers:
    """The pool.  Make it with :func:`open_workers`."""

    def __init__(self, limits: WorkerLimits) -> None:
        self._limits = limits
        self._pool = _make_pool(limits)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``function`` answers when a worker calls it; its own exceptions come through.

        Raises:
            WorkerFailedError: the worker did not live to answer.
            WorkersLostError: there was none to ask.
        """
        pool = self._pool
        try:
            future: Any = pool.schedule(function, args=args, kwargs=kwargs, timeout=self._limits.seconds)
            result: T = await asyncio.wrap_future(future)
        except (ProcessExpired, TaskTimeoutError, MemoryError) as fault:
            log.warning("worker.lost", reason=_loss(fault), exit=getattr(fault, "exitcode", None))
            raise WorkerFailedError(type(fault).__name__) from fault
        except RuntimeError as fault:
            if pool.active:
                raise
            self._renew(pool)
            raise WorkersLostError("the workers were lost and made anew") from fault
        return result

    def alive(self) -> bool:
        """Whether there are workers; lost ones are made anew, and there are some when this is asked again."""
        pool = self._pool
        if not pool.active:
            self._renew(pool)
            return False
        return True

    def _renew(self, lost: ProcessPool) -> None:
        # A pool whose fork server died never works again; whoever notices first makes the next one.
        if self._pool is lost:
            log.error("workers.lost")
            self._pool = _make_pool(self._limits)

    async def close(self) -> None:
        """End every worker."""
        await asyncio.to_thread(_stop, self._pool)


@asynccontextmanager
async def open_workers(limits: WorkerLimits) -> AsyncIterator[Workers]:
    """A pool of workers for the time of the block; its tasks are given up when the block ends.

    Raises:
        ConfigurationError: this machine lets no worker start.
    """
    try:
        workers = Workers(limits)
    except OSError as fault:
        raise ConfigurationError([f"judging: workers need semaphores in /dev/shm: {fault.strerror}"]) from fault
    try:
        await asyncio.gather(*(workers.run(_is_alive) for _ in range(limits.count)))
        yield workers
    finally:
        await workers.close()


def _loss(fault: BaseException) -> str:
    if isinstance(fault, MemoryError):
        return "out of memory"
    return "hung" if isinstance(fault, TaskTimeoutError) else "died"


def _make_pool(limits: WorkerLimits) -> ProcessPool:
    context = multiprocessing.get_context("forkserver")
    loaded = ["gateway.examination", "gateway.register.inss", "schemas.components"]
    context.set_forkserver_preload(["gateway.ends_with_parent", *loaded])
    with _safe_path():
        forkserver.ensure_running()
    return ProcessPool(
        max_workers=limits.count,
        max_tasks=1000,  # libxml2 keeps every name it has met for the life of its process
        context=context,
        initializer=_become_limited,
        initargs=[limits.memory],
    )


@contextmanager
def _safe_path() -> Iterator[None]:
    """Let no process that is started in the block import from the current folder, as Python does with ``-c``.

    A gateway that was started in a checkout would judge by the checkout's code, and not by what is installed.
    """
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before


def _is_alive() -> None:
    """Asked before the gateway says that it is ready, so that no sender waits for a worker to load."""


def _stop(pool: Any) -> None:
    pool.stop()
    pool.join()


def _become_limited(memory: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    cap_libraries()
    # What is loaded stays, and a task leaves hardly any circles: without this a large file took a tenth longer.
    gc.freeze()
    gc.set_threshold(_MADE_BEFORE_COLLECTING)
    # A daemon that is killed takes its workers along; without this they would live on, orphaned.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
