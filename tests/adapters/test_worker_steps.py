"""A task in steps: each is told when it is done, has its own time, and the worker is nobody else's until the last."""

import asyncio
import ctypes
import os
import signal
import stat
import struct
import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from config.errors import ConfigurationError
from gateway.workers import WorkerFailedError, WorkerLimits, Workers, WorkersLostError, open_workers

_LIMITS = WorkerLimits(count=1, memory=1024**3, seconds=60.0)


def count(most: int) -> Generator[int, None, str]:
    """A task that counts, and says when it has ended."""
    yield from range(most)
    return "done"


def die_after(steps: int) -> Generator[int, None, None]:
    """A task whose worker is killed over the step after these."""
    yield from range(steps)
    os.kill(os.getpid(), signal.SIGKILL)


def hang_after(steps: int) -> Generator[int, None, None]:
    """A task that never ends the step after these."""
    yield from range(steps)
    signal.pause()


def last_long(steps: int, seconds: float) -> Generator[int, None, None]:
    """A task whose every step takes so long."""
    for step in range(steps):
        time.sleep(seconds)
        yield step


def refuse_after(steps: int) -> Generator[int, None, None]:
    """A task that fails in the step after these, with words of its own."""
    yield from range(steps)
    raise ConfigurationError(["first", "second"])


def hoard_after(steps: int, size: int) -> Generator[int, None, int]:
    """A task that wants ``size`` bytes in the step after these."""
    yield from range(steps)
    return len(bytearray(size))


class Taken:
    """What a worker says that a file has taken over: it makes a folder where it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self._path),)


def promise_too_much() -> None:
    """A task whose worker announces an answer of nearly two gigabytes, on every socket that it has, and goes on."""
    for descriptor in range(3, 64):
        with suppress(OSError):
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, struct.pack("!i", 2**31 - 1) + b"x")
    signal.pause()


def unspeakable() -> object:
    """A task whose answer cannot be sent."""
    return threading.Lock()


def large(size: int) -> bytes:
    """A task with a long answer."""
    return b"x" * size


async def test_every_step_is_told_and_the_last_ends_the_trip() -> None:
    """In their order; then the worker is there for the next."""
    async with open_workers(_LIMITS) as workers:
        trip = await workers.begin(count, 2)
        told = [(await trip.next(), trip.is_over) for _ in range(3)]

        assert [(0, False), (1, False), ("done", True)] == told
        assert len(b"next") == len(await workers.run(large, 4))


@pytest.mark.parametrize("steps", [0, 1])
async def test_a_worker_that_dies_fails_the_step_it_had(steps: int) -> None:
    """What was told before stays told; the next task is done as if nothing had been."""
    async with open_workers(_LIMITS) as workers:
        trip = await workers.begin(die_after, steps)
        assert list(range(steps)) == [await trip.next() for _ in range(steps)]
        with capture_logs() as lines, pytest.raises(WorkerFailedError):
            await trip.next()

        assert [("worker.lost", "died", -9)] == [(line["event"], line["reason"], line["exit"]) for line in lines]
        assert trip.is_over
        assert b"x" == await workers.run(large, 1)


@pytest.mark.parametrize("steps", [0, 1])
async def test_a_step_that_hangs_is_ended(steps: int) -> None:
    """Also while nobody asks for it."""
    async with open_workers(WorkerLimits(1, 1024**3, 4.0)) as workers:
        trip = await workers.begin(hang_after, steps)
        assert list(range(steps)) == [await trip.next() for _ in range(steps)]
        with capture_logs() as lines, pytest.raises(WorkerFailedError):
            await trip.next()

        assert ["hung"] == [line["reason"] for line in lines]
        assert b"x" == await workers.run(large, 1)


async def test_every_step_has_the_time_of_a_task() -> None:
    """Three that take most of it each are done."""
    async with open_workers(WorkerLimits(1, 1024**3, 5.0)) as workers:
        trip = await workers.begin(last_long, 3, 2.0)

        assert [0, 1, 2, None] == [await trip.next() for _ in range(4)]


async def test_what_a_step_raises_comes_through() -> None:
    """Whole, and it ends the trip; too much memory is our own trouble, and the worker goes on."""
    async with open_workers(_LIMITS) as workers:
        before = await workers.run(os.getpid)
        trip = await workers.begin(refuse_after, 1)
        assert await trip.next() == 0
        with pytest.raises(ConfigurationError) as caught:
            await trip.next()
        trip = await workers.begin(hoard_after, 1, 2 * 1024**3)
        assert await trip.next() == 0
        with pytest.raises(WorkerFailedError):
            await trip.next()

        assert ("first", "second") == caught.value.faults
        assert before == await workers.run(os.getpid)


async def test_a_trip_that_is_given_up_ends_its_worker() -> None:
    """Nobody waits for what nobody wants; a trip that is over is not given up any more."""
    async with open_workers(_LIMITS) as workers:
        before = await workers.run(os.getpid)
        trip = await workers.begin(hang_after, 1)
        await trip.next()
        trip.give_up()
        trip.give_up()
        after = await workers.run(os.getpid)
        over = await workers.begin(count, 0)
        await over.next()
        over.give_up()

        assert before != after
        assert after == await workers.run(os.getpid)


async def test_who_stops_waiting_gives_the_task_up() -> None:
    """Its worker is replaced, and the next task need not wait."""
    async with open_workers(_LIMITS) as workers:
        waiting = asyncio.create_task(workers.run(signal.pause))
        await until(lambda: workers_busy(workers))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

        assert b"x" == await workers.run(large, 1)


async def until(is_so: Callable[[], bool]) -> None:
    """Let others run until it is so; nothing rings for it."""
    while not is_so():  # noqa: ASYNC110 -- what is waited for happens in another process
        await asyncio.sleep(0.005)


def workers_busy(workers: Workers) -> bool:
    """Whether no worker is free."""
    return workers._free.locked()


async def test_an_answer_of_any_size_comes_through_and_one_of_any_kind_fails_alone() -> None:
    """What cannot be sent is a failure of the task, not of its worker."""
    async with open_workers(_LIMITS) as workers:
        before = await workers.run(os.getpid)
        assert 30_000_000 == len(await workers.run(large, 30_000_000))
        with pytest.raises(TypeError):
            await workers.run(unspeakable)

        assert before == await workers.run(os.getpid)


async def test_an_answer_of_a_worker_that_was_taken_over_runs_nothing(tmp_path: Path) -> None:
    """It fails its own task, and the judge does nothing that it says."""
    async with open_workers(_LIMITS) as workers:
        with pytest.raises(WorkerFailedError):
            await workers.run(Taken, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def say_strange_things(path: Path) -> Generator[object, None, str]:
    """A task whose first step is nothing that is read, and whose end comes all the same."""
    yield Taken(path)
    return "the answer to another one's task"


async def test_after_an_answer_that_is_not_read_nothing_more_of_it_is(tmp_path: Path) -> None:
    """The next task has a worker that owes nobody anything."""
    async with open_workers(_LIMITS) as workers:
        with pytest.raises(WorkerFailedError):
            await (await workers.begin(say_strange_things, tmp_path / "made")).next()
        assert await workers.run(str, "its own") == "its own"


def leave_a_child() -> None:
    """A task that hangs, with a child that holds its socket too."""
    if os.fork():
        signal.pause()
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    signal.pause()


async def test_a_task_is_over_in_time_whoever_holds_its_socket() -> None:
    """A child that lives on keeps nobody waiting."""
    async with open_workers(WorkerLimits(count=1, memory=1024**3, seconds=1.0)) as workers:
        with pytest.raises(WorkerFailedError, match="TimeoutError"):
            await workers.run(leave_a_child)


def hide() -> None:
    """A task whose worker closes every socket that it has, and lives on."""
    os.closerange(3, 64)
    signal.pause()


async def test_a_worker_that_closes_its_socket_is_ended() -> None:
    """Nobody could end it later."""
    async with open_workers(_LIMITS) as workers:
        with pytest.raises(WorkerFailedError):
            await workers.run(hide)
        assert await workers.run(os.getpid)


async def test_who_waits_for_a_worker_when_the_pool_closes_gets_none() -> None:
    """And no worker is left behind."""
    async with open_workers(_LIMITS) as workers:
        first = asyncio.create_task(workers.run(signal.pause))
        second = asyncio.create_task(workers.run(os.getpid))
        while not workers_busy(workers):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.005)
    failures = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(failure) for failure in failures] == [WorkerFailedError, WorkersLostError]


async def test_a_worker_that_says_more_than_it_can_hold_is_ended() -> None:
    """What it says is not gathered."""
    async with open_workers(WorkerLimits(count=1, memory=1024**3, seconds=60.0)) as workers:
        with pytest.raises(WorkerFailedError):
            await workers.run(promise_too_much)


async def test_a_worker_that_dies_idle_is_told_and_replaced() -> None:
    """Nobody's task fails for it."""
    async with open_workers(_LIMITS) as workers:
        with capture_logs() as lines:
            os.kill(await workers.run(os.getpid), signal.SIGKILL)
            await until(lambda: bool(lines))

        assert [("worker.lost", "died", -9)] == [(line["event"], line["reason"], line["exit"]) for line in lines]
        assert b"x" == await workers.run(large, 1)
        assert workers.alive()


async def test_lost_workers_are_made_anew_when_somebody_looks() -> None:
    """The process that makes them is killed while nothing is to be done: that is told once, and mended unasked."""
    async with open_workers(_LIMITS) as workers:
        with capture_logs() as lines:
            os.kill(await workers.run(os.getppid), signal.SIGKILL)
            await until(lambda: not workers.alive())
            await until(workers.alive)

        assert ["workers.lost"] == [line["event"] for line in lines]
        assert b"x" == await workers.run(large, 1)
