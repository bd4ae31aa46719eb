"""Senders who keep a gateway busy: one by message as fast as it answers, some who come and go over SFTP.

Part of :mod:`benchmarks.steady`.  What is sent is one document with one signature, under ever new names: a file is what
it is by its name.  Every message is answered once, every answer is taken, and so is what was forwarded.
"""

import asyncio
import base64
import secrets
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import asyncssh
import pika

from benchmarks.flood import sequences
from channels.mq.topology import out_queue
from config.messages import Mq, Routing
from tests.gateway_process import today

WINDOW: Final = 40
"""Messages that are not answered yet; twice ``[intake] max_unjudged``."""

_SILENT_SECONDS: Final = 300.0
_LOOK_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Content:
    """What every set consists of: a document of ``forms`` declarations, and the FS over it."""

    data: bytes
    signature: bytes
    forms: int


@dataclass(slots=True)
class Progress:
    """How far it is; written by the senders, each field by one thread."""

    published: int = 0
    answered: int = 0
    fetched: int = 0
    forwarded: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Submissions whose answer their sender has."""
        return self.answered + self.fetched


class SilentError(Exception):
    """The gateway does not answer any more."""


class Messages(threading.Thread):
    """One sender by message; it also takes what was forwarded, its own and that of the others.

    Args:
        url: the broker, as the user who sends.
        sender: its number.
        count: how many sets to send.
        forms: how many declarations are forwarded in all before it ends.
    """

    def __init__(self, url: str, sender: str, content: Content, count: int, forms: int, progress: Progress) -> None:
        super().__init__(name="messages", daemon=True)
        self._parameters = pika.URLParameters(url)
        self._sender = sender
        self._content = content
        self._count = count
        self._forms = forms
        self._progress = progress
        self._open: set[str] = set()
        self._names = self._all_names()
        self.fault: BaseException | None = None

    def _all_names(self) -> Iterator[str]:
        day = today()
        for sequence in sequences(self._count):
            yield f"FI.DIMN.{self._sender}.{day}.{sequence}.R.1.1"

    def run(self) -> None:
        """Send and take until all is answered and forwarded."""
        try:
            self._send_all()
        except Exception as fault:  # whoever waits for us tells
            self.fault = fault

    def _send_all(self) -> None:
        connection = pika.BlockingConnection(self._parameters)
        channel = connection.channel()
        channel.basic_consume(out_queue(Mq().answers, self._sender), self._on_answer, auto_ack=True)
        channel.basic_consume(Routing().queue, self._on_declaration, auto_ack=True)
        last, moved_at = -1, time.monotonic()
        while self._open or self._progress.published < self._count or self._progress.forwarded < self._forms:
            self._fill(channel)
            connection.process_data_events(time_limit=1)
            if (now := self._progress.answered + self._progress.forwarded) != last:
                last, moved_at = now, time.monotonic()
            elif time.monotonic() - moved_at > _SILENT_SECONDS:
                raise SilentError(f"nothing came for {_SILENT_SECONDS:.0f} s; {len(self._open)} are not answered")
        connection.close()

    def _fill(self, channel: Any) -> None:
        headers = {"Signature": self._content.signature.decode("ascii")}
        while len(self._open) < WINDOW and self._progress.published < self._count:
            name = next(self._names)
            properties = pika.BasicProperties(
                delivery_mode=2,
                headers=headers | {"FileName": name},
                message_id=name,
                user_id=self._parameters.credentials.username,
            )
            channel.basic_publish(Mq().exchange, "R", self._content.data, properties)
            self._open.add(name)
            self._progress.published += 1

    def _on_answer(self, channel: Any, _method: Any, properties: Any, body: bytes) -> None:
        if properties.correlation_id not in self._open or b"<ResultCode>1" not in body:
            self._progress.wrong.append(f"answer to {properties.correlation_id}")
        self._open.discard(properties.correlation_id)
        self._progress.answered += 1
        self._fill(channel)

    def _on_declaration(self, _channel: Any, _method: Any, _properties: Any, _body: bytes) -> None:
        self._progress.forwarded += 1


@dataclass(frozen=True, slots=True)
class Visits:
    """Who comes over SFTP: its number and its user's name, how often, and after how many submissions of all again."""

    sender: str
    username: str
    count: int
    apart: int


async def come_and_go(port: int, key: Path, visits: Visits, content: Content, progress: Progress) -> None:
    """Log in, send one set, fetch its answer, delete it and leave, as often as ``visits`` say.

    Raises:
        SilentError: there is no answer.
    """
    day = today()
    signature = base64.encodebytes(base64.b64decode(content.signature))
    for number, sequence in enumerate(sequences(visits.count)):
        while progress.done < number * visits.apart:  # noqa: ASYNC110 - another thread counts
            await asyncio.sleep(_LOOK_SECONDS)
        stem = f"DIMN.{visits.sender}.{day}.{sequence}.R"
        files = {f"FI.{stem}.1.1": content.data, f"FS.{stem}.1.1": signature, f"GO.{stem}.1": b""}
        async with _session(port, key, visits.username) as sftp:
            for name, data in files.items():
                async with sftp.open(f"IN/{name}", "wb") as file:
                    if data:
                        await file.write(data)
            await _fetch(sftp, stem, progress)
        progress.fetched += 1


@asynccontextmanager
async def _session(port: int, key: Path, username: str) -> AsyncIterator[asyncssh.SFTPClient]:
    async with (
        asyncssh.connect(
            "127.0.0.1", port, username=username, client_keys=[str(key)], known_hosts=None, config=None,
            encryption_algs=["aes128-gcm@openssh.com"],
        ) as connection,
        connection.start_sftp_client() as sftp,
    ):  # fmt: skip
        yield sftp


async def _fetch(sftp: asyncssh.SFTPClient, stem: str, progress: Progress) -> None:
    end = time.monotonic() + _SILENT_SECONDS
    while not any(name.startswith("GO.") for name in await sftp.listdir("OUT")):
        if time.monotonic() > end:
            raise SilentError(f"no answer to {stem} within {_SILENT_SECONDS:.0f} s")
        await asyncio.sleep(_LOOK_SECONDS)
    for name in sorted(name for name in await sftp.listdir("OUT") if name[0] != "."):
        async with sftp.open(f"OUT/{name}", "rb") as file:
            body = cast("bytes", await file.read())  # opened as one of bytes
        if name.startswith("FO.ACRF") and (stem.encode() not in body or b"<ResultCode>1" not in body):
            progress.wrong.append(f"answer to {stem}")
        await sftp.remove(f"OUT/{name}")


def new_password() -> str:
    """For a user of the broker."""
    return secrets.token_hex(8)
