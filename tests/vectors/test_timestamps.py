"""Defects of RFC 3161 timestamps, one for each vector and named for it, with OpenSSL's opinion where it can judge."""

import dataclasses
import hashlib
from datetime import datetime, timedelta
from typing import Any

import pytest
from asn1crypto import algos, cms, core
from asn1crypto import x509 as asn1
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyhanko.sign.general import as_signing_certificate, as_signing_certificate_v2

from signing.evidence import Reason, Stamp, TrustUnavailable
from signing.timestamp import MAX_BYTES, verify_stamp
from signing.trust.authorities import Authorities, load
from tests.authority import Credential, Pki, now
from tests.cms_builder import (
    ACCEPTED,
    REFUSED,
    Draft,
    Verdict,
    attribute,
    certificate_of,
    content_info,
    element,
    longer,
    spliced,
    unsorted,
)
from tests.timestamps import STAMPED, StampBench, draft, issue, openssl_token, tst_info


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> StampBench:
    """An accepted timestamp authority."""
    return StampBench.open(tmp_path_factory.mktemp("stamps"))


def time_of(text: bytes) -> core.GeneralizedTime:
    """A GeneralizedTime with that text, whatever it is."""
    return core.GeneralizedTime.load(bytes([0x18, len(text)]) + text)


def test_no_defect(bench: StampBench) -> None:
    """Valid: what the vectors below spoil is good (RFC 3161, 2.4.2)."""
    assert (ACCEPTED, ACCEPTED) == bench.judge(bench.draft())


@pytest.mark.parametrize("digest", ["-sha256", "-sha384", "-sha512"])
@pytest.mark.parametrize("key", ["p-256", "rsa-2048"])
def test_a_token_by_openssl(key: str, digest: str, bench: StampBench) -> None:
    """Valid: what OpenSSL's own timestamp authority issues."""
    token = openssl_token(bench.folder, issue(bench.pki, key), STAMPED, digest)
    assert (ACCEPTED, ACCEPTED) == bench.judge(token)


def test_the_time_is_the_one_in_the_token(bench: StampBench) -> None:
    """The answer is the time that the token tells, in UTC and to the microsecond."""
    token = bench.draft(tst_info(gen_time=time_of(b"20250102030405.25Z"))).dump()
    proved = verify_stamp(Stamp(token, STAMPED), bench.accepted, now())
    assert isinstance(proved, datetime)
    assert proved.isoformat() == "2025-01-02T03:04:05.250000+00:00"


def test_something_else_was_stamped(bench: StampBench) -> None:
    """Invalid: the token must be about this signature (RFC 3161, 2.4.2)."""
    assert (Reason.TIMESTAMP, REFUSED) == bench.judge(bench.draft(), STAMPED + b" ")


@pytest.mark.parametrize("digest", ["sha1", "md5", "sha224"])
def test_a_digest_that_is_not_on_our_list(digest: str, bench: StampBench) -> None:
    """Invalid: with a weak digest another signature could have been stamped."""
    assert (Reason.TIMESTAMP, ACCEPTED) == bench.judge(bench.draft(tst_info(digest=digest)))


def test_a_digest_of_the_wrong_length(bench: StampBench) -> None:
    """Invalid: a part of the digest is not the digest."""
    imprint = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": hashlib.sha256(STAMPED).digest()[:20]}
    assert (Reason.TIMESTAMP, REFUSED) == bench.judge(bench.draft(tst_info(message_imprint=imprint)))


def test_a_digest_algorithm_with_parameters(bench: StampBench) -> None:
    """Invalid: SHA-2 has no parameters (RFC 5754, 2)."""
    good = algos.DigestAlgorithm({"algorithm": "sha256"})
    spoilt = spliced(tst_info(), good.dump(), element(0x30, good["algorithm"].dump() + b"\x02\x01\x01"))
    assert bench.ours(bench.draft(spoilt).dump()) is Reason.TIMESTAMP


def test_content_that_is_no_timestamp(bench: StampBench) -> None:
    """Invalid: an attached signature over data tells no time."""
    spoilt = Draft(bench.signer, tst_info())
    spoilt.outside = {"encap_content_info": {"content_type": "data", "content": tst_info()}}
    assert (Reason.TIMESTAMP, REFUSED) == bench.judge(spoilt)


def test_no_content(bench: StampBench) -> None:
    """Invalid: a token carries what it says (RFC 3161, 2.4.2)."""
    spoilt = bench.draft()
    spoilt.outside["encap_content_info"] = {"content_type": "tst_info"}
    assert (Reason.TIMESTAMP, REFUSED) == bench.judge(spoilt)


def test_a_content_type_attribute_that_contradicts(bench: StampBench) -> None:
    """Invalid: the signer signed that it is something else (RFC 5652, 11.1)."""
    spoilt = bench.draft()
    spoilt.drop("content_type")
    spoilt.attributes.append(attribute("content_type", "data"))
    ours, _ = bench.judge(spoilt)
    assert ours is Reason.TIMESTAMP


def test_a_later_version(bench: StampBench) -> None:
    """Invalid: only version 1 is known (RFC 3161, 2.4.2)."""
    ours, _ = bench.judge(bench.draft(tst_info(version="v2")))
    assert ours is Reason.TIMESTAMP


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"20250102030405", id="local time"),
        pytest.param(b"20250102030405+0100", id="offset"),
        pytest.param(b"202501020304Z", id="no seconds"),
        pytest.param(b"20250102030405.250Z", id="trailing zero"),
        pytest.param(b"20250102030405.Z", id="empty fraction"),
        pytest.param(b"20251302030405Z", id="thirteenth month"),
        pytest.param(b"20250230030405Z", id="thirtieth of February"),
        pytest.param(b"20250102030405.1234567891Z", id="endless fraction"),
    ],
)
def test_a_time_that_is_not_written_in_der(text: bytes, bench: StampBench) -> None:
    """Invalid: UTC with seconds, and a fraction without trailing zeros (RFC 3161, 2.4.2)."""
    assert bench.ours(bench.draft(tst_info(gen_time=time_of(text))).dump()) is Reason.TIMESTAMP


@pytest.mark.parametrize("missing", ["version", "policy", "message_imprint", "serial_number", "gen_time"])
def test_a_mandatory_field_is_missing(missing: str, bench: StampBench) -> None:
    """Invalid: each of the five must be there (RFC 3161, 2.4.2)."""
    assert (Reason.TIMESTAMP, REFUSED) == bench.judge(bench.draft(_without(tst_info(), missing)))


def _without(info: bytes, name: str) -> bytes:
    """A TSTInfo that lacks one of its first five fields."""
    fields = ["version", "policy", "message_imprint", "serial_number", "gen_time"]
    parsed = core.SequenceOf.load(info, spec=core.Any)
    named = zip(fields, parsed, strict=True)
    return element(0x30, b"".join(value.dump() for each, value in named if each != name))


@pytest.mark.parametrize(("critical", "expected"), [(True, Reason.TIMESTAMP), (False, ACCEPTED)])
def test_an_extension(critical: bool, expected: Verdict, bench: StampBench) -> None:
    """An extension that nobody knows refuses the token when it is critical, and only then (RFC 5280, 4.2)."""
    extension = {"extn_id": "1.2.3.4.5", "critical": critical, "extn_value": core.OctetString(b"\x05\x00")}
    assert bench.ours(bench.draft(tst_info(extensions=[extension])).dump()) == expected


def test_no_word_on_the_signing_certificate(bench: StampBench) -> None:
    """Invalid: the token names the certificate that it was signed by (RFC 3161, 2.4.2)."""
    spoilt = bench.draft()
    spoilt.drop("signing_certificate_v2")
    assert (Reason.TIMESTAMP, REFUSED) == bench.judge(spoilt)


def test_another_certificate_named(bench: StampBench) -> None:
    """Invalid: it names another one (RFC 5816, 2.2.1)."""
    spoilt = bench.draft()
    spoilt.drop("signing_certificate_v2")
    other = certificate_of(issue(bench.pki))
    spoilt.attributes.append(attribute("signing_certificate_v2", as_signing_certificate_v2(other)))
    assert (Reason.TIMESTAMP, REFUSED) == bench.judge(spoilt)


def test_the_certificate_named_in_the_old_way(bench: StampBench) -> None:
    """Valid: by its SHA-1, as tokens did before RFC 5816; the signature binds the certificate anyway."""
    old = bench.draft()
    old.drop("signing_certificate_v2")
    old.attributes.append(attribute("signing_certificate", as_signing_certificate(certificate_of(bench.signer))))
    assert (ACCEPTED, ACCEPTED) == bench.judge(old)


def test_another_content_than_was_signed(bench: StampBench) -> None:
    """Invalid: a time put in afterwards."""
    spoilt = bench.draft()
    later = core.ParsableOctetString(tst_info(gen_time=time_of(b"20200102030405Z")))
    spoilt.outside["encap_content_info"] = {"content_type": "tst_info", "content": later}
    assert (Reason.TIMESTAMP, REFUSED) == bench.judge(spoilt)


def test_a_signature_by_nobody(bench: StampBench) -> None:
    """Invalid: the signature matches no certificate."""
    spoilt = bench.draft()
    spoilt.inside = {"signature": bytes(70)}
    assert (Reason.TIMESTAMP, REFUSED) == bench.judge(spoilt)


def test_attributes_out_of_order(bench: StampBench) -> None:
    """Invalid: what is signed is the set in DER's order (RFC 5652, 5.4)."""
    token = bench.draft()
    der, attributes = token.dump(), token.signed_attributes()
    backwards = unsorted(list(reversed(list(cms.CMSAttributes.load(attributes)))))
    spoilt = der.replace(b"\xa0" + attributes[1:], backwards)
    assert spoilt != der
    assert bench.ours(spoilt) is Reason.TIMESTAMP


def test_two_signers(bench: StampBench) -> None:
    """Invalid: a token has one signer (RFC 3161, 2.4.2)."""
    spoilt = bench.draft()
    spoilt.outside["signer_infos"] = [spoilt.signer_info(), bench.draft(tst_info()).signer_info()]
    assert (Reason.TIMESTAMP, REFUSED) == bench.judge(spoilt)


def test_no_certificate(bench: StampBench) -> None:
    """Invalid: who verifies it years later must find the certificate in it."""
    spoilt = bench.draft()
    spoilt.certificates = []
    assert (Reason.TIMESTAMP, REFUSED) == bench.judge(spoilt)


def test_an_authority_as_clock(bench: StampBench) -> None:
    """Invalid: who issues certificates stamps nothing with the same key."""
    assert (Reason.TIMESTAMP, REFUSED) == bench.judge(draft(bench.pki.issuing_credential, tst_info()))


def test_a_weak_key(bench: StampBench) -> None:
    """Invalid: there is no leniency for timestamps."""
    assert (Reason.TIMESTAMP, ACCEPTED) == bench.judge(draft(issue(bench.pki, "rsa-1024"), tst_info()))


def test_a_signature_over_sha_1(bench: StampBench) -> None:
    """Invalid: nor for SHA-1."""
    weak = draft(issue(bench.pki, "rsa-2048"), tst_info(), "sha1")
    assert bench.ours(weak.dump()) is Reason.TIMESTAMP


@pytest.mark.parametrize("depth", [0, 1, 2, 4])
def test_bytes_that_belong_to_nothing(depth: int, bench: StampBench) -> None:
    """Invalid: every structure ends with its last field."""
    assert bench.ours(longer(bench.draft().dump(), depth)) is Reason.TIMESTAMP


def test_a_byte_behind_the_token(bench: StampBench) -> None:
    """Invalid: the token ends with its last byte."""
    assert bench.ours(bench.draft().dump() + b"\x00") is Reason.TIMESTAMP


def test_a_byte_behind_what_it_says(bench: StampBench) -> None:
    """Invalid: so does what is signed in it."""
    assert bench.ours(bench.draft(tst_info() + b"\x00").dump()) is Reason.TIMESTAMP


def test_what_it_says_in_ber(bench: StampBench) -> None:
    """Invalid: a TSTInfo is DER (RFC 3161, 2.4.2)."""
    indefinite = b"\x30\x80" + tst_info()[2:] + b"\x00\x00"
    assert bench.ours(bench.draft(indefinite).dump()) is Reason.TIMESTAMP


def test_a_token_of_immense_size(bench: StampBench) -> None:
    """Invalid: the bound is checked before anything is read."""
    assert bench.ours(bench.draft(tst_info(serial_number=1 << (8 * MAX_BYTES))).dump()) is Reason.TIMESTAMP


def test_a_reply_in_place_of_its_token(bench: StampBench) -> None:
    """Invalid: the attribute holds the token, not the whole answer of the service (RFC 3161, Appendix A)."""
    granted = b"\x30\x03\x02\x01\x00"
    assert bench.ours(element(0x30, granted + bench.draft().dump())) is Reason.TIMESTAMP


def test_content_that_is_enveloped(bench: StampBench) -> None:
    """Invalid: a token is signedData."""
    assert bench.ours(content_info("data", core.OctetString(b"x").dump())) is Reason.TIMESTAMP


@given(content=st.binary(max_size=200))
@example(content=b"")
@example(content=b"0\x80\x00\x00")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_are_refused(content: bytes, bench: StampBench) -> None:
    """Bytes of any kind end in a fault and never in an exception."""
    assert bench.ours(content) is Reason.TIMESTAMP


@pytest.mark.parametrize(
    "clock",
    [
        pytest.param({"purposes": ()}, id="no purpose"),
        pytest.param({"purposes": (ExtendedKeyUsageOID.EMAIL_PROTECTION,)}, id="mail"),
        pytest.param(
            {"purposes": (ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.EMAIL_PROTECTION)}, id="two purposes"
        ),
        pytest.param({"critical": False}, id="not critical"),
    ],
)
def test_a_certificate_that_is_not_for_timestamps_alone(clock: dict[str, Any], bench: StampBench) -> None:
    """Invalid: the one purpose is timestamps, and critical (RFC 3161, 2.3)."""
    assert (Reason.KEY_USAGE, REFUSED) == bench.judge(draft(issue(bench.pki, **clock), tst_info()))


def test_a_certificate_that_expired(bench: StampBench) -> None:
    """Invalid: at the moment of receipt the certificate must be good."""
    expired = issue(bench.pki, not_after=now() - timedelta(hours=1))
    assert (Reason.EXPIRED, REFUSED) == bench.judge(draft(expired, tst_info()))


def test_an_authority_that_nobody_accepted(bench: StampBench, tmp_path: Any) -> None:
    """Unknown: anybody can make a clock."""
    stranger = issue(Pki.create(tmp_path / "stranger"))
    assert (Reason.NOT_ACCEPTED, REFUSED) == bench.judge(draft(stranger, tst_info()))


def test_an_authority_that_is_accepted_for_signatures_only(bench: StampBench, tmp_path: Any) -> None:
    """Invalid: senders' authorities don't issue timestamps unless their terms say so."""
    bench.pki.install(tmp_path / "authorities", "signatures")
    other = dataclasses.replace(bench, accepted=load(tmp_path / "authorities"))
    assert other.ours(bench.draft().dump()) is Reason.POLICY


def test_a_certificate_that_was_revoked(tmp_path: Any) -> None:
    """Invalid: a clock that was stolen tells no time."""
    own = StampBench.open(tmp_path)
    own.pki.revoke(own.signer)
    own.pki.install(tmp_path / "stamp-authorities", "stamps")
    revoked = dataclasses.replace(own, accepted=load(tmp_path / "stamp-authorities"))
    assert revoked.ours(own.draft().dump()) is Reason.REVOKED


def test_a_revocation_that_nobody_knows(bench: StampBench) -> None:
    """Undecided: without lists the question is asked again later."""
    entries = tuple(dataclasses.replace(entry, crls=()) for entry in bench.accepted)
    with pytest.raises(TrustUnavailable):
        verify_stamp(Stamp(bench.draft().dump(), STAMPED), Authorities(entries), now())


def test_the_certificate_twice(bench: StampBench) -> None:
    """Invalid: which one is meant would be the verifier's choice."""
    spoilt = bench.draft()
    spoilt.certificates *= 2
    assert bench.ours(spoilt.dump()) is Reason.TIMESTAMP


def test_a_clock_with_its_chain(bench: StampBench) -> None:
    """Valid: the authorities' certificates may come along; they are not needed."""
    chained = bench.draft()
    chained.certificates.append(asn1.Certificate.load(certificate_of(_issuing(bench)).dump()))
    assert (ACCEPTED, ACCEPTED) == bench.judge(chained)


def _issuing(bench: StampBench) -> Credential:
    return bench.pki.issuing_credential
