"""Does this XML signature cover that document, and which bytes does it cover?

W3C XML Signature by signxml, after ``signing.xmlshape`` let it pass: the signature inside the document, or beside it
and naming the file. One with a ds:Object must be XAdES (``signing.xades``). Only what signxml returns as signed may be
used afterwards, so it is handed on as ``content``; a detached signature over the file's plain bytes hands on none.

signxml is told the signer's certificate and checks mathematics alone; who issued it is ``signing.trust.path``'s
question. Documents are limited to ten megabytes, because signxml holds some 45 times as much in memory.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from asn1crypto import x509 as asn1
from cryptography import x509
from lxml.etree import _Element as Element
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidDigest, InvalidSignature
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier
from signxml.xades.xades import XAdESVerifier

from signing import xades, xades_references, xmlshape
from signing.certificate import MAX_BYTES, check_signer, is_authority
from signing.evidence import Fault, Format, Proven, Reason
from signing.layout import decode
from signing.policy import Policy
from signing.xades import Claims
from signing.xmlshape import DS, ENVELOPED, PSS, Parts, Reference


def examine_enveloped(data: Path, policy: Policy) -> Proven | Fault:
    """Judge the signature inside a document, without asking who signed.

    Args:
        data: an XML document of at most ten megabytes
        policy: what is tolerated

    Raises:
        OSError: if the file can't be read
    """
    document = _content(data)
    return _guarded(lambda: _enveloped(document, policy))


def examine_detached(data: Path, document: bytes, policy: Policy) -> Proven | Fault:
    """Judge a signature over the file that it names, without asking who signed.

    Args:
        data: the signed file, of at most ten megabytes
        document: what came beside it; its root is a ds:Signature
        policy: what is tolerated

    Raises:
        OSError: if the file can't be read
    """
    content = _content(data)
    return _guarded(lambda: _detached(data.name, content, document, policy))


@dataclass(frozen=True, slots=True)
class _Signature:
    """A signature whose shape and algorithms are in order.

    ``subject`` is the place of the reference to what is signed, ``claims`` what a XAdES signature says about itself.
    """

    document: bytes
    parts: Parts
    subject: int
    certificate: bytes
    claims: Claims | None

    @property
    def reference(self) -> Reference:
        return self.parts.references[self.subject]

    def proven(self, sha256: str, content: bytes | None) -> Proven:
        """What holds, once signxml agreed."""
        claims = self.claims or Claims()
        return Proven(
            format=Format.XADES if self.claims else Format.XML,
            certificate=self.certificate,
            sha256=sha256,
            leniencies=tuple(sorted(leniency.value for leniency in self.parts.leniencies | claims.leniencies)),
            content=content,
            signed_at=claims.signed_at,
            stamps=claims.stamps,
        )


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


def _enveloped(document: bytes, policy: Policy) -> Proven | Fault:
    signature = _read(document, policy)
    if isinstance(signature, Fault):
        return signature
    root, transforms = signature.parts.root, signature.reference.transforms
    if signature.parts.signature is root or not xmlshape.points_at_root(root, signature.reference.uri):
        return Fault(Reason.SHAPE, "The signature does not refer to the document that it is in.")
    if transforms[:1] != (ENVELOPED,) or ENVELOPED in transforms[1:]:
        return Fault(Reason.SHAPE, "The first transform is not enveloped-signature, or it occurs twice.")
    result = _verified(signature, None, policy)
    if isinstance(result, Fault):
        return result
    if result.signed_xml is None or result.signed_xml.tag != root.tag:
        return Fault(Reason.SHAPE, "The signature does not cover the root of the document.")
    return signature.proven(hashlib.sha256(document).hexdigest(), result.signed_data)


def _detached(name: str, content: bytes, document: bytes, policy: Policy) -> Proven | Fault:
    signature = _read(document, policy)
    if isinstance(signature, Fault):
        return signature
    reference = signature.reference
    if signature.parts.signature is not signature.parts.root or ENVELOPED in reference.transforms:
        return Fault(Reason.SHAPE, "The document is not a detached ds:Signature.")
    if reference.uri != name or name.startswith("#"):
        return Fault(Reason.SHAPE, "The signature does not name the file beside it.")
    referred = xmlshape.parse(content) if reference.transforms else _plain(content)
    if isinstance(referred, Fault):
        return referred
    result = _verified(signature, referred, policy)
    if isinstance(result, Fault):
        return result
    covered = result.signed_data if reference.transforms else None
    return signature.proven(hashlib.sha256(content).hexdigest(), covered)


def _plain(content: bytes) -> bytes | Fault:
    """The file's bytes as they are, if they are few enough for signxml."""
    if len(content) > xmlshape.MAX_BYTES:
        return Fault(Reason.SHAPE, f"The file is larger than {xmlshape.MAX_BYTES // 1_000_000} MB.")
    return content


def _read(document: bytes, policy: Policy) -> _Signature | Fault:
    """Everything that is judged before the mathematics."""
    parts = xmlshape.read(document, policy)
    if isinstance(parts, Fault):
        return parts
    certificate = _signer(parts, policy)
    if isinstance(certificate, Fault):
        return certificate
    if not _is_for(certificate, parts.method):
        return Fault(Reason.ALGORITHM, "The signer's key is for RSA-PSS alone, or for PSS with another digest.")
    if parts.extra is None:
        return _Signature(document, parts, 0, certificate, None)
    claims = xades.read(parts, certificate, policy)
    if isinstance(claims, Fault):
        return claims
    return _Signature(document, parts, xades_references.document_place(parts), certificate, claims)


def _signer(parts: Parts, policy: Policy) -> bytes | Fault:
    """The one certificate that isn't an authority's, as DER."""
    ders = [decode(text.encode()) for text in parts.certificates]
    if any(len(der) > MAX_BYTES for der in ders):
        return Fault(Reason.SHAPE, f"A certificate larger than {MAX_BYTES} bytes came with the signature.")
    signers = [der for der in ders if not is_authority(asn1.Certificate.load(der, strict=True))]
    if len(signers) != 1:
        return Fault(Reason.NO_CERTIFICATE, "There is not exactly one signer's certificate in the signature.")
    checked = check_signer(signers[0], policy)
    return checked if isinstance(checked, Fault) else signers[0]


def _is_for(certificate: bytes, method: str) -> bool:
    """Whether a key that is for PSS alone, perhaps with one digest (RFC 4055, 1.2 and 3.1), is used so."""
    algorithm = asn1.Certificate.load(certificate, strict=True).public_key["algorithm"]
    if algorithm["algorithm"].native != "rsassa_pss":
        return True
    demanded = algorithm["parameters"].native
    return bool(PSS.fullmatch(method)) and (not demanded or demanded["hash_algorithm"]["algorithm"] in method)


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


class _XadesVerifier(_Verifier, XAdESVerifier):
    """The same for XAdES: ETSI's schemas too, and its own look at the certificates' digests."""


def _verified(signature: _Signature, referred: bytes | Element | None, policy: Policy) -> VerifyResult | Fault:
    """What was signed, as signxml saw it."""
    try:
        results = _verify(signature, referred)
    except InvalidDigest:
        return Fault(Reason.TAMPERED, "The document is not the one that was signed.")
    except InvalidSignature:
        return Fault(Reason.SIGNATURE, "The signature does not match the certificate that came with it.")
    if not _is_as_read(signature, results, policy):
        return Fault(Reason.SHAPE, "What the signature says about itself is not what was signed.")
    return results[signature.subject]


def _is_as_read(signature: _Signature, results: list[VerifyResult], policy: Policy) -> bool:
    """Whether properties and KeyInfo, where they are signed, are those that were read before."""
    parts, claims = signature.parts, signature.claims
    if claims is None:
        return True
    key_info = xades_references.key_info_place(parts)
    if key_info is not None and not xades_references.is_key_info(results[key_info].signed_xml, parts):
        return False
    properties = results[xades_references.properties_place(parts)].signed_xml
    return properties is not None and xades.says(properties, parts, signature.certificate, policy, claims)


def _verify(signature: _Signature, referred: bytes | Element | None) -> list[VerifyResult]:
    parts = signature.parts
    certificate = x509.load_der_x509_certificate(signature.certificate)
    configuration = SignatureConfiguration(
        location="./",
        expect_references=len(parts.references),
        signature_methods=frozenset({SignatureMethod(parts.method)}),
        digest_algorithms=frozenset(DigestAlgorithm(reference.digest) for reference in parts.references),
        verification_time=certificate.not_valid_before_utc,  # its dates are judged with its path
    )
    verifier = _Verifier() if signature.claims is None else _XadesVerifier()
    result = verifier.verify(
        signature.document,
        x509_cert=certificate,
        expect_config=configuration,
        parser=xmlshape.parser(),
        uri_resolver=None if referred is None else lambda _: referred,
    )
    return result if isinstance(result, list) else [result]
