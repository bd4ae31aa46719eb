"""How long it takes at most to say of the other processes whether they are ready, and what counts as an answer."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from config.administration import Operations
from config.roles import Role
from gateway.health import Health, Part, Running
from gateway.metrics.meter import Meter
from gateway.operations import neighbours
from gateway.operations.neighbours import Neighbours, said
from gateway.operations.observing import Observing
from spool import processes
from spool.journal import Journal, JournalError
from spool.processes import Process
from tests.register_world import settings_in

READY = b'[{"name": "journal", "ready": true, "words": ""}]'
ROLES = frozenset({Role.SFTP, Role.JUDGE, Role.DELIVER})
NAME = "deliver+judge+sftp"


class World:
    """A clock that stands still, a volume on which a look takes its time, and a process that hangs or answers."""

    def __init__(self, folder: Path) -> None:
        self.at = 1000.0
        self.look = 0.0
        self.answers: list[bytes | None] = []
        self.asked = 0
        me, other = (Process(f"1-{name}", roles, "", 1, folder / name) for name, roles in _PROCESSES.items())
        self.processes = [_here(me), _here(other)]
        self.neighbours = Neighbours(settings_in(folder, Operations(port=0)), self.processes[0])

    def alive(self, _: Path) -> list[Process]:
        """Who is there, when `look` seconds have passed."""
        self.at += self.look
        return self.processes

    async def ask(self, _: Process, __: str) -> bytes | None:
        """The next answer; when there is none, it hangs."""
        self.asked += 1
        if not self.answers:
            await asyncio.Event().wait()
        return self.answers.pop(0)


_PROCESSES = {"me": frozenset({Role.OPERATIONS}), "other": ROLES}


def _here(process: Process) -> Any:
    return SimpleNamespace(id=process.id, roles=process.roles, address=process.address, pid=1, is_here=True)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """One in which nothing passes but what a test lets pass."""
    made = World(tmp_path)
    monkeypatch.setattr(neighbours, "time", SimpleNamespace(monotonic=lambda: made.at))
    monkeypatch.setattr(processes, "alive", made.alive)
    monkeypatch.setattr(neighbours, "_ask", made.ask)
    return made


@pytest.mark.parametrize(("look", "left"), [(9.99, "0.01"), (10.0, "0"), (15.0, "0")])
async def test_a_process_has_what_the_look_at_who_is_there_has_left(world: World, look: float, left: str) -> None:
    """One deadline for both; the words say for how long it was waited."""
    world.look = look
    assert [Part(NAME, ready=False, words=f"no answer in {left} seconds")] == await world.neighbours.parts()


async def test_readiness_shares_no_question_that_is_old(world: World) -> None:
    """What a page began 3.7 seconds ago is too old; what was asked within the second is shared."""
    world.look = 2.0
    [hanging] = await world.neighbours.parts(2.0)
    assert not hanging.ready
    world.look = 0.0
    world.at += 3.7
    world.answers.append(READY)
    for _ in range(2):
        assert [Part(f"{NAME}: journal", ready=True)] == await world.neighbours.parts()
    assert 2 == world.asked


async def test_a_page_shares_a_question_however_old(world: World) -> None:
    """A process that hangs gets no question more from pages, none waits anew; the words say for how long it hangs."""
    world.look = 2.0
    await world.neighbours.parts(2.0)
    world.look = 0.0
    world.at += 3.5
    assert [Part(NAME, ready=False, words="no answer in 3.5 seconds")] == await world.neighbours.parts(2.0)
    assert 1 == world.asked


async def test_a_process_that_refuses_is_not_ready(world: World) -> None:
    """No time is named that nobody has waited for."""
    world.answers.append(None)
    assert [Part(NAME, ready=False, words="no answer")] == await world.neighbours.parts()


@pytest.mark.parametrize(
    "text",
    [
        b"", b"garbage", b"\xff", b"{}", b"[]", b"null", b"7", b'"ready"', b"[1]", b"[{}]", b"[[]]", b"[" * 100_000,
        b'{"name": "journal", "ready": true, "words": ""}',
        b'[{"name": "journal", "ready": "no", "words": ""}]',
        READY[:-1] + b", {}]",
    ],
)  # fmt: skip
async def test_what_is_no_answer_is_that_of_a_process_that_is_not_ready(world: World, text: bytes) -> None:
    """Whatever it says, nobody who asks gets an error for it."""
    world.answers.append(text)
    [part] = await world.neighbours.parts()
    assert Part(NAME, ready=False, words="its answer cannot be understood") == part


def test_what_a_later_release_says_besides_is_left_out() -> None:
    """Processes of two releases stand beside each other for the time of a restart."""
    text = b'[{"name": "disk", "ready": false, "words": "full", "since": 7}]'
    assert [Part("deliver: disk", ready=False, words="full")] == said("deliver", text)


class Stuck(Journal):
    """A journal whose database never answers."""

    def __init__(self) -> None:
        self.freed = threading.Event()

    def write(self) -> Any:  # noqa: D102 - as there
        self.freed.wait(30)
        raise JournalError("the journal cannot be written")


async def test_the_own_process_has_no_more_time_than_the_others(tmp_path: Path) -> None:
    """Whoever has little time hears that something hangs, and where to ask what it is."""
    stuck = Stuck()
    health = Health(settings_in(tmp_path, Operations(port=0)), stuck, Running(), patience=60.0)
    with ThreadPoolExecutor(1) as threads:
        observing = Observing(stuck, health, Meter(), threads, trust_socket=False)
        try:
            [part] = await observing.parts(0.01)
        finally:
            stuck.freed.set()
    words = "a part of it gave no answer in 0.01 seconds; gateway health says which"
    assert Part("this process", ready=False, words=words) == part
