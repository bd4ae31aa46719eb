"""Ten thousand who connect and say nothing, each from an address of its own, and hold on to what they have.

Both ends of each are in this process: where `ulimit -Hn` lets it have fewer than 12,000 descriptors the flood is as
large as they suffice for, and at least of some thousands.
"""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from channels.sftp.admission import AdmissionLimits
from channels.sftp.guest import Guest
from channels.sftp.visit import Visit
from tests.adapters.sftp_door import FI, House, open_house

MANY = 10_000
FEWEST = 2000
AT_A_TIME = 500
OTHERS = 2000
"""Descriptors beside those of the flood: the door's ends that it keeps, and all that is open in a test."""


@pytest.fixture
def many() -> Iterator[int]:
    """How many may connect; so many files may be open in this process for the time of the test."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, hard = before
    most = MANY + OTHERS if hard == resource.RLIM_INFINITY else min(MANY + OTHERS, hard)
    found = (most - OTHERS) // AT_A_TIME * AT_A_TIME
    assert found >= FEWEST, f"ulimit -Hn {FEWEST + OTHERS} is needed"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    yield found
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@dataclass
class Looks:
    """``at`` is released once for every connection that the door has looked at; so many it has ``refused``."""

    at: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    refused: int = 0


@asynccontextmanager
async def counted(house: House) -> AsyncIterator[Looks]:
    """What the door does with those who come."""
    looks, before = Looks(), house.door.enter

    def counting(guest: Guest, source: str) -> Visit | str:
        looks.at.release()
        visit = before(guest, source)
        looks.refused += isinstance(visit, str)
        return visit

    house.door.enter = counting  # type: ignore[method-assign]  # a door tells nobody of it
    yield looks
    house.door.enter = before  # type: ignore[method-assign]


def half_open(port: int, number: int) -> socket.socket:
    """A connection that is under way, from an address that no other comes from."""
    client = socket.socket()
    client.setblocking(False)
    client.bind((f"127.{1 + number // 40_000}.{1 + (number // 200) % 200}.{2 + number % 200}", 0))
    client.connect_ex(("127.0.0.1", port))
    return client


def refused(logs: Iterable[EventDict]) -> list[int]:
    """Of how many each line says that they were refused."""
    return [entry["count"] for entry in logs if entry["event"] == "sftp.connection.refused"]


async def upload(house: House, name: str) -> None:
    """Log in anew and bring a file."""
    async with house.client() as client, client.open(f"/IN/{name}", "w") as file:
        await file.write("data")


async def test_ten_thousand_half_open_connections_keep_nobody_out_who_was_here_before(
    tmp_path: Path, many: int
) -> None:
    """As many are kept as may be, in the middle of the flood and after it; whoever is known comes in and uploads."""
    full = AdmissionLimits().full
    flood: list[socket.socket] = []
    async with open_house(tmp_path / "house") as house:
        assert await house.lets_in()
        with capture_logs() as logs:
            async with counted(house) as looks:
                for begun in range(0, many, AT_A_TIME):
                    flood += [half_open(house.door.port, begun + number) for number in range(AT_A_TIME)]
                    if not house.ledger.names and begun >= many // 2:
                        await upload(house, FI)
                        await looks.at.acquire()
                    for _ in range(AT_A_TIME):
                        await looks.at.acquire()
                assert 0 < house.door.connections <= full
                while sum(refused(logs)) < looks.refused:  # what comes a second later says how many there were
                    with half_open(house.door.port, many):
                        await looks.at.acquire()
                await upload(house, FI.replace("00001", "00002"))
        assert 2 == len(house.ledger.names)
        assert len(refused(logs)) < sum(refused(logs)) == looks.refused
        assert not [entry for entry in logs if entry["log_level"] == "error"]
    for client in flood:
        client.close()
