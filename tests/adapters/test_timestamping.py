"""Asking a timestamp authority over HTTP: what comes back is a stamp of what was sent, or no stamp at all."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from asn1crypto import cms, tsp
from pydantic import HttpUrl

from config.settings import Signing
from gateway.download import DownloadLimits, open_downloader
from gateway.timestamping import Stamping, TimestampAuthority, open_stamping
from signing.own.sign import Signature, Signer
from signing.own.timestamp_request import MAX_REPLY, TimestampUnavailable, read_reply
from tests import signers
from tests.authority import Pki
from tests.timestamp_authority import Handler, TimestampServer, timestamp_server

DATA = b"<ACRF/>"


@pytest.fixture
async def server(tmp_path: Path, pki: Pki) -> AsyncIterator[TimestampServer]:
    """A timestamp authority that works."""
    async with timestamp_server(tmp_path, pki) as server:
        yield server


@pytest.fixture
async def stamping(server: TimestampServer) -> AsyncIterator[Stamping]:
    """Stamping as the settings open it."""
    async with open_stamping(settings(server.url)) as stamping:
        assert stamping is not None
        yield stamping


def settings(url: str, seconds: float = 30.0, *, required: bool = False) -> Signing:
    """Settings that name an authority."""
    return Signing(timestamp_url=HttpUrl(url), timestamp_seconds=seconds, timestamp_required=required)


@pytest.fixture(scope="session")
def signature(pki: Pki) -> Signature:
    """A signature to stamp."""
    own = pki.issue("Gateway")
    return Signer.open(own.key, own.certificate).sign(DATA, datetime.now(UTC))


async def refusal(stamping: Stamping, value: bytes = b"value") -> str:
    """Why there is no timestamp."""
    with pytest.raises(TimestampUnavailable) as caught:
        await stamping.authority.stamp(value)
    return str(caught.value)


async def test_a_request_says_what_it_must(server: TimestampServer, stamping: Stamping) -> None:
    """Version 1, SHA-256, a nonce of its own each time, the certificate wanted (RFC 3161, 2.4.1)."""
    for _ in range(2):
        await stamping.authority.stamp(b"value")
    first, second = (tsp.TimeStampReq.load(body, strict=True) for body in server.asked)

    assert (first["version"].native, first["cert_req"].native) == ("v1", True)
    assert "sha256" == first["message_imprint"]["hash_algorithm"]["algorithm"].native
    assert first["message_imprint"].dump() == second["message_imprint"].dump()
    assert 0 < first["nonce"].native != second["nonce"].native


async def test_openssl_verifies_the_timestamp(
    stamping: Stamping, signature: Signature, pki: Pki, tmp_path: Path
) -> None:
    """The token in the signature is one of its value."""
    stamped = signature.stamped(await stamping.authority.stamp(signature.value))
    [signer] = cms.ContentInfo.load(stamped.cms(), strict=True)["content"]["signer_infos"]
    [attribute] = signer["unsigned_attrs"]
    (tmp_path / "token").write_bytes(attribute["values"][0].dump())
    (tmp_path / "value").write_bytes(signer["signature"].native)

    said = signers.openssl(
        *("ts", "-verify", "-token_in", "-in", tmp_path / "token", "-data", tmp_path / "value"),
        *("-CAfile", pki.root, "-untrusted", pki.issuing),
    )
    assert said.startswith(b"Verification: OK")
    assert "signature_time_stamp_token" == attribute["type"].native


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("refused", "the reply says rejection: bad_alg"),
        ("for_another_nonce", "the token has the nonce of another request"),
        ("of_another_imprint", "The timestamp is refused. It was issued for something else."),
        ("without_certificate", "The timestamp is refused. "),
        ("badly_signed", "The timestamp is refused. Its signature does not match."),
    ],
)
async def test_a_reply_that_is_not_what_was_asked_for_is_no_timestamp(
    fault: str, reason: str, server: TimestampServer, stamping: Stamping
) -> None:
    """A refusal, timestamps that were made for somebody else, and timestamps that nobody could verify."""
    server.answer = getattr(server, fault)
    assert (await refusal(stamping)).startswith(reason)


async def broken(_: web.Request) -> web.StreamResponse:
    """HTTP status 500."""
    return web.Response(status=500)


async def endless(request: web.Request) -> web.StreamResponse:
    """Bytes without an end, without a length told beforehand."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(bytes(65536))


async def too_large(_: web.Request) -> web.StreamResponse:
    """One byte more than is read."""
    return web.Response(body=bytes(MAX_REPLY + 1))


async def garbage(_: web.Request) -> web.StreamResponse:
    """Bytes that are no reply."""
    return web.Response(body=b"<html>Welcome</html>")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (broken, "HTTP status 500"),
        (endless, f"more than {MAX_REPLY} bytes"),
        (too_large, f"more than {MAX_REPLY} bytes"),
        (garbage, "the reply can't be read"),
    ],
)
async def test_a_server_that_fails_gives_no_timestamp(
    answer: Handler, reason: str, server: TimestampServer, stamping: Stamping
) -> None:
    """Whatever a web server may say instead."""
    server.answer = answer
    assert reason == await refusal(stamping)


async def test_a_redirection_is_not_followed(server: TimestampServer, stamping: Stamping) -> None:
    """The operator named one address, and no other is asked."""

    async def elsewhere(_: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect(server.url)

    server.answer = elsewhere
    assert "HTTP status 307" == await refusal(stamping)
    assert 1 == len(server.asked)


async def test_an_authority_that_does_not_answer_is_waited_for_no_longer_than_the_settings_say(
    server: TimestampServer,
) -> None:
    """It holds the line open and says nothing."""
    forever = asyncio.Event()

    async def silent(_: web.Request) -> web.StreamResponse:
        await forever.wait()
        return web.Response()

    server.answer = silent
    async with open_stamping(settings(server.url, seconds=0.2)) as stamping:
        assert stamping is not None
        assert "no whole answer within 0.2 s" == await refusal(stamping)
    forever.set()


async def test_an_authority_that_is_away(unused_tcp_port: int) -> None:
    """Nobody listens."""
    async with open_stamping(settings(f"http://127.0.0.1:{unused_tcp_port}/")) as stamping:
        assert stamping is not None
        assert "Connection refused" == await refusal(stamping)


async def test_an_authority_that_failed_is_left_alone_for_a_minute(server: TimestampServer) -> None:
    """Then it is asked again, and used as before."""
    seconds = 1000.0
    async with open_downloader(DownloadLimits(30.0, MAX_REPLY)) as downloader:
        authority = TimestampAuthority(server.url, downloader, lambda: seconds)
        server.answer = broken
        await refusal(Stamping(authority, required=False))
        server.answer = server.granted
        seconds += 59.9
        assert "less than a minute ago" in await refusal(Stamping(authority, required=False))
        assert 1 == len(server.asked)
        seconds += 0.2
        assert await authority.stamp(b"value")
        assert 2 == len(server.asked)


async def test_without_an_authority_nothing_is_stamped() -> None:
    """No address, no stamping, no connection."""
    async with open_stamping(Signing()) as stamping:
        assert stamping is None


@pytest.mark.parametrize("position", range(5))
def test_a_reply_with_a_bent_byte_is_no_error_of_ours(position: int) -> None:
    """Any short foreign bytes are a missing timestamp, and nothing else."""
    reply = bytes([0x30, 0x03, 0x02, 0x01, 0x00])
    for value in range(256):
        bent = reply[:position] + bytes([value]) + reply[position + 1 :]
        with pytest.raises(TimestampUnavailable):
            read_reply(bent, b"value", 1)
