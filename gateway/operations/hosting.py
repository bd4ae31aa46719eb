"""How is an ASGI application served inside the daemon's event loop, within bounds and without taking the daemon over?

On a Unix socket that only our own user may open, or on a port, or both.  Bounded are the connections, a request's
head, its body, and the time from its first byte to the last of its answer.  Signals stay the daemon's, nothing is
written to a log but failures, and no answer says which program made it.  What is served and to whom is ``app``'s.
"""

import asyncio
import os
import socket as sockets
from collections.abc import AsyncIterator, MutableMapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from config.errors import TemporaryError
from gateway.operations.listening import remove, tcp_socket, unix_socket
from gateway.operations.problem import HEADERS, MEDIA_TYPE, problem

log = structlog.get_logger()

Message = MutableMapping[str, Any]
App = Any
"""An ASGI application; those of Starlette's and uvicorn's types that fit one another are long words for this."""

_GRACE: Final = 5


@dataclass(frozen=True, slots=True)
class HostingLimits:
    """Most bytes of a request's head and body, seconds for all of it and its answer, and connections at a time."""

    head: int = 16 * 1024
    body: int = 1024 * 1024
    seconds: float = 30.0
    idle_seconds: int = 15
    connections: int = 64


@asynccontextmanager
async def hosted(
    app: App,
    *,
    socket: Path | None = None,
    host: str = "127.0.0.1",
    port: int | Sequence[sockets.socket] | None = None,
    limits: HostingLimits | None = None,
    section: str = "operations",
) -> AsyncIterator[int | None]:
    """Serve ``app`` for the time of the block; answers the port, where there is one.

    Args:
        app: an ASGI application; it gets each request with its whole body.
        socket: where the Unix socket is made, for our own user alone.
        host: the address of the port.
        port: the port, 0 for any that is free; or sockets that listen already, closed at the end; None for none.
        limits: what a request may cost.
        section: the section of the settings that a fault is told of.

    Raises:
        ConfigurationError: the socket or the port cannot be had.
    """
    limits = limits or HostingLimits()
    async with AsyncExitStack() as stack:
        listening: list[sockets.socket] = []
        if socket is not None:
            listening.append(unix_socket(socket, section))
            stack.callback(listening[-1].close)
            stack.callback(remove, socket, os.lstat(socket).st_ino)
        ports = [tcp_socket(host, port, section)] if isinstance(port, int) else port or ()
        for one in ports:
            stack.callback(one.close)
        listening.extend(ports)
        bound = int(ports[0].getsockname()[1]) if ports else None
        server = uvicorn.Server(_config(_Bounded(app, limits), limits))
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        # Not Server.serve(): that takes the process's signals over, and looks ten times a second whether to end.
        await server.startup(sockets=listening)
        stack.push_async_callback(_end, server, listening)
        yield bound


async def _end(server: uvicorn.Server, listening: list[sockets.socket]) -> None:
    await server.shutdown(sockets=listening)
    for connection in list(server.server_state.connections):
        connection.transport.abort()


def _config(app: App, limits: HostingLimits) -> uvicorn.Config:
    class Connection(_Connection):
        bounds = limits

    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level=60,  # above every level: its words quote what clients sent
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        h11_max_incomplete_event_size=limits.head,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=_GRACE,
    )


class _Connection(H11Protocol):
    """One connection, which is cut when it is one too many, or a request on it is not answered in time."""

    bounds = HostingLimits()
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a client in, if there is room."""
        super().connection_made(transport)  # type: ignore[arg-type]  # uvicorn narrows what asyncio promises
        if len(self.connections) > self.bounds.connections:
            self.transport.abort()
        else:
            self._arm()

    def data_received(self, data: bytes) -> None:
        """Let the time of a request begin with its first byte."""
        if self._deadline is None:
            self._arm()
        super().data_received(data)

    def on_response_complete(self) -> None:
        """Let the time of a request end with its answer; what was sent ahead begins anew."""
        self._disarm()
        answered = self.cycle
        super().on_response_complete()
        if self.cycle is not answered or self.conn.trailing_data[0]:
            self._arm()

    def timeout_keep_alive_handler(self) -> None:
        """Part from a client that says nothing more, also from one that doesn't read what it was answered."""
        super().timeout_keep_alive_handler()
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        self._disarm()
        super().connection_lost(exc)

    def _arm(self) -> None:
        self._disarm()
        # A little more than the application has, which can say in an answer that it took too long.
        self._deadline = self.loop.call_later(self.bounds.seconds + 1, self.transport.abort)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _Bounded:
    """Reads a body whole and within bounds before ``app`` sees the request, and answers for ``app`` where it fails."""

    def __init__(self, app: App, limits: HostingLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        status: HTTPStatus | None = None
        late = HTTPStatus.REQUEST_TIMEOUT
        try:
            async with asyncio.timeout(self._limits.seconds):
                body = await self._read(scope, receive)
                if isinstance(body, HTTPStatus):
                    status = body
                elif body is not None:
                    late = HTTPStatus.SERVICE_UNAVAILABLE
                    await self._app(scope, _Replay(body, receive), sending)
        except TimeoutError:
            status = late
        except TemporaryError as fault:
            log.warning("operations.unavailable", fault=type(fault).__name__)
            status = HTTPStatus.SERVICE_UNAVAILABLE
        except Exception as fault:
            # Its words may quote what was asked.
            log.error("operations.failed", fault=type(fault).__name__)
            status = HTTPStatus.INTERNAL_SERVER_ERROR
        if status is not None and not begun:
            await _refuse(send, status)

    async def _read(self, scope: Message, receive: Any) -> bytes | HTTPStatus | None:
        """The body; or why it is not taken; or None where the client went away."""
        if (refused := _refusal(scope, self._limits)) is not None:
            return refused
        parts = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts += message.get("body", b"")
            if len(parts) > self._limits.body:
                return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            if not message.get("more_body", False):
                return bytes(parts)


def _refusal(scope: Message, limits: HostingLimits) -> HTTPStatus | None:
    """Why a request is not taken, by its head."""
    # uvicorn bounds a head that comes little by little, not one that is there at once.
    head = sum(len(name) + len(value) for name, value in scope["headers"])
    if head + len(scope["raw_path"]) + len(scope["query_string"]) > limits.head:
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    said = dict(scope["headers"])
    named = said.get(b"content-length", b"0")
    if b"content-length" in said and b"transfer-encoding" in said:
        # Two lengths (RFC 9112, 6.1): a proxy in front may have gone by the other, and taken the rest for a request.
        return HTTPStatus.BAD_REQUEST
    return HTTPStatus.REQUEST_ENTITY_TOO_LARGE if len(named) > 12 or int(named) > limits.body else None


class _Replay:
    """What was read, as if it came only now; then whatever else happens to the connection."""

    def __init__(self, body: bytes, receive: Any) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        body, self._body = self._body, None
        if body is None:
            rest: Message = await self._receive()
            return rest
        return {"type": "http.request", "body": body, "more_body": False}


async def _refuse(send: Any, status: HTTPStatus) -> None:
    body = problem(status)
    named = {**HEADERS, "content-type": MEDIA_TYPE, "content-length": str(len(body)), "connection": "close"}
    headers = [(name.encode(), value.encode()) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})
