"""Senders who bring sets by SFTP, fetch their answers, and keep a list of what they were told, whatever happens.

A sender who saw no OK to its GO sends the set again under its name, as long as it takes.  An answer is read once it is
whole, and removed; a removal that got no OK may leave it there, and then it is read a second time under its name.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

import asyncssh
from lxml import etree

from benchmarks.throughput_sets import Signer
from schemas.filename import set_key
from tests.gateway_process import Site, three_forms

_SERIAL: Final = b">VOORBEELD-0001<"
_INVALID_EVERY: Final = 10
_PAUSE: Final = 0.1
_TROUBLE: Final = (asyncssh.Error, OSError, asyncio.TimeoutError)
_PATIENCE: Final = 20.0
"""Seconds for one operation; a gateway that hangs is left for another."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What an acknowledgement says: about which set, under which ticket, and whether it was accepted."""

    stem: str
    ticket: str
    accepted: bool


@dataclass(slots=True)
class Records:
    """A sender's own list."""

    told: dict[str, bool] = field(default_factory=dict)
    """Sets it was told OK for, by what their names share, and whether they are valid."""
    again: int = 0
    """How often a set had to be sent again."""
    answers: dict[str, Acknowledged] = field(default_factory=dict)
    """Acknowledgements by the names they had."""
    unreadable: list[str] = field(default_factory=list)
    """Those that are no document."""


class SetMaker:
    """Sets of three declarations, each of its own; every tenth has a fault."""

    def __init__(self, site: Site) -> None:
        self._signer = Signer.read(site.signer.key, site.signer.certificate)
        self._text = three_forms()
        # Yesterday wherever the gateway's clock and its zone may take it.
        self._day = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y%m%d")

    def files(self, sender: str, serial: int) -> tuple[str, bool, list[tuple[str, bytes]]]:
        """What the names share, whether it is valid, and names and bytes in the order in which they are sent."""
        data = self._text.replace(_SERIAL, b">VOORBEELD-%06d<" % serial)
        if not (is_valid := serial % _INVALID_EVERY != 0):
            data = data.replace(b">SU<", b">XX<")
        stem = f"DIMN.{sender}.{self._day}.{serial:05}.R"
        files = [(f"FI.{stem}.1.1", data), (f"FS.{stem}.1.1", self._signer.sign(data)), (f"GO.{stem}.1", b"")]
        return stem, is_valid, files


class SftpSender:
    """One sender, over one connection at a time."""

    def __init__(self, who: tuple[str, str], site: Site, maker: SetMaker, is_open: asyncio.Event) -> None:
        self.records = Records()
        self._is_open = is_open
        self._number, self._user = who
        self._site = site
        self._maker = maker
        self._serials = count(1)
        self._stack = contextlib.AsyncExitStack()
        self._sftp: asyncssh.SFTPClient | None = None

    async def send(self) -> None:
        """Send a set until its GO got its OK."""
        stem, is_valid, files = self._maker.files(self._number, next(self._serials))
        while True:
            await self._is_open.wait()
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._put(files)
            except _TROUBLE as trouble:
                self.records.again += 1
                await self._after(trouble)
            else:
                self.records.told[stem] = is_valid
                return

    async def fetch(self) -> None:
        """Read and remove every answer that is whole."""
        await self._is_open.wait()
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._fetch()
        except _TROUBLE as trouble:
            await self._after(trouble)

    async def leave(self) -> None:
        """End the connection."""
        self._sftp = None
        with contextlib.suppress(*_TROUBLE):
            async with asyncio.timeout(_PATIENCE):
                await self._stack.aclose()

    async def _put(self, files: list[tuple[str, bytes]]) -> None:
        sftp = await self._connected()
        for name, data in files:
            async with sftp.open(f"IN/{name}", "wb") as file:
                if data:
                    await file.write(data)

    async def _fetch(self) -> None:
        sftp = await self._connected()
        names = {str(name) for name in await sftp.listdir("OUT")}
        for name in sorted(_whole(names)):
            async with sftp.open(f"OUT/{name}", "r") as file:
                content = str(await file.read()).encode()
            if name.startswith("FO.ACRF."):
                try:
                    self.records.answers[name] = _read(content)
                except etree.XMLSyntaxError:
                    self.records.unreadable.append(name)
            for prefix in ("FO", "FS", "GO"):
                await sftp.remove(f"OUT/{prefix}{name[2:]}")

    async def _connected(self) -> asyncssh.SFTPClient:
        if self._sftp is None:
            options = asyncssh.SSHClientConnectionOptions(
                username=self._user,
                client_keys=[str(self._site.work / "id_ed25519")],
                known_hosts=None,
                config=None,
                encryption_algs=["aes128-gcm@openssh.com"],
            )
            connection = await self._stack.enter_async_context(
                asyncssh.connect("127.0.0.1", self._site.port, options=options)
            )
            self._sftp = await self._stack.enter_async_context(connection.start_sftp_client())
        return self._sftp

    async def _after(self, trouble: BaseException) -> None:
        # A refusal of the door leaves the connection as it is; whatever else went wrong, the next one is a new one.
        lost = isinstance(trouble, asyncssh.SFTPConnectionLost | asyncssh.SFTPNoConnection)
        if lost or not isinstance(trouble, asyncssh.SFTPError):
            await self.leave()
        await asyncio.sleep(_PAUSE)


def _whole(names: set[str]) -> Iterator[str]:
    return (name for name in names if name.startswith("FO.") and {f"FS{name[2:]}", f"GO{name[2:]}"} <= names)


def _read(content: bytes) -> Acknowledged:
    root = etree.fromstring(content)
    name = root.findtext("Form/FileReference/FileName") or ""
    ticket = root.findtext("Form/FileReference/ReferenceNbr") or ""
    return Acknowledged(set_key(name) or "", ticket, root.findtext("Form/ReceptionResult/ResultCode") == "1")


def sender_names(senders: int) -> dict[str, str]:
    """So many numbers of senders, each with its user."""
    return {f"{200_001 + number}": f"sender{number:02}" for number in range(senders)}
