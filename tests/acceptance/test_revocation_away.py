"""Revocation data that are away hold a submission and never refuse it; they are fetched, and it goes on by itself."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from signing.trust import authorities
from signing.trust.terms import Terms
from tests.answers import only_answer
from tests.authority import Pki, now
from tests.gateway_process import SENDER, GatewayProcess, Site, make_test_site, running, today
from tests.revocation_server import RevocationServer, responder, serving


@pytest.fixture
def own(tmp_path: Path) -> Pki:
    """The authority of one test."""
    return Pki.create(tmp_path / "own", "Staff")


@pytest.fixture
def server() -> Iterator[RevocationServer]:
    """Its server, which answers."""
    with serving(RevocationServer()) as started:
        yield started


@pytest.fixture
def fetching(tmp_path: Path, own: Pki) -> Callable[..., Site]:
    """Make a site that fetches, whose one authority has the lists and terms given."""

    def make(*lists: Path, **terms: Any) -> Site:
        site = make_test_site(tmp_path, own, own.issue("Payroll"))
        folder = site.settings.trust.authorities
        authorities.remove(folder, "test")
        authorities.add(folder, "staff", own.issuing, [own.root], lists, Terms(**terms))
        site.configure("\nfetch = false", "\nfetch = true")
        # Only what is fetched, or a start, makes a submission go on: its own next try is minutes away.
        site.configure("retry_seconds = 5.0", "retry_seconds = 600.0", section="judging")
        site.configure("\nalert_seconds = 900.0", "\nalert_seconds = 0.001")
        return site

    return make


def send(site: Site, sequence: str = "00001") -> None:
    """Upload one good set."""
    names = site.write_set(f"DIMN.{SENDER}.{today()}.{sequence}.R")
    done = site.sftp("cd IN", *(f"put {name}" for name in names))
    assert 0 == done.returncode, done.stderr


def lists_are_fetched(gateway: GatewayProcess, count: int) -> None:
    """Wait for so many since its start."""
    while sum(line["event"] == "revocation.fetched" for line in gateway.seen) < count:
        gateway.wait_for("revocation.fetched")


def test_a_submission_is_held_while_the_server_is_away_and_accepted_when_it_is_back(
    fetching: Callable[..., Site], own: Pki, server: RevocationServer
) -> None:
    """Its status and an alert name the issuer whose list is missing; nobody has to do anything."""
    site = fetching(own.crls[0], crl_from=(server.url("/issuing.crl"),))
    server.pages["/issuing.crl"] = own.crls[1]
    server.stop()
    with running(site) as gateway:
        gateway.saw("revocation.failed")
        send(site)
        overdue = gateway.wait_for("submission.overdue")
        shown = site.command("show", overdue["ticket"])
        server.start_again()
        gateway.wait_for("submissions.resumed")
        verdict = gateway.judged()
        answer = only_answer(site)

    assert "Staff Issuing" in overdue["reason"]
    assert "Staff Issuing" in shown.stdout
    assert ("held", "accepted") == (site_state(shown.stdout), verdict["verdict"])
    assert ("1", ()) == (answer.result, answer.codes)


def site_state(shown: str) -> str:
    """The state that ``gateway show`` tells."""
    return next(line.split()[1] for line in shown.splitlines() if line.startswith("state"))


def test_a_certificate_on_a_fetched_list_is_refused(
    fetching: Callable[..., Site], own: Pki, server: RevocationServer
) -> None:
    """With 125, whatever list was in the entry before."""
    server.pages.update({"/root.crl": own.crls[0], "/issuing.crl": own.crls[1]})
    site = fetching(crl_from=(server.url("/root.crl"), server.url("/issuing.crl")))
    own.revoke(site.signer)
    with running(site) as gateway:
        lists_are_fetched(gateway, 2)
        send(site)
        verdict = gateway.judged()

    assert ("rejected", ["ACRF-125"]) == (verdict["verdict"], verdict["codes"])


@pytest.mark.parametrize(("revoked", "verdict"), [(False, "accepted"), (True, "rejected")])
def test_an_ocsp_answer_decides_where_there_is_no_list(
    fetching: Callable[..., Site], own: Pki, server: RevocationServer, *, revoked: bool, verdict: str
) -> None:
    """It is fetched for the registered certificate before anything is sent."""
    site = fetching(own.crls[0], ocsp_from=server.url("/ocsp"))
    serial = site.signer.read().serial_number
    server.pages["/ocsp"] = responder(own, revoked=frozenset({serial} if revoked else ()))
    with running(site) as gateway:
        send(site)
        assert verdict == gateway.judged()["verdict"]


def test_nothing_is_fetched_unless_the_settings_say_so(
    fetching: Callable[..., Site], own: Pki, server: RevocationServer
) -> None:
    """Even where an entry names places and a submission waits for what they have; a start tries it again at once."""
    server.pages.update({"/issuing.crl": own.crls[1], "/ocsp": responder(own)})
    site = fetching(own.crls[0], crl_from=(server.url("/issuing.crl"),), ocsp_from=server.url("/ocsp"))
    site.configure("\nfetch = true", "\nfetch = false")
    with running(site) as gateway:
        send(site)
        gateway.wait_for("submission.held")
    authorities.replace_crls(site.settings.trust.authorities, "staff", own.crls)
    with running(site) as gateway:
        verdict = gateway.judged()["verdict"]

    assert ([], "accepted") == (server.asked, verdict)


def test_what_is_of_no_use_is_not_stored_and_refuses_nobody(
    fetching: Callable[..., Site], own: Pki, pki: Pki, server: RevocationServer
) -> None:
    """A list of somebody else, a redirect, too many bytes, no end: each is told of; the good list settles it."""
    released = threading.Event()

    def hang(_: bytes) -> bytes:
        released.wait()
        return b""

    server.pages.update({"/other.crl": pki.crls[1], "/large.crl": bytes(200_000), "/hanging.crl": hang})
    server.redirects["/moved.crl"] = server.url("/good.crl")
    paths = ("/other.crl", "/large.crl", "/hanging.crl", "/moved.crl", "/good.crl")
    site = fetching(own.crls[0], crl_from=tuple(map(server.url, paths)))
    site.configure("fetch_seconds = 30.0", "fetch_seconds = 1.0")
    site.configure("fetch_max_bytes = 67108864", "fetch_max_bytes = 100000")
    try:
        with running(site) as gateway:
            while len(reasons := first_failures(gateway)) < 3:
                gateway.wait_for("revocation.failed")
            send(site)
            gateway.wait_for("submission.held")
            while "/moved.crl" not in server.asked or "/good.crl" not in server.asked:
                reasons.add(gateway.wait_for("revocation.failed")["reason"])
            stored = [path.name for path in site.settings.trust.authorities.rglob("*.crl")]
            server.pages["/good.crl"] = own.crls[1]
            verdict = gateway.judged()["verdict"]
    finally:
        released.set()

    assert (1, "accepted") == (len(stored), verdict)
    assert {"more than 100000 bytes", "no whole answer within 1 s"} <= reasons


def first_failures(gateway: GatewayProcess) -> set[str]:
    """Why places of lists failed the first time, as far as was told since the start."""
    failed = [line for line in gateway.seen if line["event"] == "revocation.failed"]
    return {line["reason"] for line in failed if line["kind"] == "list" and line["failures"] == 1}


def test_what_runs_out_is_told_of_at_the_start(tmp_path: Path, own: Pki) -> None:
    """A registered certificate with five days left, and an authority whose lists have run out."""
    own.write_crls(this_update=now() - timedelta(days=9), next_update=now() - timedelta(days=2))
    site = make_test_site(tmp_path, own, own.issue("Payroll", not_after=now() + timedelta(days=5, hours=1)))
    with running(site) as gateway:
        for event in ("expiry.near", "revocation.stale"):
            if event not in [line["event"] for line in gateway.seen]:
                gateway.wait_for(event)
    told = {line["event"]: line for line in gateway.seen}

    assert (5, "test") == (told["expiry.near"]["days_left"], told["revocation.stale"]["authority"])
    assert f"of sender {SENDER}" in told["expiry.near"]["what"]
