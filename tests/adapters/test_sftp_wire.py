"""What goes over the wire is what asyncssh would send, by whatever cipher, and what is odd about it is refused."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from asyncssh.constants import MSG_CHANNEL_DATA, MSG_IGNORE
from asyncssh.crypto.cipher import GCMCipher
from asyncssh.packet import String, UInt32

from channels.sftp.algorithms import CIPHERS
from channels.sftp.wire import Gcm
from tests.adapters.sftp_door import FI, FO, House, open_house

_COUNTS = b"\xff" * 7 + b"\xfe"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A door with everything behind it."""
    async with open_house(tmp_path) as house:
        yield house


def test_a_packet_is_sealed_as_asyncssh_seals_it() -> None:
    """Byte for byte, one after another, over the end of the count; and each opens what the other sealed."""
    key, nonce = os.urandom(16), os.urandom(4) + _COUNTS
    theirs, ours = GCMCipher("aes128-gcm", key, nonce), Gcm(key, nonce)
    opening, reading = GCMCipher("aes128-gcm", key, nonce), Gcm(key, nonce)
    for number in range(4):
        header, data = number.to_bytes(4, "big"), os.urandom(16 + number)
        sealed = ours.seal(header, data)
        assert sealed == b"".join(theirs.encrypt_and_sign(header, data))
        assert data == opening.verify_and_decrypt(header, sealed[4:-16], sealed[-16:])
        assert data == reading.open(header, sealed[4:])


@pytest.mark.parametrize("place", [0, 5, -1])
def test_a_packet_that_was_changed_does_not_open(place: int) -> None:
    """Neither its length, its bytes nor its tag."""
    key, nonce = os.urandom(16), os.urandom(12)
    sealed = bytearray(Gcm(key, nonce).seal(b"head", bytes(16)))
    sealed[place] ^= 1

    assert Gcm(key, nonce).open(bytes(sealed[:4]), bytes(sealed[4:])) is None


@pytest.mark.parametrize("cipher", CIPHERS)
async def test_files_pass_by_every_cipher(house: House, cipher: str) -> None:
    """Large enough for many packets and several windows, both ways, with new keys in between."""
    data = os.urandom(3_000_000)
    house.answer(FO, data=data)
    async with (
        house.connect(encryption_algs=[cipher], rekey_bytes=1_000_000) as connection,
        connection.start_sftp_client() as client,
    ):
        async with client.open(f"IN/{FI}", "wb") as file:
            await file.write(data)
        async with client.open(f"OUT/{FO}", "rb") as file:
            fetched = await file.read()

    assert data == fetched
    assert data == (house.intake.set_folder(house.inbox(), FI) / FI).read_bytes()


async def test_nothing_is_sent_that_says_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """No empty packet before each packet, as asyncssh has it for ciphers that the door does not know."""
    kinds: set[int] = set()
    received = asyncssh.SSHClientConnection.log_received_packet

    def noted(self: Any, pkttype: int, *args: Any) -> None:
        kinds.add(pkttype)
        received(self, pkttype, *args)

    monkeypatch.setattr(asyncssh.SSHClientConnection, "log_received_packet", noted)
    async with house.connect() as connection, connection.start_sftp_client() as client:
        await client.listdir("IN")

    assert kinds
    assert MSG_IGNORE not in kinds


@pytest.mark.parametrize(
    "odd",
    [
        (UInt32(7), String(b"to nobody")),
        (UInt32(0), String(b"and more"), b"x"),
        (UInt32(0), UInt32(2**32 - 1), b"less"),
        (UInt32(0),),
    ],
)
async def test_data_that_are_odd_end_the_connection(house: House, odd: tuple[bytes, ...]) -> None:
    """Data of no channel, of another length than they say, or none at all: as asyncssh judges them."""
    async with house.connect() as connection, connection.start_sftp_client() as client:
        await client.listdir("IN")
        connection.send_packet(MSG_CHANNEL_DATA, *odd)
        async with asyncio.timeout(20):
            await connection.wait_closed()

    assert [] == house.waiting()


async def test_a_changed_byte_ends_the_connection(house: House) -> None:
    """What is not what the client sealed is not looked at."""
    async with house.connect() as connection, connection.start_sftp_client() as client:
        await client.listdir("IN")
        transport = connection._transport
        assert transport is not None
        transport.write(UInt32(32) + os.urandom(48))
        async with asyncio.timeout(20):
            await connection.wait_closed()

    assert [] == house.waiting()
