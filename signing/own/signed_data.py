"""How is a signature of our own written down, as a CMS in DER?

What is the same in every signature with one certificate is encoded once and kept, and the rest is put around it here:
a library that builds the structure from values takes longer than the key does to sign.  What is written is the same
byte for byte (a test compares).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from asn1crypto import algos, cms
from asn1crypto import x509 as asn1
from pyhanko.sign.general import as_signing_certificate_v2

from signing.der import contents, element

DIGEST: Final = "sha256"

_OCTETS, _UTC_TIME, _SEQUENCE, _SET, _CONTEXT = 0x04, 0x17, 0x30, 0x31, 0xA0
_VERSION_1: Final = bytes.fromhex("020101")
_MESSAGE_DIGEST: Final = cms.CMSAttributeType("message_digest").dump()
_SIGNING_TIME: Final = cms.CMSAttributeType("signing_time").dump()
_TIMESTAMP: Final = cms.CMSAttributeType("signature_time_stamp_token").dump()
_SIGNED_DATA: Final = cms.ContentType("signed_data").dump()
_CONTENT: Final = cms.ContentInfo({"content_type": "data"}).dump()


@dataclass(frozen=True, slots=True)
class _Lasting:
    """What is the same in every signature with one certificate: signed attributes, and parts of the CMS (DER)."""

    attributes: tuple[bytes, ...]
    signer: bytes
    digest: bytes
    mechanism: bytes


def attributes(digest: bytes, certificate: bytes, at: datetime) -> bytes:
    """What is signed (DER): the digest (SHA-256) of the data, when, and with which certificate (DER).

    ``at`` is before 2050: the time is written with two digits of its year.
    """
    time = f"{at.astimezone(UTC):%y%m%d%H%M%SZ}".encode()
    own = (
        _attribute(_MESSAGE_DIGEST, element(_OCTETS, digest)),
        _attribute(_SIGNING_TIME, element(_UTC_TIME, time)),
    )
    return _set((*own, *_lasting(certificate).attributes))


def signed_data(certificate: bytes, signed: bytes, value: bytes, token: bytes | None) -> bytes:
    """The CMS (DER) with one signer.

    Args:
        certificate: the signer's (DER)
        signed: what :func:`attributes` answered
        value: the signature over it
        token: the timestamp over ``value`` (RFC 3161, DER), if there is one
    """
    lasting = _lasting(certificate)
    signer = [_VERSION_1, lasting.signer, lasting.digest, _within(0, contents(signed)), lasting.mechanism]
    signer.append(element(_OCTETS, value))
    if token is not None:
        signer.append(_within(1, _attribute(_TIMESTAMP, token)))
    content = (
        _VERSION_1,
        _set((lasting.digest,)),
        _CONTENT,
        _within(0, certificate),
        _set((_sequence(signer),)),
    )
    return _sequence((_SIGNED_DATA, _within(0, _sequence(content))))


@lru_cache(maxsize=4)
def _lasting(certificate: bytes) -> _Lasting:
    loaded = asn1.Certificate.load(certificate, strict=True)
    kind = "rsa" if loaded.public_key.algorithm == "rsa" else "ecdsa"
    mechanism = algos.SignedDigestAlgorithm({"algorithm": f"{DIGEST}_{kind}"})
    digest = algos.DigestAlgorithm({"algorithm": DIGEST})
    values = {
        "content_type": "data",
        "signing_certificate_v2": as_signing_certificate_v2(loaded),
        "cms_algorithm_protection": cms.CMSAlgorithmProtection(
            {"digest_algorithm": digest, "signature_algorithm": mechanism}
        ),
    }
    return _Lasting(
        attributes=tuple(cms.CMSAttribute({"type": name, "values": (value,)}).dump() for name, value in values.items()),
        signer=cms.IssuerAndSerialNumber({"issuer": loaded.issuer, "serial_number": loaded.serial_number}).dump(),
        digest=digest.dump(),
        mechanism=mechanism.dump(),
    )


def _attribute(kind: bytes, value: bytes) -> bytes:
    return _sequence((kind, _set((value,))))


def _sequence(parts: Iterable[bytes]) -> bytes:
    return element(_SEQUENCE, b"".join(parts))


def _set(parts: Iterable[bytes]) -> bytes:
    return element(_SET, b"".join(sorted(parts)))


def _within(tag: int, content: bytes) -> bytes:
    return element(_CONTEXT | tag, content)
