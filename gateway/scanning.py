"""Is there anything in what was sent that the content scanner knows?

What is shown to it are the bytes in custody, and what was taken out of them, after the sender's signature was verified
and before anything of it is parsed.  Found is a refusal, clean is a pass, and everything else is neither: the scanner
is away, slow, makes no sense, or has not looked at all of it, and the work waits.  A scanner that failed is left alone
for some seconds, so that not everything waits for the same time-out.
"""

import asyncio
import hashlib
import io
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import structlog

from config.scanner import Scanner
from gateway.clamd import Clamd, Found, ScannerUnavailable, TooLargeToScan
from schemas.codes import Code, Finding
from signing.evidence import Evidence
from spool.submissions import StoredFile

log = structlog.get_logger()

_CHUNK: Final = 1024**2


class ChangedInCustodyError(Exception):
    """What was shown to the scanner is not what was received."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be scanned: its name for people, its file or bytes, and the SHA-256 (hex) that a file must have."""

    name: str
    data: Path | bytes
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Scanned:
    """What the scanner said of one subject; ``engine`` is its version, ``found`` a signature's name, None if clean."""

    name: str
    sha256: str
    engine: str
    found: str | None

    @property
    def finding(self) -> Finding | None:
        """Why it is refused, if it is."""
        if self.found is None:
            return None
        return Finding(Code.CANCELLED, f"the content scanner found {self.found} in {self.name}")


class ContentScanner:
    """Shows content to the clamd that the settings name, if they name one.

    Args:
        rules: where it is, what is scanned, and what that may take.
        clock: seconds that only grow.
    """

    def __init__(self, rules: Scanner, clock: Callable[[], float] = time.monotonic) -> None:
        self._rules = rules
        self._clamd = None if rules.place is None else Clamd(rules.place, rules)
        self._clock = clock
        self._rests_until = clock()

    def looks_at(self, environment: str) -> bool:
        """Whether what is for this environment is scanned."""
        return self._clamd is not None and environment in self._rules.environments

    async def check(self, environment: str, subjects: Iterable[Subject], scanned: list[Scanned]) -> tuple[Finding, ...]:
        """Scan one subject after the other, until something is found; each that was scanned is added to ``scanned``.

        What is for another environment than the settings name is not scanned, nor is anything without a scanner.

        Raises:
            ScannerUnavailable, TooLargeToScan, ChangedInCustodyError: nothing can be said of one of them.
        """
        if self._clamd is None or environment not in self._rules.environments:
            return ()
        for subject in subjects:
            scanned.append(await self._tried(self._clamd, subject))
            if (finding := scanned[-1].finding) is not None:
                return (finding,)
        return ()

    async def _tried(self, clamd: Clamd, subject: Subject) -> Scanned:
        if self._clock() < self._rests_until:
            raise ScannerUnavailable("the content scanner failed a moment ago")
        try:
            scanned = await _scan(clamd, subject, self._rules.max_bytes)
        except ScannerUnavailable as fault:
            self._rests_until = self._clock() + self._rules.rest_seconds
            log.error("scanner.unavailable", reason=str(fault), seconds=self._rules.rest_seconds)
            raise
        except TooLargeToScan as fault:
            log.error("scanner.too_large", file=subject.name, reason=str(fault))
            raise
        if scanned.found is None:
            log.debug("content.clean", file=subject.name)
        else:
            log.warning("content.found", file=subject.name, found=scanned.found)
        return scanned


UNSCANNED: Final = ContentScanner(Scanner())
"""Where there is no scanner."""


async def _scan(clamd: Clamd, subject: Subject, most: int) -> Scanned:
    engine = await clamd.version()
    digest = hashlib.sha256()
    with await asyncio.to_thread(_opened, subject, most) as source:
        outcome = await clamd.scan(_pieces(source, digest.update))
        # One that finds something early may listen to no more.
        await asyncio.to_thread(_read_on, source, digest.update)
    seen = digest.hexdigest()
    if subject.sha256 not in {None, seen}:
        raise ChangedInCustodyError
    return Scanned(subject.name, seen, engine, outcome.name if isinstance(outcome, Found) else None)


def subjects_of(folder: Path, parts: Iterable[StoredFile], evidence: Iterable[Evidence | None]) -> Iterator[Subject]:
    """Every FI of a set as it is in ``folder``, and what its verification took out of it."""
    for file, verified in zip(parts, evidence, strict=True):
        yield Subject(file.name, folder / file.name, file.sha256)
        if verified is not None and verified.content is not None:
            yield Subject(file.name, verified.content)


def scan_facts(scanned: Sequence[Scanned]) -> dict[str, Any]:
    """The facts of a verdict about what the scanner said, as JSON takes them; None if it was not asked."""
    each = [{"file": one.name, "data": one.sha256, "engine": one.engine, "found": one.found} for one in scanned]
    return {"scans": each or None}


def _opened(subject: Subject, most: int) -> BinaryIO:
    data = subject.data
    size = len(data) if isinstance(data, bytes) else data.stat().st_size
    if size > most:
        raise TooLargeToScan(f"{size} bytes, and scanner.max_bytes is {most}")
    return io.BytesIO(data) if isinstance(data, bytes) else data.open("rb")


async def _pieces(source: BinaryIO, note: Callable[[bytes], None]) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(_read, source, note):
        yield piece


def _read_on(source: BinaryIO, note: Callable[[bytes], None]) -> None:
    while _read(source, note):
        pass


def _read(source: BinaryIO, note: Callable[[bytes], None]) -> bytes:
    piece = source.read(_CHUNK)
    note(piece)
    return piece
