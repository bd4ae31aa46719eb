"""What are those told who watch over a gateway: metrics, whether it lives, whether it is ready?

Whoever shows no operator's token hears yes or no of life and readiness, and nothing of metrics; where the settings say
``trust_socket``, whoever could open the Unix socket hears all.  While the journal can't be read, a token that was good
within the hour is good: that is when one has to look.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Final

from gateway.health import Health, Part
from gateway.metrics.meter import MEDIA_TYPE, Meter
from gateway.operations.neighbours import Neighbours
from gateway.operations.problem import MEDIA_TYPE as PROBLEM
from gateway.operations.problem import problem
from gateway.operations.tokens import bearer
from gateway.register.actor import Operator
from spool.journal import Journal, JournalError, now

_JSON: Final = "application/json"
_REMEMBERED_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the token that was shown, if any, and whether through the Unix socket."""

    word: str | None
    by_socket: bool


@dataclass(frozen=True, slots=True)
class Said:
    """An answer."""

    status: HTTPStatus
    body: bytes
    media_type: str = _JSON


class Observing:
    """Answers those who watch.

    Args:
        journal: knows the tokens.
        health: of this process.
        meter: of this process.
        threads: for what blocks.
        neighbours: the other processes, if there may be any.
        trust_socket: whether the Unix socket needs no token.
    """

    def __init__(
        self,
        journal: Journal,
        health: Health,
        meter: Meter,
        threads: ThreadPoolExecutor,
        neighbours: Neighbours | None = None,
        *,
        trust_socket: bool,
    ) -> None:
        self._journal = journal
        self._health = health
        self._meter = meter
        self._threads = threads
        self._neighbours = neighbours
        self._trust_socket = trust_socket
        self._good: dict[str, float] = {}

    def questions(self) -> Mapping[str, Callable[[Asker], Awaitable[Said]]]:
        """What can be asked, by address."""
        return {"/metrics": self.metrics, "/live": self.live, "/ready": self.ready}

    async def metrics(self, asker: Asker) -> Said:
        """Everything that is measured, as OpenMetrics."""
        if not await self._may_know(asker):
            status = HTTPStatus.UNAUTHORIZED
            return Said(status, problem(status), PROBLEM)
        loop = asyncio.get_running_loop()
        text = await loop.run_in_executor(self._threads, self._meter.text)
        if self._neighbours is not None:
            text = await self._neighbours.metrics(text)
        return Said(HTTPStatus.OK, text, MEDIA_TYPE)

    async def live(self, asker: Asker) -> Said:
        """Whether the process and its loop answer: by answering, without a look at anything that could hang."""
        told: dict[str, object] = {"live": True}
        if self._trust_socket and asker.by_socket:
            told["seconds"] = round(self._health.seconds, 1)
        return Said(HTTPStatus.OK, json.dumps(told).encode())

    async def ready(self, asker: Asker) -> Said:
        """Whether every part of every process here is fit for work, and every role is had; who may know hears why."""
        parts = await self.parts()
        good = all(part.ready for part in parts)
        told: dict[str, object] = {"ready": good}
        if await self._may_know(asker):
            told["parts"] = [asdict(part) for part in parts]
        return Said(HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE, json.dumps(told).encode())

    async def parts(self, patience: float | None = None) -> list[Part]:
        """Every part of every process here, and every role that nobody has.

        Args:
            patience: seconds that all of it may take, if that is less than usual.
        """
        own, others = await asyncio.gather(self._health.parts(patience), self._others(patience))
        return [*own, *others]

    async def _others(self, patience: float | None) -> list[Part]:
        return [] if self._neighbours is None else await self._neighbours.parts(patience)

    async def _may_know(self, asker: Asker) -> bool:
        if self._trust_socket and asker.by_socket:
            return True
        if asker.word is None:
            return False
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._is_operator, asker.word)

    def _is_operator(self, word: str) -> bool:
        mark, at = hashlib.sha256(word.encode("utf-8", "surrogateescape")).hexdigest(), time.monotonic()
        try:
            with self._journal.read() as connection:
                found = bearer(connection, word, now())
        except JournalError:
            return at - self._good.get(mark, -_REMEMBERED_SECONDS) < _REMEMBERED_SECONDS
        self._good = {known: since for known, since in self._good.items() if at - since < _REMEMBERED_SECONDS}
        if found is None or not isinstance(found.actor, Operator):
            self._good.pop(mark, None)
            return False
        self._good[mark] = at
        return True
