"""What somebody sends who has proved nothing: every message there is, and packets of impossible lengths."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import asyncssh
import pytest
from asyncssh.constants import MSG_IGNORE
from structlog.testing import capture_logs

from tests.adapters.sftp_door import House, open_house

AT_A_TIME: Final = 16
JUNK: Final = bytes(40)
LAST_OF_LOGIN: Final = 79  # RFC 4250, 4.1.2
LENGTHS: Final = (0, 1, 3, 5, 35_001, 0x7FFF_FFFF, 0xFFFF_FFFF)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A door that waits a moment only for those who prove nothing."""
    async with open_house(tmp_path / "house", login_timeout=10.0) as opened:
        yield opened


class Odd(asyncssh.SSHClient):
    """Sends something when keys are exchanged and it is asked for a proof, and then the proof."""

    def __init__(self, key: asyncssh.SSHKey, said: bytes = b"", number: int | None = None) -> None:
        self.key: asyncssh.SSHKey | None = key
        self.said = said
        self.number = number

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """Keep it."""
        self.connection: Any = conn

    def public_key_auth_requested(self) -> asyncssh.SSHKey | None:
        """Something odd first."""
        if self.number is None:
            self.connection._transport.write(self.said)
        else:
            # Else the client would keep it back until it is in.
            self.connection._auth_complete = True
            self.connection.send_packet(self.number, self.said)
            self.connection._auth_complete = False
        key, self.key = self.key, None
        return key


async def comes_in(house: House, said: bytes, number: int | None = None, **options: Any) -> bool:
    """Whether somebody with the right key is let in, and can list, after having sent something odd."""
    return await house.lets_in(
        client_keys=None,
        client_factory=lambda: Odd(house.key, said, number),
        kex_algs=["curve25519-sha256"],
        **options,
    )


async def test_every_message_before_log_in(house: House) -> None:
    """What belongs after it ends the connection; nothing is an error of ours, and the next one comes in."""
    turns = asyncio.Semaphore(AT_A_TIME)

    async def send(number: int) -> bool:
        async with turns:
            return await comes_in(house, JUNK, number)

    with capture_logs() as logs:
        came_in = await asyncio.gather(*(send(number) for number in range(256)))
    assert not any(came_in[LAST_OF_LOGIN + 1 :])
    assert await comes_in(house, bytes(4), MSG_IGNORE)  # which says nothing, and may come at any time
    assert not [entry for entry in logs if entry["log_level"] == "error"]
    assert await house.lets_in()
    assert [] == house.ledger.arrivals


async def test_every_message_before_keys_are_exchanged(house: House) -> None:
    """In the clear, right after the version: the connection ends, or waits for the exchange as long as it may."""

    async def send(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.door.port)
        payload = bytes([number]) + JUNK
        padding = 4 + -(len(payload) + 9) % 8
        header = struct.pack(">IB", 1 + len(payload) + padding, padding)
        writer.write(b"SSH-2.0-odd\r\n" + header + payload + bytes(padding))
        writer.write_eof()
        with suppress(ConnectionResetError):  # it may end before everything was read
            assert (await reader.read()).startswith(b"SSH-2.0-")
        writer.close()

    with capture_logs() as logs:
        for begun in range(0, 256, AT_A_TIME):
            await asyncio.gather(*(send(number) for number in range(begun, begun + AT_A_TIME)))
    assert not [entry for entry in logs if entry["log_level"] == "error"]
    assert await house.lets_in()


@pytest.mark.parametrize("length", LENGTHS)
async def test_a_packet_of_an_impossible_length_in_the_clear(tmp_path: Path, length: int) -> None:
    """It ends the connection at once, or when the time for log-in is up; the next one comes in."""
    async with open_house(tmp_path / "house", login_timeout=0.2) as house:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.door.port)
        with capture_logs() as logs:
            writer.write(b"SSH-2.0-odd\r\n" + struct.pack(">I", length) + bytes(2000))
            with suppress(ConnectionResetError):  # it may end before everything was read
                assert (await reader.read()).startswith(b"SSH-2.0-")
        writer.close()
        assert not [entry for entry in logs if entry["log_level"] == "error"]
        assert 0 == house.door.connections


@pytest.mark.parametrize("length", LENGTHS)
async def test_a_packet_of_an_impossible_length_after_keys_are_exchanged(house: House, length: int) -> None:
    """Where the length is not encrypted (RFC 5647, 7.3): nobody comes in after it, and the next one does."""
    with capture_logs() as logs:
        said = struct.pack(">I", length) + bytes(40_000)
        assert not await comes_in(house, said, encryption_algs=["aes128-gcm@openssh.com"])
    assert not [entry for entry in logs if entry["log_level"] == "error"]
    assert await house.lets_in()
