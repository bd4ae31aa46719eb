"""How much of the door may one sender have, over all its connections?

Threads, so that a sender whose requests block on the disk leaves some to the others; and requests, which beyond a rate
are answered later, not refused.  Bytes of files do not count as requests: the disk and the network bound those.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, ParamSpec, TypeVar
from weakref import WeakValueDictionary

import structlog

_log = structlog.get_logger()

_BURST: Final = 10
_QUIET: Final = 60.0
_REMEMBERED: Final = 100

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class ShareLimits:
    """What one sender may have: ``threads`` at a time, ``requests`` a second (ten times that for a moment).

    ``listing`` is the most names that one listing has.
    """

    threads: int = 8
    requests: float = 1000.0
    listing: int = 20_000


_USUAL: Final = ShareLimits()


class Share:
    """The share of one sender; it lives as long as one of its connections."""

    def __init__(self, sender: str, limits: ShareLimits) -> None:
        self.sender = sender
        self.limits = limits
        self._threads = asyncio.Semaphore(limits.threads)
        self._listings = asyncio.Semaphore(1)
        self._tokens = limits.requests * _BURST
        self._filled = time.monotonic()
        self._told: dict[str, float] = {}

    def take_over(self, limits: ShareLimits) -> None:
        """Let other limits count from now on; acts that have a thread, or wait for one, end as they began."""
        if limits.threads != self.limits.threads:
            self._threads = asyncio.Semaphore(limits.threads)
        self.limits = limits

    def turn(self) -> asyncio.Semaphore:
        """What to hold while something else makes use of a thread for this sender."""
        return self._threads

    async def run(
        self, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """Call ``function`` in a thread, when the sender has one free."""
        async with self._threads:
            return await asyncio.to_thread(function, *args, **kwargs)

    async def list(
        self, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """The same for what makes a long list: one at a time."""
        async with self._listings:
            return await self.run(function, *args, **kwargs)

    async def pace(self) -> None:
        """Count a request; wait if the sender asks faster than it may."""
        now, rate = time.monotonic(), self.limits.requests
        self._tokens = min(rate * _BURST, self._tokens + (now - self._filled) * rate) - 1
        self._filled = now
        if self._tokens < 0:
            self.tell("requests slowed down")
            await asyncio.sleep(-self._tokens / rate)

    def tell(self, limit: str) -> None:
        """Log that the sender has reached a limit, each limit once a minute."""
        if self._is_news(limit):
            _log.warning("sftp.limit.reached", sender=self.sender, limit=limit)

    def refuse(self, words: str) -> None:
        """Log what the sender was refused with, the same words once a minute."""
        if self._is_news(words):
            _log.info("sftp.refused", sender=self.sender, words=words)

    def _is_news(self, words: str) -> bool:
        now = time.monotonic()
        self._told = {told: at for told, at in self._told.items() if now - at < _QUIET}
        if words in self._told or len(self._told) >= _REMEMBERED:
            return False
        self._told[words] = now
        return True


class Shares:
    """The shares of everybody who is connected, each with the same ``limits``."""

    def __init__(self, limits: ShareLimits = _USUAL) -> None:
        self._limits = limits
        self._shares: WeakValueDictionary[str, Share] = WeakValueDictionary()

    def of(self, sender: str) -> Share:
        """The share of ``sender``, the same for all its connections."""
        share = self._shares.get(sender)
        if share is None:
            share = self._shares[sender] = Share(sender, self._limits)
        return share

    def take_over(self, limits: ShareLimits) -> None:
        """Let other limits count, also for who is connected."""
        self._limits = limits
        for share in list(self._shares.values()):
            share.take_over(limits)
