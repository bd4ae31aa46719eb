"""Whether an accepted authority stands behind a signer: good, refused with a reason, or not to be decided now."""

import base64
import pickle
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import core
from cryptography.x509 import (
    AccessDescription,
    AuthorityInformationAccess,
    BasicConstraints,
    CRLDistributionPoints,
    DistributionPoint,
    ObjectIdentifier,
    SubjectAlternativeName,
    UniformResourceIdentifier,
    UnrecognizedExtension,
)
from cryptography.x509.oid import AuthorityInformationAccessOID

from signing.evidence import Evidence, Fault, Reason, TrustUnavailable
from signing.policy import Policy
from signing.trust import authorities, chain, crl, path, strict_store
from signing.trust.authorities import Authorities
from signing.trust.terms import check_terms
from signing.verify import verify_detached
from tests import signers
from tests.authority import Credential, Pki, now

DAY = timedelta(days=1)
HTTP = UniformResourceIdentifier("http://pki.example/")
AT_ANY_TIME = Policy(ahead=20_000 * DAY)  # tests judge at moments before and after that of signing


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    """An authority that a test may spoil."""
    return Pki.create(tmp_path / "pki")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of accepted authorities."""
    path = tmp_path / "authorities"
    path.mkdir()
    return path


@pytest.fixture
def judge(tmp_path: Path, folder: Path) -> Callable[..., Evidence | Fault]:
    """Let somebody sign a file, and verify with what is accepted now."""
    data = tmp_path / "FI.DIMN.123456.20261121.00001.R.1.1"
    data.write_bytes(b"<Forms/>\r\n")

    def verify(signer: Credential, at: datetime | None = None) -> Evidence | Fault:
        signature = base64.b64encode(signers.cms(data, signer))
        return verify_detached(
            data, signature, authorities=authorities.current(folder), at=at or now(), policy=AT_ANY_TIME
        )

    return verify


Judge = Callable[..., Evidence | Fault]


def reason(verdict: Evidence | Fault) -> Reason:
    """Why it was refused."""
    assert isinstance(verdict, Fault), verdict
    return verdict.reason


@pytest.mark.parametrize("chain_key", ["p-384", "rsa-2048"])
@pytest.mark.parametrize("leaf_key", ["p-384", "rsa-2048"])
def test_a_belgian_eid_shape_is_accepted(
    chain_key: str, leaf_key: str, tmp_path: Path, folder: Path, judge: Judge
) -> None:
    """NonRepudiation only, no SAN, no SKI, no basic constraints, RSA and EC chains alike."""
    pki = Pki.create(tmp_path / "eid", key=chain_key)
    pki.install(folder, "citizen")
    verdict = judge(pki.issue("An Invented Citizen", key=leaf_key))
    assert isinstance(verdict, Evidence)
    assert "citizen" == verdict.authority


def test_addresses_in_a_certificate_are_never_asked(pki: Pki, folder: Path, judge: Judge) -> None:
    """CRL and OCSP addresses in the certificate change nothing: the configured lists decide."""
    pki.install(folder, "test")
    point = DistributionPoint(full_name=[HTTP], relative_name=None, reasons=None, crl_issuer=None)
    ocsp = AccessDescription(AuthorityInformationAccessOID.OCSP, HTTP)
    issuers = AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, HTTP)
    signer = pki.issue(
        "With Addresses", extensions=[CRLDistributionPoints([point]), AuthorityInformationAccess([ocsp, issuers])]
    )
    assert isinstance(judge(signer), Evidence)


def test_a_root_that_issues_by_itself_is_accepted(pki: Pki, folder: Path, judge: Judge) -> None:
    """The issuing authority may be the root; then there is no chain."""
    authorities.add(folder, "root", pki.root, [], [pki.crls[0]])
    assert isinstance(judge(pki.issue("Below Root", by_root=True)), Evidence)


def test_nobody_is_accepted_by_an_empty_folder(pki: Pki, judge: Judge) -> None:
    """Without authorities every signature is refused."""
    assert reason(judge(pki.issue("Nobody's"))) is Reason.NOT_ACCEPTED


def test_another_root_is_not_accepted(pki: Pki, folder: Path, judge: Judge, tmp_path: Path) -> None:
    """An authority of the same name with another key is another authority."""
    pki.install(folder, "test")
    stranger = Pki.create(tmp_path / "stranger")
    assert reason(judge(stranger.issue("Stranger"))) is Reason.NOT_ACCEPTED


def test_the_root_of_an_accepted_authority_is_not_itself_accepted(pki: Pki, folder: Path, judge: Judge) -> None:
    """What is accepted is the issuing authority: a signer right below its root is not."""
    pki.install(folder, "test")
    assert reason(judge(pki.issue("Below Root", by_root=True))) is Reason.NOT_ACCEPTED


def test_the_right_one_of_two_authorities_is_named(pki: Pki, folder: Path, judge: Judge, tmp_path: Path) -> None:
    """With two authorities of one name the key tells whose signer it is, also when the other's lists are missing."""
    other = Pki.create(tmp_path / "other")
    authorities.add(folder, "a-other", other.issuing, [other.root], [])
    pki.install(folder, "b-ours")
    verdict = judge(pki.issue("Ours"))
    assert isinstance(verdict, Evidence)
    assert "b-ours" == verdict.authority


def test_one_good_chain_of_two_is_enough(pki: Pki, folder: Path, judge: Judge) -> None:
    """An issuer accepted twice, once too late: the other entry is enough."""
    terms = check_terms({"accepted_from": now() + DAY})
    authorities.add(folder, "a-tomorrow", pki.issuing, [pki.root], pki.crls, terms)
    pki.install(folder, "b-today")
    verdict = judge(pki.issue("Twice"))
    assert isinstance(verdict, Evidence)
    assert "b-today" == verdict.authority


def test_entries_of_one_issuer_know_what_one_of_them_does(pki: Pki, folder: Path, judge: Judge) -> None:
    """Lists of one entry serve for another of the same issuer, which has none."""
    authorities.add(folder, "a-without", pki.issuing, [pki.root], [])
    authorities.add(folder, "b-with", pki.issuing, [pki.root], pki.crls, check_terms({"environments": ["T"]}))
    verdict = judge(pki.issue("Twice"))
    assert isinstance(verdict, Evidence)
    assert "a-without" == verdict.authority


def test_a_revocation_that_one_of_two_entries_knows_of(pki: Pki, folder: Path, judge: Judge) -> None:
    """An older list in one entry takes nothing back of what a newer one in another says of the same issuer's."""
    authorities.add(folder, "a-old", pki.issuing, [pki.root], pki.crls)
    revoked = pki.issue("Revoked")
    assert isinstance(judge(revoked), Evidence)
    pki.revoke(revoked)
    authorities.add(folder, "b-new", pki.issuing, [pki.root], pki.crls, check_terms({"environments": ["T"]}))
    assert reason(judge(revoked)) is Reason.REVOKED


def test_a_lack_of_memory_is_no_refusal(pki: Pki, folder: Path, judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is it a reason to go on: the worker fails, and the submission is judged again."""

    def out_of_memory(*_: object, **__: object) -> None:
        raise MemoryError

    pki.install(folder, "test")
    signer = pki.issue("Signer")
    for module, name in (
        (path, "AuthorityWithCert"),
        (chain, "CertificateValidator"),
        (strict_store, "_verify"),
        (crl, "_points_of"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, out_of_memory)
            with pytest.raises(MemoryError):
                judge(signer)
    assert isinstance(judge(signer), Evidence)


def test_an_expired_certificate(pki: Pki, folder: Path, judge: Judge) -> None:
    """Expired means expired at the moment that is asked for."""
    pki.install(folder, "test")
    signer = pki.issue("Expired", not_before=now() - 10 * DAY, not_after=now() - 2 * DAY)
    verdict = judge(signer)
    assert reason(verdict) is Reason.EXPIRED
    assert verdict == Fault(Reason.EXPIRED, f"The signer's certificate expired on {now() - 2 * DAY:%Y-%m-%d}.")
    assert isinstance(judge(signer, now() - 3 * DAY), Evidence)


def test_a_certificate_that_is_not_valid_yet(pki: Pki, folder: Path, judge: Judge) -> None:
    """So does valid."""
    pki.install(folder, "test")
    signer = pki.issue("Early", not_before=now() + DAY)
    assert reason(judge(signer)) is Reason.NOT_YET_VALID
    assert isinstance(judge(signer, now() + 2 * DAY), Evidence)


@pytest.mark.parametrize("days", [3300, 4000])
def test_an_expired_authority(days: int, pki: Pki, folder: Path, judge: Judge) -> None:
    """The authorities above must be valid too: first the root alone has expired, then both."""
    pki.write_crls(next_update=now() + timedelta(days=9000))
    pki.install(folder, "test")
    signer = pki.issue("Long", not_after=now() + timedelta(days=5000))
    assert isinstance(judge(signer, now() + timedelta(days=2900)), Evidence)
    assert reason(judge(signer, now() + timedelta(days=days))) is Reason.EXPIRED


def test_a_revoked_certificate(pki: Pki, folder: Path, judge: Judge) -> None:
    """Revoked before the moment: refused, with the day."""
    pki.install(folder, "test")
    signer = pki.issue("Revoked")
    assert isinstance(judge(signer), Evidence)
    pki.revoke(signer, now() - timedelta(hours=3))
    pki.install(folder, "test")
    day = now() - timedelta(hours=3)
    refusal = judge(signer)
    assert isinstance(refusal, Fault)
    assert refusal.reason is Reason.REVOKED
    assert refusal.detail == f"The signer's certificate was revoked on {day:%Y-%m-%d}."
    # What a later proof needs.
    assert refusal.chain
    assert [len(digest) for digest in refusal.revocation] == [64]


def test_a_certificate_revoked_after_the_moment(pki: Pki, folder: Path, judge: Judge) -> None:
    """What was received before the revocation stays good, even if it is decided from a later list."""
    signer = pki.issue("Revoked Later", not_before=now() - 10 * DAY)
    pki.revoke(signer, now() - timedelta(hours=3))
    pki.install(folder, "test")
    assert isinstance(judge(signer, now() - timedelta(hours=6)), Evidence)


def test_a_revoked_authority(pki: Pki, folder: Path, judge: Judge) -> None:
    """The issuing authority on the root's list takes all its signers with it."""
    signer = pki.issue("Below Revoked")
    pki.revoke(pki.issuing_credential)
    pki.install(folder, "test")
    assert reason(judge(signer)) is Reason.REVOKED


def test_no_list_is_unknown_and_names_the_issuer(pki: Pki, folder: Path, judge: Judge) -> None:
    """Without lists revocation can't be decided: the root's is asked for first."""
    authorities.add(folder, "test", pki.issuing, [pki.root], [])
    with pytest.raises(TrustUnavailable) as caught:
        judge(pki.issue("Unknown"))
    assert "CN=Test Root,C=BE" == caught.value.issuer


def test_the_list_that_is_missing_is_named(pki: Pki, folder: Path, judge: Judge) -> None:
    """With the root's list alone, it is the issuing authority's that is missing."""
    authorities.add(folder, "test", pki.issuing, [pki.root], [pki.crls[0]])
    with pytest.raises(TrustUnavailable) as caught:
        judge(pki.issue("Unknown"))
    assert "CN=Test Issuing,C=BE" == caught.value.issuer


def test_a_stale_list_is_unknown(pki: Pki, folder: Path, judge: Judge) -> None:
    """A list past its next update says nothing about today."""
    pki.write_crls(this_update=now() - 9 * DAY, next_update=now() - 2 * DAY)
    pki.install(folder, "test")
    with pytest.raises(TrustUnavailable):
        judge(pki.issue("Stale"))


def test_a_fresh_list_ends_the_wait(pki: Pki, folder: Path, judge: Judge) -> None:
    """A submission that waited is decided by a list made after it was received."""
    pki.write_crls(this_update=now() - 9 * DAY, next_update=now() - 2 * DAY)
    pki.install(folder, "test")
    signer, received = pki.issue("Waiting"), now() - timedelta(hours=6)
    with pytest.raises(TrustUnavailable):
        judge(signer, received)
    pki.write_crls()
    pki.install(folder, "test")
    assert isinstance(judge(signer, received), Evidence)


def test_an_expired_certificate_needs_no_list_of_its_issuer(pki: Pki, folder: Path, judge: Judge) -> None:
    """What is refused anyway doesn't wait."""
    authorities.add(folder, "test", pki.issuing, [pki.root], [pki.crls[0]])
    signer = pki.issue("Expired", not_before=now() - 10 * DAY, not_after=now() - 2 * DAY)
    assert reason(judge(signer)) is Reason.EXPIRED


async def test_a_running_event_loop_changes_no_verdict(pki: Pki, folder: Path, judge: Judge) -> None:
    """Whoever verifies from a coroutine by mistake is slow, but refuses nobody."""
    pki.install(folder, "test")
    assert isinstance(judge(pki.issue("In a Loop")), Evidence)


def test_unknown_crosses_a_process_border() -> None:
    """Verification runs in workers: the exception must arrive whole."""
    arrived = pickle.loads(pickle.dumps(TrustUnavailable("An Issuer", "no list")))  # noqa: S301 -- our own bytes
    assert (arrived.issuer, arrived.detail, str(arrived)) == ("An Issuer", "no list", "An Issuer: no list")


@pytest.mark.parametrize("usage", ["non_repudiation", "digital_signature"])
def test_a_certificate_for_signing_is_accepted(usage: str, pki: Pki, folder: Path, judge: Judge) -> None:
    """Either usage makes a signer."""
    pki.install(folder, "test")
    assert isinstance(judge(pki.issue("Signer", key_usage=usage)), Evidence)


@pytest.mark.parametrize("usage", ["key_encipherment", "data_encipherment", None])
def test_a_certificate_for_something_else_is_refused(usage: str | None, pki: Pki, folder: Path, judge: Judge) -> None:
    """Encryption certificates sign nothing, and one that doesn't say is not trusted to."""
    pki.install(folder, "test")
    assert reason(judge(pki.issue("Encrypter", key_usage=usage))) is Reason.KEY_USAGE


@pytest.mark.parametrize(
    ("purposes", "accepted"),
    [(("email_protection",), True), (("client_auth", "server_auth"), True), (("server_auth",), False)],
)
def test_an_extended_usage_must_leave_room_for_signing(
    purposes: tuple[str, ...], *, accepted: bool, pki: Pki, folder: Path, judge: Judge
) -> None:
    """A certificate that limits itself to servers or time stamps signs no declaration."""
    pki.install(folder, "test")
    verdict = judge(pki.issue("Purpose", purposes=purposes))
    assert isinstance(verdict, Evidence) is accepted


def test_a_certificate_that_says_it_is_no_authority_is_accepted(pki: Pki, folder: Path, judge: Judge) -> None:
    """Basic constraints and a SAN in a signer's certificate do no harm."""
    pki.install(folder, "test")
    constraints = BasicConstraints(ca=False, path_length=None)
    assert isinstance(judge(pki.issue("Plain", extensions=[constraints, SubjectAlternativeName([HTTP])])), Evidence)


def test_a_certificate_signed_with_sha_1_is_refused(pki: Pki, folder: Path, judge: Judge, tmp_path: Path) -> None:
    """The authority's own signature must be better than SHA-1 too."""
    pki.install(folder, "test")
    extensions = tmp_path / "extensions"
    extensions.write_text("keyUsage=critical,nonRepudiation\n")
    signer = Credential(pki.issue("Sha").key, tmp_path / "sha1.pem")
    request = signers.openssl("req", "-new", "-key", signer.key, "-subj", "/CN=Sha")
    authority = ("-CA", pki.issuing, "-CAkey", pki.issuing_credential.key, "-set_serial", "77")
    certificate = signers.openssl(
        "x509", "-req", "-sha1", *authority, "-days", "9", "-extfile", extensions, content=request
    )
    signer.certificate.write_bytes(certificate)
    assert reason(judge(signer)) is Reason.ALGORITHM


@pytest.mark.parametrize("critical", [False, True])
def test_an_unknown_critical_extension_is_refused(*, critical: bool, pki: Pki, folder: Path, judge: Judge) -> None:
    """What we can't understand and must understand is refused (RFC 5280, 4.2)."""
    pki.install(folder, "test")
    unknown = UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), core.Null().dump())
    signer = pki.issue("Unknown", extensions=[unknown], critical=critical)
    assert isinstance(judge(signer), Evidence) is not critical


def test_authorities_cross_a_process_border(pki: Pki, folder: Path) -> None:
    """A worker may be handed the authorities themselves."""
    pki.install(folder, "test")
    loaded = authorities.load(folder)
    assert pickle.loads(pickle.dumps(loaded)) == loaded  # noqa: S301 -- our own bytes
    assert Authorities() != loaded
