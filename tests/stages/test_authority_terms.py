"""The terms on which an authority is accepted: what they may say, and what they refuse."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import CertificatePolicies, ExtendedKeyUsage, ObjectIdentifier, PolicyInformation
from cryptography.x509.oid import ExtendedKeyUsageOID

from config.errors import ConfigurationError
from signing.evidence import Evidence, Fault, Reason, TrustUnavailable
from signing.policy import Policy
from signing.trust import authorities
from signing.trust.authorities import Authorities
from signing.trust.path import Accepted
from signing.trust.path import judge as judge_certificate
from signing.trust.terms import Terms, Use, check_terms, read_terms, write_terms
from signing.verify import verify_detached, verify_enveloped
from tests import signers
from tests.authority import Credential, Pki, now

DAY = timedelta(days=1)
AT_ANY_TIME = Policy(ahead=20_000 * DAY)  # tests judge at moments before and after that of signing
EVERYTHING = {
    "environments": ["S", "T"],
    "purposes": ["DIMN"],
    "policies": ["2.16.56.12.1.1.2.1"],
    "key_usages": ["non_repudiation"],
    "accepted_from": datetime(2026, 1, 1, tzinfo=UTC),
    "accepted_to": datetime(2027, 1, 1, tzinfo=UTC),
    "revocation_max_age_hours": 24.5,
    "issues": ["signatures", "timestamps"],
    "crl_from": ["http://pki.example/b.crl", "https://pki.example/a.crl"],
    "ocsp_from": "http://ocsp.example/",
}


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """An authority with lists that are an hour old."""
    return Pki.create(tmp_path_factory.mktemp("pki"))


Judge = Callable[..., Evidence | Fault]


@pytest.fixture
def judge(pki: Pki, tmp_path: Path) -> Judge:
    """Let somebody sign a file, and verify it on some terms."""
    data = tmp_path / "FI.DIMN.123456.20261121.00001.R.1.1"
    data.write_bytes(b"<Forms/>\r\n")

    def verify(
        signer: Credential, use: Use | None = None, at: datetime | None = None, **terms: Any
    ) -> Evidence | Fault:
        accepted = authorities.add(tmp_path / "on", "test", pki.issuing, [pki.root], pki.crls, check_terms(terms))
        signature = base64.b64encode(signers.cms(data, signer))
        return verify_detached(
            data, signature, authorities=Authorities((accepted,)), at=at or now(), use=use, policy=AT_ANY_TIME
        )

    return verify


def reason(verdict: Evidence | Fault) -> Reason:
    """Why it was refused."""
    assert isinstance(verdict, Fault), verdict
    return verdict.reason


def test_terms_are_read_as_they_were_written(pki: Pki, tmp_path: Path) -> None:
    """Every key survives the file, and an entry on no terms has no file for them."""
    terms = check_terms(EVERYTHING)
    authorities.add(tmp_path / "on", "some", pki.issuing, [pki.root], [], terms)
    authorities.add(tmp_path / "on", "none", pki.issuing, [pki.root], [])
    assert {"none": Terms(), "some": terms} == {entry.name: entry.terms for entry in authorities.load(tmp_path / "on")}
    assert not (tmp_path / "on" / "none" / "authority.toml").exists()
    assert len(EVERYTHING) == len(write_terms(terms).splitlines())


def test_changed_terms_are_seen_at_the_next_look(pki: Pki, tmp_path: Path) -> None:
    """The file is data, as the certificates are."""
    pki.install(tmp_path / "on", "test")
    [before] = authorities.current(tmp_path / "on")
    (tmp_path / "on" / "test" / "authority.toml").write_text('environments = ["T"]\n')
    [after] = authorities.current(tmp_path / "on")
    assert (Terms(), Terms(environments=frozenset(("T",)))) == (before.terms, after.terms)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("environment", ["T"]),
        ("environments", ["X"]),
        ("environments", []),
        ("environments", "T"),
        ("purposes", ["../x"]),
        ("policies", ["any"]),
        ("policies", ["2.5.01"]),
        ("key_usages", ["key_encipherment"]),
        ("key_usages", []),
        ("accepted_from", datetime(2026, 1, 1)),  # noqa: DTZ001 -- the missing zone is the point
        ("accepted_to", "2026-01-01"),
        ("revocation_max_age_hours", 0),
        ("revocation_max_age_hours", "24"),
        ("issues", ["seals"]),
        ("issues", []),
        ("crl_from", ["ldap://pki.example/list"]),
        ("crl_from", ["http:///list.crl"]),
        ("ocsp_from", "file:///etc/passwd"),
        ("ocsp_from", "http://ocsp.example/ x"),
    ],
)
def test_a_term_that_says_nothing_sensible_is_refused(key: str, value: object) -> None:
    """Unknown keys, unknown words, empty lists that would accept nobody, moments without a zone."""
    with pytest.raises(ConfigurationError) as caught:
        check_terms({key: value})
    [fault] = caught.value.faults
    assert fault.startswith(key)


def test_an_acceptance_that_ends_before_it_begins_is_refused() -> None:
    """From must be before to."""
    with pytest.raises(ConfigurationError) as caught:
        check_terms({"accepted_from": now(), "accepted_to": now() - DAY})
    assert ("accepted_to: it is not later than accepted_from",) == caught.value.faults


def test_every_fault_of_the_entry_is_told_at_once(pki: Pki, tmp_path: Path) -> None:
    """Two of the terms and one of the certificate, each with its file."""
    pki.install(tmp_path / "on", "test")
    entry = tmp_path / "on" / "test"
    (entry / "authority.toml").write_text('polices = ["1.2.3"]\nenvironments = ["P"]\n')
    (entry / "chain.pem").unlink()
    with pytest.raises(ConfigurationError) as caught:
        authorities.load(tmp_path / "on")
    assert 3 == len(caught.value.faults)
    assert f"{entry / 'authority.toml'}: polices: there is no such key" in caught.value.faults
    with pytest.raises(TrustUnavailable):
        authorities.current(tmp_path / "on")


@pytest.mark.parametrize("content", [b"environments = [", b"\xff"])
def test_a_file_that_is_no_toml_is_a_fault(content: bytes, tmp_path: Path) -> None:
    """With its name; a folder in its place is one too."""
    path = tmp_path / "authority.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="not a TOML file"):
        read_terms(path)
    with pytest.raises(ConfigurationError, match="directory"):
        read_terms(tmp_path)


@pytest.mark.parametrize(
    ("environments", "environment", "accepted"),
    [("TS", "R", False), ("TS", "T", True), ("TS", "S", True), ("R", "R", True), ("R", "T", False), ("R", None, True)],
)
def test_a_test_authority_is_no_good_in_production_nor_a_live_one_elsewhere(
    environments: str, environment: str | None, *, accepted: bool, pki: Pki, judge: Judge
) -> None:
    """An entry counts in its environments only; who doesn't ask about one isn't told."""
    verdict = judge(pki.issue("Signer"), Use(environment), environments=list(environments))
    assert accepted is isinstance(verdict, Evidence)
    assert accepted or reason(verdict) is Reason.POLICY


@pytest.mark.parametrize("mixed", ["RT", "RS", "RTS"])
def test_an_entry_is_live_or_for_rehearsal_and_never_both(mixed: str) -> None:
    """Live data in the test system, and test signatures in production, begin with an entry that is good for both."""
    with pytest.raises(ConfigurationError, match="R stands alone"):
        check_terms({"environments": list(mixed)})
    assert frozenset("R") == check_terms({}).environments


@pytest.mark.parametrize(("purpose", "accepted"), [("DIMN", True), ("DMFA", False), (None, True)])
def test_an_authority_may_be_accepted_for_some_message_types(
    purpose: str | None, *, accepted: bool, pki: Pki, judge: Judge
) -> None:
    """The purpose of the submission decides."""
    verdict = judge(pki.issue("Signer"), Use("R", purpose), purposes=["DIMN"])
    assert accepted is isinstance(verdict, Evidence)
    assert accepted or reason(verdict) is Reason.POLICY


@pytest.mark.parametrize(("days", "accepted"), [(-3, False), (0, True), (3, False)])
def test_an_authority_may_be_accepted_for_a_time(days: int, *, accepted: bool, pki: Pki, judge: Judge) -> None:
    """The moment of receipt decides, before the signer's own dates do."""
    signer = pki.issue("Signer", not_before=now() - 9 * DAY)
    verdict = judge(signer, at=now() + days * DAY, accepted_from=now() - 2 * DAY, accepted_to=now() + 2 * DAY)
    assert accepted is isinstance(verdict, Evidence)
    assert accepted or reason(verdict) is Reason.POLICY


def test_acceptance_begins_at_its_first_moment_and_ends_before_its_last() -> None:
    """From is in, to is out."""
    terms = check_terms({"accepted_from": now(), "accepted_to": now() + DAY})
    assert terms.accepted_from is not None
    assert [False, True, False] == [
        not terms.refusal(terms.accepted_from + offset, Use()) for offset in (-timedelta(microseconds=1), 0 * DAY, DAY)
    ]


@pytest.mark.parametrize(("held", "accepted"), [(["1.2.3.4", "1.2.3.5"], True), (["1.2.3"], False), ([], False)])
def test_a_required_policy(held: list[str], *, accepted: bool, pki: Pki, judge: Judge) -> None:
    """A signer's certificate must have one of them, to the last number."""
    policies = [PolicyInformation(ObjectIdentifier(oid), None) for oid in held]
    signer = pki.issue("Signer", extensions=[CertificatePolicies(policies)] if policies else [])
    verdict = judge(signer, policies=["1.2.3.5", "1.2.3.6"])
    assert accepted is isinstance(verdict, Evidence)
    assert accepted or reason(verdict) is Reason.POLICY


@pytest.mark.parametrize(
    ("usage", "accepted"),
    [("non_repudiation", True), ("digital_signature", False), (("digital_signature", "non_repudiation"), True)],
)
def test_an_eid_signs_with_its_signature_certificate(
    usage: str | tuple[str, ...], *, accepted: bool, pki: Pki, judge: Judge
) -> None:
    """With nonRepudiation demanded, the authentication certificate of the same card is refused."""
    verdict = judge(pki.issue("Card", key_usage=usage), key_usages=["non_repudiation"])
    assert accepted is isinstance(verdict, Evidence)
    assert accepted or reason(verdict) is Reason.KEY_USAGE


def test_a_list_older_than_the_terms_allow_says_nothing(pki: Pki, judge: Judge) -> None:
    """It is good for a week by its own word; half an hour by ours: revocation is unknown, not refused."""
    with pytest.raises(TrustUnavailable) as caught:
        judge(pki.issue("Signer"), revocation_max_age_hours=0.5)
    assert "CN=Test Root,C=BE" == caught.value.issuer


def test_a_list_within_the_terms_decides(pki: Pki, judge: Judge) -> None:
    """An hour is less than two."""
    assert isinstance(judge(pki.issue("Signer"), revocation_max_age_hours=2), Evidence)


def test_one_entry_of_two_whose_terms_are_met_is_enough(pki: Pki, tmp_path: Path) -> None:
    """The same issuer for test and live on different terms: the entry that fits is named."""
    entries = [
        authorities.add(tmp_path / "on", name, pki.issuing, [pki.root], pki.crls, check_terms({"environments": [word]}))
        for name, word in (("live", "R"), ("test", "T"))
    ]
    path = tmp_path / "FI.DIMN.123456.20261121.00001.T.1.1"
    path.write_bytes(signers.enveloped(b"<Forms/>", pki.issue("Both")))
    verdicts = [
        verify_enveloped(path, authorities=Authorities(tuple(entries)), at=now(), use=Use(word)) for word in "RTS"
    ]
    assert ["live", "test", Reason.POLICY] == [
        verdict.authority if isinstance(verdict, Evidence) else verdict.reason for verdict in verdicts
    ]


@pytest.mark.parametrize(
    ("purposes", "critical", "issues", "accepted"),
    [
        ([ExtendedKeyUsageOID.TIME_STAMPING], True, ["timestamps"], True),
        ([ExtendedKeyUsageOID.TIME_STAMPING], True, ["signatures", "timestamps"], True),
        ([ExtendedKeyUsageOID.TIME_STAMPING], True, ["signatures"], False),
        ([ExtendedKeyUsageOID.TIME_STAMPING], False, ["timestamps"], False),
        ([ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.EMAIL_PROTECTION], True, ["timestamps"], False),
        ([ExtendedKeyUsageOID.EMAIL_PROTECTION], True, ["timestamps"], False),
        ([], True, ["timestamps"], False),
    ],
)
def test_a_timestamp_authority_is_one_and_nothing_else(
    purposes: list[ObjectIdentifier], *, critical: bool, issues: list[str], accepted: bool, pki: Pki, tmp_path: Path
) -> None:
    """It is for timestamps alone, says so critically, and its issuer is accepted for it (RFC 3161, 2.3)."""
    extensions = [ExtendedKeyUsage(purposes)] if purposes else []
    stamper = pki.issue("Stamper", key_usage="digital_signature", extensions=extensions, critical=critical)
    entry = authorities.add(tmp_path / "on", "test", pki.issuing, [pki.root], pki.crls, check_terms({"issues": issues}))
    der = stamper.read().public_bytes(Encoding.DER)
    verdict = judge_certificate(der, Authorities((entry,)), now(), Use(timestamps=True))
    assert accepted is isinstance(verdict, Accepted)


@pytest.mark.parametrize(("issues", "accepted"), [(["timestamps"], False), (["signatures", "timestamps"], True)])
def test_an_authority_for_timestamps_alone_vouches_for_no_signer(
    issues: list[str], *, accepted: bool, pki: Pki, judge: Judge
) -> None:
    """Whoever runs clocks for others doesn't say who may declare."""
    verdict = judge(pki.issue("Signer"), issues=issues)
    assert accepted is isinstance(verdict, Evidence)
    assert accepted or reason(verdict) is Reason.POLICY


def test_the_addresses_of_lists_keep_their_order(tmp_path: Path) -> None:
    """The first is asked first."""
    terms = check_terms({"crl_from": ["http://b.example/x", "http://a.example/x"]})
    (tmp_path / "authority.toml").write_text(write_terms(terms))
    assert ("http://b.example/x", "http://a.example/x") == read_terms(tmp_path / "authority.toml").crl_from
