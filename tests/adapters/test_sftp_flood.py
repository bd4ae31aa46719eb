"""Ten thousand who connect and say nothing, each from an address of its own, and hold on to what they have."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from channels.sftp.admission import AdmissionLimits
from channels.sftp.guest import Guest
from channels.sftp.visit import Visit
from tests.adapters.sftp_door import FI, House, open_house

MANY = 10_000
AT_A_TIME = 500
DESCRIPTORS = MANY + 2000


@pytest.fixture
def descriptors() -> Iterator[None]:
    """So many files may be open in this process for the time of the test."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, hard = before
    assert hard == resource.RLIM_INFINITY or hard >= DESCRIPTORS, f"ulimit -Hn {DESCRIPTORS} is needed"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, DESCRIPTORS), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@asynccontextmanager
async def counted(house: House) -> AsyncIterator[asyncio.Semaphore]:
    """Released once for every connection that the door has looked at."""
    looked_at, before = asyncio.Semaphore(0), house.door.enter

    def counting(guest: Guest, source: str) -> Visit | str:
        looked_at.release()
        return before(guest, source)

    house.door.enter = counting  # type: ignore[method-assign]  # a door tells nobody of it
    yield looked_at
    house.door.enter = before  # type: ignore[method-assign]


def half_open(port: int, number: int) -> socket.socket:
    """A connection that is under way, from an address that no other comes from."""
    client = socket.socket()
    client.setblocking(False)
    client.bind((f"127.{1 + number // 40_000}.{1 + (number // 200) % 200}.{2 + number % 200}", 0))
    client.connect_ex(("127.0.0.1", port))
    return client


async def upload(house: House, name: str) -> None:
    """Log in anew and bring a file."""
    async with house.client() as client, client.open(f"/IN/{name}", "w") as file:
        await file.write("data")


@pytest.mark.usefixtures("descriptors")
async def test_ten_thousand_half_open_connections_keep_nobody_out_who_was_here_before(tmp_path: Path) -> None:
    """As many are kept as may be, in the middle of the flood and after it; whoever is known comes in and uploads."""
    full = AdmissionLimits().full
    flood: list[socket.socket] = []
    async with open_house(tmp_path / "house") as house:
        assert await house.lets_in()
        with capture_logs() as logs:
            async with counted(house) as looked_at:
                for begun in range(0, MANY, AT_A_TIME):
                    flood += [half_open(house.door.port, begun + number) for number in range(AT_A_TIME)]
                    if begun == MANY // 2:
                        await upload(house, FI)
                        await looked_at.acquire()
                    for _ in range(AT_A_TIME):
                        await looked_at.acquire()
                assert 0 < house.door.connections <= full
                await upload(house, FI.replace("00001", "00002"))
        assert 2 == len(house.ledger.names)
        refused = [entry for entry in logs if entry["event"] == "sftp.connection.refused"]
        assert 0 < len(refused) < MANY / 100
        assert not [entry for entry in logs if entry["log_level"] == "error"]
        for client in flood:
            with closing(client):
                client.setblocking(True)
