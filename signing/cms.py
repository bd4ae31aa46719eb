"""Does this detached CMS signature cover that file?

Shape first, then algorithms, then mathematics (RFC 5652; CAdES-B attributes, RFC 5035 and 6211, are checked by pyHanko
when present). The shape follows annex 25: one signer, its certificate included, content type data, nothing behind the
last byte. OpenSSL and pyHanko accept more than that, so their word comes last.

Who the signer is and whether anybody accepts it is ``signing.path``'s question. Timestamps are carried, not verified.
"""

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asn1crypto import algos, cms, core
from asn1crypto import x509 as asn1
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from pyhanko.sign.validation.generic_cms import validate_sig_integrity

from signing import digests
from signing.certificate import MAX_BYTES, MAX_CERTIFICATES, check_signer
from signing.der import is_der
from signing.evidence import Fault, Format, Proven, Reason

TEXT_MODE = "text-mode"

_DIGESTS = frozenset({"sha256", "sha384", "sha512"})
_TIMESTAMP = "1.2.840.113549.1.9.16.2.14"
_ANY_DIGEST = _DIGESTS
# The key that an algorithm needs and the digests that may go with it (RFC 5754, 4056, 8419).
_ALGORITHMS: Mapping[str, tuple[type[object], frozenset[str]]] = {
    "rsassa_pkcs1v15": (rsa.RSAPublicKey, _ANY_DIGEST),
    "sha256_rsa": (rsa.RSAPublicKey, frozenset({"sha256"})),
    "sha384_rsa": (rsa.RSAPublicKey, frozenset({"sha384"})),
    "sha512_rsa": (rsa.RSAPublicKey, frozenset({"sha512"})),
    "rsassa_pss": (rsa.RSAPublicKey, _ANY_DIGEST),
    "sha256_ecdsa": (ec.EllipticCurvePublicKey, frozenset({"sha256"})),
    "sha384_ecdsa": (ec.EllipticCurvePublicKey, frozenset({"sha384"})),
    "sha512_ecdsa": (ec.EllipticCurvePublicKey, frozenset({"sha512"})),
    "ed25519": (ed25519.Ed25519PublicKey, frozenset({"sha512"})),
}


@dataclass(frozen=True, slots=True)
class _Signature:
    """A signature whose shape and algorithms are in order."""

    signer: Any  # asn1crypto has no types
    certificate: Any
    algorithm: str


def examine(data: Path, der: bytes, *, text_mode: bool) -> Proven | Fault:
    """Judge a detached signature over a file, without asking who signed.

    Args:
        data: the signed file, of any size
        der: a CMS ContentInfo
        text_mode: whether the file may also match with every LF read as CRLF

    Raises:
        OSError: if the file can't be read
    """
    signature = _read(der)
    if isinstance(signature, Fault):
        return signature
    found = digests.of_file(data, {"sha256", signature.algorithm})
    claimed = _attribute(signature.signer, "message_digest").native
    leniencies: tuple[str, ...] = ()
    if not _holds(signature, claimed):
        return Fault(Reason.SIGNATURE, "The signature does not match the certificate that came with it.")
    if not hmac.compare_digest(claimed, found[signature.algorithm]):
        if not text_mode or claimed != digests.of_canonical_text(data, signature.algorithm):
            return Fault(Reason.TAMPERED, "The file is not the one that was signed.")
        leniencies = (TEXT_MODE,)
    return Proven(Format.CMS, signature.certificate.dump(), found["sha256"].hex(), leniencies)


def _holds(signature: _Signature, digest: bytes) -> bool:
    """Whether the signed attributes are signed, and say that a file of this digest was."""
    try:
        intact, valid = validate_sig_integrity(signature.signer, signature.certificate, "data", digest)
    except Exception:  # hostile bytes: the libraries underneath raise what they like
        return False
    return bool(intact and valid)


def _read(der: bytes) -> _Signature | Fault:
    if not is_der(der):
        return Fault(Reason.SYNTAX, "The signature is not one DER structure to the last byte.")
    try:
        info = cms.ContentInfo.load(der, strict=True)
        return _check(info)
    except Exception:  # asn1crypto reads late and raises whatever the bytes lead it to
        return Fault(Reason.SYNTAX, "The signature cannot be read as CMS.")


def _check(info: Any) -> _Signature | Fault:
    for detail in _misshapen(info):
        return Fault(Reason.SHAPE, detail)
    signed = info["content"]
    [signer] = signed["signer_infos"]
    if any(map(_hides, (info, signed, signed["encap_content_info"], signer))):
        return Fault(Reason.SYNTAX, "There are bytes in the signature that belong to none of its fields.")
    certificate = _certificate_of(signed, signer)
    if isinstance(certificate, Fault):
        return certificate
    checked = check_signer(certificate.dump())
    if isinstance(checked, Fault):
        return checked
    for detail in _disallowed(signer, checked.public_key()):
        return Fault(Reason.ALGORITHM, detail)
    return _Signature(signer, certificate, signer["digest_algorithm"]["algorithm"].native)


def _misshapen(info: Any) -> Iterator[str]:
    """Everything that is wrong with the outside, the gravest first."""
    if info["content_type"].native != "signed_data":
        yield "The structure is not signedData."
    signed = info["content"]
    if signed["encap_content_info"]["content_type"].native != "data":
        yield "The signed content is not of type data."
    if _present(signed["encap_content_info"]["content"]):
        yield "The signature is not detached: it carries content of its own."
    if len(signed["signer_infos"]) != 1:
        yield "There is not exactly one signer."
    yield from _overloaded(signed["certificates"])
    [signer] = signed["signer_infos"]
    yield from _missigned(signer)
    if _present(signer["unsigned_attrs"]) and any(a["type"].dotted != _TIMESTAMP for a in signer["unsigned_attrs"]):
        yield "There is an unsigned attribute other than a timestamp."


def _hides(sequence: Any) -> bool:
    """Whether a structure holds bytes that are none of its fields; asn1crypto passes over them, even when strict."""
    return bool(b"".join(sequence[name].dump() for name in sequence) != sequence.contents)


def _overloaded(certificates: Any) -> Iterator[str]:
    """Everything that is wrong with the set of certificates, which may be absent."""
    if _present(certificates):
        if len(certificates) > MAX_CERTIFICATES:
            yield f"More than {MAX_CERTIFICATES} certificates came with the signature."
        if any(choice.name != "certificate" for choice in certificates):
            yield "Something else than plain certificates came with the signature."


def _missigned(signer: Any) -> Iterator[str]:
    """Everything that is wrong with the signed attributes (RFC 5652, 5.3 and 11)."""
    if not _present(signer["signed_attrs"]):
        yield "There are no signed attributes."
    types = [attribute["type"].native for attribute in signer["signed_attrs"]]
    if len(set(types)) != len(types):
        yield "A signed attribute occurs twice."
    for name in ("content_type", "message_digest"):
        if name not in types:
            yield f"The signed attribute {name} is missing."
        if len(_values(signer, name)) != 1:
            yield f"The signed attribute {name} does not have one value."
    if _attribute(signer, "content_type").native != "data":
        yield "The signed attribute content_type is not data."


def _certificate_of(signed: Any, signer: Any) -> Any:
    """The one certificate that the signer points at."""
    included = [choice.chosen for choice in signed["certificates"]] if _present(signed["certificates"]) else []
    if any(len(certificate.dump()) > MAX_BYTES for certificate in included):
        return Fault(Reason.SHAPE, f"A certificate larger than {MAX_BYTES} bytes came with the signature.")
    matching = [certificate for certificate in included if _points_at(signer["sid"], certificate)]
    if len(matching) != 1:
        return Fault(Reason.NO_CERTIFICATE, "The signer's certificate is not in the signature exactly once.")
    return asn1.Certificate.load(matching[0].dump(), strict=True)


def _points_at(identifier: Any, certificate: Any) -> bool:
    if identifier.name == "subject_key_identifier":
        return bool(certificate.key_identifier == identifier.native)
    named = identifier.chosen
    return bool(named["issuer"] == certificate.issuer and named["serial_number"].native == certificate.serial_number)


def _disallowed(signer: Any, key: object) -> Iterator[str]:
    """Everything that our list of algorithms forbids."""
    digest = signer["digest_algorithm"]["algorithm"].native
    if digest not in _DIGESTS:
        yield f"The digest algorithm{_named(digest)} is not accepted."
    algorithm = signer["signature_algorithm"]["algorithm"].native
    key_type, allowed = _ALGORITHMS.get(algorithm, (type(None), frozenset()))
    if not isinstance(key, key_type):
        yield f"The signature algorithm{_named(algorithm)} is not accepted with this key."
    if digest not in allowed:
        yield f"The signature algorithm {algorithm} does not go with {digest}."
    if algorithm == "rsassa_pss":
        yield from _disallowed_pss(signer["signature_algorithm"]["parameters"], digest)
    if len(_attribute(signer, "message_digest").native) != hashlib.new(digest).digest_size:
        yield f"The message digest is not one of {digest}."


def _named(algorithm: str) -> str:
    """The name of an algorithm that has one; object identifiers are the sender's and may be of any length."""
    return f" {algorithm}" if algorithm.isidentifier() else ""


def _disallowed_pss(parameters: algos.RSASSAPSSParams, digest: str) -> Iterator[str]:
    mask = parameters["mask_gen_algorithm"]
    used = {parameters["hash_algorithm"]["algorithm"].native, mask["parameters"]["algorithm"].native}
    trailer = parameters["trailer_field"].native
    if used != {digest} or mask["algorithm"].native != "mgf1" or trailer != "trailer_field_bc":
        yield f"The RSA-PSS parameters do not go with {digest}."


def _values(signer: Any, name: str) -> Any:
    for attribute in signer["signed_attrs"]:
        if attribute["type"].native == name:
            return attribute["values"]
    return ()


def _attribute(signer: Any, name: str) -> Any:
    return _values(signer, name)[0]


def _present(field: Any) -> bool:
    return not isinstance(field, core.Void)
