"""The bytes of an upload are written from where they were decrypted, and are the same however they came."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from asyncssh.channel import SSHServerChannel
from asyncssh.constants import FXP_READ, FXP_WRITE, MSG_CHANNEL_DATA, MSG_CHANNEL_EOF, MSG_IGNORE
from asyncssh.packet import Byte, String, UInt32, UInt64

from channels.sftp.packets import PIECE, Batch, Piece
from channels.sftp.request import Request
from channels.sftp.wire import Connection
from spool.intake import Intake, IntakeLimits
from spool.mailbox import Mailbox
from tests.adapters.sftp_door import FI, House, open_house

HANDLE = b"h" * 256
BOX = Mailbox("123456", "IN")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A door with everything behind it."""
    async with open_house(tmp_path) as house:
        yield house


class Narrow:
    """A channel with room for so many bytes, as many again each time it was handed some."""

    def __init__(self, room: int) -> None:
        self.room = self._each = room
        self.handed: list[list[bytes]] = []

    def take(self, pieces: list[Piece], size: int) -> None:
        """Note them."""
        assert size == sum(map(len, pieces)) <= self.room
        self.room = self._each
        self.handed.append([bytes(piece) for piece in pieces])


def packet(data: bytes, number: int = 7, kind: int = MSG_CHANNEL_DATA, padding: int = 4) -> bytes:
    """A packet as it is when it was opened."""
    return bytes((padding, kind)) + UInt32(number) + String(data) + bytes(padding)


def test_what_comes_together_is_handed_on_together() -> None:
    """Each channel has its bytes in their order, and before those that came for another one later."""
    channels = {7: Narrow(100), 8: Narrow(100)}
    batch = Batch(channels.get)
    assert all(
        batch.add(packet(data, number)) for data, number in [(b"a", 7), (b"b", 7), (b"", 7), (b"c", 8), (b"d", 7)]
    )

    assert [(5, 0), (0, 0)] == [batch.hand_on(), batch.hand_on()]
    assert ([[b"a", b"b"], [b"d"]], [[b"c"]]) == (channels[7].handed, channels[8].handed)


def test_a_channel_is_given_no_more_than_it_has_room_for() -> None:
    """What it has room for it is given first, and then is asked again."""
    channel = Narrow(10)
    batch = Batch({7: channel}.get)

    assert [True, True, True, False] == [batch.add(packet(data)) for data in (b"123456", b"7890", b"next", b"x" * 11)]
    assert [[b"123456", b"7890"], [b"next"]] == channel.handed


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        packet(b"data")[:9],
        packet(b"data", number=8),
        packet(b"data", kind=MSG_CHANNEL_EOF),
        packet(b"data", padding=3),
        packet(b"data") + b"x",
        packet(b"data")[:-1],
    ],
)
def test_an_odd_packet_is_not_taken(odd: bytes) -> None:
    """Nor counted; what came before it is handed on."""
    channel = Narrow(100)
    batch = Batch({7: channel}.get)

    assert (True, False) == (batch.add(packet(b"before")), batch.add(odd))
    assert ((1, 0), [[b"before"]]) == (batch.hand_on(), channel.handed)


def ignored(data: bytes, padding: int = 4) -> bytes:
    """A packet that says nothing, as it is when it was opened."""
    return bytes((padding, MSG_IGNORE)) + String(data) + bytes(padding)


def test_packets_that_say_nothing_are_passed_over() -> None:
    """They are counted by themselves, and what comes before and after them is handed on together."""
    channel = Narrow(100)
    batch = Batch({7: channel}.get)
    packets = [ignored(b""), packet(b"a"), ignored(b"x" * 50), packet(b"b"), ignored(b"")]
    assert all(map(batch.add, packets))

    assert [(2, 3), (0, 0)] == [batch.hand_on(), batch.hand_on()]
    assert [[b"a", b"b"]] == channel.handed


@pytest.mark.parametrize("odd", [ignored(b"data", padding=3), ignored(b"data") + b"x", ignored(b"data")[:-1]])
def test_an_odd_packet_that_says_nothing_is_not_taken(odd: bytes) -> None:
    """Nor counted: asyncssh judges it."""
    batch = Batch({7: Narrow(100)}.get)

    assert not batch.add(odd)
    assert batch.hand_on() == (0, 0)


@pytest.mark.parametrize(
    "odd", [(UInt32(5), b"less"), (String(b"more"), b"x"), ()], ids=["too short", "too long", "without its length"]
)
async def test_what_says_nothing_and_is_odd_ends_the_connection(house: House, odd: tuple[bytes, ...]) -> None:
    """As asyncssh judges it."""
    async with house.connect() as connection, connection.start_sftp_client() as client:
        await client.listdir("IN")
        connection.send_packet(MSG_IGNORE, *odd)
        async with asyncio.timeout(20):
            await connection.wait_closed()


async def test_what_says_nothing_is_no_end_of_logging_in(house: House) -> None:
    """After the first data nobody may log in again; packets that say nothing, however many, are counted and no more."""
    async with house.connect() as connection:
        (guest,) = house.door._present
        assert isinstance(guest._conn, Connection)
        before = guest._conn._recv_seq
        for size in range(300):
            connection.send_packet(MSG_IGNORE, String(bytes(size)))
        async with asyncio.timeout(20):
            while guest._conn._recv_seq < before + 300:  # noqa: ASYNC110 - nobody is told of them
                await asyncio.sleep(0.01)
        assert not guest._conn._auth_final

        async with connection.start_sftp_client() as client:
            await client.listdir("IN")
        assert guest._conn._auth_final


def test_tiny_pieces_keep_no_packets() -> None:
    """They are copied; of larger ones the packet is looked at."""
    kinds: list[type] = []

    class Noting(Narrow):
        """Notes what it is handed."""

        def take(self, pieces: list[Piece], size: int) -> None:
            """Note it."""
            kinds.extend(map(type, pieces))

    batch = Batch({7: Noting(10**6)}.get)
    assert batch.add(packet(bytes(PIECE - 1)))
    assert batch.add(packet(bytes(PIECE)))
    batch.hand_on()

    assert [bytes, memoryview] == kinds


async def test_more_than_the_window_ends_the_connection(house: House) -> None:
    """As asyncssh judges it."""
    async with house.connect() as connection, connection.start_sftp_client() as client:
        await client.listdir("IN")
        (guest,) = house.door._present
        assert isinstance(guest._conn, Connection)
        (channel,) = guest._conn._channels.values()
        assert isinstance(channel, SSHServerChannel)
        channel._recv_window = 5
        connection._channels[0].send_packet(MSG_CHANNEL_DATA, String(b"123456"))
        async with asyncio.timeout(20):
            await connection.wait_closed()


def write_request(data: bytes, handle: bytes = HANDLE) -> bytes:
    """A request to write, without its length."""
    return Byte(FXP_WRITE) + UInt32(1) + String(handle) + UInt64(5) + String(data)


def cut(request: bytes, size: int) -> list[Piece]:
    """The same in pieces of so many bytes."""
    return [memoryview(request)[start : start + size] for start in range(0, len(request), size)]


@pytest.mark.parametrize("size", [20, 276, 277, 278, 1000, 100_000, 300_000])
@pytest.mark.parametrize("length", [0, 1, 10_000, 20_000, 250_000])
def test_a_request_is_read_alike_however_it_came(size: int, length: int) -> None:
    """In few long pieces or many short ones, with the longest handle that there may be."""
    data = os.urandom(length)
    request = Request(cut(write_request(data), size))
    kind, _, handle = request.get_byte(), request.get_uint32(), request.get_string()

    assert (FXP_WRITE, HANDLE, 5, length) == (kind, handle, request.get_uint64(), request.get_uint32())
    assert data == b"".join(request.rest())


def test_long_pieces_are_not_put_together() -> None:
    """But for the beginning, which asyncssh reads; of many pieces one is made."""
    request = write_request(bytes(250_000))

    assert 1000 > len(Request(cut(request, 32_000)).get_full_payload())
    assert request == Request(cut(request, 1000)).get_full_payload()


@pytest.mark.parametrize(
    ("pieces", "is_bulk"),
    [
        ([], False),
        ([write_request(bytes(100))], False),
        ([write_request(bytes(PIECE))], True),
        (cut(write_request(bytes(100_000)), 32_000), True),
        ([Byte(FXP_READ) + UInt32(1) + String(b"h") + UInt64(0) + UInt32(PIECE)], True),
        ([Byte(FXP_READ) + UInt32(1) + String(b"h") + UInt64(0) + UInt32(PIECE - 1)], False),
        ([Byte(3) + bytes(10_000)], False),
    ],
)
def test_what_moves_a_good_piece_of_a_file_is_known(pieces: Sequence[Piece], is_bulk: bool) -> None:
    """It is not counted among the requests a second."""
    assert is_bulk == Request(pieces).is_bulk


@pytest.mark.parametrize("at_once", [1, 2, 999, 2000, 10_000])
def test_what_the_disk_takes_in_parts_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """By as many calls as it wants, each from where the last one ended."""
    write, write_many = os.pwrite, os.pwritev
    data = os.urandom(3000)

    def few(descriptor: int, piece: bytes | memoryview, offset: int) -> int:
        return write(descriptor, memoryview(piece)[:at_once], offset)

    def some(descriptor: int, pieces: Sequence[Piece], offset: int) -> int:
        return write_many(descriptor, [memoryview(b"".join(pieces))[:at_once]], offset)

    monkeypatch.setattr(os, "pwrite", few)
    monkeypatch.setattr(os, "pwritev", some)
    intake = Intake(tmp_path, IntakeLimits(file_bytes=10**6, files=10, reserve=0))
    upload = intake.begin(BOX, "large")
    assert 3000 == upload.write(0, data[:500], memoryview(data)[500:1500], data[1500:])
    assert 3000 == upload.write(3000, data)

    assert (6000, data + data) == (upload.size, upload.path.read_bytes())


@pytest.mark.parametrize("block", [10_000, 32_768, 200_000])
async def test_a_file_is_the_same_however_it_is_cut(house: House, block: int) -> None:
    """In requests shorter and longer than packets, several under way."""
    data = os.urandom(1_000_000)
    async with (
        house.connect() as connection,
        connection.start_sftp_client() as client,
        client.open(f"IN/{FI}", "wb", block_size=block) as file,
    ):
        await file.write(data)

    assert data == (house.intake.set_folder(house.inbox(), FI) / FI).read_bytes()
