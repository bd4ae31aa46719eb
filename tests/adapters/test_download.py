"""Reading from servers that nobody answers for: every way in which they misbehave is a value."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port

from gateway.download import DownloadLimits, Failed, Question, host_of, open_downloader
from tests.authority import Pki

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]
LIMITS = DownloadLimits(seconds=20.0, size=1000)


@asynccontextmanager
async def serving(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server on loopback whose every path is answered by ``handler``; gives its address."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield f"{'http' if context is None else 'https'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start servers that end with the test."""
    async with AsyncExitStack() as stack:

        async def start(handler: Handler) -> str:
            return await stack.enter_async_context(serving(handler))

        yield start


async def read(url: str, limits: DownloadLimits = LIMITS, question: Question | None = None) -> bytes | Failed:
    """What one downloader makes of ``url``."""
    async with open_downloader(limits) as downloader:
        return await downloader.read(url, question)


async def test_an_answer_is_read_whole(serve: Serve) -> None:
    """Up to the last byte that the limit allows."""

    async def list_of_bytes(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * LIMITS.size)

    assert b"x" * LIMITS.size == await read(await serve(list_of_bytes))


async def test_a_question_is_posted_with_its_media_type(serve: Serve) -> None:
    """As OCSP over HTTP wants it (RFC 6960, A.1)."""

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=f"{request.method} {request.content_type} ".encode() + await request.read())

    question = Question(b"?", "application/ocsp-request")
    assert b"POST application/ocsp-request ?" == await read(await serve(echo), question=question)


@pytest.mark.parametrize("chunked", [False, True])
async def test_an_answer_beyond_the_limit_is_dropped(serve: Serve, *, chunked: bool) -> None:
    """Whether the server says its length or not."""

    async def long(request: web.Request) -> web.StreamResponse:
        answer = web.Response(body=b"x" * (LIMITS.size + 1))
        if chunked:
            answer.enable_chunked_encoding()
        return answer

    assert Failed("more than 1000 bytes") == await read(await serve(long))


async def test_an_endless_answer_ends_at_the_limit(serve: Serve) -> None:
    """Nothing is read after it."""

    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while True:
                await answer.write(b"x" * 65536)
        except ConnectionError:
            return answer

    assert Failed("more than 1000 bytes") == await read(await serve(endless))


async def test_redirects_are_not_followed(serve: Serve) -> None:
    """Only configured places are asked, whatever they say."""
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        raise web.HTTPFound("/other")

    assert Failed("HTTP status 302") == await read(await serve(elsewhere) + "/first")
    assert ["/first"] == asked


@pytest.mark.parametrize("status", [204, 206, 304, 404, 500])
async def test_only_status_200_counts(serve: Serve, status: int) -> None:
    """Every other is a failure with its number."""

    async def other(_: web.Request) -> web.Response:
        return web.Response(status=status)

    assert Failed(f"HTTP status {status}") == await read(await serve(other))


async def test_a_compressed_answer_is_refused(serve: Serve) -> None:
    """A few bytes could unpack to more than the limit."""

    async def compressed(_: web.Request) -> web.Response:
        return web.Response(body=b"x", headers={"Content-Encoding": "gzip"})

    assert Failed("the answer is compressed") == await read(await serve(compressed))


async def test_a_server_that_hangs_is_given_up(serve: Serve) -> None:
    """Also one that goes on sending a byte now and then: the limit is for the whole answer."""
    released = asyncio.Event()

    async def drip(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"x")
        await released.wait()
        return answer

    result = await read(await serve(drip), DownloadLimits(0.2, 1000))
    released.set()
    assert Failed("no whole answer within 0.2 s") == result


async def test_an_answer_that_breaks_off_is_no_answer() -> None:
    """The connection ends before the length that was said."""

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        writer.close()

    server = await asyncio.start_server(half, "127.0.0.1", 0)
    async with server:
        result = await read(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert Failed("ClientPayloadError") == result


async def test_what_is_no_http_is_no_answer() -> None:
    """Any bytes at all may come back."""

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    server = await asyncio.start_server(other, "127.0.0.1", 0)
    async with server:
        result = await read(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert isinstance(result, Failed)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://127.0.0.1/list", "//127.0.0.1/list", "list.crl", "http://["]
)
async def test_other_schemes_are_not_read(url: str) -> None:
    """HTTP and HTTPS are all there is."""
    assert Failed("the address is neither http nor https") == await read(url)


async def test_a_closed_port_is_a_failure_in_the_systems_words() -> None:
    """They name no address."""
    result = await read(f"http://user:hush-hush@127.0.0.1:{unused_port()}/list.crl?key=secret")

    assert Failed("Connection refused") == result


async def test_proxies_of_the_environment_and_cookies_are_left_alone(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer comes from the server itself, and what it wants remembered is forgotten."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused_port()}")
    monkeypatch.delenv("no_proxy", raising=False)

    async def with_cookie(request: web.Request) -> web.Response:
        answer = web.Response(text=request.headers.get("Cookie", "none"))
        answer.set_cookie("a", "b")
        return answer

    url = await serve(with_cookie)
    async with open_downloader(LIMITS) as downloader:
        assert [b"none"] * 2 == [await downloader.read(url) for _ in range(2)]


async def test_a_tls_server_that_nobody_vouches_for_is_refused(pki: Pki, tmp_path: Path) -> None:
    """Nothing is sent to it."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(body=b"x")

    credential = pki.issue("127.0.0.1", key_usage="digital_signature", purposes=["server_auth"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(credential.certificate, credential.key)
    async with serving(answer, context) as url:
        result = await read(url)

    assert (Failed("the server's certificate is not accepted"), []) == (result, asked)


@pytest.mark.parametrize(
    ("url", "host"), [("http://user:hush@crl.example:8080/a?b", "crl.example"), ("nonsense", ""), ("http://[", "")]
)
def test_only_the_host_of_an_address_is_said(url: str, host: str) -> None:
    """Neither its user, nor its password, nor its path."""
    assert host == host_of(url)
