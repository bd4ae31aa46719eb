"""How do revocation data get from the authorities' servers into the folder of accepted authorities?

Off unless the settings say so. What there is to fetch is ``gateway.places``'s question; what a held submission waits
for is fetched at once. A server is asked for one thing at a time and delays no other server. What came is checked and
stored by ``signing.trust.authorities``; what doesn't belong there is never stored.

When a place is asked again is ``gateway.refetch``'s; that data have run out is told by ``gateway.watch``.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import Final, Protocol

import structlog
from cryptography import x509
from cryptography.x509 import ocsp as x509_ocsp

from config.errors import ConfigurationError
from gateway.download import Failed, Question
from gateway.places import Place, places_of, registered
from gateway.refetch import Standing, after_answer, after_failure, by_the_clock, when_asked
from signing.trust import authorities, ocsp
from spool.journal import Journal
from spool.wanted import Want

log = structlog.get_logger()
_chance: Final = SystemRandom().random

_IDLE: Final = 5.0
# A server that fails so often in a row is left alone until what it owes is due again.
_FAILURES_IN_A_ROW: Final = 3
_BATCH: Final = 20
_MOST_WANTED: Final = 500
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_REGISTER_SECONDS: Final = 60.0
_OCSP_REQUEST: Final = "application/ocsp-request"  # RFC 6960, C.1


class Reader(Protocol):
    """What reads from a server (:class:`gateway.download.Downloader`)."""

    async def read(self, url: str, question: Question | None = None) -> bytes | Failed:
        """The answer to GET, or to POST where there is a ``question``."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What came and is in the folder now: its SHA-256 in hex, and when it runs out."""

    digest: str
    fresh_until: datetime | None


@dataclass(frozen=True, slots=True)
class Around:
    """Who waits for a fetcher and who wakes it.

    ``resume`` is called with the tickets that waited for what has just been stored; ``ring`` when there is something
    to do sooner than the last turn said; ``wanted`` answers what has been asked for in the notes of the spool.
    """

    resume: Callable[[Collection[str]], Awaitable[None]]
    ring: Callable[[], None]
    wanted: Callable[[], Collection[Want]] = tuple


class Fetcher:
    """Fetches for one folder of accepted authorities."""

    def __init__(
        self,
        folder: Path,
        journal: Journal,
        reader: Reader,
        period: timedelta,
        around: Around,
    ) -> None:
        self._folder = folder
        self._journal = journal
        self._reader = reader
        self._period = period
        self._resume = around.resume
        self._ring = around.ring
        self._notes = around.wanted
        self._standings: dict[Place, Standing] = {}
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, set[str]] = {}
        self._wanted: dict[bytes, str] = {}
        self._asked: set[str] = set()
        self._registered: tuple[bytes, ...] = ()
        self._register_read = float("-inf")

    def ask(self, ticket: str, authority: str, certificate: bytes | None) -> None:
        """Submission ``ticket`` is held for want of revocation data of this authority, about this certificate."""
        self._note(ticket, authority, certificate)
        self._ring()

    def _note(self, ticket: str, authority: str, certificate: bytes | None) -> None:
        self._waiting.setdefault(authority, set()).add(ticket)
        self._asked.add(authority)
        if certificate is not None:
            # Asked for last, forgotten last.
            self._wanted.pop(certificate, None)
            self._wanted[certificate] = authority
            if len(self._wanted) > _MOST_WANTED:
                del self._wanted[next(iter(self._wanted))]

    async def turn(self) -> float:
        """Begin with what is due at every server that is not asked already; answers seconds until the next turn.

        Raises:
            TemporaryError: the authorities or the register cannot be read.
        """
        await self._survey()
        at = _now()
        hosts = {place.host for place, standing in self._standings.items() if standing.due <= at}
        for host in hosts - set(self._busy):
            task = asyncio.create_task(self._serve(host), name=f"revocation data of {host}")
            self._busy[host] = task
            task.add_done_callback(partial(self._finished, host))
        idle = [standing.due for place, standing in self._standings.items() if place.host not in self._busy]
        return min([_IDLE, *((due - at).total_seconds() for due in idle)])

    async def close(self) -> None:
        """Give up what is being fetched."""
        running = list(self._busy.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _finished(self, host: str, task: asyncio.Task[None]) -> None:
        del self._busy[host]
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("fetch.failed", host=host, fault=type(fault).__name__)
        self._ring()

    async def _survey(self) -> None:
        """Bring the list of places up to date, and make due what is waited for."""
        for want in await asyncio.to_thread(self._notes):
            self._note(want.ticket, want.authority, want.certificate)
        clock = asyncio.get_running_loop().time()
        if clock - self._register_read > _REGISTER_SECONDS:
            self._registered = await asyncio.to_thread(registered, self._journal)
            self._register_read = clock
        about = dict.fromkeys((*self._registered, *self._wanted))
        places = await asyncio.to_thread(lambda: places_of(authorities.current(self._folder), about))
        at = _now()
        asked, self._asked = self._asked, set()
        known = {place: self._standings.get(place, Standing(at)) for place in places}
        self._standings = {place: by_the_clock(standing, at, self._period) for place, standing in known.items()}
        for place, standing in self._standings.items():
            if place.authority in asked and (place.certificate is None or place.certificate in self._wanted):
                self._standings[place] = when_asked(standing, at)

    async def _serve(self, host: str) -> None:
        """Fetch what is due at one server, one after the other, what is waited for first."""
        failures = 0
        while batch := self._due(host, _BATCH if failures < _FAILURES_IN_A_ROW else None):
            for place in batch:
                if failures < _FAILURES_IN_A_ROW:
                    outcome = await self._fetch(place)
                    failures = failures + 1 if isinstance(outcome, Failed) else 0
                    await self._record(place, outcome)
                else:
                    self._put_off(place)

    def _due(self, host: str, most: int | None) -> list[Place]:
        at = _now()
        due = [
            (not standing.asked, standing.tried or _NEVER, place)
            for place, standing in self._standings.items()
            if standing.due <= at and place.host == host
        ]
        first = heapq.nsmallest(len(due) if most is None else most, due, key=lambda item: item[:2])
        return [place for _, _, place in first]

    def _put_off(self, place: Place) -> None:
        standing = self._standings.get(place)
        if standing is not None:
            failed = after_failure(standing, _now(), self._period, _chance())
            # Not tried: it comes before those that were.
            self._standings[place] = replace(failed, tried=standing.tried)

    async def _fetch(self, place: Place) -> Stored | Failed:
        try:
            question = await asyncio.to_thread(_question, place)
            content = await self._reader.read(place.url, question)
            if isinstance(content, Failed):
                return content
            return await asyncio.to_thread(_store, self._folder, place, content)
        except ConfigurationError as fault:
            return Failed("; ".join(fault.faults))
        except Exception as fault:  # what one server sent must not stop the others; it is asked again, later
            return Failed(type(fault).__name__)

    async def _record(self, place: Place, outcome: Stored | Failed) -> None:
        standing = self._standings.get(place)
        if standing is None:
            return
        facts = {"authority": place.authority, "host": place.host, "kind": place.kind}
        if isinstance(outcome, Failed):
            self._standings[place] = failed = after_failure(standing, _now(), self._period, _chance())
            if failed.failures.bit_count() == 1:  # the first, second, fourth, eighth in a row
                log.warning("revocation.failed", **facts, reason=outcome.reason, failures=failed.failures)
            return
        fresh_until = outcome.fresh_until
        self._standings[place] = after_answer(standing, _now(), self._period, _chance(), fresh_until)
        # Every answer about every registered certificate would bury the rest.
        write = log.info if place.certificate is None or standing.failures or standing.asked else log.debug
        write("revocation.fetched", **facts, fresh_until=fresh_until and fresh_until.isoformat(), sha256=outcome.digest)
        # Also when nothing is new: it may have come while the submission was being judged, and was missed.
        if tickets := self._waiting.pop(place.authority, None):
            await self._resume(tickets)


def _question(place: Place) -> Question | None:
    if place.certificate is None or place.issuer is None:
        return None
    return Question(ocsp.request(place.certificate, place.issuer), _OCSP_REQUEST)


def _store(folder: Path, place: Place, content: bytes) -> Stored:
    return Stored(authorities.store_revocation(folder, place.authority, content), _fresh_until(place, content))


def _fresh_until(place: Place, content: bytes) -> datetime | None:
    """When data that were found good run out; None if they don't say, or say it of several certificates."""
    try:
        if place.certificate is not None:
            return x509_ocsp.load_der_ocsp_response(content).next_update_utc
        is_pem = content.lstrip().startswith(b"-----")
        crl = x509.load_pem_x509_crl(content) if is_pem else x509.load_der_x509_crl(content)
    except ValueError:
        return None
    return crl.next_update_utc


def _now() -> datetime:
    return datetime.now(UTC)
