"""The status page while another process of the gateway stands still (SIGSTOP)."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from config.administration import Operations
from config.roles import Role
from gateway.operations import app, neighbours
from gateway.operations.app import open_operations
from gateway.operations.neighbours import Neighbours
from spool.journal import Journal
from spool.processes import Process, joined
from tests.register_world import settings_in

Running = subprocess.Popen[str]


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Running]:
    """A process with the role ``deliver`` that answers, and then stands still."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.neighbour", str(tmp_path), "deliver"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert "ready\n" == process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        yield process
        process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def _opened(journal: Journal, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The page of a process that has neighbours, for somebody who may look."""
    own = Operations(socket=folder / "o.sock", trust_socket=True, status_page=True)
    settings = settings_in(folder, own)
    settings = settings.model_copy(update={"spool": settings.spool.model_copy(update={"path": folder})})
    with joined(folder, [Role.OPERATIONS]) as me:
        async with (
            open_operations(settings, journal, neighbours=Neighbours(settings, me)),
            httpx.AsyncClient(
                transport=httpx.AsyncHTTPTransport(uds=str(own.socket)), base_url="http://localhost", timeout=60
            ) as client,
        ):
            yield client


async def test_no_page_waits_for_those_that_ask_a_process_that_stands_still(
    journal: Journal, tmp_path: Path, stopped: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More look at the overview than there are threads; other pages are answered, and the process is asked once."""
    monkeypatch.setattr(app, "_PATIENCE_OF_PAGES", 60.0)
    monkeypatch.setattr(neighbours, "_SECONDS", 60.0)
    monkeypatch.setattr(neighbours, "_GOOD_FOR", 60.0)
    begun = asyncio.Event()
    asked: list[str] = []
    ask = neighbours._ask

    async def counted(process: Process, path: str) -> bytes | None:
        asked.append(path)
        begun.set()
        return await ask(process, path)

    monkeypatch.setattr(neighbours, "_ask", counted)
    async with _opened(journal, tmp_path) as client:
        looks = [asyncio.create_task(client.get("/status")) for _ in range(4)]
        await begun.wait()
        others = [(await client.get(f"/status/{page}")).status_code for page in ("senders", "ending", "ticket")]
        assert [200] * 3 == others
        assert not any(look.done() for look in looks)
        stopped.send_signal(signal.SIGCONT)
        told = await asyncio.gather(*looks)

    assert [200] * 4 == [answer.status_code for answer in told]
    assert not any("Not ready, deliver" in answer.text for answer in told)
    assert ["/ready"] == asked


@pytest.mark.usefixtures("stopped")
async def test_the_overview_says_which_process_stands_still(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has its own time, whatever the rest of the look takes; the next who looks asks it no second time."""
    monkeypatch.setattr(app, "_PATIENCE_OF_PAGES", 60.0)
    monkeypatch.setattr(neighbours, "_SECONDS", 0.05)
    monkeypatch.setattr(neighbours, "_GOOD_FOR", 60.0)
    asked: list[str] = []
    ask = neighbours._ask

    async def counted(process: Process, path: str) -> bytes | None:
        asked.append(path)
        return await ask(process, path)

    monkeypatch.setattr(neighbours, "_ask", counted)
    async with _opened(journal, tmp_path) as client:
        told = [(await client.get("/status")).text for _ in range(2)]

    assert [True] * 2 == ["Not ready, deliver: no answer" in text for text in told]
    assert ["/ready"] == asked
