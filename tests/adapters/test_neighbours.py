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
    """Whoever has little time hears which part of it hangs, and of the others what they are."""
    stuck = Stuck()
    health = Health(settings_in(tmp_path, Operations(port=0)), stuck, Running(), patience=60.0)
    with ThreadPoolExecutor(1) as threads:
        observing = Observing(stuck, health, Meter(), threads, trust_socket=False)
        try:
            journal, *others = await observing.parts(0.5)
        finally:
            stuck.freed.set()
    assert Part("journal", ready=False, words="no answer in 0.5 seconds") == journal
    assert [Part("disk", ready=False, words="the spool cannot be read")] == others


OWN = b"# TYPE gateway_own gauge\n# HELP gateway_own Ours.\ngateway_own 1.0\n# EOF\n"
OTHERS = b"# TYPE gateway_theirs gauge\n# HELP gateway_theirs Of another.\ngateway_theirs 2.0\n# EOF\n"


@pytest.mark.parametrize(
    "text",
    [
        b"", b"garbage", b"\xff", b"<html>\n# EOF\n", b"{" * 9,
        b"# TYPE gateway_own counter\ngateway_own_total 1\n# EOF\n",
    ],
)  # fmt: skip
async def test_what_a_neighbour_counts_and_nobody_can_read_is_left_out(world: World, text: bytes) -> None:
    """Whoever watches still hears of this process, and of the others."""
    world.answers += [text, OTHERS]
    world.processes.append(world.processes[1])
    told = (await world.neighbours.metrics(OWN)).decode()
    assert ["gateway_own 1.0", f'gateway_theirs{{process="{NAME} 2"}} 2.0'] == [
        line for line in told.splitlines() if not line.startswith("#")
    ]


async def test_a_volume_that_hangs_leaves_the_own_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can tell who is there; what this process counts is told all the same."""
    freed = threading.Event()

    def hanging(_: Path) -> list[Process]:
        freed.wait(30)
        return []

    monkeypatch.setattr(processes, "alive", hanging)
    me = Process("1-me", frozenset({Role.OPERATIONS}), "", 1, tmp_path / "me")
    alone = Neighbours(settings_in(tmp_path, Operations(port=0)), me, patience=0.01)
    try:
        assert OWN == await alone.metrics(OWN)
    finally:
        freed.set()
