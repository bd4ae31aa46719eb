"""Clients that mean harm, or are broken: whatever they send, they get an answer or the end, and nobody else notices."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh
import paramiko
import pytest
from asyncssh import FXF_CREAT, FXF_TRUNC, FXF_WRITE
from asyncssh.packet import Byte, String, UInt32, UInt64
from structlog.testing import capture_logs

from channels.sftp.session import Requests
from channels.sftp.share import Share
from tests.adapters.sftp_door import FI, FO, GO, SENDER, USER, House, open_house

NEW = FXF_WRITE | FXF_CREAT | FXF_TRUNC
NO_ATTRIBUTES = UInt32(0)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """An open door with an answer behind it."""
    async with open_house(tmp_path / "house") as opened:
        opened.answer(FO)
        yield opened


class Raw:
    """A channel on which any bytes can be sent."""

    def __init__(self, reader: asyncssh.SSHReader[bytes], writer: asyncssh.SSHWriter[bytes]) -> None:
        self.reader = reader
        self.writer = writer

    async def answer(self) -> bytes:
        """The next packet, without its length."""
        length = int.from_bytes(await self.reader.readexactly(4), "big")
        return await self.reader.readexactly(length)

    async def ask(self, kind: int, body: bytes) -> bytes:
        """Send a request and take its answer."""
        self.writer.write(String(Byte(kind) + body))
        return await self.answer()


@asynccontextmanager
async def raw(house: House, username: str = USER, keys: Sequence[asyncssh.SSHKey] = ()) -> AsyncIterator[Raw]:
    """A channel of a client that has logged in and said hello."""
    async with house.connect(username, keys) as connection:
        _, reader, _ = await connection.open_session(subsystem="sftp", encoding=None)
        channel = Raw(reader, _writer(reader))
        hello = await channel.ask(1, UInt32(3))
        assert hello[:5] == b"\x02\x00\x00\x00\x03"
        yield channel


def _writer(reader: "asyncssh.SSHReader[bytes]") -> "asyncssh.SSHWriter[bytes]":
    return asyncssh.SSHWriter(reader._session, reader._chan)


async def still_works(house: House) -> bool:
    """Whether another client is served as ever."""
    async with house.client() as client:
        return (await client.stat(f"OUT/{FO}")).size == 6


def descriptors() -> int:
    """How many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


BODIES = {
    "nothing": b"",
    "a string": String(b"IN"),
    "two strings": String(b"IN/a") + String(b"/etc/passwd"),
    "all ones": b"\xff" * 40,
    "a long length": UInt32(0xFFFFFFFF) + b"x",
    "a handle": String(b"\x00\x00\x00\x00") + UInt64(0) + UInt32(10),
    "zeros": b"\x00" * 64,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_every_message_number_gets_an_answer_or_the_end(house: House, body: bytes) -> None:
    """All 256, one channel each: a packet of a kind that a server sends, with the same id, or the channel ends."""
    async with house.connect() as connection:
        for kind in range(256):
            _, reader, _ = await connection.open_session(subsystem="sftp", encoding=None)
            channel = Raw(reader, _writer(reader))
            await channel.ask(1, UInt32(3))
            try:
                said = await channel.ask(kind, UInt32(kind) + body)
            except (asyncio.IncompleteReadError, BrokenPipeError):
                said = b""
            assert said == b"" or (said[0] in {101, 102, 103, 104, 105, 201} and said[1:5] == UInt32(kind)), kind
            assert b"Uncaught" not in said
            assert str(house.folder).encode() not in said
            reader.channel.close()
            await reader.channel.wait_closed()
    assert await still_works(house)
    assert house.ledger.names == []


@pytest.mark.parametrize("first", [0, 1, 2, 3, 5, 17, 101, 200, 255])
async def test_a_channel_begins_with_a_hello(house: House, first: int) -> None:
    """Anything else first, or a hello that is none, ends the channel; nothing is done."""
    async with house.connect() as connection:
        _, reader, _ = await connection.open_session(subsystem="sftp", encoding=None)
        body = b"" if first == 1 else UInt32(1) + String(b"IN/x") + UInt32(NEW) + NO_ATTRIBUTES
        _writer(reader).write(String(Byte(first) + body))
        assert await reader.read() == b""
    assert (house.left(), await still_works(house)) == ([], True)


@pytest.mark.parametrize(
    "bytes_sent",
    [
        UInt32(0),
        UInt32(0) * 1000,
        UInt32(262_145),
        UInt32(0xFFFFFFFF) + b"x" * 1000,
        UInt32(1) + b"\x03",
        UInt32(4) + b"\x06aaa",
    ],
    ids=["empty", "many empty", "too long", "endless", "no id", "half an id"],
)
async def test_packets_of_odd_lengths_end_the_channel(house: House, bytes_sent: bytes) -> None:
    """Nothing is waited for and nothing kept."""
    async with raw(house) as channel:
        channel.writer.write(bytes_sent)
        with pytest.raises(asyncio.IncompleteReadError):
            await channel.answer()
    assert await still_works(house)


async def test_a_request_of_the_greatest_length_is_taken(house: House) -> None:
    """A path of a quarter of a megabyte is a bad path and nothing worse."""
    async with raw(house) as channel:
        said = await channel.ask(17, UInt32(7) + String(b"a/" * 131_060))
        assert said[:5] == b"\x65" + UInt32(7)


async def test_slow_bytes_do_not_keep_a_connection(tmp_path: Path) -> None:
    """A client that never ends its request is idle, however much it has begun."""
    async with open_house(tmp_path / "house", idle_timeout=0.3) as house, house.connect() as connection:
        _, reader, _ = await connection.open_session(subsystem="sftp", encoding=None)
        channel = Raw(reader, _writer(reader))
        await channel.ask(1, UInt32(3))
        channel.writer.write(UInt32(20) + b"\x11")
        await connection.wait_closed()


async def test_many_requests_without_reading_answers_are_answered_in_order(house: House) -> None:
    """A thousand at once: each answer has its id, one after another."""
    async with raw(house) as channel:
        path = String(f"OUT/{FO}".encode())
        channel.writer.write(b"".join(String(Byte(17) + UInt32(number) + path) for number in range(1000)))
        said = [await channel.answer() for _ in range(1000)]
    assert [int.from_bytes(answer[1:5], "big") for answer in said] == list(range(1000))
    assert {answer[0] for answer in said} == {105}


async def test_many_requests_at_once_leave_turns_to_others(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many of one client wait, the loop goes round in between."""
    answered = [0]
    answer = Requests.send_packet

    def noted(self: Requests, *packet: Any) -> None:
        answered[0] += 1
        answer(self, *packet)

    async with raw(house) as channel:
        monkeypatch.setattr(Requests, "send_packet", noted)
        channel.writer.write(b"".join(String(Byte(16) + UInt32(number) + String(b".")) for number in range(1500)))
        most = 0
        while answered[0] < 1500:
            before = answered[0]
            await asyncio.sleep(0)
            most = max(most, answered[0] - before)
    assert most <= 256


async def test_reads_beyond_the_end_are_counted_as_requests(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once: what bounds a good piece of a file, its own bytes, does not bound them."""
    counted: list[Share] = []

    async def noted(self: Share) -> None:
        counted.append(self)

    house.answer("FO.ACRF.999999.20261121.00002.R", data=bytes(9000))
    async with raw(house) as channel:
        path = String(b"OUT/FO.ACRF.999999.20261121.00002.R")
        handle = (await channel.ask(3, UInt32(1) + path + UInt32(1) + NO_ATTRIBUTES))[5:]
        monkeypatch.setattr(Share, "pace", noted)
        counts = []
        for offset, size in ((0, 8192), (8192, 8192), (9000, 8192), (9000, 10)):
            await channel.ask(5, UInt32(2) + handle + UInt64(offset) + UInt32(size))
            counts.append(len(counted))
    assert counts == [0, 1, 2, 3]


async def test_handles_of_others_are_no_handles(house: House) -> None:
    """Of another channel, another connection and another sender: nothing is read, written or closed by them."""
    other = asyncssh.generate_private_key("ssh-ed25519")
    house.accounts.add("beta", "654321", other)
    async with house.client() as client, client.open(f"IN/{FI}", NEW, encoding=None) as file:
        handle = file._handle or b""
        await file.write(b"mine")
        async with raw(house) as second, raw(house, "beta", keys=[other]) as stranger:
            for channel in (second, stranger):
                for kind, rest in ((4, b""), (5, UInt64(0) + UInt32(9)), (6, UInt64(0) + String(b"evil")), (8, b"")):
                    said = await channel.ask(kind, UInt32(1) + String(handle) + rest)
                    assert said[:1] == b"\x65", kind
                    assert said[5:9] != UInt32(0), kind
        await file.write(b" own", 4)
    assert (house.intake.set_folder(house.inbox(sender=SENDER), FI) / FI).read_bytes() == b"mine own"


async def test_closing_twice_closes_once(house: House) -> None:
    """The second is refused, and no descriptor of somebody else is closed by it."""
    async with raw(house) as channel:
        before = descriptors()
        said = await channel.ask(3, UInt32(1) + String(f"OUT/{FO}".encode()) + UInt32(1) + NO_ATTRIBUTES)
        handle = said[5:]
        ends = [await channel.ask(4, UInt32(number) + handle) for number in (2, 3)]
        assert [end[5:9] for end in ends] == [UInt32(0), UInt32(4)]
        assert descriptors() == before


async def test_a_directory_is_not_read_as_a_file(house: House) -> None:
    """Nor a file as a directory: each handle is good for its own requests."""
    async with raw(house) as channel:
        directory = (await channel.ask(11, UInt32(1) + String(b"OUT")))[5:]
        file = (await channel.ask(3, UInt32(2) + String(f"OUT/{FO}".encode()) + UInt32(1) + NO_ATTRIBUTES))[5:]
        asked = [
            await channel.ask(5, UInt32(3) + directory + UInt64(0) + UInt32(9)),
            await channel.ask(12, UInt32(4) + file),
        ]
        assert [said[:1] for said in asked] == [b"\x65", b"\x65"]


async def test_nothing_is_opened_before_log_in(house: House) -> None:
    """A client that asks for a channel without having logged in gets none."""

    def talk() -> str:
        transport = house.paramiko_transport()
        try:
            transport.open_session(timeout=30)
        except (paramiko.SSHException, EOFError) as error:
            return type(error).__name__
        finally:
            transport.close()
        return ""

    assert await asyncio.to_thread(talk)
    assert house.accounts.asked == []
    assert await still_works(house)


@pytest.mark.parametrize("kind", [b"session", b"direct-tcpip", b"forwarded-tcpip", b"x11", b"tun@openssh.com"])
async def test_no_other_channel_is_opened(house: House, kind: bytes) -> None:
    """Only sessions: no forwarding of ports, sockets, X11 or networks."""

    def talk() -> bool:
        transport = house.paramiko_transport()
        try:
            transport.auth_publickey(USER, house.paramiko_key())
            transport.open_channel(kind.decode(), ("127.0.0.1", 1), ("127.0.0.1", 2), timeout=30)
        except paramiko.SSHException:
            return False
        else:
            return True
        finally:
            transport.close()

    assert await asyncio.to_thread(talk) is (kind == b"session")


REQUESTS = {
    b"shell": b"",
    b"exec": String("touch owned"),
    b"pty-req": String("xterm") + UInt32(80) * 4 + String(""),
    b"env": String("LD_PRELOAD") + String("evil.so"),
    b"x11-req": Byte(0) + String("MIT-MAGIC-COOKIE-1") + String("00") + UInt32(0),
    b"auth-agent-req@openssh.com": b"",
    b"subsystem": String("shell"),
    b"unknown@example.com": b"",
}


@pytest.mark.parametrize("request_name", REQUESTS, ids=bytes.decode)
async def test_a_session_is_for_sftp_alone(house: House, request_name: bytes) -> None:
    """Whatever else is asked for, first or beside SFTP, is refused; SFTP goes on beside it."""
    async with house.connect() as connection:
        _, reader, _ = await connection.open_session(subsystem="sftp", encoding=None)
        assert not await reader.channel._make_request(request_name, REQUESTS[request_name])
        assert (await Raw(reader, _writer(reader)).ask(1, UInt32(3)))[:1] == b"\x02"
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.create_session(asyncssh.SSHClientSession, command="true")
    assert await still_works(house)


@pytest.mark.parametrize(
    "name", [b"IN/a\nsftp.login.accepted", b"IN/\x1b[2J", b"IN/a\x00b", b"IN/\xff\xfe\xfd", b"IN/\xe2\x80\xae"]
)
async def test_no_name_of_a_client_forges_a_log(house: House, name: bytes) -> None:
    """Line breaks, escape codes, NUL, invalid UTF-8: none of it reaches the log or the words of the refusal."""
    with capture_logs() as logs:
        async with house.client() as client:
            with pytest.raises(asyncssh.SFTPError) as caught:
                await client.open(name, NEW, encoding=None)
    odd = name[3:].decode(errors="replace")
    assert odd not in caught.value.reason
    assert odd not in repr(logs)
    assert all(character.isprintable() for character in caught.value.reason)


async def test_words_of_a_refusal_name_no_file(house: House) -> None:
    """What is refused is said; names and paths are not repeated, so that nothing can be smuggled through them."""
    async with house.client() as client:
        for path in (f"IN/sub/{GO}", f"ELSEWHERE/{GO}", GO):
            with pytest.raises(asyncssh.SFTPError) as caught:
                await client.open(path, NEW, encoding=None)
            assert caught.value.reason == "files go into IN, INTEST or INTEST-S, and into no other directory"
