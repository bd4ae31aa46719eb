"""A timestamp authority on loopback: OpenSSL makes its replies, HTTP carries them, and a test says what goes wrong."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from asn1crypto import tsp

from tests import timestamps
from tests.authority import Pki

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class TimestampServer:
    """An authority whose certificate ``pki`` issued; ``asked`` has the bodies of the requests it got."""

    def __init__(self, folder: Path, pki: Pki) -> None:
        self._folder = folder
        self._pki = pki
        self.credential = timestamps.issue(pki)
        self.answer: Handler = self.granted
        self.asked: list[bytes] = []
        self.url = ""

    async def granted(self, request: web.Request) -> web.StreamResponse:
        """What the authority says when all is well."""
        return await self.reply_to(await request.read())

    async def refused(self, request: web.Request) -> web.StreamResponse:
        """A rejection: it knows no SHA-256."""
        return await self.reply_to(await request.read(), digests="sha512")

    async def for_another_nonce(self, request: web.Request) -> web.StreamResponse:
        """A good timestamp of the right bytes that somebody else asked for."""
        query = tsp.TimeStampReq.load(await request.read())
        query["nonce"] = query["nonce"].native ^ 1
        return await self.reply_to(query.dump(force=True))

    async def of_another_imprint(self, request: web.Request) -> web.StreamResponse:
        """A good timestamp of other bytes."""
        query = tsp.TimeStampReq.load(await request.read())
        query["message_imprint"]["hashed_message"] = bytes(32)
        return await self.reply_to(query.dump(force=True))

    async def without_certificate(self, request: web.Request) -> web.StreamResponse:
        """A good timestamp without the certificate that was asked for."""
        query = tsp.TimeStampReq.load(await request.read())
        query["cert_req"] = False
        return await self.reply_to(query.dump(force=True))

    async def badly_signed(self, request: web.Request) -> web.StreamResponse:
        """A timestamp whose signature somebody has bent on the way."""
        reply = (await self.reply_to(await request.read())).body
        assert isinstance(reply, bytes)
        return web.Response(body=reply[:-1] + bytes([reply[-1] ^ 1]))

    async def reply_to(self, query: bytes, digests: str = "sha256") -> web.Response:
        """``openssl ts -reply``."""
        settings = timestamps.write_settings(self._folder / "tsa.cnf", digests)
        (self._folder / "query").write_bytes(query)
        files = ("-queryfile", self._folder / "query", "-config", settings, "-chain", self._pki.issuing)
        identity = ("-signer", self.credential.certificate, "-inkey", self.credential.key)
        process = await asyncio.create_subprocess_exec(
            *("openssl", "ts", "-reply", *map(str, (*files, *identity))),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0
        return web.Response(body=output, content_type="application/timestamp-reply")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Note the request and do as told."""
        self.asked.append(await request.read())
        return await self.answer(request)


@asynccontextmanager
async def timestamp_server(folder: Path, pki: Pki) -> AsyncIterator[TimestampServer]:
    """An authority that listens on a free port for the time of the block."""
    server = TimestampServer(folder, pki)
    application = web.Application()
    application.router.add_post("/tsr", server.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        server.url = f"http://{host}:{port}/tsr"
        yield server
    finally:
        await runner.cleanup()
