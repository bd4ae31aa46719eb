"""How many may connect, and what happens to others when a great many do."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncssh
import pytest
from structlog.testing import capture_logs

from channels.sftp.admission import AdmissionLimits
from channels.sftp.guest import Guest
from tests.adapters.sftp_door import FI, USER, House, open_house

FLOOD = 500
FLOODER = "127.0.0.2"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A door as it is installed."""
    async with open_house(tmp_path / "house") as opened:
        yield opened


async def half_open(house: House, source: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection from ``source`` that says nothing."""
    return await asyncio.open_connection("127.0.0.1", house.door.port, local_addr=(source, 0))


def descriptors() -> int:
    """How many files this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def last_words(reader: asyncio.StreamReader) -> bytes:
    """Everything the door says until it closes; what a reset has swallowed is missing."""
    with contextlib.suppress(ConnectionResetError):
        return await reader.read()
    return b""


async def test_a_flood_from_one_source_harms_nobody_else(house: House) -> None:
    """Of hundreds that never log in a few are kept; while they are there everybody else works as ever."""
    before, left = descriptors(), departures(house)
    with capture_logs() as logs:
        flood = await asyncio.gather(*(half_open(house, FLOODER) for _ in range(FLOOD)))
        kept = house.door.settings.admission.source_starts
        _, turned_away = await _sorted_out(flood, kept)
        assert FLOOD - kept == turned_away
        assert kept == house.door.connections
        async with house.client() as client, client.open(f"/IN/{FI}", "w") as file:
            await file.write("data")
        assert 0 == (await house.sftp("ls")).status
    assert [FI] == house.ledger.names
    refused = [entry for entry in logs if entry["event"] == "sftp.connection.refused"]
    assert 0 < len(refused) < FLOOD / 2
    for _, writer in flood:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for _, writer in flood), return_exceptions=True)
    await left(FLOOD)
    assert descriptors() <= before


async def _sorted_out(
    flood: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]], kept: int
) -> tuple[list[bytes], int]:
    """What those were told that were turned away, when only ``kept`` are left, and how many they are."""
    reading = [asyncio.ensure_future(last_words(reader)) for reader, _ in flood]
    told: list[bytes] = []
    for future in asyncio.as_completed(reading):
        told.append(await future)
        if len(told) == len(flood) - kept:
            break
    for task in reading:
        task.cancel()
    return told, len(told)


def departures(house: House) -> Callable[[int], Awaitable[None]]:
    """Wait until so many connections have left from now on."""
    left = asyncio.Semaphore(0)
    before = house.door.leave

    def noting(guest: Guest) -> None:
        before(guest)
        left.release()

    house.door.leave = noting  # type: ignore[method-assign]  # a door tells nobody of it

    async def wait(times: int) -> None:
        for _ in range(times):
            await left.acquire()

    return wait


async def test_a_flood_from_everywhere_harms_nobody_who_was_here_before(tmp_path: Path) -> None:
    """With as many sources as connections; strangers find no room meanwhile, and are told so."""
    limits = AdmissionLimits(start=20, rate=50, full=40)
    async with open_house(tmp_path / "house", admission=limits) as house:
        assert await house.lets_in()
        sources = [f"127.0.{1 + number // 200}.{2 + number % 200}" for number in range(FLOOD)]
        flood = await asyncio.gather(*(half_open(house, source) for source in sources))
        await _sorted_out(flood, limits.full)
        async with house.client() as client, client.open(f"/IN/{FI}", "w") as file:
            await file.write("data")
        assert 0 == (await house.sftp("ls")).status
        for _, writer in flood:
            writer.close()


async def test_who_is_turned_away_is_told_why(tmp_path: Path) -> None:
    """In a message of the protocol, after our version and nothing else."""
    limits = AdmissionLimits(source_starts=1)
    async with open_house(tmp_path / "house", admission=limits) as house:
        _, first = await half_open(house, FLOODER)
        reader, second = await half_open(house, FLOODER)
        told = await last_words(reader)
        assert told.startswith(b"SSH-2.0-BatchGateway\r\n")
        assert b"too many connections from this address that have not logged in; try again later" in told
        assert await house.lets_in()
        first.close()
        second.close()


async def test_at_full_the_last_room_is_not_given_twice(tmp_path: Path) -> None:
    """Those that come at once are counted one by one; from full on all are dropped, whatever the draw."""
    limits = AdmissionLimits(start=9, rate=1, full=10, source_starts=1000)
    async with open_house(tmp_path / "house", admission=limits) as house:
        guests = await asyncio.gather(*(half_open(house, f"127.0.0.{n}") for n in range(2, 42)))
        most = 0
        reading = [asyncio.ensure_future(last_words(reader)) for reader, _ in guests]
        for finished, future in enumerate(asyncio.as_completed(reading), start=1):
            await future
            most = max(most, house.door.connections)
            if finished == 30:
                break
        assert most <= 10
        for task in reading:
            task.cancel()
        for _, writer in guests:
            writer.close()


async def test_connections_of_a_user_are_bounded(tmp_path: Path) -> None:
    """One too many is told so when it has logged in, and no other; when one leaves, another may come."""
    limits = AdmissionLimits(user_sessions=2)
    async with open_house(tmp_path / "house", admission=limits) as house:
        other = asyncssh.generate_private_key("ssh-ed25519")
        house.accounts.add("beta", "654321", other)
        async with house.connect(), house.connect() as second:
            with pytest.raises(asyncssh.DisconnectError, match="too many connections of this user; close one first"):
                await house.connect()
            assert await house.lets_in("beta", keys=[other])
            left = departures(house)
            second.close()
            await left(1)
            assert await house.lets_in()


async def test_connections_that_log_in_at_once_are_bounded_too(tmp_path: Path) -> None:
    """Of twelve that log in together as many stay as may."""
    limits = AdmissionLimits(user_sessions=3)
    async with open_house(tmp_path / "house", admission=limits) as house:
        arrivals = await asyncio.gather(*(house.connect() for _ in range(12)), return_exceptions=True)
        inside = [arrival for arrival in arrivals if isinstance(arrival, asyncssh.SSHClientConnection)]
        assert 3 == len(inside)
        for connection in inside:
            connection.close()


async def test_a_source_that_is_locked_is_turned_away_before_anything_else(house: House) -> None:
    """It is told so; the others come in."""
    house.accounts.locked.add(("", FLOODER))
    reader, writer = await half_open(house, FLOODER)
    assert b"too many failed log-ins from this address; try again later" in await last_words(reader)
    writer.close()
    assert await house.lets_in()


async def test_a_locked_user_does_not_come_in_and_is_not_counted_again(house: House) -> None:
    """Not with the right key either; a lock that is tried does not grow."""
    house.accounts.locked.add((USER, "127.0.0.1"))
    with capture_logs() as logs:
        assert not await house.lets_in()
    assert "locked out" in [entry.get("reason") for entry in logs]
    house.accounts.locked.clear()
    assert await house.lets_in()
    assert [] == house.accounts.failures


async def test_a_connection_that_proved_nothing_is_one_failure(tmp_path: Path) -> None:
    """However many keys it offered; one that came in with its last key is none."""
    strangers = [asyncssh.generate_private_key("ssh-ed25519") for _ in range(3)]
    async with open_house(tmp_path / "house") as house:
        assert await house.lets_in(keys=[*strangers, house.key])
        assert not await house.lets_in(keys=strangers)
        assert not await house.lets_in("nobody", keys=strangers[:1])
    assert [(USER, "127.0.0.1"), ("nobody", "127.0.0.1")] == house.accounts.failures


async def test_a_client_that_is_slow_to_log_in_is_told_so(tmp_path: Path) -> None:
    """Whether it has said nothing, half of something, or asked for a log-in that it never finishes."""
    async with open_house(tmp_path / "house", login_timeout=0.1) as house:
        for words in (b"", b"SSH-2.0-slow\r\n", b"SSH-2.0-slow\r\n\x00\x00"):
            reader, writer = await half_open(house, FLOODER)
            writer.write(words)
            assert b"log-in took too long" in await last_words(reader)
            writer.close()

        class Hesitant(asyncssh.SSHClient):
            async def public_key_auth_requested(self) -> None:
                await asyncio.Event().wait()

        with pytest.raises(asyncssh.DisconnectError, match="log-in took too long"):
            await house.connect(client_keys=None, client_factory=Hesitant)


async def test_whoever_is_in_does_not_wait_for_those_who_are_not(tmp_path: Path) -> None:
    """The time to log in is no time to work: it ends with the log-in."""
    async with open_house(tmp_path / "house", login_timeout=4.0) as house, house.client() as client:
        late = asyncio.get_running_loop().time() + 4.0
        while asyncio.get_running_loop().time() < late:
            assert "IN" in await client.listdir("/")
        assert "IN" in await client.listdir("/")


def test_the_flood_comes_from_an_address_of_its_own() -> None:
    """This system answers on all of 127.0.0.0/8, as the tests above need it."""
    with socket.create_server((FLOODER, 0)) as listener:
        assert FLOODER == listener.getsockname()[0]
