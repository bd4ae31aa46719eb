"""Serving inside the daemon's loop: who may connect, what a request may cost, and how it ends."""

import asyncio
import os
import signal
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from config.errors import ConfigurationError, TemporaryError
from gateway.operations.hosting import HostingLimits, hosted

LIMITS = HostingLimits(head=2048, body=1000, seconds=0.3, connections=3)


class BusyError(TemporaryError):
    """Temporary trouble of an application."""


async def _count(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


async def _never(_: Request) -> PlainTextResponse:
    await asyncio.Event().wait()
    raise AssertionError


def application() -> Starlette:
    """Something to serve."""
    return Starlette(
        routes=[Route("/", _count, methods=["GET", "POST"]), Route("/never", _never)],
    )


@asynccontextmanager
async def client(path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the socket at ``path``."""
    transport = httpx.AsyncHTTPTransport(uds=str(path))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as opened:
        yield opened


async def said(port: int, *parts: bytes) -> bytes:
    """All that is answered on a connection to ``port`` on which ``parts`` are said, and then nothing, till its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def left_behind(path: Path) -> None:
    """What a gateway that was killed leaves: a socket file on which nobody listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as gone:
        gone.bind(str(path))


async def test_a_socket_is_ours_alone_and_goes_with_us(tmp_path: Path) -> None:
    """Only our own user may open it, from its first moment on, and no file is left."""
    path = tmp_path / "operations.socket"
    async with hosted(application(), socket=path) as port:
        assert port is None
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        async with client(path) as asking:
            assert (await asking.post("/", content=b"12345")).text == "5"
    assert not path.exists()


async def test_a_socket_that_a_killed_gateway_left_is_taken_away(tmp_path: Path) -> None:
    """The next start needs nobody to clean up."""
    path = tmp_path / "operations.socket"
    left_behind(path)
    async with hosted(application(), socket=path), client(path) as asking:
        assert (await asking.get("/")).status_code == 200


async def test_a_socket_that_somebody_listens_on_stays_his(tmp_path: Path) -> None:
    """It is a fault of the configuration, and he goes on."""
    path = tmp_path / "operations.socket"
    async with hosted(application(), socket=path):
        with pytest.raises(ConfigurationError, match="listens"):
            await hosted(application(), socket=path).__aenter__()
        async with client(path) as asking:
            assert (await asking.get("/")).status_code == 200


async def test_what_is_no_socket_stays(tmp_path: Path) -> None:
    """A file in its place is not ours to take away."""
    path = tmp_path / "notes"
    path.write_text("mine")
    with pytest.raises(ConfigurationError, match="something else"):
        await hosted(application(), socket=path).__aenter__()
    assert path.read_text() == "mine"


async def test_a_socket_of_another_is_not_removed(tmp_path: Path) -> None:
    """At our end we take away what we made, and nothing that stands in its place by then."""
    path = tmp_path / "operations.socket"
    async with hosted(application(), socket=path):
        path.unlink()
        path.touch()
    assert path.exists()


@pytest.mark.parametrize("place", ["x" * 120, "missing/operations.socket"])
async def test_a_place_where_no_socket_can_be_is_a_fault(tmp_path: Path, place: str) -> None:
    """A path too long for a socket, or in no folder."""
    with pytest.raises(ConfigurationError, match=r"operations\.socket"):
        await hosted(application(), socket=tmp_path / place).__aenter__()


async def test_a_port_that_is_taken_is_a_fault(tmp_path: Path) -> None:
    """And the socket that was made before it is gone again."""
    path = tmp_path / "operations.socket"
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(ConfigurationError, match=r"operations\.port"):
        await hosted(application(), socket=path, port=other.getsockname()[1]).__aenter__()
    assert not path.exists()


async def test_signals_stay_the_daemons() -> None:
    """A server in the daemon must not decide what ends it."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    async with hosted(application(), port=0):
        os.kill(os.getpid(), signal.SIGTERM)
        await told.wait()
    loop.remove_signal_handler(signal.SIGTERM)


async def test_no_answer_says_what_made_it() -> None:
    """Neither a program's name nor its clock."""
    async with hosted(application(), port=0) as port, httpx.AsyncClient() as asking:
        answer = await asking.get(f"http://127.0.0.1:{port}/")
    assert not {"server", "date"} & set(answer.headers)


async def test_a_body_that_is_too_large_is_refused(tmp_path: Path) -> None:
    """Whether its size is announced or not; what the application would do is not done."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 400

    path = tmp_path / "operations.socket"
    async with hosted(application(), socket=path, limits=LIMITS), client(path) as asking:
        announced = await asking.post("/", content=b"x" * 1001)
        streamed = await asking.post("/", content=parts())
        just = await asking.post("/", content=b"x" * 1000)
    assert [announced.status_code, streamed.status_code, just.status_code] == [413, 413, 200]
    assert announced.headers["content-type"] == "application/problem+json"


async def test_a_head_that_is_too_large_is_refused() -> None:
    """The connection ends."""
    async with hosted(application(), port=0, limits=LIMITS) as port:
        assert port is not None
        answer = await said(port, b"GET / HTTP/1.1\r\nhost: here\r\nx: " + b"y" * 5000)
    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\nhost:", b""),
        (b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 10\r\n\r\nabc", b"HTTP/1.1 408 "),
        (b"GET / HTTP/1.1\r\nhost: here\r\n\r\nGET / HTTP/1.1\r\nhost", b"HTTP/1.1 200 "),
        (b"GET /never HTTP/1.1\r\nhost: here\r\n\r\n", b"HTTP/1.1 503 "),
    ],
    ids=["nothing", "half a head", "half a body", "half a second request", "an application that hangs"],
)
async def test_a_request_that_is_not_done_in_time_is_cut(words: bytes, answer: bytes) -> None:
    """Nobody keeps a connection by saying little; whoever waits for the application is told."""
    async with hosted(application(), port=0, limits=LIMITS) as port:
        assert port is not None
        told = await said(port, words)
    assert told.startswith(answer)
    assert bool(told) == bool(answer)


async def test_whoever_does_not_read_the_answer_is_cut() -> None:
    """What was not read is lost, and the place of the connection is free."""
    size = 64 * 1024**2
    released = asyncio.Event()

    async def much(_: Request) -> PlainTextResponse:
        asyncio.get_running_loop().call_later(3 * LIMITS.seconds + 3, released.set)
        return PlainTextResponse("x" * size)

    limits = HostingLimits(seconds=LIMITS.seconds, idle_seconds=1)
    async with hosted(Starlette(routes=[Route("/", much)]), port=0, limits=limits) as port:
        assert port is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
        await released.wait()
        got = 0
        with suppress(ConnectionResetError):
            while part := await reader.read(65536):
                got += len(part)
        writer.close()
    assert got < size


async def test_one_connection_too_many_is_cut() -> None:
    """Those that were there before go on."""
    async with hosted(application(), port=0, limits=LIMITS) as port:
        assert port is not None
        first = [await asyncio.open_connection("127.0.0.1", port) for _ in range(LIMITS.connections)]
        # The last was counted when the first is answered: connections are taken in their order.
        first[-1][1].write(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
        assert (await first[-1][0].readline()).startswith(b"HTTP/1.1 200 ")
        assert await said(port) == b""
        first[0][1].write(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
        assert (await first[0][0].readline()).startswith(b"HTTP/1.1 200 ")
        for _, writer in first:
            writer.close()


@pytest.mark.parametrize(
    ("fault", "status", "event"),
    [(ValueError("79110399531"), 500, "operations.failed"), (BusyError("x"), 503, "operations.unavailable")],
    ids=["a fault", "temporary trouble"],
)
async def test_an_application_that_fails_is_answered_for(fault: Exception, status: int, event: str) -> None:
    """In words of our own; log and answer name only the kind of what failed."""

    async def failing(*_: object) -> None:
        raise fault

    with capture_logs() as lines:
        async with hosted(failing, port=0) as port, httpx.AsyncClient() as asking:
            answer = await asking.get(f"http://127.0.0.1:{port}/")
    assert answer.status_code == status
    assert answer.headers["cache-control"] == "no-store"
    assert str(fault) not in answer.text
    assert [{"event": event, "fault": type(fault).__name__}] == [
        {"event": line["event"], "fault": line["fault"]} for line in lines
    ]


async def test_whoever_is_being_answered_at_the_end_is_answered() -> None:
    """The server ends after the requests that it has taken."""
    begun, let = asyncio.Event(), asyncio.Event()

    async def waiting(_: Request) -> PlainTextResponse:
        begun.set()
        await let.wait()
        return PlainTextResponse("done")

    async with httpx.AsyncClient() as asking:
        async with hosted(Starlette(routes=[Route("/", waiting)]), port=0) as port:
            asked = asyncio.create_task(asking.get(f"http://127.0.0.1:{port}/"))
            await begun.wait()
            asyncio.get_running_loop().call_later(0.05, let.set)
        assert (await asked).text == "done"


async def test_a_head_is_bounded_also_when_it_comes_at_once() -> None:
    """And one that says twice, differently, how long its body is, is not taken: a proxy may have read it otherwise."""
    async with hosted(application(), port=0, limits=LIMITS) as port:
        assert port is not None
        long = await said(port, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 3000 + b"\r\n\r\n")
        path = await said(port, b"GET /?" + b"x" * 3000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        both = (
            b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        twice = await said(port, b"POST / HTTP/1.1\r\nHost: localhost\r\n" + both)
    assert [answer.split()[1] for answer in (long, path, twice)] == [b"431", b"431", b"400"]
    assert twice.count(b"HTTP/1.1") == 1
