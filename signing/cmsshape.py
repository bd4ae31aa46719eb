"""Is this a CMS signature of the one shape we read, made with algorithms and a key from our list?

Shape first, then algorithms (RFC 5652). The shape follows annex 25: one signer, its certificate included, signed
attributes, nothing behind the last byte. The same goes for timestamp tokens, which are signatures too (RFC 3161,
2.4.2); what differs is the type of the content and whether it is attached. OpenSSL and pyHanko accept more than that,
so their word comes last: ``Parts.holds`` asks pyHanko about the mathematics and about the attributes of RFC 5035
(signing certificate) and 6211 (algorithm protection).

Revocation lists that came along are not read and not refused: software for long-term signatures puts them there, and
only lists from our own sources count.
"""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

from asn1crypto import cms, core
from asn1crypto import x509 as asn1
from pyhanko.sign.validation.generic_cms import validate_sig_integrity

from signing import algorithms
from signing.certificate import MAX_BYTES, MAX_CERTIFICATES, check_signer
from signing.der import encoding, is_der
from signing.evidence import Fault, Reason
from signing.policy import Leniency, Policy

DATA = "data"
TST_INFO = "tst_info"

# Those that RFC 5652 knows (5.1, 5.3). Whether they are the ones that its rules give is not asked: clients get them
# wrong, and every field they follow from is judged itself. A later version could mean fields that nobody here knows.
_SIGNED_DATA_VERSIONS = frozenset({"v1", "v3", "v4", "v5"})
_SIGNER_VERSIONS = frozenset({"v1", "v3"})
_MAX_ATTRIBUTES = 32
_MAX_DIGESTS = 8


@dataclass(frozen=True, slots=True)
class Parts:
    """A signature whose shape and algorithms are in order.

    ``signer`` is the SignerInfo and ``content`` what is signed if it is attached, as asn1crypto reads them;
    ``certificate`` the signer's, ``digest`` the name of the digest algorithm.
    """

    signer: Any  # asn1crypto has no types
    content: Any
    certificate: asn1.Certificate
    digest: str

    @property
    def claimed(self) -> bytes:
        """The digest that the signer says the content has."""
        return bytes(_values(self.signer, "message_digest")[0].native)

    def values(self, name: str) -> Any:
        """The values of a signed attribute by asn1crypto's name; None if it is absent."""
        return _values(self.signer, name)

    def holds(self, content_type: str) -> bool:
        """Whether the signer's key signed the attributes, and the attributes are in order."""
        try:
            intact, valid = validate_sig_integrity(self.signer, self.certificate, content_type, self.claimed)
        except MemoryError:  # the worker's limit is our own trouble
            raise
        except Exception:  # hostile bytes: the libraries underneath raise what they like
            return False
        return bool(intact and valid)

    def covers(self, digest: bytes) -> bool:
        """Whether that is the digest of what was signed."""
        return hmac.compare_digest(self.claimed, digest)


def read(der: bytes, content_type: str, policy: Policy) -> Parts | Fault:
    """Find the parts of a signature, or the first thing that isn't of our shape or on our lists.

    Args:
        der: a ContentInfo
        content_type: DATA for a detached signature over a file, TST_INFO for a timestamp token with its content
        policy: what is tolerated
    """
    if not is_der(der):
        return Fault(Reason.SYNTAX, "The signature is not one DER structure to the last byte.")
    try:
        return _check(cms.ContentInfo.load(der, strict=True), content_type, policy)
    except MemoryError:  # the worker's limit is our own trouble
        raise
    except Exception:  # asn1crypto reads late and raises whatever the bytes lead it to
        return Fault(Reason.SYNTAX, "The signature cannot be read as CMS.")


def is_present(field: Any) -> bool:
    """Whether an optional field is there."""
    return not isinstance(field, core.Void)


def hides(sequence: Any) -> bool:
    """Whether a structure holds bytes that are none of its fields; asn1crypto passes over them, even when strict."""
    return bool(b"".join(encoding(sequence[name]) for name in sequence) != sequence.contents)


def _check(info: Any, content_type: str, policy: Policy) -> Parts | Fault:
    for detail in _misshapen(info, content_type):
        return Fault(Reason.SHAPE, detail)
    signed = info["content"]
    [signer] = signed["signer_infos"]
    if any(map(hides, (info, signed, signed["encap_content_info"], signer))):
        return Fault(Reason.SYNTAX, "There are bytes in the signature that belong to none of its fields.")
    certificate = _certificate_of(signed, signer)
    if isinstance(certificate, Fault):
        return certificate
    checked = check_signer(encoding(certificate), policy)
    if isinstance(checked, Fault):
        return checked
    digests = algorithms.STRONG | ({algorithms.SHA1} if policy.allows(Leniency.SHA1) else set())
    disallowed = algorithms.disallowed(signer, checked.public_key(), digests)
    for detail in chain(disallowed, _misannounced(signed, signer)):
        return Fault(Reason.ALGORITHM, detail)
    content = signed["encap_content_info"]["content"]
    return Parts(signer, content, certificate, signer["digest_algorithm"]["algorithm"].native)


def _misshapen(info: Any, content_type: str) -> Iterator[str]:
    """Everything that is wrong with the outside, the gravest first."""
    if info["content_type"].native != "signed_data":
        yield "The structure is not signedData."
    signed = info["content"]
    if signed["encap_content_info"]["content_type"].native != content_type:
        yield f"The signed content is not of type {content_type}."
    if is_present(signed["encap_content_info"]["content"]) != (content_type != DATA):
        detached = content_type == DATA
        yield "The signature is not detached: it carries content of its own." if detached else "There is no content."
    if signed["version"].native not in _SIGNED_DATA_VERSIONS:
        yield "The version of the signedData is unknown."
    if len(signed["signer_infos"]) != 1:
        yield "There is not exactly one signer."
    if len(signed["digest_algorithms"]) > _MAX_DIGESTS:
        yield f"More than {_MAX_DIGESTS} digest algorithms are announced."
    yield from _overloaded(signed["certificates"])
    yield from _missigned(signed["signer_infos"][0], content_type)


def _overloaded(certificates: Any) -> Iterator[str]:
    """Everything that is wrong with the set of certificates, which may be absent."""
    if is_present(certificates):
        if len(certificates) > MAX_CERTIFICATES:
            yield f"More than {MAX_CERTIFICATES} certificates came with the signature."
        if any(choice.name != "certificate" for choice in certificates):
            yield "Something else than plain certificates came with the signature."


def _missigned(signer: Any, content_type: str) -> Iterator[str]:
    """Everything that is wrong with the signer's version and the set of signed attributes (RFC 5652, 5.3)."""
    if signer["version"].native not in _SIGNER_VERSIONS:
        yield "The version of the signer's part is unknown."
    if not is_present(signer["signed_attrs"]):
        yield "There are no signed attributes."
    if len(signer["signed_attrs"]) > _MAX_ATTRIBUTES:
        yield f"There are more than {_MAX_ATTRIBUTES} signed attributes."
    yield from _misattributed(signer, content_type)


def _misattributed(signer: Any, content_type: str) -> Iterator[str]:
    """Everything that is wrong with the signed attributes (RFC 5652, 11)."""
    types = [attribute["type"].native for attribute in signer["signed_attrs"]]
    if len(set(types)) != len(types):
        yield "A signed attribute occurs twice."
    for name in ("content_type", "message_digest"):
        if name not in types:
            yield f"The signed attribute {name} is missing."
        if len(_values(signer, name)) != 1:
            yield f"The signed attribute {name} does not have one value."
    if _values(signer, "content_type")[0].native != content_type:
        yield f"The signed attribute content_type is not {content_type}."


def _misannounced(signed: Any, signer: Any) -> Iterator[str]:
    """Everything that is wrong with the digests: the signer's must be announced if any are (RFC 5652, 5.1)."""
    digest = signer["digest_algorithm"]["algorithm"].native
    announced = [identifier["algorithm"].native for identifier in signed["digest_algorithms"]]
    if announced and digest not in announced:
        yield "The signer's digest algorithm is not among those announced."
    if len(_values(signer, "message_digest")[0].native) != algorithms.size_of(digest):
        yield f"The message digest is not one of {digest}."


def _certificate_of(signed: Any, signer: Any) -> asn1.Certificate | Fault:
    """The one certificate that the signer points at."""
    ders = [encoding(choice.chosen) for choice in signed["certificates"]] if is_present(signed["certificates"]) else []
    if any(len(der) > MAX_BYTES for der in ders):
        return Fault(Reason.SHAPE, f"A certificate larger than {MAX_BYTES} bytes came with the signature.")
    matching = [certificate for certificate in map(_parsed, ders) if _points_at(signer["sid"], certificate)]
    if len(matching) != 1:
        return Fault(Reason.NO_CERTIFICATE, "The signer's certificate is not in the signature exactly once.")
    return matching[0]


@lru_cache(maxsize=128)
def _parsed(der: bytes) -> asn1.Certificate:
    """A certificate; senders use theirs again and again, and asn1crypto remembers in it what it once read."""
    return asn1.Certificate.load(der, strict=True)


def _points_at(identifier: Any, certificate: asn1.Certificate) -> bool:
    if identifier.name == "subject_key_identifier":
        return bool(certificate.key_identifier == identifier.native)
    named = identifier.chosen
    if named["serial_number"].native != certificate.serial_number:
        return False
    issuer = certificate.issuer
    return bool(named["issuer"].dump() == issuer.dump() or named["issuer"] == issuer)


def _values(signer: Any, name: str) -> Any:
    for attribute in signer["signed_attrs"]:
        if attribute["type"].native == name:
            return attribute["values"]
    return None
