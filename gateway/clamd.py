"""What does a clamd say of some bytes?  Its protocol, and nothing of what follows from the answer.

One connection for one command (clamd(8)): ``zVERSION``, or ``zINSTREAM`` with the bytes in chunks, each after its
length as four bytes, ended by a length of none.  Nothing of a sender's is ever part of a command.  The answer is
bounded in size and time; one that is not exactly "OK" or a name that was found is none.  Of a clamd that stops
listening, because the bytes are too many, the answer is still read, which is why this speaks to the socket itself: a
stream of asyncio throws away what came before the pipe broke.
"""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from config.errors import TemporaryError
from config.scanner import Scanner

_LONGEST_ANSWER: Final = 1024
_LONGEST_NAME: Final = 100
_FOUND: Final = re.compile(r"stream: (\S.*) FOUND")
_VERSION: Final = re.compile(r"ClamAV [\x20-\x7e]{1,150}")
_TOO_LARGE: Final = "INSTREAM size limit exceeded. ERROR"
_NOT_ALL: Final = "Heuristics.Limits.Exceeded"
"""What clamd "finds" when it stopped before it had looked at everything (AlertExceedsMax in clamd.conf(5))."""


class ScannerUnavailable(TemporaryError):  # noqa: N818 -- says what is missing, as BrokerUnavailable does
    """The scanner is away, slow, or says what is no answer."""


class TooLargeToScan(TemporaryError):  # noqa: N818 -- says what is the matter, as the name of a state does
    """The scanner does not look at so much, or not at all of it."""


@dataclass(frozen=True, slots=True)
class Clean:
    """Nothing was found."""


@dataclass(frozen=True, slots=True)
class Found:
    """Something was; ``name`` is the signature's, shortened, of letters, digits and a few signs."""

    name: str


class Clamd:
    """The clamd that the settings name.

    Args:
        place: the path of its socket, or host and port.
        rules: what a conversation may take.
    """

    def __init__(self, place: str | tuple[str, int], rules: Scanner) -> None:
        self._place = place
        self._rules = rules

    async def version(self) -> str:
        """Its version and, where it has published signatures, theirs and their date, in its own words.

        Raises:
            ScannerUnavailable: there is no answer.
        """
        said = await self._converse(b"zVERSION\0")
        if _VERSION.fullmatch(said) is None:
            raise ScannerUnavailable("what the content scanner said of itself is no version")
        return said

    async def scan(self, chunks: AsyncIterator[bytes]) -> Clean | Found:
        """What it finds in the bytes that ``chunks`` gives, none of which may be empty.

        Raises:
            ScannerUnavailable: there is no answer.
            TooLargeToScan: it did not look at all of it.
        """
        return read_answer(await self._converse(b"zINSTREAM\0", _framed(chunks)))

    async def _converse(self, command: bytes, rest: AsyncIterator[bytes] | None = None) -> str:
        try:
            async with asyncio.timeout(self._rules.seconds):
                return await self._ask(command, rest)
        except TimeoutError as fault:
            raise ScannerUnavailable("the content scanner did not answer in time") from fault

    async def _ask(self, command: bytes, rest: AsyncIterator[bytes] | None) -> str:
        loop = asyncio.get_running_loop()
        with await self._connected(loop) as connection:
            broken: OSError | None = None
            try:
                await loop.sock_sendall(connection, command)
                if rest is not None:
                    async for piece in rest:
                        await loop.sock_sendall(connection, piece)
            except ConnectionError as fault:
                broken = fault  # it may have said why before it stopped listening
            said = await _answer(loop, connection)
            if said is None:
                raise ScannerUnavailable("the content scanner ended the conversation") from broken
            return said

    async def _connected(self, loop: asyncio.AbstractEventLoop) -> socket.socket:
        place = self._place
        family = socket.AF_UNIX if isinstance(place, str) else socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            async with asyncio.timeout(self._rules.connect_seconds):
                await loop.sock_connect(connection, place)
        except BaseException as fault:
            connection.close()
            if isinstance(fault, OSError) and not isinstance(fault, TimeoutError):
                raise ScannerUnavailable(f"the content scanner is away: {fault.strerror}") from fault
            raise
        return connection


def read_answer(said: str) -> Clean | Found:
    """What an answer to INSTREAM means.

    Raises:
        ScannerUnavailable: it is none.
        TooLargeToScan: it did not look at all of it.
    """
    if said == "stream: OK":
        return Clean()
    if said == _TOO_LARGE:
        raise TooLargeToScan("larger than the content scanner takes (StreamMaxLength)")
    found = _FOUND.fullmatch(said)
    if found is None:
        raise ScannerUnavailable("the content scanner could not scan, or said what is no answer")
    if found[1].startswith(_NOT_ALL):
        raise TooLargeToScan("the content scanner stopped before it had seen everything (MaxFileSize, MaxScanSize …)")
    return Found(presentable(found[1]))


def presentable(name: str) -> str:
    """The name of a signature as it may be shown: shortened, and no other signs than such names need."""
    return re.sub(r"[^0-9A-Za-z._:/{}()+-]", "_", name[:_LONGEST_NAME])


async def _answer(loop: asyncio.AbstractEventLoop, connection: socket.socket) -> str | None:
    """What it says up to the NUL; None if it ends before, or goes on for too long."""
    received = bytearray()
    while b"\0" not in received:
        if len(received) > _LONGEST_ANSWER:
            raise ScannerUnavailable("the content scanner says more than an answer")
        try:
            piece = await loop.sock_recv(connection, _LONGEST_ANSWER)
        except ConnectionError:
            return None
        if not piece:
            return None
        received += piece
    return bytes(received).partition(b"\0")[0].decode("ascii", errors="replace")


async def _framed(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        yield len(chunk).to_bytes(4, "big")
        yield chunk
    yield bytes(4)
