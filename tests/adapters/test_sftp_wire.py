"""What goes over the wire is what asyncssh would send, by whatever cipher, and what is odd about it is refused."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from asyncssh.channel import SSHChannel, SSHClientChannel
from asyncssh.constants import (
    FXP_WRITE,
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_WINDOW_ADJUST,
    MSG_GLOBAL_REQUEST,
    MSG_IGNORE,
    MSG_KEXINIT,
)
from asyncssh.crypto.cipher import GCMCipher
from asyncssh.packet import Boolean, Byte, String, UInt32, UInt64

from channels.sftp.algorithms import CIPHERS
from channels.sftp.packets import Gcm
from channels.sftp.session import MAX_PACKET
from channels.sftp.wire import Connection, DataChannel
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


def served(house: House) -> Connection:
    """The door's side of the only connection."""
    (guest,) = house.door._present
    assert isinstance(guest._conn, Connection)
    return guest._conn


@pytest.mark.parametrize("cipher", CIPHERS)
async def test_the_door_begins_to_exchange_keys_in_the_middle_of_files(
    house: House, cipher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After so many bytes, again and again, and once for the time: nothing is lost and nothing stands still."""
    begun: list[Connection] = []
    begin = Connection._send_kexinit

    def noted(self: Connection) -> None:
        begun.append(self)
        begin(self)

    data = os.urandom(3_000_000)
    house.answer(FO, data=data)
    async with house.connect(encryption_algs=[cipher]) as connection, connection.start_sftp_client() as client:
        monkeypatch.setattr(Connection, "_send_kexinit", noted)
        door = served(house)
        async with asyncio.timeout(60):
            async with client.open(f"IN/{FI}", "wb") as file:
                await file.write(data[:1_000_000])
                door._rekey_time = 0.0
                await file.write(data[1_000_000:])
            by_time = len(begun)
            door._rekey_bytes = 500_000
            async with client.open(f"OUT/{FO}", "rb") as file:
                fetched = await file.read()

    assert data == fetched
    assert data == (house.intake.set_folder(house.inbox(), FI) / FI).read_bytes()
    assert by_time == 1
    assert len(begun) > 4


async def test_a_client_exchanges_keys_for_the_time_in_the_middle_of_files(house: House) -> None:
    """The client begins, with reads under way."""
    data = os.urandom(3_000_000)
    house.answer(FO, data=data)
    async with (
        asyncio.timeout(60),
        house.connect() as connection,
        connection.start_sftp_client() as client,
        client.open(f"OUT/{FO}", "rb") as file,
    ):
        fetched = await file.read(1_000_000)
        connection._rekey_time = 0.0
        fetched += await file.read()

    assert data == fetched


def begin_and_stop(connection: Any) -> None:
    """Have a client begin to exchange keys, and never go on."""
    connection._packet_handlers = connection._packet_handlers | {MSG_KEXINIT: lambda *_: True}
    connection.send_packet(MSG_KEXINIT, connection._client_kexinit[1:])


async def test_a_client_that_never_ends_the_exchange_of_keys_gets_no_more_answers(house: House) -> None:
    """What it asks for meanwhile is not read: the answers would be kept in memory, whatever window it gives."""
    house.answer(FO, data=os.urandom(600_000))
    async with house.connect() as connection, connection.start_sftp_client() as client:
        file = await client.open(f"OUT/{FO}", "rb")
        begin_and_stop(connection)
        handler, reads = file._handler, []
        for _ in range(50):
            handler._writer.channel.send_packet(MSG_CHANNEL_WINDOW_ADJUST, UInt32(300_000))
            reads.append(asyncio.ensure_future(handler.read(file._handle, 0, MAX_PACKET)))
        door = served(house)
        (channel,) = door._channels.values()
        while channel._send_window < 49 * 300_000 and len(door._deferred_packets) < 20:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
        for _ in range(500):
            await asyncio.sleep(0)
        kept = len(door._deferred_packets)
        for read in reads:
            read.cancel()
        connection.abort()
        async with asyncio.timeout(20):
            await door.wait_closed()
        await asyncio.gather(*reads, return_exceptions=True)
    assert kept in range(1, 20)


async def test_too_much_that_waits_for_new_keys_ends_the_connection(house: House) -> None:
    """Answers to what is no request for files are bounded too."""
    async with house.connect() as connection, connection.start_sftp_client() as client:
        await client.listdir("IN")
        door = served(house)
        begin_and_stop(connection)
        for _ in range(1100):
            connection.send_packet(MSG_GLOBAL_REQUEST, String("keepalive@openssh.com"), Boolean(True))
        try:
            async with asyncio.timeout(20):
                await door.wait_closed()
        finally:
            connection.abort()


@pytest.mark.parametrize("size", [4, 6, 2**32 - 1])
async def test_a_write_of_another_length_than_it_says_writes_nothing(house: House, size: int) -> None:
    """It is told to be no request, and the upload goes on."""
    async with (
        house.connect() as connection,
        connection.start_sftp_client() as client,
        client.open(f"IN/{FI}", "wb") as file,
    ):
        with pytest.raises(asyncssh.SFTPBadMessage):
            await file._handler._make_request(FXP_WRITE, String(file._handle), UInt64(0), UInt32(size), b"wrong")
        await file.write(b"right")

    assert b"right" == (house.intake.set_folder(house.inbox(), FI) / FI).read_bytes()


async def test_a_client_may_send_long_packets_and_none_is_longer_than_before(house: House) -> None:
    """Four times the usual is asked for; what is waited for at most is what asyncssh waits for before log-in."""
    usual = asyncssh.SSHServerConnection.__init__.__globals__["_DEFAULT_RECV_PKTLEN"]
    async with house.connect() as connection:
        writer, _, _ = await connection.open_session(subsystem="sftp", encoding=None)
        assert 128 * 1024 == writer.channel._send_pktsize
        assert usual == served(house)._max_recv_pktlen
        assert 2 * 1024**2 == next(iter(served(house)._channels.values()))._init_recv_window


async def test_tiny_packets_that_must_wait_are_put_together(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte a packet, before SFTP was asked for: all of it is taken, in order, and it waits in few pieces."""
    requests = 300
    early = String(Byte(1) + UInt32(3)) + b"".join(
        String(Byte(16) + UInt32(number) + String(b".")) for number in range(requests)
    )
    pieces: list[int] = []
    ask, flush = SSHClientChannel._make_request, SSHChannel._flush_recv_buf

    async def hasty(self: Any, request: bytes, *args: bytes) -> bool | None:
        if request == b"subsystem":
            for value in early:
                self._conn.send_packet(MSG_CHANNEL_DATA, UInt32(self._send_chan), String(bytes([value])))
        return await ask(self, request, *args)

    def noted(self: Any, exc: Exception | None = None) -> None:
        if isinstance(self, DataChannel):
            pieces.append(len(self._recv_buf))
        flush(self, exc)

    monkeypatch.setattr(SSHClientChannel, "_make_request", hasty)
    monkeypatch.setattr(SSHChannel, "_flush_recv_buf", noted)
    async with house.connect() as connection:
        _, reader, _ = await connection.open_session(subsystem="sftp", encoding=None)
        lengths = [4] * (requests + 1)
        answers = [await reader.readexactly(int.from_bytes(await reader.readexactly(size), "big")) for size in lengths]

    assert [int.from_bytes(answer[1:5], "big") for answer in answers[1:]] == list(range(requests))
    assert max(pieces) in range(1, 5)


async def test_who_takes_tiny_packets_only_gets_no_session(house: House) -> None:
    """One answer would be hundreds of thousands of packets; everybody must take 32 KiB (RFC 4253, 6.1)."""
    async with house.connect() as connection:
        for size in (1, 4095):
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.open_session(subsystem="sftp", encoding=None, max_pktsize=size)
        await connection.open_session(subsystem="sftp", encoding=None, max_pktsize=4096)
