"""The gateway's own key and signature, judged by OpenSSL and by our own verifier."""

import base64
import io
import stat
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from pyhanko.sign.validation.generic_cms import async_validate_detached_cms
from pyhanko_certvalidator import ValidationContext

from config.errors import ConfigurationError
from signing.evidence import Evidence
from signing.own.keys import create_signing_key
from signing.own.sign import OtherKeySignedError, Signature, Signer
from signing.policy import Policy
from signing.trust import authorities
from signing.verify import verify_detached
from tests import signers
from tests.authority import Credential, Pki, now
from tests.timestamps import StampBench, openssl_token

ANSWER = b'<?xml version="1.0" encoding="UTF-8"?>\n<ACRF/>\n'


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Credential:
    """A key and certificate as the gateway makes them."""
    folder = tmp_path_factory.mktemp("keys")
    pair = Credential(folder / "signing.key", folder / "signing.pem")
    create_signing_key(pair.key, pair.certificate, "Invented Gateway")
    return pair


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """An authority that may have issued the gateway's certificate instead."""
    return Pki.create(tmp_path_factory.mktemp("pki"))


def faults(key: Path, certificate: Path) -> tuple[str, ...]:
    """Why a key and certificate can't be used."""
    with pytest.raises(ConfigurationError) as caught:
        Signer.open(key, certificate)
    return caught.value.faults


def sign(pair: Credential, data: bytes = ANSWER) -> Signature:
    """A signature over ``data``."""
    return Signer.open(pair.key, pair.certificate).sign(data, now())


def test_a_new_key_is_rsa_3072_and_the_owners_alone(pair: Credential) -> None:
    """The key is long enough for years, and its file is nobody else's."""
    key = load_pem_private_key(pair.key.read_bytes(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert (key.key_size, stat.S_IMODE(pair.key.stat().st_mode)) == (3072, 0o600)


def test_a_new_certificate_is_for_signing_and_five_years(pair: Credential) -> None:
    """It says what it is for, and that it is no authority."""
    certificate = pair.read()
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert "CN=Invented Gateway" == certificate.subject.rfc4514_string()
    assert (usage.digital_signature, usage.content_commitment, usage.key_cert_sign, constraints.ca) == (
        True,
        True,
        False,
        False,
    )
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=5 * 365)


@pytest.mark.parametrize("existing", ["key", "certificate"])
def test_a_key_is_never_overwritten(existing: str, tmp_path: Path) -> None:
    """Whichever of the two is there, nothing is written."""
    (tmp_path / existing).write_text("precious")
    with pytest.raises(ConfigurationError) as caught:
        create_signing_key(tmp_path / "key", tmp_path / "certificate", "x")
    assert caught.value.faults == (f"{tmp_path / existing}: the file exists",)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["precious"]


def test_a_key_needs_a_folder(tmp_path: Path) -> None:
    """A folder that isn't there is a fault of the configuration, not a traceback."""
    with pytest.raises(ConfigurationError):
        create_signing_key(tmp_path / "none" / "key", tmp_path / "none" / "certificate", "x")


@pytest.mark.parametrize("answer", [ANSWER, b"", b"\r\n" * 1000, bytes(range(256))])
def test_openssl_verifies_our_signature(answer: bytes, pair: Credential, tmp_path: Path) -> None:
    """The receiver's tool accepts it over the bytes as they are, and no others."""
    der = sign(pair, answer).cms()
    data = tmp_path / "FO.ACRF"
    data.write_bytes(answer)
    assert signers.accepts(data, der, pair.certificate, tmp_path)
    data.write_bytes(answer + b"x")
    assert not signers.accepts(data, der, pair.certificate, tmp_path)


@pytest.mark.parametrize("key", ["p-256", "p-384", "rsa-2048"])
def test_our_own_verifier_accepts_it(key: str, pki: Pki, tmp_path: Path) -> None:
    """With a certificate of an accepted authority, what we sign passes what we demand."""
    pki.install(tmp_path / "authorities", "test")
    pair = pki.issue("Gateway", key=key)
    data = tmp_path / "FO.ACRF"
    data.write_bytes(ANSWER)
    signature = sign(pair).text()
    accepted = authorities.load(tmp_path / "authorities")
    verdict = verify_detached(data, signature, authorities=accepted, at=now(), policy=Policy(leniencies=frozenset()))
    assert isinstance(verdict, Evidence)
    assert verdict.leniencies == ()


def test_the_receivers_tools_accept_a_stamped_signature(pki: Pki, tmp_path: Path) -> None:
    """CAdES-T: OpenSSL reads on, and our own verifier takes its time from the timestamp of an accepted authority."""
    folder = tmp_path / "authorities"
    pki.install(folder, "test")
    clock = StampBench.open(tmp_path, folder).signer
    pair = pki.issue("Gateway")
    data = tmp_path / "FO.ACRF"
    data.write_bytes(ANSWER)
    plain = sign(pair)
    stamped = plain.stamped(openssl_token(tmp_path, clock, plain.value))

    assert signers.accepts(data, stamped.cms(), pki.issuing, tmp_path)
    verdict = verify_detached(data, stamped.text(), authorities=authorities.load(folder), at=now())
    assert isinstance(verdict, Evidence)
    assert verdict.stamped_at is not None
    assert plain.value in plain.cms() != stamped.cms()


def trusting(pki: Pki) -> ValidationContext:
    """What pyHanko needs to accept the certificates of ``pki``."""
    root, issuing = (
        asn1.Certificate.load(credential.read().public_bytes(Encoding.DER))
        for credential in (pki.root_credential, pki.issuing_credential)
    )
    return ValidationContext(trust_roots=[root], other_certs=[issuing])


@pytest.mark.parametrize("is_stamped", [False, True])
async def test_pyhanko_accepts_it(is_stamped: bool, pki: Pki, tmp_path: Path) -> None:
    """A third opinion, which reads every attribute of CAdES, and the timestamp."""
    bench = StampBench.open(tmp_path)
    signature = sign(pki.issue("Gateway", key="rsa-2048"))
    if is_stamped:
        signature = signature.stamped(openssl_token(tmp_path, bench.signer, signature.value))
    content = cms.ContentInfo.load(signature.cms(), strict=True)["content"]
    status = await async_validate_detached_cms(io.BytesIO(ANSWER), content, trusting(pki), trusting(bench.pki))

    assert status.bottom_line
    assert is_stamped == (status.timestamp_validity is not None)


def test_a_timestamp_changes_nothing_that_was_signed(pair: Credential, tmp_path: Path) -> None:
    """The same attributes, the same value, one attribute more."""
    bench = StampBench.open(tmp_path)
    plain = sign(pair)
    stamped = plain.stamped(openssl_token(tmp_path, bench.signer, plain.value))
    [before], [after] = (
        cms.ContentInfo.load(one.cms(), strict=True)["content"]["signer_infos"] for one in (plain, stamped)
    )

    assert before["signed_attrs"].dump() == after["signed_attrs"].dump()
    assert before["signature"].dump() == after["signature"].dump()
    assert ["signature_time_stamp_token"] == [attribute["type"].native for attribute in after["unsigned_attrs"]]


def test_it_says_when_it_was_made(pair: Credential) -> None:
    """The signing time is the moment that it is told, in UTC."""
    brussels = datetime(2026, 11, 21, 10, 30, 15, 999999, tzinfo=timezone(timedelta(hours=1)))
    signature = Signer.open(pair.key, pair.certificate).sign(ANSWER, brussels)
    times = [
        attribute["values"][0].native
        for attribute in cms.CMSAttributes.load(signature.attributes)
        if attribute["type"].native == "signing_time"
    ]
    assert [datetime(2026, 11, 21, 9, 30, 15, tzinfo=UTC)] == times


def test_it_has_the_attributes_of_cades(pair: Credential) -> None:
    """CAdES-B: content type, digest, time, the signing certificate, and the algorithms protected."""
    der = sign(pair).cms()
    [signer] = cms.ContentInfo.load(der, strict=True)["content"]["signer_infos"]
    assert {attribute["type"].native for attribute in signer["signed_attrs"]} == {
        "content_type",
        "message_digest",
        "signing_time",
        "signing_certificate_v2",
        "cms_algorithm_protection",
    }


def test_it_is_written_in_columns_of_64_with_crlf(pair: Credential) -> None:
    """The layout that the network's clients write themselves."""
    signature = sign(pair)
    text = signature.text()
    *full, last, end = text.split(b"\r\n")
    assert {len(line) for line in full} == {64}
    assert 0 < len(last) <= 64
    assert b"" == end
    assert base64.b64decode(text) == signature.cms()


def test_a_key_of_another_certificate_is_refused(pair: Credential, pki: Pki) -> None:
    """Key and certificate must belong together."""
    other = pki.issue("Other")
    assert faults(other.key, pair.certificate) == (
        f"{pair.certificate}: the certificate does not belong to {other.key}",
    )


def test_a_key_that_everybody_may_read_is_refused(pki: Pki) -> None:
    """Such a key is no secret."""
    loose = pki.issue("Loose")
    loose.key.chmod(0o644)
    assert faults(loose.key, loose.certificate) == (f"{loose.key}: everybody may read this key",)


def test_missing_files_are_told_together(tmp_path: Path) -> None:
    """Every fault at once."""
    assert faults(tmp_path / "key", tmp_path / "certificate") == (
        f"{tmp_path / 'key'}: No such file or directory",
        f"{tmp_path / 'certificate'}: No such file or directory",
    )


def test_an_encrypted_key_and_junk_are_refused(pki: Pki, tmp_path: Path) -> None:
    """A pass phrase can't be asked for at night."""
    encrypted = tmp_path / "encrypted.key"
    protection = BestAvailableEncryption(b"invented")
    encrypted.write_bytes(pki.issue("X").private().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection))
    encrypted.chmod(0o600)
    assert faults(encrypted, encrypted) == (
        f"{encrypted}: this is no unencrypted private key in PEM",
        f"{encrypted}: this is no certificate in PEM",
    )


def test_a_key_that_cannot_sign_is_refused(pki: Pki) -> None:
    """Ed25519 isn't understood by the receivers' tools; an authority's key isn't for answers."""
    edwards = pki.issue("Edwards", key="ed25519")
    assert faults(edwards.key, edwards.certificate) == (
        f"{edwards.key}: the key is neither RSA nor on a NIST curve",
        f"{edwards.certificate}: the certificate's key is neither RSA nor on a NIST curve",
    )
    issuing = pki.issuing_credential
    assert faults(issuing.key, issuing.certificate) == (
        f"{issuing.certificate}: The signer's certificate is that of an authority.",
    )


def test_what_another_key_signed_is_never_sent(pair: Credential, pki: Pki) -> None:
    """A token that mixes up its keys is trouble of our own: no answer goes out that nobody could verify."""
    signer = Signer.open(pair.key, pair.certificate)
    for other in ("rsa-2048", "p-256"):
        credential = pki.issue("Other", key=other)
        mixed_up = Signer(Signer.open(credential.key, credential.certificate).key, signer.certificate)
        with pytest.raises(OtherKeySignedError):
            mixed_up.sign(ANSWER, now())


@pytest.mark.parametrize("is_stamped", [False, True])
@pytest.mark.parametrize("is_ours", [True, False])
def test_what_is_written_is_what_a_library_writes(pair: Credential, pki: Pki, is_ours: bool, is_stamped: bool) -> None:
    """Byte for byte, by a key of either kind: asn1crypto puts the same together from what it finds in it."""
    signature = sign(pair if is_ours else pki.issue("Gateway"))
    if is_stamped:
        signature = signature.stamped(signature.cms())
    written = signature.cms()
    found = cms.ContentInfo.load(written, strict=True)["content"]
    signer = found["signer_infos"][0]
    info = {name: signer[name] for name in ("version", "sid", "digest_algorithm", "signature_algorithm", "signature")}
    info["signed_attrs"] = cms.CMSAttributes([cms.CMSAttribute(_values(one)) for one in signer["signed_attrs"]])
    if is_stamped:
        info["unsigned_attrs"] = cms.CMSAttributes([cms.CMSAttribute(_values(one)) for one in signer["unsigned_attrs"]])
    data = {name: found[name] for name in ("version", "digest_algorithms", "encap_content_info", "certificates")}
    anew = cms.SignedData(data | {"signer_infos": [cms.SignerInfo(info)]})

    assert cms.ContentInfo({"content_type": "signed_data", "content": anew}).dump() == written
    assert info["signed_attrs"].dump() == signature.attributes


def _values(attribute: cms.CMSAttribute) -> dict[str, Any]:
    return {"type": attribute["type"].native, "values": list(attribute["values"])}
