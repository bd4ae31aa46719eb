"""Whose certificate it is, and how a sender may sign, from the command line to the acknowledgement."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from lxml import etree
from signxml.algorithms import SignatureConstructionMethod as Method
from signxml.signer import XMLSigner

from tests.answers import fetch, listing
from tests.authority import Credential, Pki
from tests.command_line import done, typed
from tests.eid import issue_eid, national_number
from tests.gateway_process import SENDER, GatewayProcess, Site, make_test_site, running, three_forms, today

Busy = tuple[Site, GatewayProcess]
_NUMBER = national_number("850412", "997")


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, pki: Pki, signer: Credential) -> Iterator[Busy]:
    """One gateway for all senders of this module."""
    site = make_test_site(tmp_path_factory.mktemp("whose"), pki, signer)
    with running(site) as process:
        yield site, process


def register(site: Site, number: str, *words: str) -> None:
    """Register a sender whose user is ``user`` and its number."""
    key = str(site.work / "id_ed25519.pub")
    done(site, "sender", "add", number, "--user", f"user{number}", "--ssh-key", key, "--any-employer", *words)


def certificate(site: Site, *words: str) -> str:
    """Run ``gateway sender certificate`` with success; answers what it printed."""
    return done(site, "sender", "certificate", *words)


def send(busy: Busy, names: list[str]) -> tuple[str, tuple[str, ...]]:
    """Send the set of these names; answers its ticket and the codes of its acknowledgement."""
    site, process = busy
    number = names[0].split(".")[2]
    user = f"user{number}"
    before = listing(site, "OUT", user)
    assert 0 == site.sftp("cd IN", *(f"put {name}" for name in names), user=user).returncode
    ticket = process.judged()["ticket"]
    answer = fetch(site, min(listing(site, "OUT", user) - before)[3:], user=user)
    done(site, "queue", "take", "--count", "10")
    return ticket, answer.codes


def signed(site: Site, number: str, sequence: str, signer: Credential) -> list[str]:
    """The names of a set signed by ``signer``."""
    return site.write_set(f"DIMN.{number}.{today()}.{sequence}.R", signer=signer)


def verdict_of(site: Site, ticket: str) -> str:
    """What the timeline says of the verdict."""
    timeline = json.loads(done(site, "show", ticket, "--json"))["timeline"]
    [verdict] = [step for step in timeline if step["event"].startswith("verdict.")]
    return json.dumps(verdict)


def test_a_renewed_identity_card_signs_without_a_new_registration(busy: Busy, pki: Pki) -> None:
    """Registered by holder, the next card of the same person is the sender's, another person's is not."""
    site, process = busy
    card, renewed = issue_eid(pki, "An Verzonnen", _NUMBER), issue_eid(pki, "An Verzonnen", _NUMBER)
    stranger = issue_eid(pki, "Jan Verzonnen", national_number("850412", "995"))
    register(site, "222222")
    certificate(site, "add", "222222", str(card.certificate), "--holder")
    listed = certificate(site, "list", "222222") + certificate(site, "list", "222222", "--json")
    codes = [
        send(busy, signed(site, "222222", f"0000{place}", signer))[1]
        for place, signer in enumerate((card, renewed, stranger), 1)
    ]

    assert [(), (), ("ACRF-153",)] == codes
    assert "CN=Test Issuing,C=BE" in listed
    for text in (listed, json.dumps(process.seen)):
        assert _NUMBER not in text
        assert "Verzonnen" not in text


def test_a_certificate_out_of_its_dates_is_not_the_senders(busy: Busy, pki: Pki) -> None:
    """Before its beginning, after its end and once it was ended: 153, and the status says which it was."""
    site, _ = busy
    early, late, ended = (pki.issue(name) for name in ("Early", "Late", "Ended"))
    register(site, "333333", "--certificate", str(ended.certificate))
    certificate(site, "add", "333333", str(early.certificate), "--from", "2999-01-01")
    certificate(site, "add", "333333", str(late.certificate), "--to", "2020-01-01T00:00:00+01:00")
    before = send(busy, signed(site, "333333", "00001", ended))[1]
    certificate(site, "end", "333333", ended.read().fingerprint(hashes.SHA256()).hex()[:12])
    after = [send(busy, signed(site, "333333", f"0000{n}", who)) for n, who in enumerate((early, late, ended), 2)]

    assert () == before
    assert [("ACRF-153",)] * 3 == [codes for _, codes in after]
    assert "not for the time of receipt" in done(site, "show", after[0][0])


def test_new_dates_bring_a_certificate_back(busy: Busy, pki: Pki) -> None:
    """Registering it again gives it other dates; the list shows them and the days that are left."""
    site, _ = busy
    signer = pki.issue("Back")
    register(site, "444444")
    certificate(site, "add", "444444", str(signer.certificate), "--to", "2020-01-01")
    certificate(site, "add", "444444", str(signer.certificate), "--from", "2020-01-01", "--to", "2999-01-01")
    [row] = json.loads(certificate(site, "list", "444444", "--json"))

    assert () == send(busy, signed(site, "444444", "00001", signer))[1]
    assert ("2020-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z", None) == (row["from"], row["to"], row["holder"])
    assert row["days_left"] in {364, 365}


def test_a_holder_whose_key_is_lost_waits_and_is_not_refused(busy: Busy, pki: Pki) -> None:
    """That the certificate is another's cannot be known; with the key back it is judged. No new key is made."""
    site, process = busy
    card, renewed = issue_eid(pki, "Els", _NUMBER), issue_eid(pki, "Els", _NUMBER)
    register(site, "555555")
    certificate(site, "add", "555555", str(card.certificate), "--holder")
    key = site.settings.sftp.host_key.with_name("holders.key")
    hidden = key.rename(key.with_name("hidden"))
    names = signed(site, "555555", "00001", renewed)
    site.sftp("cd IN", *(f"put {name}" for name in names), user="user555555")
    held = process.wait_for("submission.held")
    refused = typed(site, "sender", "certificate", "add", "555555", str(renewed.certificate), "--holder")
    hidden.rename(key)
    done(site, "release", held["ticket"], "--reason", "mended")
    verdict = process.judged()
    done(site, "queue", "take", "--count", "10")

    assert "holders.key" in held["reason"]
    assert 1 == refused.exit_code
    assert (held["ticket"], "accepted") == (verdict["ticket"], verdict["verdict"])


def test_a_lost_key_is_replaced_only_when_nothing_in_force_was_made_with_it(site: Site, pki: Pki) -> None:
    """A new one in its place would make every registration by holder worthless without a word."""
    card = issue_eid(pki, "Els", _NUMBER)
    words = ("sender", "certificate", "add", SENDER, str(card.certificate), "--holder")
    key = site.settings.sftp.host_key.with_name("holders.key")
    done(site, *words)
    key.unlink()
    refused = typed(site, *words)
    done(site, "sender", "certificate", "end", SENDER, card.read().fingerprint(hashes.SHA256()).hex())
    done(site, *words)

    assert 1 == refused.exit_code
    assert "holders.key" in refused.stderr
    assert 0o600 == key.stat().st_mode & 0o777


def test_what_the_channel_vouches_for_has_no_fs(busy: Busy) -> None:
    """Without FS it is accepted as soon as GO is there; with one it is refused with 121, as soon as that."""
    site, _ = busy
    register(site, "666666", "--signature", "channel")
    names = site.write_set(f"DIMN.666666.{today()}.00001.R")
    more = site.write_set(f"DIMN.666666.{today()}.00002.R")
    ticket, codes = send(busy, [names[0], names[2]])

    assert () == codes
    assert '"signature"' in verdict_of(site, ticket)
    assert ("ACRF-121",) == send(busy, more)[1]


def test_what_is_tolerated_of_one_sender_is_refused_of_another(busy: Busy) -> None:
    """PEM armour: 125 as long as nobody allows it, accepted and on record for the sender it is allowed to."""
    site, _ = busy
    register(site, "777777", "--certificate", str(site.signer.certificate))
    refused, accepted = (signed(site, "777777", number, site.signer) for number in ("00001", "00002"))
    for names in (refused, accepted):
        path = site.work / names[1]
        path.write_bytes(b"-----BEGIN CMS-----\n" + path.read_bytes() + b"-----END CMS-----\n")
    by_default = send(busy, refused)[1]
    register(site, "777777", "--tolerate", "pem-armour")
    ticket, tolerated = send(busy, accepted)
    row = next(row for row in json.loads(done(site, "sender", "list", "--json")) if row["number"] == "777777")

    assert (("ACRF-125",), ()) == (by_default, tolerated)
    assert "pem-armour" in verdict_of(site, ticket)
    assert ["pem-armour"] == row["tolerated"]


def test_a_format_that_a_sender_may_not_use_is_refused(busy: Busy, pki: Pki) -> None:
    """Held to CMS its XML signature gets 125, though it is good; held to nothing any more, it is accepted."""
    site, _ = busy
    signer = pki.issue("Signs XML", key="rsa-2048")
    register(site, "888888", "--certificate", str(signer.certificate), "--format", "cms")
    refused, accepted = (signed(site, "888888", number, signer) for number in ("00001", "00002"))
    for names in (refused, accepted):
        root = XMLSigner(method=Method.detached).sign(
            three_forms(),
            key=signer.key.read_bytes(),
            cert=signer.certificate.read_text(),
            reference_uri=names[0],
        )
        (site.work / names[1]).write_bytes(etree.tostring(root))
    ticket, held_to_cms = send(busy, refused)
    register(site, "888888", "--format", "default")

    assert ("ACRF-125",) == held_to_cms
    assert "format" in done(site, "show", ticket)
    assert () == send(busy, accepted)[1]


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["add", "999990", "{signer}"], 1),
        (["add", "123456", "{signer}", "--holder"], 1),
        (["add", "123456", "{signer}", "--from", "2026-01-02", "--to", "2026-01-02"], 2),
        (["add", "123456", "/dev/null"], 2),
        (["add", "123456", "{signer}", "--to", "tomorrow"], 2),
        (["list", "999990"], 1),
        (["end", "999990", "00000000"], 1),
        (["end", "123456", "00000000"], 1),
        (["end", "123456", "%"], 2),
    ],
)
def test_what_cannot_be_registered_is_said(busy: Busy, words: list[str], status: int) -> None:
    """No such sender, no holder, no period, no certificate, no date, no such registration."""
    site, _ = busy
    result = typed(site, "sender", "certificate", *(word.format(signer=site.signer.certificate) for word in words))

    assert status == result.exit_code
    assert result.stderr
    assert isinstance(result.exception, SystemExit)


def test_a_registration_is_ended_by_the_fingerprint_that_openssl_writes_and_only_once(site: Site) -> None:
    """To end it again without a date would give the sender back what it signed in between."""
    fingerprint = site.signer.read().fingerprint(hashes.SHA256()).hex(":").upper()
    certificate(site, "end", SENDER, fingerprint, "--at", "2026-01-01")
    again = typed(site, "sender", "certificate", "end", SENDER, fingerprint[:11])
    [row] = json.loads(certificate(site, "list", SENDER, "--json"))

    assert 1 == again.exit_code
    assert "2026-01-01" in again.stderr
    assert "2026-01-01T00:00:00.000Z" == row["to"]


def test_a_certificate_that_would_not_be_accepted_is_remarked_on(site: Site, pki: Pki, tmp_path: Path) -> None:
    """It is registered all the same: its authority may be accepted later."""
    unknown = Pki.create(tmp_path, "Unknown").issue("Theirs")
    accepted, refused = (
        typed(site, "sender", "certificate", "add", SENDER, str(credential.certificate))
        for credential in (pki.issue("Ours"), unknown)
    )

    assert (0, 0) == (accepted.exit_code, refused.exit_code)
    assert ("", True) == (accepted.stderr, "not-accepted" in refused.stderr)
    assert 3 == len(json.loads(certificate(site, "list", SENDER, "--json")))
