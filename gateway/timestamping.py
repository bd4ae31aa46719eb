"""Timestamps for the gateway's own signatures, asked of one authority over HTTP (RFC 3161, clause 3.4).

An authority that failed is left alone for a minute: not every answer of a busy day shall wait for the same time-out.
What a timestamp must look like is :mod:`signing.own.timestamp_request`'s.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from config.settings import Signing
from gateway.download import Downloader, DownloadLimits, Failed, Question, open_downloader
from signing.own.timestamp_request import MAX_REPLY, QUERY_TYPE, TimestampUnavailable, read_reply, timestamp_request

log = structlog.get_logger()

_REST: Final = 60.0


class TimestampAuthority:
    """The authority at ``url``.

    Args:
        clock: seconds that only grow
    """

    def __init__(self, url: str, downloader: Downloader, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._downloader = downloader
        self._clock = clock
        self._rests_until = clock()

    async def stamp(self, value: bytes) -> bytes:
        """A timestamp of ``value``, as the DER of its token.

        Raises:
            TimestampUnavailable: the authority is away, refuses, or gives something else; or it did within a minute.
        """
        if self._clock() < self._rests_until:
            raise TimestampUnavailable("the timestamp authority failed less than a minute ago")
        try:
            return await self._ask(value)
        except TimestampUnavailable as fault:
            self._rests_until = self._clock() + _REST
            log.error("timestamp.unavailable", reason=str(fault), seconds=_REST)
            raise

    async def _ask(self, value: bytes) -> bytes:
        nonce = 1 + secrets.randbits(63)
        reply = await self._downloader.read(self._url, Question(timestamp_request(value, nonce), QUERY_TYPE))
        if isinstance(reply, Failed):
            raise TimestampUnavailable(reply.reason)
        return await asyncio.to_thread(read_reply, reply, value, nonce)


@dataclass(frozen=True, slots=True)
class Stamping:
    """Where timestamps come from, and whether an answer waits for one that can't be had."""

    authority: TimestampAuthority
    required: bool


@asynccontextmanager
async def open_stamping(settings: Signing) -> AsyncIterator[Stamping | None]:
    """What the settings say of timestamps, for the time of the block; None if answers carry none."""
    if settings.timestamp_url is None:
        yield None
        return
    async with open_downloader(DownloadLimits(settings.timestamp_seconds, MAX_REPLY)) as downloader:
        authority = TimestampAuthority(str(settings.timestamp_url), downloader)
        yield Stamping(authority, settings.timestamp_required)
