"""Certificates whose key is for RSA-PSS alone, perhaps with one digest, and signatures that are not (RFC 4055, 1.2)."""

import pytest
from asn1crypto import algos, keys
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from signing.evidence import Reason
from tests.authority import Credential, Pki, new_key
from tests.cms_builder import ACCEPTED, REFUSED, Bench, Draft, certificate_of
from tests.xml_builder import RSA_SHA256, XmlBench, XmlDraft, canonical

_HASHES = {"sha256": hashes.SHA256(), "sha512": hashes.SHA512()}


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    """One key for all vectors."""
    key = new_key("rsa-2048")
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """An accepted authority and a file to sign."""
    return Bench.open(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> XmlBench:
    """The same for XML."""
    return XmlBench.open(tmp_path_factory.mktemp("documents"))


def demanding(digest: str) -> algos.RSASSAPSSParams:
    """The parameters of PSS with one digest everywhere."""
    hashed = {"algorithm": digest}
    mask = {"algorithm": "mgf1", "parameters": hashed}
    return algos.RSASSAPSSParams({"hash_algorithm": hashed, "mask_gen_algorithm": mask, "salt_length": 32})


def signer_with(pki: Pki, key: rsa.RSAPrivateKey, digest: str | None) -> Credential:
    """A signer whose certificate says that the key is for PSS, with one digest or any."""
    credential = pki.issue("PSS", key=key)
    plain = certificate_of(credential)
    said = plain["tbs_certificate"]
    parameters = {} if digest is None else {"parameters": demanding(digest)}
    said["subject_public_key_info"]["algorithm"] = keys.PublicKeyAlgorithm({"algorithm": "rsassa_pss", **parameters})
    tbs = said.dump(force=True)
    issuer = pki.issuing_credential.private()
    assert isinstance(issuer, ec.EllipticCurvePrivateKey)
    der = asn1.Certificate(
        {
            "tbs_certificate": asn1.TbsCertificate.load(tbs),
            "signature_algorithm": plain["signature_algorithm"],
            "signature_value": issuer.sign(tbs, ec.ECDSA(hashes.SHA256())),
        }
    ).dump()
    credential.certificate.write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
    return credential


def pss(key: rsa.RSAPrivateKey, content: bytes, digest: str) -> bytes:
    """A PSS signature with a salt of 32 bytes."""
    return key.sign(content, padding.PSS(padding.MGF1(_HASHES[digest]), 32), _HASHES[digest])


@pytest.mark.parametrize(
    ("demanded", "used", "verdicts"),
    [
        (None, "sha256", (ACCEPTED, ACCEPTED)),
        ("sha256", "sha256", (ACCEPTED, ACCEPTED)),
        ("sha512", "sha256", (Reason.SIGNATURE, REFUSED)),
        (None, None, (Reason.SIGNATURE, REFUSED)),
        ("sha256", None, (Reason.SIGNATURE, REFUSED)),
    ],
)
def test_cms_by_a_key_for_pss(
    demanded: str | None, used: str | None, verdicts: tuple[str, str], bench: Bench, key: rsa.RSAPrivateKey
) -> None:
    """Valid with PSS and the digest that the key is for; invalid with another, and with PKCS #1 (used is None)."""
    draft = Draft(signer_with(bench.pki, key, demanded))
    if used is not None:
        mechanism = algos.SignedDigestAlgorithm({"algorithm": "rsassa_pss", "parameters": demanding(used)})
        draft.inside = {"signature": pss(key, draft.signed_attributes(), used), "signature_algorithm": mechanism}
    assert verdicts == bench.judge(draft)


@pytest.mark.parametrize(
    ("demanded", "used", "verdict"),
    [
        (None, "sha256", ACCEPTED),
        ("sha256", "sha256", ACCEPTED),
        ("sha512", "sha256", Reason.ALGORITHM),
        (None, None, Reason.ALGORITHM),
        ("sha256", None, Reason.ALGORITHM),
    ],
)
def test_xml_by_a_key_for_pss(
    demanded: str | None, used: str | None, verdict: str, documents: XmlBench, key: rsa.RSAPrivateKey
) -> None:
    """The same; signxml by itself looks at the key alone, not at what it is for."""
    draft = XmlDraft(signer_with(documents.pki, key, demanded))
    draft.method = RSA_SHA256
    if used is not None:
        draft.method = f"http://www.w3.org/2007/05/xmldsig-more#{used}-rsa-MGF1"
        draft.value = pss(key, canonical(draft.signed_info()), used)
    assert verdict == documents.ours(draft.dump())
