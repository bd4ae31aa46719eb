"""What do the other processes of this host tell of themselves?

Each has a Unix socket in the spool, for our own user alone, where it says whether it is ready and what it has counted.
Whoever watches asks one address, that of the process with the role ``operations``: it asks the others, and puts in its
answers which of them says what.  What one does not say within its time is left out, and it counts as not ready; so
does one whose answer is not what a process says of itself.  Whether it is ready each is asked once a second at most,
however many want to know.  For all that is done to answer somebody there is one deadline.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import Final

import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector
from prometheus_client.core import Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from config.roles import Role
from config.settings import Settings
from gateway.health import Health, Part
from gateway.metrics.meter import MEDIA_TYPE, Meter
from gateway.operations.hosting import hosted
from spool import processes
from spool.processes import Process

log = structlog.get_logger()

_SECONDS: Final = 4.0
_PATIENCE: Final = 10.0
_GOOD_FOR: Final = 1.0


@asynccontextmanager
async def told(me: Process, health: Health, meter: Meter) -> AsyncIterator[None]:
    """Let the neighbour that watches ask this process, for the time of the block.

    Raises:
        ConfigurationError: the socket cannot be had.
    """
    threads = ThreadPoolExecutor(1, thread_name_prefix="told")

    async def metrics(_: Request) -> Response:
        text = await asyncio.get_running_loop().run_in_executor(threads, meter.text)
        return Response(text, media_type=MEDIA_TYPE)

    async def ready(_: Request) -> Response:
        parts = await health.parts()
        return Response(json.dumps([asdict(part) for part in parts]), media_type="application/json")

    app = Starlette(routes=[Route("/metrics", metrics), Route("/ready", ready)])
    try:
        with processes.reached(me.address) as address:
            async with hosted(app, socket=address):
                yield
    finally:
        threads.shutdown(cancel_futures=True)


class Neighbours:
    """The other processes of the site, as this one sees them.

    Args:
        settings: where they meet, and which roles there have to be.
        me: this process.
        patience: seconds that may pass until it is known who is there and whether all are ready; a process has four
            of them at most.
    """

    def __init__(self, settings: Settings, me: Process, patience: float = _PATIENCE) -> None:
        self._spool: Path = settings.spool.path
        self._me = me
        self._needed = needed(settings)
        self._patience = patience
        self._looking: asyncio.Task[list[Process]] | None = None
        self._asked: dict[str, tuple[float, asyncio.Task[bytes | None]]] = {}

    async def parts(self, patience: float | None = None) -> list[Part]:
        """What is to be said of each: whether it is ready, and of every role that nobody has.

        Args:
            patience: seconds that all of it may take, if that is less than usual; who has less than usual is content
                with a question that waits already, however old it is.
        """
        seconds = self._patience if patience is None else min(patience, self._patience)
        until = time.monotonic() + seconds
        try:
            async with asyncio.timeout(seconds):
                known = await self._alive()
        except TimeoutError:
            return [Part("processes", ready=False, words=f"no answer in {seconds:g} seconds")]
        return await self._parts(known, until, patience)

    async def _parts(self, known: Sequence[Process], until: float, patience: float | None) -> list[Part]:
        missing = self._needed - frozenset[Role]().union(*(process.roles for process in known))
        here = [*self._here(known)]
        self._asked = {process.id: self._asked[process.id] for process in here if process.id in self._asked}
        found = await asyncio.gather(*(self._parts_of(process, until, patience) for process in here))
        lacking = [Part(role.value, ready=False, words="no process does this") for role in sorted(missing)]
        return [*lacking, *(part for parts in found for part in parts)]

    async def metrics(self, own: bytes) -> bytes:
        """Our own metrics and those of each neighbour, with the label ``process`` that says whose they are.

        Ours alone while nobody can tell who is there.
        """
        try:
            async with asyncio.timeout(self._patience):
                known = await self._alive()
        except TimeoutError:
            return own
        here = sorted(self._here(known), key=lambda one: one.pid)
        texts = await asyncio.gather(*(_ask(process, "/metrics") for process in here))
        others = [(name, text) for name, text in zip(_names(here), texts, strict=True) if text is not None]
        return await asyncio.to_thread(merged, own, others) if others else own

    async def _alive(self) -> list[Process]:
        """Who is alive; on a volume that hangs one thread waits, however many ask and give up."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(asyncio.to_thread(processes.alive, self._spool))
        return await asyncio.shield(self._looking)

    def _here(self, known: Iterable[Process]) -> Iterator[Process]:
        return (process for process in known if process.is_here and process.id != self._me.id)

    async def _parts_of(self, process: Process, until: float, patience: float | None) -> list[Part]:
        begun, task = self._asked.get(process.id, (0.0, None))
        at = time.monotonic()
        # Readiness does not share a question that is old: of its time too little may be left to answer.
        if task is None or (at >= begun + _GOOD_FOR and (patience is None or task.done())):
            begun, task = at, asyncio.create_task(_ask(process, "/ready"))
            self._asked[process.id] = (begun, task)
        each = _SECONDS if patience is None else min(patience, _SECONDS)
        # Who shares one has what is left of its time, and no more than that of his own.
        end = max(at, min(until, begun + each))
        done, _ = await asyncio.wait((task,), timeout=end - at)
        if not done:
            return [Part(name_of(process), ready=False, words=f"no answer in {end - begun:.2g} seconds")]
        text = task.result()
        if text is None:
            return [Part(name_of(process), ready=False, words="no answer")]
        return said(name_of(process), text)


def needed(settings: Settings) -> frozenset[Role]:
    """The roles without which a site does not do what its settings say."""
    messages = {Role.MQ} if settings.mq.enabled or settings.back.enabled else set()
    return frozenset({Role.SFTP, Role.JUDGE, Role.DELIVER} | messages)


def name_of(process: Process) -> str:
    """Which process it is, in a word that stays when it is started again: the roles it has."""
    return "+".join(sorted(process.roles))


def said(name: str, text: bytes) -> list[Part]:
    """What a process said of its parts; if that is nothing, or cannot be understood, it is not ready.

    Args:
        name: the process, in a word.
        text: its answer.
    """
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        rows = None
    parts = [_part(name, row) for row in rows] if isinstance(rows, list) else []
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return [Part(name, ready=False, words="its answer cannot be understood")]
    return known


def _part(name: str, row: object) -> Part | None:
    match row:
        case {"name": str(what), "ready": bool(ready), "words": str(words)}:
            return Part(f"{name}: {what}", ready=ready, words=words)
    return None


def _names(here: Sequence[Process]) -> Iterator[str]:
    """Names that tell apart those of the same roles: by their order, that of their process numbers."""
    count: Counter[str] = Counter()
    for process in here:
        name = name_of(process)
        count[name] += 1
        yield name if count[name] == 1 else f"{name} {count[name]}"


def merged(own: bytes, others: Sequence[tuple[str, bytes]]) -> bytes:
    """Several texts in OpenMetrics as one; samples of others carry whose they are.

    Another's text that cannot be read is left out, and so is what it counts in another way than we do.
    """
    families = {family.name: family for family in _families(own)}
    for name, text in others:
        for family in _of_another(name, text):
            whole = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            if whole.type == family.type:
                whole.samples += [
                    sample._replace(labels={**sample.labels, "process": name}) for sample in family.samples
                ]
    together: bytes = generate_latest(_Families(families.values()))  # type: ignore[no-untyped-call]  # the library's own
    return together


def _families(text: bytes) -> list[Metric]:
    return list(text_string_to_metric_families(text.decode()))  # type: ignore[no-untyped-call]  # likewise


def _of_another(name: str, text: bytes) -> list[Metric]:
    try:
        return _families(text)
    except Exception as fault:  # whatever it is, those who watch hear of all the others
        log.warning("operations.metrics_unreadable", process=name, fault=type(fault).__name__)
        return []


class _Families:
    """What the library's writer takes for a registry."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """The families."""
        return self._families


async def _ask(process: Process, path: str) -> bytes | None:
    timeout = ClientTimeout(total=_SECONDS)
    try:
        with processes.reached(process.address) as address:
            async with (
                ClientSession(connector=UnixConnector(str(address)), timeout=timeout) as session,
                session.get(f"http://localhost{path}") as response,
            ):
                text = await response.read()
                return text if response.status == HTTPStatus.OK else None
    except (ClientError, OSError, TimeoutError):
        return None
