"""How does the gateway read from a server that it has no reason to trust?

Bounded in time and size, without redirects, cookies or proxies of the environment, with TLS verified by the system's
authorities. What a server does wrong is a value, not an exception: it is that server's trouble, and the next turn's.

Whether what came is of any use, and when to ask again, is not decided here. RFC 9110; RFC 6960, appendix A, for the
requests that carry a body.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import aiohttp

_CHUNK: Final = 64 * 1024
# Servers read at a time: each may make us hold as many bytes as the limit says.
_AT_ONCE: Final = 16
_SCHEMES: Final = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """What one answer may cost: seconds from the first name lookup to the last byte, and bytes."""

    seconds: float
    size: int


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing came; ``reason`` is a sentence without the address, ``status`` that of HTTP if it was not 200."""

    reason: str
    status: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Question:
    """What a request carries: its body and its media type."""

    body: bytes
    media_type: str


def host_of(url: str) -> str:
    """The host that ``url`` names, and nothing else of it: an address may hold a password."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_web(url: str) -> bool:
    """Whether ``url`` is one that can be read."""
    return host_of(url) != "" and urlsplit(url).scheme in _SCHEMES


class Downloader:
    """Reads from servers; made by :func:`open_downloader`."""

    def __init__(self, session: aiohttp.ClientSession, limits: DownloadLimits) -> None:
        self._session = session
        self._limits = limits
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def read(self, url: str, question: Question | None = None) -> bytes | Failed:
        """The body of the answer with status 200 to GET, or to POST where there is a ``question``.

        Args:
            url: http or https
            question: what to send along
        """
        if not is_web(url):
            return Failed("the address is neither http nor https")
        async with self._slots:
            try:
                async with asyncio.timeout(self._limits.seconds):
                    return await self._read(url, question)
            except TimeoutError:
                return Failed(f"no whole answer within {self._limits.seconds:g} s")
            except (aiohttp.ClientError, OSError, ValueError) as fault:
                return Failed(_words(fault))

    async def _read(self, url: str, question: Question | None) -> bytes | Failed:
        method, body, headers = "GET", None, {}
        if question is not None:
            method, body, headers = "POST", question.body, {"Content-Type": question.media_type}
        async with self._session.request(method, url, data=body, headers=headers, allow_redirects=False) as answer:
            if answer.status != HTTPStatus.OK:
                return Failed(f"HTTP status {answer.status}", answer.status)
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                return Failed("the answer is compressed")
            return await self._body(answer)

    async def _body(self, answer: aiohttp.ClientResponse) -> bytes | Failed:
        received = bytearray()
        if (answer.content_length or 0) <= self._limits.size:
            async for chunk in answer.content.iter_chunked(_CHUNK):
                received += chunk
                if len(received) > self._limits.size:
                    break
            else:
                return bytes(received)
        return Failed(f"more than {self._limits.size} bytes")


@asynccontextmanager
async def open_downloader(
    limits: DownloadLimits, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Downloader]:
    """A downloader for the time of the block; ``headers`` go with every request."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None),
        headers={**(headers or {}), "Accept-Encoding": "identity", "User-Agent": "batch-gateway"},
    ) as session:
        yield Downloader(session, limits)


def _words(fault: Exception) -> str:
    """What to say of a failure: the system's words for its number, else its kind; its own words quote the address."""
    if isinstance(fault, aiohttp.ClientConnectorDNSError):
        return "the name of the host is unknown"
    if isinstance(fault, aiohttp.ClientConnectorCertificateError):
        return "the server's certificate is not accepted"
    if isinstance(fault, OSError) and fault.errno:
        return os.strerror(fault.errno)
    return type(fault).__name__
