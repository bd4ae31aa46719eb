"""One defect of a CMS signature for each vector, each named for it, with the reason it must be refused for."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms as asn1
from asn1crypto import core
from cryptography.x509 import ObjectIdentifier, UnrecognizedExtension
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from signing.der import is_der
from signing.evidence import Evidence, Fault, Reason
from signing.trust.authorities import Authorities
from signing.verify import verify_detached
from tests import signers
from tests.authority import Credential, Pki, now

CONTENT = b"<Forms>\r\n <Form/>\r\n</Forms>\r\n"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """An authority on P-256."""
    return Pki.create(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The signed file."""
    path = tmp_path_factory.mktemp("data") / "FI.DIMN.123456.20261121.00001.R.1.1"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture(scope="module")
def signer(pki: Pki) -> Credential:
    """Somebody whose signature would be accepted."""
    return pki.issue("An Invented Signer")


@pytest.fixture(scope="module")
def good(data: Path, signer: Credential) -> bytes:
    """A signature that is accepted as it is."""
    return signers.cms(data, signer)


@pytest.fixture
def reason(data: Path, accepted: Authorities) -> Callable[[bytes], Reason]:
    """Verify DER and give the reason for which it is refused."""

    def judge(der: bytes) -> Reason:
        verdict = verify_detached(data, base64.b64encode(der), authorities=accepted, at=now())
        assert isinstance(verdict, Fault), verdict
        return verdict.reason

    return judge


Judge = Callable[[bytes], Reason]


def changed(der: bytes, change: Callable[[Any], None]) -> bytes:
    """The signature after a change to its SignedData."""
    info = asn1.ContentInfo.load(der)
    signed = info["content"].copy()
    change(signed)
    rebuilt: bytes = asn1.ContentInfo({"content_type": "signed_data", "content": signed}).dump(force=True)
    return rebuilt


def rebuilt_signer(signed: Any, **fields: Any) -> None:
    """Replace fields of the one signer."""
    [signer] = signed["signer_infos"]
    kept = {name: signer[name] for name in signer if not isinstance(signer[name], core.Void)}
    signed["signer_infos"] = [asn1.SignerInfo(kept | fields)]


def test_the_undisturbed_signature_is_accepted(good: bytes, data: Path, accepted: Authorities) -> None:
    """What the vectors below disturb is good, also after it was taken apart and put together."""
    rebuilt = changed(good, rebuilt_signer)
    verdict = verify_detached(data, base64.b64encode(rebuilt), authorities=accepted, at=now())
    assert isinstance(verdict, Evidence)


@pytest.mark.parametrize("tail", [b"\x00", b"\x05\x00", b"\n"])
def test_a_byte_behind_the_structure(tail: bytes, good: bytes, reason: Judge) -> None:
    """The structure ends with the last byte."""
    assert reason(good + tail) is Reason.SYNTAX


def test_indefinite_lengths(data: Path, signer: Credential, reason: Judge) -> None:
    """OpenSSL's streaming output is BER, and refused."""
    streamed = signers.cms(data, signer, "-stream", "-nodetach")
    assert streamed[1] == 0x80
    assert reason(streamed) is Reason.SYNTAX


def test_not_signed_data(reason: Judge) -> None:
    """Another content type of CMS is no signature."""
    assert reason(asn1.ContentInfo({"content_type": "data", "content": b"x"}).dump()) is Reason.SHAPE


def test_content_of_its_own(good: bytes, reason: Judge) -> None:
    """A signature that carries content could show another file than the one beside it."""

    def attach(signed: Any) -> None:
        signed["encap_content_info"] = {"content_type": "data", "content": CONTENT}

    assert reason(changed(good, attach)) is Reason.SHAPE


def test_content_type_other_than_data(data: Path, signer: Credential, reason: Judge) -> None:
    """The inner type must be data."""
    assert reason(signers.cms(data, signer, "-econtent_type", "1.2.3.4")) is Reason.SHAPE


def test_no_signed_attributes(data: Path, signer: Credential, reason: Judge) -> None:
    """Without signed attributes the signature could be replayed as one over other content."""
    assert reason(signers.cms(data, signer, "-noattr")) is Reason.SHAPE


@pytest.mark.parametrize("missing", ["content_type", "message_digest"])
def test_a_mandatory_attribute_is_missing(missing: str, good: bytes, reason: Judge) -> None:
    """Content type and message digest must be there."""

    def drop(signed: Any) -> None:
        attributes = signed["signer_infos"][0]["signed_attrs"]
        rebuilt_signer(signed, signed_attrs=[a for a in attributes if a["type"].native != missing])

    assert reason(changed(good, drop)) is Reason.SHAPE


def test_an_attribute_twice(good: bytes, reason: Judge) -> None:
    """Two message digests leave open which one counts."""

    def double(signed: Any) -> None:
        attributes = list(signed["signer_infos"][0]["signed_attrs"])
        twice = next(a for a in attributes if a["type"].native == "message_digest")
        rebuilt_signer(signed, signed_attrs=[*attributes, twice])

    assert reason(changed(good, double)) is Reason.SHAPE


def test_an_attribute_with_two_values(good: bytes, reason: Judge) -> None:
    """So do two values in one attribute."""

    def widen(signed: Any) -> None:
        attributes = list(signed["signer_infos"][0]["signed_attrs"])
        others = [a for a in attributes if a["type"].native != "message_digest"]
        wide = asn1.CMSAttribute({"type": "message_digest", "values": [b"1" * 32, b"2" * 32]})
        rebuilt_signer(signed, signed_attrs=[*others, wide])

    assert reason(changed(good, widen)) is Reason.SHAPE


def test_two_signers(data: Path, pki: Pki, signer: Credential, reason: Judge) -> None:
    """One signer, or it isn't clear who is responsible."""
    other = pki.issue("A Second Signer")
    both = ("-signer", str(other.certificate), "-inkey", str(other.key))
    assert reason(signers.cms(data, signer, *both)) is Reason.SHAPE


def test_no_signer(good: bytes, reason: Judge) -> None:
    """A bag of certificates is no signature."""

    def empty(signed: Any) -> None:
        signed["signer_infos"] = []

    assert reason(changed(good, empty)) is Reason.SHAPE


def test_an_unsigned_attribute(good: bytes, reason: Judge) -> None:
    """Nothing unsigned may ride along: here, a counter-signature."""

    def add(signed: Any) -> None:
        signer_info = signed["signer_infos"][0].copy()
        rebuilt_signer(signed, unsigned_attrs=[{"type": "counter_signature", "values": [signer_info]}])

    assert reason(changed(good, add)) is Reason.SHAPE


def test_no_certificate(data: Path, signer: Credential, reason: Judge) -> None:
    """The signer's certificate must be included."""
    assert reason(signers.cms(data, signer, "-nocerts")) is Reason.NO_CERTIFICATE


def test_only_somebody_elses_certificate(good: bytes, pki: Pki, reason: Judge) -> None:
    """A certificate that the signer doesn't point at is not the signer's."""
    other = asn1.Certificate.load(_der(pki.issue("Somebody Else")))

    def swap(signed: Any) -> None:
        signed["certificates"] = [other]

    assert reason(changed(good, swap)) is Reason.NO_CERTIFICATE


def test_a_certificate_of_the_same_number(good: bytes, pki: Pki, signer: Credential, reason: Judge) -> None:
    """Issuer and number alone prove nothing: the key must match."""
    impostor = asn1.Certificate.load(_der(pki.issue("Impostor", serial=signer.read().serial_number)))

    def swap(signed: Any) -> None:
        signed["certificates"] = [impostor]

    assert reason(changed(good, swap)) is Reason.SIGNATURE


def test_too_many_certificates(data: Path, pki: Pki, signer: Credential, tmp_path: Path, reason: Judge) -> None:
    """The signer's and eight more are enough for any chain."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(b"".join(pki.issue(f"Number {i}").certificate.read_bytes() for i in range(9)))
    assert reason(signers.cms(data, signer, "-certfile", str(bundle))) is Reason.SHAPE


def test_an_oversized_certificate(data: Path, pki: Pki, reason: Judge) -> None:
    """A certificate of more than 8 kB is made to keep a verifier busy."""
    padding = UnrecognizedExtension(ObjectIdentifier("1.2.3.4.5"), core.OctetString(bytes(9000)).dump())
    assert reason(signers.cms(data, pki.issue("Big", extensions=[padding]))) is Reason.SHAPE


def test_an_authority_as_signer(data: Path, pki: Pki, reason: Judge) -> None:
    """An authority signs certificates, not declarations."""
    assert reason(signers.cms(data, pki.issuing_credential)) is Reason.SHAPE


def test_sha_1(data: Path, signer: Credential, reason: Judge) -> None:
    """SHA-1 is refused though OpenSSL accepts it."""
    assert reason(signers.cms(data, signer, "-md", "sha1")) is Reason.ALGORITHM


def test_md5(data: Path, pki: Pki, reason: Judge) -> None:
    """So is MD5."""
    assert reason(signers.cms(data, pki.issue("Old", key="rsa-2048"), "-md", "md5")) is Reason.ALGORITHM


@pytest.mark.parametrize("key", ["rsa-1024", "p-192"])
def test_a_weak_key(key: str, data: Path, pki: Pki, tmp_path: Path, reason: Judge) -> None:
    """Short keys are refused though OpenSSL accepts them."""
    der = signers.cms(data, pki.issue("Weak", key=key))
    assert signers.accepts(data, der, pki.issuing, tmp_path)
    assert reason(der) is Reason.KEY


def test_a_digest_that_does_not_go_with_the_algorithm(good: bytes, reason: Judge) -> None:
    """The digest of the file and that of the attributes are the same one (RFC 5754)."""

    def mix(signed: Any) -> None:
        rebuilt_signer(signed, digest_algorithm={"algorithm": "sha512"})

    assert reason(changed(good, mix)) is Reason.ALGORITHM


def test_an_algorithm_that_does_not_go_with_the_key(good: bytes, reason: Judge) -> None:
    """RSA can't be verified with a point on a curve."""

    def mix(signed: Any) -> None:
        rebuilt_signer(signed, signature_algorithm={"algorithm": "sha256_rsa"})

    assert reason(changed(good, mix)) is Reason.ALGORITHM


def test_pss_with_two_digests(data: Path, pki: Pki, reason: Judge) -> None:
    """PSS mixes no digests."""
    options = ("-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_mgf1_md:sha512")
    assert reason(signers.cms(data, pki.issue("Mixed", key="rsa-2048"), *options)) is Reason.ALGORITHM


def test_a_message_digest_of_the_wrong_length(good: bytes, reason: Judge) -> None:
    """A digest has the length of its algorithm."""

    def shorten(signed: Any) -> None:
        attributes = [a for a in signed["signer_infos"][0]["signed_attrs"] if a["type"].native != "message_digest"]
        short = asn1.CMSAttribute({"type": "message_digest", "values": [b"1" * 16]})
        rebuilt_signer(signed, signed_attrs=[*attributes, short])

    assert reason(changed(good, shorten)) is Reason.ALGORITHM


def test_another_signature_value(good: bytes, reason: Judge) -> None:
    """A signature by nobody matches no certificate."""

    def forge(signed: Any) -> None:
        value = signed["signer_infos"][0]["signature"].native
        rebuilt_signer(signed, signature=value[:-1] + bytes([value[-1] ^ 1]))

    assert reason(changed(good, forge)) is Reason.SIGNATURE


def test_an_attribute_changed_after_signing(good: bytes, reason: Judge) -> None:
    """Putting in the digest of another file breaks the signature over the attributes."""

    def forge(signed: Any) -> None:
        attributes = [a for a in signed["signer_infos"][0]["signed_attrs"] if a["type"].native != "message_digest"]
        other = asn1.CMSAttribute({"type": "message_digest", "values": [b"2" * 32]})
        rebuilt_signer(signed, signed_attrs=[*attributes, other])

    assert reason(changed(good, forge)) is Reason.SIGNATURE


@pytest.mark.parametrize("content", [b"", CONTENT + b" ", CONTENT[:-1], CONTENT.replace(b"Form/", b"form/")])
def test_another_file(content: bytes, good: bytes, accepted: Authorities, tmp_path: Path) -> None:
    """One changed byte makes it another file; text mode doesn't hide that."""
    other = tmp_path / "FI.DIMN.123456.20261121.00001.R.1.1"
    other.write_bytes(content)
    verdict = verify_detached(other, base64.b64encode(good), authorities=accepted, at=now())
    assert verdict == Fault(Reason.TAMPERED, "The file is not the one that was signed.")


def test_a_file_that_cannot_be_read_is_our_own_trouble(good: bytes, accepted: Authorities, tmp_path: Path) -> None:
    """A missing file is no fault of the sender: the error comes through."""
    with pytest.raises(FileNotFoundError):
        verify_detached(tmp_path / "gone", base64.b64encode(good), authorities=accepted, at=now())


@given(content=st.binary(max_size=300))
@example(content=b"<")
@example(content=b"0\x80\x00\x00")
@example(content=b"0" * 300)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_are_refused_with_a_reason(content: bytes, data: Path, accepted: Authorities) -> None:
    """Bytes of any kind, as they are or in base64, end in a fault and never in an exception."""
    for signature in (content, base64.b64encode(content)):
        assert isinstance(verify_detached(data, signature, authorities=accepted, at=now()), Fault)


@given(position=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_changed_byte_never_makes_another_signer(
    position: float, value: int, good: bytes, data: Path, accepted: Authorities, signer: Credential
) -> None:
    """A changed signature is refused, or the change was where it means nothing and the evidence is the same."""
    at = int(position * len(good))
    der = good[:at] + bytes([value]) + good[at + 1 :]
    verdict = verify_detached(data, base64.b64encode(der), authorities=accepted, at=now())
    assert isinstance(verdict, Fault) or verdict.certificate == _der(signer)


@given(end=st.floats(0, 1, exclude_max=True))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_cut_signature_is_refused(end: float, good: bytes, data: Path, accepted: Authorities) -> None:
    """A part of a signature is a fault of syntax, wherever it ends."""
    der = good[: int(end * len(good))]
    verdict = verify_detached(data, base64.b64encode(der), authorities=accepted, at=now())
    assert isinstance(verdict, Fault)
    assert verdict.reason is Reason.SYNTAX


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("3003020101", True, id="sequence"),
        pytest.param("0500", True, id="empty value"),
        pytest.param("048180" + "00" * 128, True, id="long form where it is needed"),
        pytest.param("068180" + "01" * 128, True, id="object identifier of 128 bytes"),
        pytest.param("068181" + "01" * 129, False, id="object identifier of 129 bytes"),
        pytest.param("", False, id="nothing"),
        pytest.param("30", False, id="no length"),
        pytest.param("3004020101", False, id="too short"),
        pytest.param("300302010100", False, id="byte behind"),
        pytest.param("3080020101" + "0000", False, id="indefinite length"),
        pytest.param("048105" + "0000000000", False, id="long form for a short length"),
        pytest.param("04820080" + "00" * 128, False, id="length with a leading zero"),
        pytest.param("3003020201", False, id="inner element overruns"),
        pytest.param("2403040100", False, id="octets in pieces"),
        pytest.param("1f810001" + "00", False, id="tag in several bytes"),
        pytest.param("30" * 3 + "00", False, id="lengths that are tags"),
    ],
)
def test_der_is_one_element_to_the_last_byte(content: str, *, expected: bool) -> None:
    """The frame is definite, minimal and exact (X.690, 10.1)."""
    assert is_der(bytes.fromhex(content)) is expected


def test_deep_nesting_is_refused() -> None:
    """A structure deeper than any signature is refused before it is recursed into."""
    content = b""
    for _ in range(60):
        content = bytes([0x30, len(content)]) + content
    assert not is_der(content)


def _der(credential: Credential) -> bytes:
    der: bytes = asn1.Certificate.load(
        base64.b64decode("".join(credential.certificate.read_text().splitlines()[1:-1]))
    ).dump()
    return der
