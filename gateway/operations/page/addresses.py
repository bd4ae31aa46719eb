"""Where do the pages of status stand, and what is said with each: who may come in, headers, cookie?

Whoever shows nothing good is shown the form to log in, at the same address.  No row is written but that of the log-in;
the overview has every process try whether it could write, and no thread waits for their answers.  A look is a line of
the log with the name of the token, never an address or a question.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import parse_qs, parse_qsl

import structlog
from starlette.requests import Request
from starlette.responses import Response

from config.errors import TemporaryError
from gateway.health import Part
from gateway.operations.page import drawing
from gateway.operations.page.admission import LONGEST, SOCKET, Admission, Sessions, Tries, Viewer
from gateway.operations.page.sights import Page, Sights
from gateway.operations.problem import HEADERS as OF_ALL

log = structlog.get_logger()

T = TypeVar("T")
Answer = Callable[[Request], Awaitable[Response]]

ROOT: Final = "/status"
COOKIE: Final = "__Host-gateway-status"

HEADERS: Final[Mapping[str, str]] = {
    **OF_ALL,
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_HTML: Final = "text/html; charset=utf-8"
_CSS: Final = "text/css; charset=utf-8"
_FORM: Final = "application/x-www-form-urlencoded"
_MOST_WAITING: Final = 32
_HOUR: Final = 3600
_OUR_OWN: Final = frozenset({"same-origin", "none"})
_CALLED: Final = frozenset({"localhost", "127.0.0.1", "[::1]", "gateway"})


class StatusPages:
    """Answers for the pages; in the event loop.

    Args:
        sights: makes the pages.
        admission: knows who may look.
        parts: answers of every part of every process whether it is ready, for the overview; within few seconds.
        threads: in which pages are made and viewers looked up.
        hours: for so many a log-in with a browser is good.
        trust_socket: whether whoever could open the Unix socket may look.
    """

    def __init__(
        self,
        sights: Sights,
        admission: Admission,
        parts: Callable[[], Awaitable[Sequence[Part]]],
        threads: ThreadPoolExecutor,
        *,
        hours: int,
        trust_socket: bool,
    ) -> None:
        self._sights = sights
        self._admission = admission
        self._parts = parts
        self._threads = threads
        self._seconds = hours * _HOUR
        self._trust_socket = trust_socket
        self._sessions = Sessions(self._seconds)
        self._tries = Tries()
        self._waiting = 0

    def addresses(self) -> Mapping[str, Mapping[str, Answer]]:
        """Every address with its answers by method."""
        pages: dict[str, tuple[str, Callable[[Mapping[str, str]], Awaitable[Page]]]] = {
            "": ("showStatus", self._overview),
            "/": ("showStatus", self._overview),
            "/answers": ("showStatusOfAnswers", partial(self._made, self._sights.answers)),
            "/ending": ("showStatusOfEnds", partial(self._made, self._sights.ending)),
            "/senders": ("showStatusOfSenders", partial(self._made, self._sights.senders)),
            "/ticket": ("showStatusOfTicket", partial(self._made, self._sights.ticket)),
        }
        shown: dict[str, Mapping[str, Answer]] = {
            ROOT + end: {"GET": partial(self._guarded, name, partial(self._show, make))}
            for end, (name, make) in pages.items()
        }
        return shown | {
            f"{ROOT}/login": {"POST": partial(self._guarded, "logInToStatus", self._log_in)},
            f"{ROOT}/logout": {"POST": partial(self._guarded, "logOutOfStatus", self._log_out)},
            f"{ROOT}/status.css": {"GET": _style},
        }

    def close(self) -> None:
        """Wait for what the threads still do, and let them end."""
        self._threads.shutdown(cancel_futures=True)

    async def _guarded(self, name: str, answer: Answer, request: Request) -> Response:
        """Any answer, with a page also for trouble; ``operations.answered`` is written of each."""
        begun = time.monotonic()
        try:
            answered = await answer(request)
        except TemporaryError as fault:
            log.warning("operations.unavailable", fault=type(fault).__name__)
            words = "The journal cannot be read now, or not in time. The gateway may run all the same."
            answered = _response(self._sights.refusal(HTTPStatus.SERVICE_UNAVAILABLE, words))
        log.info(
            "operations.answered",
            operation=name,
            status=answered.status_code,
            token=getattr(request.state, "viewer", None),
            seconds=round(time.monotonic() - begun, 3),
        )
        return answered

    async def _overview(self, asked: Mapping[str, str]) -> Page:
        # First the processes, then the thread: while one hangs, pages that need none of them have the threads.
        parts = await self._parts()
        return await self._made(partial(self._sights.overview, parts=parts), asked)

    async def _made(self, make: Callable[[Mapping[str, str]], Page], asked: Mapping[str, str]) -> Page:
        return await self._run(partial(make, asked))

    async def _show(self, make: Callable[[Mapping[str, str]], Awaitable[Page]], request: Request) -> Response:
        if not _is_for_us(request):
            return _response(_elsewhere())
        viewer = await self._viewer(request)
        if isinstance(viewer, Response):
            return viewer
        request.state.viewer = viewer.name
        # Of what is given twice the last counts; what nobody knows is nobody's fault.
        asked = dict(parse_qsl(request.url.query, max_num_fields=8)) if request.url.query.count("&") < 8 else {}
        return _response(await make(asked))

    async def _viewer(self, request: Request) -> Viewer | Response:
        """Who asks, or what to answer who may not look."""
        _, port = request.scope["server"] or (None, None)
        if port is None and self._trust_socket:
            return Viewer(SOCKET)
        known = self._sessions.viewer(request.cookies.get(COOKIE, ""))
        if known is not None and await self._run(partial(self._admission.still, known)):
            return known
        shown = request.headers.getlist("authorization")
        if not shown:
            return _response(self._sights.log_in(HTTPStatus.UNAUTHORIZED))
        scheme, _, word = shown[0].partition(" ")
        return await self._try(word.strip() if scheme.lower() == "bearer" and len(shown) == 1 else "")

    async def _try(self, word: str) -> Viewer | Response:
        """Who shows ``word``, or what to answer who shows nothing good."""
        if not self._tries.take():
            words = "Too many words were wrong. Wait a minute."
            return _response(self._sights.log_in(HTTPStatus.TOO_MANY_REQUESTS, words), {"retry-after": "60"})
        good = 0 < len(word) <= LONGEST
        found = await self._run(partial(self._admission.viewer, word)) if good else None
        if found is None:
            log.warning("status.refused")
            return _response(self._sights.log_in(HTTPStatus.UNAUTHORIZED, "This opens nothing here."))
        self._tries.give_back()
        return found

    async def _log_in(self, request: Request) -> Response:
        if not _is_for_us(request) or not _is_our_form(request):
            return _response(_elsewhere())
        viewer = await self._try(_typed(await request.body()))
        if isinstance(viewer, Response):
            return viewer
        request.state.viewer = viewer.name
        await self._run(partial(self._admission.record, viewer))
        # One that was there before is no more, whoever gave it.
        self._sessions.end(request.cookies.get(COOKIE, ""))
        return _cookie(self._sessions.begin(viewer), self._seconds)

    async def _log_out(self, request: Request) -> Response:
        if not _is_for_us(request) or not _is_our_form(request):
            return _response(_elsewhere())
        self._sessions.end(request.cookies.get(COOKIE, ""))
        return _cookie("", 0)

    async def _run(self, ask: Callable[[], T]) -> T:
        """What ``ask`` answers in a thread of ours; while many wait for these, nobody more does."""
        if self._waiting >= _MOST_WAITING:
            raise BusyError("too many look at the status page at once")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        finally:
            self._waiting -= 1


class BusyError(TemporaryError):
    """More look than there are threads for."""


def _is_for_us(request: Request) -> bool:
    """Whether the address names this machine, on the socket too, which a browser may come to by a port of its own.

    Else a page of somebody else, for whose name a browser was told our address, could read ours.
    """
    host, _ = request.scope["server"] or ("", None)
    said = request.headers.get("host", "")
    name = (said if said.endswith("]") or ":" not in said else said.rpartition(":")[0]).lower()
    return name in _CALLED | {host, f"[{host}]"}


def _is_our_form(request: Request) -> bool:
    """Whether a form was sent from a page of ours, as far as the browser says."""
    if request.headers.get("sec-fetch-site", "same-origin") not in _OUR_OWN:
        return False
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM


def _typed(body: bytes) -> str:
    try:
        fields = parse_qs(body[: 4 * LONGEST].decode("ascii"), max_num_fields=4)
    except ValueError:
        return ""
    return fields.get("token", [""])[-1].strip()


def _elsewhere() -> Page:
    return Sights.refusal(HTTPStatus.FORBIDDEN, "This page is for browsers that ask this machine, by its own name.")


async def _style(_: Request) -> Response:
    headers = {**HEADERS, "cache-control": "private, max-age=300"}
    return Response(drawing.style(), HTTPStatus.OK.value, headers, _CSS)


def _response(page: Page, more: Mapping[str, str] | None = None) -> Response:
    asks = {"www-authenticate": "Bearer"} if page.status is HTTPStatus.UNAUTHORIZED else {}
    return Response(page.body, page.status.value, {**HEADERS, **asks, **(more or {})}, _HTML)


def _cookie(word: str, seconds: int) -> Response:
    """Back to the first page, with a cookie that goes to us alone, by no page of others, and that no script reads."""
    said = f"{COOKIE}={word}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Strict"
    return Response(b"", HTTPStatus.SEE_OTHER.value, {**HEADERS, "location": ROOT, "set-cookie": said})
