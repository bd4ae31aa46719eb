"""How old are the signatures that the content scanner looks for?

It says so itself (VERSION, clamd(8)): the date is that of the published ones, in the time of its machine, which is
ours.  It is asked once a minute at most, and has a second; while it is away or has only signatures of its own nothing
is told, since there is an alert for the one and no date for the other.
"""

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

from config.scanner import Scanner
from gateway.clamd import Clamd, ScannerUnavailable

_DATED: Final = re.compile(r"ClamAV [^/]+/\d+/[A-Z][a-z]{2} ([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})")
_ASKED_EVERY: Final = 60.0
_PATIENCE: Final = 1.0


def made_at(version: str) -> float | None:
    """When the signatures were published (seconds since the epoch); None if what clamd says of itself has no date."""
    found = _DATED.fullmatch(version)
    if found is None:
        return None
    try:
        return datetime.strptime(found[1], "%b %d %H:%M:%S %Y").timestamp()  # noqa: DTZ007 -- it names no zone: ours
    except (ValueError, OverflowError, OSError):
        return None


class Signatures:
    """Asks the clamd that the settings name, if they name one; blocks, and is for one thread at a time.

    Args:
        rules: where it is.
        clock: seconds that only grow.
    """

    def __init__(self, rules: Scanner, clock: Callable[[], float] = time.monotonic) -> None:
        self._clamd = None if rules.place is None else Clamd(rules.place, rules)
        self._clock = clock
        self._asked_at = -_ASKED_EVERY
        self._made_at: float | None = None

    def made_at(self) -> float | None:
        """When they were published (seconds since the epoch), as it said less than a minute ago; None if unknown."""
        if self._clamd is not None and self._clock() - self._asked_at >= _ASKED_EVERY:
            self._asked_at = self._clock()
            self._made_at = None
            with suppress(ScannerUnavailable, TimeoutError, OSError):
                self._made_at = made_at(asyncio.run(_version(self._clamd)))
        return self._made_at


async def _version(clamd: Clamd) -> str:
    async with asyncio.timeout(_PATIENCE):
        return await clamd.version()
