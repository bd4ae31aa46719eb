"""What does the interface for programs look like from outside: addresses, headers, threads, and what is logged of it?

Log lines name the row of the table and the beginning of the token's mark, never an address, a question or a body, for
these name persons.  Answers are made in a few threads of its own: whatever is asked here, no sender waits for it.
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from functools import partial
from http import HTTPStatus
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from channels.sftp.sockets import handed_over
from config.errors import ConfigurationError, TemporaryError
from config.settings import Settings
from gateway.gatekeeper import hashing_limits
from gateway.health import Health, Running
from gateway.metrics.meter import Meter
from gateway.operations.answering import Answered, Answering, Requested
from gateway.operations.description import describe
from gateway.operations.hosting import HostingLimits, hosted
from gateway.operations.listening import faults_of_handed
from gateway.operations.neighbours import Neighbours
from gateway.operations.observing import Asker, Observing, Said
from gateway.operations.operation import Operation, Read
from gateway.operations.page import admission
from gateway.operations.page.addresses import StatusPages
from gateway.operations.page.admission import Admission
from gateway.operations.page.sights import Sights
from gateway.operations.problem import HEADERS, MEDIA_TYPE, problem
from gateway.operations.table import OPERATIONS
from gateway.passwords import Hashing
from spool.journal import Journal

log = structlog.get_logger()

_THREADS: Final = 4
_THREADS_OF_PAGES: Final = 2
_PATIENCE_OF_PAGES: Final = 2.0
_JSON: Final = "application/json"
_AT_HOME: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})

Answer = Callable[[Request], Awaitable[Response]]


@asynccontextmanager
async def open_operations(
    settings: Settings,
    journal: Journal,
    limits: HostingLimits | None = None,
    *,
    meter: Meter | None = None,
    running: Running | None = None,
    neighbours: Neighbours | None = None,
) -> AsyncIterator[int | None]:
    """Let programs ask, where the settings say so, for the time of the block; answers the port, if there is one.

    Args:
        settings: where, and what is asked of.
        journal: what the register is in.
        limits: what a request may cost.
        meter: what has been measured so far in this process.
        running: what runs in this process.
        neighbours: the other processes, if there may be any.

    Raises:
        ConfigurationError: the socket or the port cannot be had.
    """
    own, running = settings.operations, running or Running()
    # What a service manager opened for a process with a door is the door's.
    handed = handed_over(os.environ) if running.door is None else ()
    if faults := faults_of_handed(handed, own.port, "operations"):
        raise ConfigurationError(faults)
    if own.socket is None and own.port is None:
        yield None
        return
    hashing = Hashing(hashing_limits(settings.accounts))
    threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="operations")
    meter = meter or Meter()
    meter.attach(settings, journal, running)
    health = Health(settings, journal, running)
    observing = Observing(journal, health, meter, threads, neighbours, trust_socket=own.trust_socket)
    pages = _status_pages(settings, journal, observing)
    app = make_app(Answering(settings, journal, hashing), threads, OPERATIONS, observing, pages)
    with closing(hashing):
        try:
            async with hosted(app, socket=own.socket, host=own.host, port=handed or own.port, limits=limits) as port:
                log.info("operations.open", socket=own.socket is not None, port=port)
                yield port
        finally:
            # An act may wait for the journal still; nobody else has to wait for it.
            await asyncio.to_thread(threads.shutdown, cancel_futures=True)
            if pages is not None:
                await asyncio.to_thread(pages.close)


def _status_pages(settings: Settings, journal: Journal, observing: Observing) -> StatusPages | None:
    """The pages for people, where the settings want them.

    Raises:
        ConfigurationError: what opens them cannot be read.
    """
    own = settings.operations
    if not own.status_page:
        return None
    if faults := admission.faults(settings):
        raise ConfigurationError(faults)
    return StatusPages(
        Sights(settings, journal),
        Admission(journal, own.status_token),
        partial(observing.parts, _PATIENCE_OF_PAGES),
        # Threads of their own: whatever people look at, no program waits for it.
        ThreadPoolExecutor(_THREADS_OF_PAGES, thread_name_prefix="status"),
        hours=own.status_hours,
        trust_socket=own.trust_socket,
    )


def make_app(
    answering: Answering,
    threads: ThreadPoolExecutor,
    operations: Iterable[Operation],
    observing: Observing | None = None,
    pages: StatusPages | None = None,
) -> Starlette:
    """The application: an address for every row of ``operations``, for their description, for watchers and people."""
    rows = tuple(operations)
    document = json.dumps(describe(rows), ensure_ascii=False).encode()

    async def described(_: Request) -> Response:
        return _response(HTTPStatus.OK, document, _JSON)

    by_path: dict[str, dict[str, Answer]] = {"/openapi.json": {"GET": described}}
    if observing is not None:
        by_path |= {path: {"GET": partial(_observe, tell)} for path, tell in observing.questions().items()}
    if pages is not None:
        by_path |= {path: dict(answers) for path, answers in pages.addresses().items()}
    for row in rows:
        method = "GET" if isinstance(row, Read) else row.method
        by_path.setdefault(row.path, {})[method] = partial(_answer, answering, threads, row)
    app = Starlette(
        routes=[Route(path, partial(_dispatch, answers), methods=[*answers]) for path, answers in by_path.items()],
        exception_handlers={HTTPException: _refused, TemporaryError: _unavailable, Exception: _failed},
    )
    # It would send whoever adds a slash to the machine that the request names.
    app.router.redirect_slashes = False
    return app


async def _dispatch(answers: Mapping[str, Answer], request: Request) -> Response:
    if not _is_meant(request):
        return _refusal(HTTPStatus.MISDIRECTED_REQUEST)
    return await answers["GET" if request.method == "HEAD" else request.method](request)


def _is_meant(request: Request) -> bool:
    """Whether a request to a port is for us, and not from a page in a browser that was told another name for it."""
    host, port = request.scope["server"] or (None, None)
    if port is None:
        return True
    name = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
    return name.lower() in _AT_HOME | {host, f"[{host}]"}


async def _answer(answering: Answering, threads: ThreadPoolExecutor, row: Operation, request: Request) -> Response:
    begun = time.monotonic()
    requested = Requested(
        word=_shown(request),
        path=request.path_params,
        query=request.query_params.multi_items(),
        media_type=request.headers.get("content-type", ""),
        body=await request.body(),
    )
    loop = asyncio.get_running_loop()
    answered: Answered = await loop.run_in_executor(threads, answering.answer, row, requested)
    log.info(
        "operations.answered",
        operation=row.name,
        status=answered.status.value,
        token=answered.token,
        seconds=round(time.monotonic() - begun, 3),
    )
    return _response(answered.status, answered.body, _JSON if answered.good else MEDIA_TYPE)


async def _observe(tell: Callable[[Asker], Awaitable[Said]], request: Request) -> Response:
    _, port = request.scope["server"] or (None, None)
    said = await tell(Asker(_shown(request), by_socket=port is None))
    return _response(said.status, said.body, said.media_type)


def _shown(request: Request) -> str | None:
    """The token that a request shows, if it shows one."""
    shown = request.headers.getlist("authorization")
    if len(shown) != 1:
        return None
    scheme, _, word = shown[0].partition(" ")
    return word.strip() if scheme.lower() == "bearer" else None


def _refused(request: Request, fault: Exception) -> Response:
    if isinstance(fault, HTTPException):
        return _refusal(HTTPStatus(fault.status_code), fault.headers)
    return _failed(request, fault)


def _unavailable(_: Request, fault: Exception) -> Response:
    log.warning("operations.unavailable", fault=type(fault).__name__)
    return _refusal(HTTPStatus.SERVICE_UNAVAILABLE)


def _failed(_: Request, __: Exception) -> Response:
    return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR)


def _refusal(status: HTTPStatus, headers: Mapping[str, str] | None = None) -> Response:
    return _response(status, problem(status), MEDIA_TYPE, headers)


def _response(status: HTTPStatus, body: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Response:
    more = {"www-authenticate": "Bearer"} if status is HTTPStatus.UNAUTHORIZED else {}
    return Response(body, status.value, {**HEADERS, **more, **(headers or {})}, media_type)
