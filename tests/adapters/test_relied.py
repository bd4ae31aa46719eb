"""What verdicts relied on stays, byte for byte, whatever becomes of the accepted authorities' folder."""

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from gateway import reliance
from gateway.evidence import evidence_facts, relied_on
from gateway.examination import SignedPart, TrustRules, verify_part
from gateway.parties import SignatureProfile
from signing.evidence import Fault, Reason
from signing.policy import Policy
from signing.trust.authorities import Authorities, current
from signing.verify import Evidence
from spool.relied import DamagedError, EvidenceNotKeptError, Kind, Relied
from tests.authority import Credential, Pki
from tests.gateway_process import SENDER, Site, make_test_site

STEM = f"DIMN.{SENDER}.20261121.00001.R"
LIST = b"an invented list"
NOBODY = Authorities(())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, pki: Pki, signer: Credential) -> Site:
    """A site with one signed set beside it."""
    made = make_test_site(tmp_path_factory.mktemp("relied"), pki, signer)
    made.write_set(STEM)
    return made


def judged(site: Site, archive: Path) -> Evidence:
    """The signature of the set, judged as a worker does it."""
    part = SignedPart(site.work / f"FI.{STEM}.1.1", site.work / f"FS.{STEM}.1.1")
    rules = TrustRules(site.settings.trust.authorities, datetime.now(UTC), Policy(), archive=archive)
    found = verify_part(part, rules)
    assert isinstance(found, Evidence)
    return found


def test_everything_that_was_relied_on_is_kept(site: Site, tmp_path: Path) -> None:
    """Under its SHA-256, and it outlives the list that takes its place among the accepted authorities'."""
    evidence = judged(site, tmp_path)
    kept = Relied(tmp_path)
    assert evidence.revocation
    authorities = current(site.settings.trust.authorities)
    held = reliance.relied_on(authorities)
    for digest in evidence.revocation:
        assert held[digest] == kept.load(Kind.REVOCATION, digest)
    assert list(evidence.chain) == [kept.load(Kind.CHAIN, hashlib.sha256(der).hexdigest()) for der in evidence.chain]
    # As if newer ones had taken the place of every list.
    assert held[evidence.revocation[0]] == reliance.find(kept, NOBODY, Kind.REVOCATION, evidence.revocation[0])


def test_a_second_verdict_writes_nothing(site: Site, tmp_path: Path) -> None:
    """Once per digest, however many rely on it."""
    judged(site, tmp_path)
    before = {path: path.stat().st_ino for path in tmp_path.rglob("*")}
    judged(site, tmp_path)
    assert before == {path: path.stat().st_ino for path in tmp_path.rglob("*")}


def test_what_was_taken_away_is_written_again(site: Site, tmp_path: Path) -> None:
    """That it was there a moment ago is not taken for that it is."""
    evidence = judged(site, tmp_path)
    kept = Relied(tmp_path)
    lost = [kept.path(Kind.REVOCATION, digest) for digest in evidence.revocation]
    for path in lost:
        path.unlink()

    judged(site, tmp_path)

    assert lost
    assert all(path.exists() for path in lost)


def test_without_room_for_it_there_is_no_verdict(site: Site, tmp_path: Path) -> None:
    """The submission waits, for the gateway could not prove what it would say."""
    (tmp_path / "chain").write_bytes(b"a file where a folder must be")
    with pytest.raises(EvidenceNotKeptError, match="chain/"):
        judged(site, tmp_path)


def test_what_is_gone_from_everywhere_holds_the_verdict_back(site: Site, tmp_path: Path) -> None:
    """A list that is neither in the archive nor among those that were used cannot be kept."""
    evidence = judged(site, tmp_path / "first")
    with pytest.raises(EvidenceNotKeptError, match="not among"):
        reliance.keep(tmp_path / "second", evidence, NOBODY)


def test_damage_is_found_when_it_is_read(tmp_path: Path) -> None:
    """And said in words, never handed out."""
    kept = Relied(tmp_path)
    digest = kept.keep(Kind.REVOCATION, LIST)
    path = kept.path(Kind.REVOCATION, digest)
    path.chmod(0o640)
    path.write_bytes(b"another list")
    with pytest.raises(DamagedError):
        kept.load(Kind.REVOCATION, digest)
    assert "the gateway's copy is damaged" == reliance.find(kept, NOBODY, Kind.REVOCATION, digest)


def test_half_a_file_is_cleared_away_once_it_is_old(tmp_path: Path) -> None:
    """One that another process may be writing this moment is not."""
    kept = Relied(tmp_path)
    kept.keep(Kind.REVOCATION, LIST)
    old, new = (tmp_path / "revocation" / name for name in (".old", ".new"))
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (1, 1))
    assert Relied(tmp_path).keep(Kind.REVOCATION, b"another") != kept.keep(Kind.REVOCATION, LIST)
    assert [False, True] == [old.exists(), new.exists()]


def test_only_a_digest_is_a_name(tmp_path: Path) -> None:
    """The journal's word is no path."""
    with pytest.raises(ValueError, match="64 digits"):
        Relied(tmp_path).load(Kind.CHAIN, "../" + "a" * 61)


def test_what_a_refusal_relied_on_is_kept_too(
    tmp_path_factory: pytest.TempPathFactory, pki: Pki, signer: Credential, tmp_path: Path
) -> None:
    """The list that a certificate stands on, and the authorities above: years later it shows why nobody was let in."""
    site = make_test_site(tmp_path_factory.mktemp("refused"), pki, signer)
    revoked = pki.issue("Revoked Since")
    site.write_set(STEM, signer=revoked)
    pki.revoke(revoked)
    pki.install(site.settings.trust.authorities, "test")
    part = SignedPart(site.work / f"FI.{STEM}.1.1", site.work / f"FS.{STEM}.1.1")
    rules = TrustRules(site.settings.trust.authorities, datetime.now(UTC), Policy(), archive=tmp_path)

    refused = verify_part(part, rules)

    assert isinstance(refused, Fault)
    assert refused.reason is Reason.REVOKED
    kept = Relied(tmp_path)
    assert refused.revocation
    assert refused.chain
    [said] = relied_on(evidence_facts(SignatureProfile.DETACHED, [], refused))
    for kind in Kind:
        assert said[kind]
        assert all(kept.load(kind, digest) for digest in said[kind])
    lists = [x509.load_der_x509_crl(kept.load(Kind.REVOCATION, digest) or b"") for digest in refused.revocation]
    serial = x509.load_pem_x509_certificate(revoked.certificate.read_bytes()).serial_number
    assert any(each.get_revoked_certificate_by_serial_number(serial) for each in lists)
