"""Does this XML signature cover that document, and which bytes does it cover?

W3C XML Signature by signxml, after ``signing.xmlshape`` let it pass: the signature inside the document, or beside it
and naming the file. Only what signxml returns as signed may be used afterwards, so it is handed on as ``content``; a
detached signature over the file's plain bytes hands on none.

signxml is told the signer's certificate and checks mathematics alone; who issued it is ``signing.path``'s question.
Documents are limited to ten megabytes, because signxml holds some 45 times as much in memory.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from asn1crypto import x509 as asn1
from cryptography import x509
from lxml.etree import _Element as Element
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidDigest, InvalidSignature
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from signing import xmlshape
from signing.certificate import MAX_BYTES, check_signer, is_authority
from signing.evidence import Fault, Format, Proven, Reason
from signing.layout import decode
from signing.xmlshape import DIGEST_METHODS, DS, ENVELOPED, SIGNATURE_METHODS, Parts

_SIGNATURE_METHODS = frozenset(SignatureMethod[name] for name in SIGNATURE_METHODS.values())
_DIGEST_METHODS = frozenset(DigestAlgorithm[name] for name in DIGEST_METHODS.values())


def examine_enveloped(data: Path) -> Proven | Fault:
    """Judge the signature inside a document, without asking who signed.

    Raises:
        OSError: if the file can't be read
    """
    document = _content(data)
    return _guarded(lambda: _enveloped(document))


def examine_detached(data: Path, signature: bytes) -> Proven | Fault:
    """Judge a signature over the file that it names, without asking who signed.

    Args:
        signature: a document whose root is a ds:Signature

    Raises:
        OSError: if the file can't be read
    """
    content = _content(data)
    return _guarded(lambda: _detached(data.name, content, signature))


def _content(data: Path) -> bytes:
    """The bytes of the file, or one too many for ``xmlshape``."""
    with data.open("rb") as file:
        return file.read(xmlshape.MAX_BYTES + 1)


def _guarded(judge: Callable[[], Proven | Fault]) -> Proven | Fault:
    try:
        return judge()
    except MemoryError:  # the worker's limit is our own trouble
        raise
    except Exception:  # lxml, signxml and cryptography each raise what hostile bytes lead them to
        return Fault(Reason.SHAPE, "The XML signature cannot be read.")


def _enveloped(document: bytes) -> Proven | Fault:
    parts = xmlshape.read(document)
    if isinstance(parts, Fault):
        return parts
    if parts.signature is parts.root or not xmlshape.points_at_root(parts):
        return Fault(Reason.SHAPE, "The signature does not refer to the document that it is in.")
    if parts.transforms[:1] != (ENVELOPED,) or ENVELOPED in parts.transforms[1:]:
        return Fault(Reason.SHAPE, "The first transform is not enveloped-signature, or it occurs twice.")
    signed = _verified(document, parts, None)
    if isinstance(signed, Fault):
        return signed
    certificate, result = signed
    if result.signed_xml is None or result.signed_xml.tag != parts.root.tag:
        return Fault(Reason.SHAPE, "The signature does not cover the root of the document.")
    return Proven(Format.XML, certificate, hashlib.sha256(document).hexdigest(), content=result.signed_data)


def _detached(name: str, content: bytes, signature: bytes) -> Proven | Fault:
    parts = xmlshape.read(signature)
    if isinstance(parts, Fault):
        return parts
    if parts.signature is not parts.root or ENVELOPED in parts.transforms:
        return Fault(Reason.SHAPE, "The document is not a detached ds:Signature.")
    if parts.uri != name:
        return Fault(Reason.SHAPE, "The signature does not name the file beside it.")
    referred = xmlshape.parse(content) if parts.transforms else _plain(content)
    if isinstance(referred, Fault):
        return referred
    signed = _verified(signature, parts, referred)
    if isinstance(signed, Fault):
        return signed
    certificate, result = signed
    covered = result.signed_data if parts.transforms else None
    return Proven(Format.XML, certificate, hashlib.sha256(content).hexdigest(), content=covered)


def _plain(content: bytes) -> bytes | Fault:
    """The file's bytes as they are, if they are few enough for signxml."""
    if len(content) > xmlshape.MAX_BYTES:
        return Fault(Reason.SHAPE, f"The file is larger than {xmlshape.MAX_BYTES // 1_000_000} MB.")
    return content


class _Verifier(XMLVerifier):
    """signxml without the ``xmlns=""`` that lxml wrongly adds inside a SignedInfo in a default namespace.

    Java writes such signatures. Everything in a SignedInfo of our shape has a namespace, so none is ever right there;
    signxml's own switch would also take the right ones out of the document.
    """

    def _c14n(
        self, nodes: Element, algorithm: CanonicalizationMethod, inclusive_ns_prefixes: list[str] | None = None
    ) -> bytes:
        canonical: bytes = super()._c14n(nodes, algorithm, inclusive_ns_prefixes)
        return canonical.replace(b' xmlns=""', b"") if nodes.tag == f"{{{DS}}}SignedInfo" else canonical


def _verified(document: bytes, parts: Parts, referred: bytes | Element | None) -> tuple[bytes, VerifyResult] | Fault:
    """The signer's certificate and what it signed."""
    certificate = _signer(parts)
    if isinstance(certificate, Fault):
        return certificate
    try:
        return certificate, _verify(document, x509.load_der_x509_certificate(certificate), referred)
    except InvalidDigest:
        return Fault(Reason.TAMPERED, "The document is not the one that was signed.")
    except InvalidSignature:
        return Fault(Reason.SIGNATURE, "The signature does not match the certificate that came with it.")


def _verify(document: bytes, certificate: x509.Certificate, referred: bytes | Element | None) -> VerifyResult:
    configuration = SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=_SIGNATURE_METHODS,
        digest_algorithms=_DIGEST_METHODS,
        verification_time=certificate.not_valid_before_utc,  # its dates are judged with its path
    )
    result = _Verifier().verify(
        document,
        x509_cert=certificate,
        expect_config=configuration,
        parser=xmlshape.parser(),
        uri_resolver=None if referred is None else lambda _: referred,
    )
    if isinstance(result, list):
        raise TypeError("one reference was expected")
    return result


def _signer(parts: Parts) -> bytes | Fault:
    """The one certificate that isn't an authority's, as DER."""
    ders = [decode(text.encode()) for text in parts.certificates]
    if any(len(der) > MAX_BYTES for der in ders):
        return Fault(Reason.SHAPE, f"A certificate larger than {MAX_BYTES} bytes came with the signature.")
    signers = [der for der in ders if not is_authority(asn1.Certificate.load(der, strict=True))]
    if len(signers) != 1:
        return Fault(Reason.NO_CERTIFICATE, "There is not exactly one signer's certificate in the signature.")
    checked = check_signer(signers[0])
    return checked if isinstance(checked, Fault) else signers[0]
