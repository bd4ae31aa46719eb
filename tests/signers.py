"""Signatures as real clients make them: OpenSSL's two commands, cryptography's builder, signxml."""

import base64
import subprocess
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import (
    PKCS7Options,
    PKCS7SignatureBuilder,
    load_der_pkcs7_certificates,
)
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, SignatureConstructionMethod, SignatureMethod
from signxml.signer import XMLSigner

from tests.authority import Credential


def openssl(*arguments: str | Path, content: bytes | None = None) -> bytes:
    """What an ``openssl`` command writes; it must succeed."""
    command = ["openssl", *map(str, arguments)]
    return subprocess.run(command, input=content, check=True, capture_output=True, timeout=30).stdout


def cms(data: Path, signer: Credential, *options: str) -> bytes:
    """``openssl cms -sign -binary``, as DER."""
    return _sign("cms", data, signer, "-binary", *options)


def smime(data: Path, signer: Credential, *options: str) -> bytes:
    """``openssl smime -sign`` without its binary option, as DER: what older clients of the network run."""
    return _sign("smime", data, signer, *options)


def pkcs7(data: Path, signer: Credential, *options: PKCS7Options) -> bytes:
    """The builder of cryptography, detached, as DER."""
    key = signer.private()
    assert isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey))
    builder = PKCS7SignatureBuilder().set_data(data.read_bytes()).add_signer(signer.read(), key, hashes.SHA256())
    return builder.sign(Encoding.DER, [PKCS7Options.DetachedSignature, *options])


def certificates(der: bytes) -> list[bytes]:
    """The certificates in a CMS signature, as DER."""
    return [certificate.public_bytes(Encoding.DER) for certificate in load_der_pkcs7_certificates(der)]


def one_line(der: bytes) -> bytes:
    """Base64 in one line, as FS often is."""
    return base64.b64encode(der)


def enveloped(document: bytes, signer: Credential, **options: str) -> bytes:
    """A signature by signxml inside a document; ``c14n`` and ``uri`` may be given."""
    xml = _xml_signer(SignatureConstructionMethod.enveloped, signer, options.get("c14n"))
    root = xml.sign(
        etree.fromstring(document),
        key=signer.key.read_bytes(),
        cert=signer.certificate.read_text(),
        reference_uri=options.get("uri"),
    )
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def detached(document: bytes, name: str, signer: Credential) -> bytes:
    """A signature by signxml beside a document, over its canonical form."""
    xml = _xml_signer(SignatureConstructionMethod.detached, signer, None)
    root = xml.sign(
        etree.fromstring(document),
        key=signer.key.read_bytes(),
        cert=signer.certificate.read_text(),
        reference_uri=name,
    )
    return etree.tostring(root)


def accepts(data: Path, der: bytes, authority: Path, folder: Path) -> bool:
    """Whether ``openssl cms -verify`` accepts a detached signature: the second opinion."""
    signature = folder / "second-opinion.der"
    signature.write_bytes(der)
    command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", signature, "-content", data]
    command += ["-CAfile", authority, "-partial_chain", "-purpose", "any", "-out", "/dev/null"]
    return subprocess.run(list(map(str, command)), check=False, capture_output=True, timeout=30).returncode == 0


def _sign(command: str, data: Path, signer: Credential, *options: str) -> bytes:
    identity = ("-signer", signer.certificate, "-inkey", signer.key)
    return openssl(command, "-sign", "-in", data, *identity, "-outform", "DER", *options)


def _xml_signer(method: SignatureConstructionMethod, signer: Credential, c14n: str | None) -> XMLSigner:
    is_rsa = isinstance(signer.private(), rsa.RSAPrivateKey)
    return XMLSigner(
        method=method,
        signature_algorithm=SignatureMethod.RSA_SHA256 if is_rsa else SignatureMethod.ECDSA_SHA256,
        c14n_algorithm=CanonicalizationMethod(c14n or CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0.value),
    )
