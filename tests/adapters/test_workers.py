"""Limited processes, and what becomes of the task when one of them dies."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from config.errors import ConfigurationError
from gateway.workers import WorkerFailedError, WorkerLimits, WorkersLostError, open_workers

_LIMITS = WorkerLimits(count=1, memory=1024**3, seconds=60.0)


def add(left: int, right: int) -> int:
    """Something a worker can do."""
    return left + right


def hoard(size: int) -> int:
    """A task that wants ``size`` bytes."""
    return len(bytearray(size))


def die() -> None:
    """A task whose worker is killed over it."""
    os.kill(os.getpid(), signal.SIGKILL)


def hang() -> None:
    """A task that never ends."""
    signal.pause()


def refuse() -> None:
    """A task that fails with words of its own."""
    raise ConfigurationError(["first", "second"])


def lost(lines: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, int | None]]:
    """What the log says of workers."""
    return [(line["event"], line["reason"], line["exit"]) for line in lines]


async def test_a_worker_answers() -> None:
    """The function's value comes back."""
    async with open_workers(_LIMITS) as workers:
        assert 5 == await workers.run(add, 2, right=3)


def test_workers_import_nothing_from_the_current_folder(tmp_path: Path) -> None:
    """A gateway that is started in somebody's checkout judges by its own code."""
    elsewhere = tmp_path / "checkout"
    for room in ("gateway", "schemas"):
        (elsewhere / room).mkdir(parents=True)
        (elsewhere / room / "__init__.py").write_text('raise RuntimeError("code of the current folder")\n')
    program = tmp_path / "program.py"
    program.write_text(
        "import asyncio, gateway.workers as w\n"
        "async def main():\n"
        "    async with w.open_workers(w.WorkerLimits(1, 1024**3, 60.0)) as workers:\n"
        "        print(await workers.run(w.WorkerLimits, 2, 3, 4.0))\n"
        "if __name__ == '__main__':\n"
        "    asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, program], cwd=elsewhere, capture_output=True, text=True, check=False)

    assert (0, "", "WorkerLimits(count=2, memory=3, seconds=4.0)\n") == (done.returncode, done.stderr, done.stdout)


async def test_a_worker_that_dies_fails_only_its_task() -> None:
    """The next task is done as if nothing had been."""
    async with open_workers(_LIMITS) as workers:
        with capture_logs() as lines, pytest.raises(WorkerFailedError):
            await workers.run(die)
        assert [("worker.lost", "died", -9)] == lost(lines)

        assert 5 == await workers.run(add, 2, 3)


async def test_a_task_may_not_take_more_memory_than_allowed() -> None:
    """It fails; what is within the limit is done, by the same worker."""
    async with open_workers(WorkerLimits(count=1, memory=1024**3, seconds=60.0)) as workers:
        before = await workers.run(os.getpid)
        with capture_logs() as lines, pytest.raises(WorkerFailedError):
            await workers.run(hoard, 2 * 1024**3)
        assert [("worker.lost", "out of memory", None)] == lost(lines)

        assert (before, 1024) == (await workers.run(os.getpid), await workers.run(hoard, 1024))


async def test_a_task_that_hangs_is_ended() -> None:
    """Its worker is replaced."""
    async with open_workers(WorkerLimits(count=1, memory=1024**3, seconds=4.0)) as workers:
        with capture_logs() as lines, pytest.raises(WorkerFailedError):
            await workers.run(hang)
        assert [("worker.lost", "hung", None)] == lost(lines)

        assert 5 == await workers.run(add, 2, 3)


async def test_nobody_waits_for_a_task_that_hangs() -> None:
    """One worker is kept busy until its time is up; the other does what comes meanwhile."""
    async with open_workers(WorkerLimits(count=2, memory=1024**3, seconds=5.0)) as workers:
        hanging = asyncio.create_task(workers.run(hang))
        answers = [await workers.run(add, number, 1) for number in range(20)]
        was_hanging = not hanging.done()
        with pytest.raises(WorkerFailedError):
            await hanging

    assert (True, list(range(1, 21))) == (was_hanging, answers)


async def test_an_exception_of_the_task_comes_through_whole() -> None:
    """It is the caller's to understand."""
    async with open_workers(_LIMITS) as workers:
        with pytest.raises(ConfigurationError) as caught:
            await workers.run(refuse)

    assert ("first", "second") == caught.value.faults


def server() -> int:
    """The process that makes the workers."""
    return os.getppid()


async def test_when_all_workers_are_lost_there_are_new_ones() -> None:
    """The process that makes them is killed: tasks fail for now, and soon the next is done as if nothing had been."""
    async with open_workers(_LIMITS) as workers:
        os.kill(await workers.run(server), signal.SIGKILL)
        lost = 0
        while True:
            try:
                answer = await workers.run(add, 2, 3)
            except (WorkersLostError, WorkerFailedError):
                lost += 1
                assert lost < 10
            else:
                break

        assert 5 == answer
