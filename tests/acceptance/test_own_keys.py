"""The gateway's own keys as an operator sets them: in a token, as a credential, two that overlap, and a timestamp."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from asn1crypto import cms
from cryptography.hazmat.primitives import hashes

from signing.own.keys import create_signing_key
from tests.answers import fetch, listing, only_answer
from tests.authority import Credential, Pki
from tests.gateway_process import SENDER, GatewayProcess, Site, running, today
from tests.softhsm import SoftHsm, softhsm
from tests.timestamp_authority import timestamp_server

__all__ = ["softhsm"]

KEY = 'key = "keys/gateway.key"'


def send(site: Site, number: int = 1) -> None:
    """Upload a set of three declarations."""
    names = site.write_set(f"DIMN.{SENDER}.{today()}.{number:05}.R")
    assert site.sftp("cd IN", *(f"put {name}" for name in names)).returncode == 0


def signature(site: Site, stem: str) -> cms.SignedData:
    """The signature of an answer that was fetched."""
    text = (site.work / f"FS.{stem}").read_bytes()
    return cms.ContentInfo.load(base64.b64decode(text), strict=True)["content"]


def own(site: Site) -> Credential:
    """The key and certificate that the site was made with."""
    return Credential(site.folder / "keys" / "gateway.key", site.folder / "keys" / "gateway.pem")


def test_answers_are_signed_in_a_token_and_wait_while_it_is_away(site: Site, softhsm: SoftHsm) -> None:
    """The submission is held meanwhile; the token back in its place, the answer comes without a restart."""
    softhsm.take_in(own(site), "answers", 1)
    own(site).key.unlink()
    site.configure(f"\n{KEY}", f'\nkey = "{softhsm.uri("object=answers")}"')
    site.configure("retry_seconds = 5.0", "retry_seconds = 0.2", section="judging")
    with running(site) as gateway:
        softhsm.remove()
        send(site)
        held = gateway.wait_for("submission.held")
        assert set() == listing(site, "OUT")
        softhsm.put_back()
        gateway.judged()

    assert held["reason"].startswith("TokenUnavailable: pkcs11:token=")
    with running(site):
        assert "1" == only_answer(site).result


def test_a_credential_of_systemd_signs(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is where the service manager put it, and nowhere else."""
    credentials = site.folder / "credentials"
    credentials.mkdir()
    own(site).key.rename(credentials / "answers.key")
    site.configure(f"\n{KEY}", '\nkey = "credential:answers.key"')
    without = site.command("check-config")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    with running(site) as gateway:
        send(site)
        gateway.judged()
        assert "1" == only_answer(site).result

    assert 2 == without.returncode
    assert "credential:answers.key: systemd hands out no credentials here" in without.stderr


def add_next(site: Site, change: datetime) -> Credential:
    """Give the site a key that takes over at ``change``."""
    following = Credential(site.folder / "keys" / "next.key", site.folder / "keys" / "next.pem")
    create_signing_key(following.key, following.certificate, "Batch gateway, next")
    site.configure('# next_key = "keys/next.key"', 'next_key = "keys/next.key"')
    site.configure('# next_certificate = "keys/next.pem"', 'next_certificate = "keys/next.pem"')
    site.configure("# next_from = 2027-01-01T00:00:00+01:00", f"next_from = {change.isoformat()}")
    return following


def test_the_next_key_takes_over_at_its_moment(site: Site) -> None:
    """From then on answers are signed by it; ``signing show`` tells which signs, and of both whose they are."""
    following = add_next(site, datetime.now(UTC) - timedelta(seconds=1))
    present, taken_over = site.listing("signing", "show")
    with running(site) as gateway:
        send(site)
        gateway.judged()
        [go] = [name for name in listing(site, "OUT") if name.startswith("GO.")]
        site.configure('certificate = "keys/gateway.pem"', 'certificate = "keys/next.pem"')  # what the sender trusts
        fetch(site, go.removeprefix("GO."))

    assert (present["setting"], present["state"]) == ("signing.certificate", "replaced")
    assert (taken_over["setting"], taken_over["state"]) == ("signing.next_certificate", "signs")
    assert taken_over["fingerprint"] == following.read().fingerprint(hashes.SHA256()).hex()
    assert taken_over["subject"] == "CN=Batch gateway\\, next"


def test_a_next_key_that_cannot_be_used_is_found_at_once(site: Site) -> None:
    """Long before it is needed; ``signing show`` needs no key."""
    following = add_next(site, datetime.now(UTC) + timedelta(days=90))
    following.key.unlink()
    checked, shown = site.command("check-config"), site.command("signing", "show")

    assert (checked.returncode, shown.returncode) == (2, 0)
    assert "next.key: No such file or directory" in checked.stderr
    assert "next" in shown.stdout


def test_a_next_certificate_that_expires_first_is_remarked_on(site: Site, pki: Pki) -> None:
    """It keeps no gateway from answering, but nobody overlooks it."""
    following = add_next(site, datetime.now(UTC) + timedelta(days=90))
    short = pki.issue("Gateway", not_after=datetime.now(UTC) + timedelta(days=30))
    following.key.write_bytes(short.key.read_bytes())
    following.certificate.write_bytes(short.certificate.read_bytes())
    checked, shown = site.command("check-config"), site.command("signing", "show")

    assert (checked.returncode, shown.returncode) == (0, 0)
    for done in (checked, shown):
        assert "gateway: signing.next_certificate: the certificate expires on " in done.stderr


async def test_answers_are_stamped_and_wait_for_a_timestamp_that_is_required(
    site: Site, pki: Pki, tmp_path: Path
) -> None:
    """With the authority away the submission is held; the answer that goes out has its timestamp."""

    async def broken(_: web.Request) -> web.StreamResponse:
        return web.Response(status=503)

    def wait_in_vain() -> str:
        with running(site) as gateway:
            send(site)
            reason = str(gateway.wait_for("submission.held")["reason"])
            assert set() == listing(site, "OUT")
            return reason

    def be_answered() -> cms.SignedData:
        with running(site) as gateway:
            answered(gateway)
            return signature(site, only_answer(site).stem)

    async with timestamp_server(tmp_path, pki) as clock:
        site.configure('# timestamp_url = "http://tsa.example/tsr"', f'timestamp_url = "{clock.url}"')
        site.configure("timestamp_required = false", "timestamp_required = true")
        clock.answer = broken
        reason = await asyncio.to_thread(wait_in_vain)
        clock.answer = clock.granted
        [signer] = (await asyncio.to_thread(be_answered))["signer_infos"]

    assert reason == "TimestampUnavailable: HTTP status 503"
    assert ["signature_time_stamp_token"] == [attribute["type"].native for attribute in signer["unsigned_attrs"]]


def answered(gateway: GatewayProcess) -> None:
    """Wait for the answer to what an earlier process had held; it may be there before the door is open."""
    if not any(line["event"] == "answer.placed" for line in gateway.seen):
        gateway.wait_for("answer.placed")
