"""CMS signatures with timestamps (CAdES-T) at the port: what a stamp adds, and when it refuses the signature."""

import asyncio
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import cms, core, keys
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.sign.signers.pdf_cms import SimpleSigner
from pyhanko.sign.timestamps.dummy_client import DummyTimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

from signing.evidence import Evidence, Fault, Reason, TrustUnavailable
from signing.policy import Policy
from signing.timestamp import MAX_BYTES, MAX_STAMPS
from signing.trust import authorities
from signing.trust.authorities import Authorities, load
from signing.trust.terms import check_terms
from tests import signers
from tests.authority import Credential, now
from tests.cms_builder import Bench, certificate_of, element, spliced
from tests.timestamps import StampBench, draft, issue, openssl_token, tst_info, value_of, with_stamps

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def stamps(tmp_path_factory: pytest.TempPathFactory) -> StampBench:
    """A timestamp authority, accepted beside the senders' one."""
    return StampBench.open(tmp_path_factory.mktemp("stamps"))


@pytest.fixture(scope="module")
def bench(stamps: StampBench, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A senders' authority beside it, and a file to sign."""
    senders = Bench.open(tmp_path_factory.mktemp("bench"))
    return dataclasses.replace(senders, accepted=Authorities((*senders.accepted, *stamps.accepted)))


@pytest.fixture
def signature(bench: Bench) -> bytes:
    """A good signature without timestamps."""
    return bench.draft().dump()


def stamp(stamps: StampBench, signature: bytes, at: datetime | None = None) -> bytes:
    """A good token about a signature."""
    info = tst_info(value_of(signature), gen_time=core.GeneralizedTime(at or now()))
    return stamps.draft(info).dump()


def reason(bench: Bench, signature: bytes, policy: Policy | None = None) -> Reason:
    """Expect a fault and give its reason."""
    verdict = bench.verify(signature, policy or Policy())
    assert isinstance(verdict, Fault), verdict
    return verdict.reason


def evidence_of(bench: Bench, signature: bytes) -> Evidence:
    """Expect evidence."""
    verdict = bench.verify(signature)
    assert isinstance(verdict, Evidence), verdict
    return verdict


def test_a_timestamp_is_no_defect(signature: bytes, bench: Bench, stamps: StampBench) -> None:
    """A signature timestamp is the one unsigned attribute that may be there; the evidence has its time."""
    before = now() - HOUR
    found = evidence_of(bench, with_stamps(signature, stamp(stamps, signature, before)))
    assert (found.stamped_at, found.ignored_stamps) == (before, 0)


def test_a_timestamp_by_openssl(signature: bytes, bench: Bench, stamps: StampBench) -> None:
    """OpenSSL's timestamp authority is understood, and OpenSSL understands the whole."""
    whole = with_stamps(signature, openssl_token(stamps.folder, stamps.signer, value_of(signature)))
    assert bench.openssl(whole) == "accepted"
    assert evidence_of(bench, whole).stamped_at is not None


def test_a_signature_with_timestamp_by_pyhanko(bench: Bench, stamps: StampBench) -> None:
    """CAdES-T by a client of its own, with pyHanko's timestamper."""
    clock = issue(stamps.pki, "rsa-2048")
    timestamper = DummyTimeStamper(certificate_of(clock), _key(clock))
    who = bench.pki.issue("CAdES-T")
    store = SimpleCertificateStore()  # type: ignore[no-untyped-call]  # the library annotates it in part
    signer = SimpleSigner(certificate_of(who), _key(who), store)
    done = asyncio.run(
        signer.async_sign_general_data(
            bench.data.read_bytes(), "sha256", detached=True, use_cades=True, timestamper=timestamper
        )
    )
    found = evidence_of(bench, done.dump())
    assert found.stamped_at is not None
    assert found.signed_at is not None


def test_the_earliest_of_several_counts(signature: bytes, bench: Bench, stamps: StampBench) -> None:
    """Each proves that the signature existed by then; the earliest says most."""
    early, late = now() - 2 * HOUR, now() - HOUR
    tokens = [stamp(stamps, signature, moment) for moment in (late, early)]
    assert evidence_of(bench, with_stamps(signature, *tokens)).stamped_at == early


def test_a_timestamp_by_nobody_accepted_is_ignored(signature: bytes, bench: Bench, tmp_path: Path) -> None:
    """It proves nothing and harms nothing: the evidence counts it and has no time from it."""
    stranger = StampBench.open(tmp_path)
    found = evidence_of(bench, with_stamps(signature, stamp(stranger, signature, now() - 400 * HOUR)))
    assert (found.stamped_at, found.ignored_stamps) == (None, 1)


def test_a_timestamp_by_a_senders_authority_is_ignored(signature: bytes, bench: Bench) -> None:
    """An authority that is accepted for signatures vouches for no clock."""
    token = draft(issue(bench.pki), tst_info(value_of(signature))).dump()
    found = evidence_of(bench, with_stamps(signature, token))
    assert (found.stamped_at, found.ignored_stamps) == (None, 1)


def test_a_timestamp_by_a_senders_authority_with_a_usage_of_its_own(
    signature: bytes, bench: Bench, tmp_path: Path
) -> None:
    """What it asks of its signers' certificates is nothing to its clocks: the timestamp is ignored, not refused."""
    pki = bench.pki
    terms = check_terms({"key_usages": ["non_repudiation"]})
    narrow = authorities.add(tmp_path / "narrow", "narrow", pki.issuing, [pki.root], pki.crls, terms)
    token = draft(issue(pki, key_usage="digital_signature"), tst_info(value_of(signature))).dump()
    found = evidence_of(dataclasses.replace(bench, accepted=Authorities((narrow,))), with_stamps(signature, token))
    assert (found.stamped_at, found.ignored_stamps) == (None, 1)


def test_a_timestamp_authority_that_was_revoked_after_the_receipt(
    signature: bytes, bench: Bench, tmp_path: Path
) -> None:
    """Good, or refused where policy says that later revocations count: for whoever signs and whoever stamps alike."""
    stamps = StampBench.open(tmp_path)
    whole = with_stamps(signature, stamp(stamps, signature))
    stamps.pki.revoke(stamps.signer, now() + HOUR)
    authorities.replace_crls(tmp_path / "stamp-authorities", "stamps", stamps.pki.crls)
    accepted = Authorities((*bench.accepted, *load(tmp_path / "stamp-authorities")))
    later = dataclasses.replace(bench, accepted=accepted)
    assert evidence_of(later, whole).stamped_at is not None
    assert reason(later, whole, Policy(later_revocation_counts=True)) is Reason.TIMESTAMP


def test_a_senders_certificate_by_a_clocks_authority(stamps: StampBench, bench: Bench) -> None:
    """And an authority that is accepted for timestamps vouches for no sender."""
    der = signers.cms(bench.data, stamps.pki.issue("Not a sender"))
    assert reason(bench, der) is Reason.POLICY


def test_a_broken_timestamp_by_a_stranger(signature: bytes, bench: Bench, tmp_path: Path) -> None:
    """What cannot be verified as a token is refused, whoever made it."""
    stranger = StampBench.open(tmp_path)
    assert reason(bench, with_stamps(signature, stranger.draft().dump())) is Reason.TIMESTAMP


def test_a_timestamp_of_another_signature(signature: bytes, bench: Bench, stamps: StampBench) -> None:
    """A token that was moved here proves nothing about this signature."""
    other = stamp(stamps, bench.draft().dump())
    assert reason(bench, with_stamps(signature, other)) is Reason.TIMESTAMP


def test_a_timestamp_of_the_file(signature: bytes, bench: Bench, stamps: StampBench) -> None:
    """It must be about the signature's value (EN 319 122-1, 5.3)."""
    token = stamps.draft(tst_info(bench.data.read_bytes())).dump()
    assert reason(bench, with_stamps(signature, token)) is Reason.TIMESTAMP


def test_a_bad_timestamp_beside_a_good_one(signature: bytes, bench: Bench, stamps: StampBench) -> None:
    """One that is bad refuses the signature."""
    tokens = (stamp(stamps, signature), stamps.draft().dump())
    assert reason(bench, with_stamps(signature, *tokens)) is Reason.TIMESTAMP


def test_a_signature_in_place_of_the_token(signature: bytes, bench: Bench) -> None:
    """A signature over a file tells no time."""
    assert reason(bench, with_stamps(signature, signature)) is Reason.TIMESTAMP


def test_a_timestamp_later_than_the_receipt(signature: bytes, bench: Bench, stamps: StampBench) -> None:
    """A proof from the future is none."""
    assert reason(bench, with_stamps(signature, stamp(stamps, signature, now() + HOUR))) is Reason.TIME


def test_a_timestamp_too_long_before_the_receipt(signature: bytes, bench: Bench, stamps: StampBench) -> None:
    """How old a signature may be is policy."""
    whole = with_stamps(signature, stamp(stamps, signature, now() - 3 * HOUR))
    assert reason(bench, whole, Policy(before=HOUR)) is Reason.TIME
    assert isinstance(bench.verify(whole, Policy(before=4 * HOUR)), Evidence)


def test_too_many_timestamps(signature: bytes, bench: Bench, stamps: StampBench) -> None:
    """Each costs a verification, so their number is bounded."""
    tokens = [stamp(stamps, signature)] * (MAX_STAMPS + 1)
    assert reason(bench, with_stamps(signature, *tokens)) is Reason.SHAPE
    assert isinstance(bench.verify(with_stamps(signature, *tokens[1:])), Evidence)


@pytest.mark.parametrize("count", [0, 2])
def test_a_timestamp_attribute_without_one_value(
    count: int, signature: bytes, bench: Bench, stamps: StampBench
) -> None:
    """One attribute, one token."""
    token = stamp(stamps, signature)
    whole = with_stamps(signature, token)
    assert reason(bench, spliced(whole, element(0x31, token), element(0x31, token * count))) is Reason.SHAPE


def test_a_timestamp_of_immense_size(signature: bytes, bench: Bench, stamps: StampBench) -> None:
    """The bound is checked before the token is read."""
    token = stamps.draft(tst_info(serial_number=1 << (8 * MAX_BYTES))).dump()
    assert reason(bench, with_stamps(signature, token)) is Reason.SHAPE


@pytest.mark.parametrize(
    "other",
    [
        pytest.param("1.2.840.113549.1.9.16.2.48", id="archive timestamp"),
        pytest.param("1.2.840.113549.1.9.16.2.26", id="timestamp of certificates"),
        pytest.param("1.2.3.4", id="unknown"),
    ],
)
def test_another_unsigned_attribute(other: str, bench: Bench) -> None:
    """Only signature timestamps are let be."""
    unsigned = bench.draft()
    more = element(0x30, core.ObjectIdentifier(other).dump() + element(0x31, b"\x05\x00"))
    unsigned.inside = {"unsigned_attrs": [cms.CMSAttribute.load(more)]}
    assert reason(bench, unsigned.dump()) is Reason.SHAPE


def test_a_clock_that_expired(signature: bytes, bench: Bench, stamps: StampBench) -> None:
    """Its authority is accepted, so it is judged: at the moment of receipt it was good no more."""
    clock = issue(stamps.pki, not_after=now() - HOUR)
    token = draft(clock, tst_info(value_of(signature))).dump()
    assert reason(bench, with_stamps(signature, token)) is Reason.TIMESTAMP


def test_a_clock_that_was_revoked(bench: Bench, tmp_path: Path) -> None:
    """A stolen clock refuses the signature."""
    own = StampBench.open(tmp_path)
    own.pki.revoke(own.signer)
    own.pki.install(tmp_path / "stamp-authorities", "stamps")
    lists = Authorities((*bench.accepted, *load(tmp_path / "stamp-authorities")))
    signature = bench.draft().dump()
    assert reason(dataclasses.replace(bench, accepted=lists), with_stamps(signature, stamp(own, signature))) is (
        Reason.TIMESTAMP
    )


def without_lists(bench: Bench) -> Bench:
    """The same bench, where nobody knows which clocks were revoked."""
    entries = (dataclasses.replace(entry, crls=()) if entry.name == "stamps" else entry for entry in bench.accepted)
    return dataclasses.replace(bench, accepted=Authorities(tuple(entries)))


def test_a_clock_of_which_nobody_knows(signature: bytes, bench: Bench, stamps: StampBench) -> None:
    """Without its lists the question is asked again later."""
    with pytest.raises(TrustUnavailable):
        without_lists(bench).verify(with_stamps(signature, stamp(stamps, signature)))


def test_who_is_refused_anyway_waits_for_no_clock(bench: Bench, stamps: StampBench) -> None:
    """A signer that nobody accepts is refused at once, whatever is known of the clock."""
    expired = bench.pki.issue("Expired", not_after=now() - HOUR)
    signature = signers.cms(bench.data, expired)
    whole = with_stamps(signature, stamp(stamps, signature))
    assert reason(without_lists(bench), whole) is Reason.EXPIRED


def test_a_timestamp_saves_no_expired_certificate(bench: Bench, stamps: StampBench) -> None:
    """The certificate must be good at receipt, also where a stamp proves that it was when it signed."""
    expired = bench.pki.issue("Expired", not_after=now() - HOUR)
    signature = signers.cms(bench.data, expired)
    assert reason(bench, with_stamps(signature, stamp(stamps, signature, now() - 2 * HOUR))) is Reason.EXPIRED


Change = Callable[[bytes], bytes]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda token: token[:-1] + bytes([token[-1] ^ 1]), id="signature"),
        pytest.param(lambda token: token.replace(b"Stamps", b"Stumps"), id="names"),
    ],
)
def test_a_token_that_was_changed(change: Change, signature: bytes, bench: Bench, stamps: StampBench) -> None:
    """A token that was touched refuses the signature."""
    assert reason(bench, with_stamps(signature, change(stamp(stamps, signature)))) is Reason.TIMESTAMP


def test_a_time_before_all_computers(signature: bytes, bench: Bench, stamps: StampBench) -> None:
    """A clock that tells nonsense is believed where no policy says how old a signature may be."""
    long_ago = datetime(1, 1, 1, tzinfo=UTC)
    token = stamps.draft(tst_info(value_of(signature), gen_time=core.GeneralizedTime.load(b"\x18\x0f00010101000000Z")))
    assert evidence_of(bench, with_stamps(signature, token.dump())).stamped_at == long_ago
    assert reason(bench, with_stamps(signature, token.dump()), Policy(before=HOUR)) is Reason.TIME


def _key(credential: Credential) -> keys.PrivateKeyInfo:
    private = credential.private()
    return keys.PrivateKeyInfo.load(private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
