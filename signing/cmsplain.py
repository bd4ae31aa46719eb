"""Is this the CMS signature that nearly every client writes, and a good one?  Quickly, or nothing is said.

One signer, named by issuer and number; one certificate, the signer's; a digest of SHA-2; no signed attributes but the
type of the content, its digest, the time and S/MIME capabilities; no unsigned ones. Of that shape every byte has its
place, so it is taken apart without building a tree, which takes a sixth of the time.

What is found good here ``signing.cmsshape`` finds good as well, with the same certificate, digest and time. Of all else
nothing is said, least of all that it is bad: whoever asks has that judged there.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from asn1crypto import core, parser
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from signing import algorithms
from signing.certificate import check_signer
from signing.der import encoding, is_der
from signing.evidence import Fault, Stamp
from signing.policy import Policy

_SEQUENCE: Final = 0x30
_SET: Final = 0x31
_FIRST: Final = 0xA0  # the tag [0] around other elements
_BYTES: Final = 0x04
_LONG: Final = 0x80  # bytes of a length that has more than one begin so
_LENGTH_BYTES: Final = 3
_TIMES: Final = {
    0x17: re.compile(rb"()(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z"),
    0x18: re.compile(rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z"),
}


_OIDS: Final[Mapping[str, str]] = {
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
    "rsassa_pkcs1v15": "1.2.840.113549.1.1.1",
    "sha256_rsa": "1.2.840.113549.1.1.11",
    "sha384_rsa": "1.2.840.113549.1.1.12",
    "sha512_rsa": "1.2.840.113549.1.1.13",
    "sha256_ecdsa": "1.2.840.10045.4.3.2",
    "sha384_ecdsa": "1.2.840.10045.4.3.3",
    "sha512_ecdsa": "1.2.840.10045.4.3.4",
    "ed25519": "1.3.101.112",
}


def _identifier(dotted: str) -> bytes:
    # Not by asn1crypto's names: pyHanko adds some, which is no use once one was looked for.
    written: bytes = core.ObjectIdentifier(dotted).dump()
    return written


def _sequence(contents: bytes) -> bytes:
    written: bytes = parser.emit(0, 1, 16, contents)
    return written


_ONE: Final = core.Integer(1).dump()
_SIGNED_DATA: Final = _identifier("1.2.840.113549.1.7.2")
_DATA: Final = _identifier("1.2.840.113549.1.7.1")
_DETACHED: Final = _sequence(_DATA)
_CONTENT_TYPE: Final = _identifier("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST: Final = _identifier("1.2.840.113549.1.9.4")
_SIGNING_TIME: Final = _identifier("1.2.840.113549.1.9.5")
_CAPABILITIES: Final = _identifier("1.2.840.113549.1.9.15")
_TYPES: Final = frozenset({_CONTENT_TYPE, _MESSAGE_DIGEST, _SIGNING_TIME, _CAPABILITIES})
_TYPE_BYTES: Final = len(_CONTENT_TYPE)  # and of each of the others
_HASHES: Final[Mapping[str, HashAlgorithm]] = {"sha256": SHA256(), "sha384": SHA384(), "sha512": SHA512()}
_USUAL_KEYS: Final = frozenset({"rsa", "ec", "ed25519"})
# How many elements stand around these two.
_AROUND_CERTIFICATE: Final = 4
_AROUND_CAPABILITIES: Final = 8
_REMEMBERED: Final = 256
_REMEMBERED_BYTES: Final = 512


_NAMES: Final = {
    _sequence(_identifier(dotted) + none): name for name, dotted in _OIDS.items() for none in algorithms.NO_PARAMETERS
}
"""Names of algorithms, by how each is written without parameters."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that its signer's key has made; whether it is over the file is still to be seen.

    ``certificate`` is the signer's (DER), ``digest`` the name of the digest algorithm, ``claimed`` what the file has to
    have by it. ``signed_at`` is None if the signer doesn't say when; ``stamps`` are not verified yet.
    """

    certificate: bytes
    digest: str
    claimed: bytes
    signed_at: datetime | None
    stamps: tuple[Stamp, ...] = ()

    def covers(self, digest: bytes) -> bool:
        """Whether that is the digest of what was signed."""
        return hmac.compare_digest(self.claimed, digest)


@dataclass(frozen=True, slots=True)
class _Signer:
    """What signatures name a certificate by (IssuerAndSerialNumber), and its key."""

    name: bytes
    key: object


def read(der: bytes, policy: Policy) -> Signature | None:
    """The signature that a ContentInfo holds, beside its file; None if it is to be judged elsewhere.

    Args:
        der: whatever came
        policy: what is tolerated
    """
    try:
        return _read(der, policy)
    except MemoryError:  # the worker's limit is our own trouble
        raise
    except Exception:  # another shape, no good signature, or hostile bytes: that is said elsewhere
        return None


def _read(der: bytes, policy: Policy) -> Signature:
    announced, certificate, at, end = _outside(der)
    if isinstance(check_signer(certificate, policy), Fault):
        raise ValueError  # noqa: TRY004 -- no mistake of ours
    signer = _signer(certificate)
    at = _past(der, _past(der, at, _ONE), signer.name)
    _, start = _open(der, at, end, _SEQUENCE)
    digest = _NAMES[der[at:start]]
    first, at = _open(der, start, end, _FIRST)
    values = _attributes(der, first, at)
    _, value = _open(der, at, end, _SEQUENCE)
    mechanism = _NAMES[der[at:value]]
    _verify(signer.key, mechanism, digest, der[slice(*_last(der, value, end, _BYTES))], b"\x31" + der[start + 1 : at])
    if _NAMES[announced] != digest:
        raise ValueError
    return Signature(certificate, digest, _claimed(values, digest), _signed_at(values))


def _outside(der: bytes) -> tuple[bytes, bytes, int, int]:
    """The digest algorithm that is announced, the certificate, and where the fields of the signer begin and end."""
    at, end = _last(der, 0, len(der), _SEQUENCE)
    at, end = _last(der, _past(der, at, _SIGNED_DATA), end, _FIRST)
    at, end = _last(der, at, end, _SEQUENCE)
    announced, at = _open(der, _past(der, at, _ONE), end, _SET)
    came, signers = _open(der, _past(der, at, _DETACHED), end, _FIRST)
    _last(der, came, signers, _SEQUENCE)
    start, end = _last(der, signers, end, _SET)
    start, end = _last(der, start, end, _SEQUENCE)
    return der[announced:at], der[came:signers], start, end


def _attributes(der: bytes, at: int, end: int) -> dict[bytes, bytes]:
    """The one value of each signed attribute, by how its type is written."""
    values: dict[bytes, bytes] = {}
    while at < end:
        start, at = _open(der, at, end, _SEQUENCE)
        name = der[start : start + _TYPE_BYTES]
        value = der[slice(*_last(der, start + _TYPE_BYTES, at, _SET))]
        if name not in _TYPES or name in values:
            raise ValueError
        values[name] = value
    if values[_CONTENT_TYPE] != _DATA or (_CAPABILITIES in values and not _is_der(values[_CAPABILITIES])):
        raise ValueError
    return values


def _claimed(values: Mapping[bytes, bytes], digest: str) -> bytes:
    value, size = values[_MESSAGE_DIGEST], _HASHES[digest].digest_size
    if value[0] != _BYTES or value[1] != size or len(value) != size + 2:
        raise ValueError
    return value[2:]


def _signed_at(values: Mapping[bytes, bytes]) -> datetime | None:
    value = values.get(_SIGNING_TIME)
    if value is None:
        return None
    found = _TIMES[value[0]].fullmatch(value, 2)
    if found is None or value[1] != len(value) - 2:
        raise ValueError
    century, year, *others = found.groups()
    century = century or (b"19" if year >= b"50" else b"20")
    return datetime(int(century + year), *map(int, others), tzinfo=UTC)  # type: ignore[misc,arg-type]


def _is_der(capabilities: bytes) -> bool:
    """Whether capabilities are well-formed; what they say is nothing to us, and all of a sender's say the same."""
    if len(capabilities) > _REMEMBERED_BYTES:
        raise ValueError
    return _is_known_der(capabilities)


@lru_cache(maxsize=_REMEMBERED)
def _is_known_der(capabilities: bytes) -> bool:
    return is_der(capabilities, _AROUND_CAPABILITIES)


@lru_cache(maxsize=_REMEMBERED)
def _signer(certificate: bytes) -> _Signer:
    """Of a certificate that may sign; senders use theirs again and again."""
    parsed = asn1.Certificate.load(certificate, strict=True)
    # What goes with a key that is for RSA-PSS alone, pyHanko knows.
    if parsed.public_key.algorithm not in _USUAL_KEYS or not is_der(certificate, _AROUND_CERTIFICATE):
        raise ValueError
    name = _sequence(encoding(parsed.issuer) + encoding(parsed["tbs_certificate"]["serial_number"]))
    return _Signer(name, x509.load_der_x509_certificate(certificate).public_key())


def _verify(key: object, mechanism: str, digest: str, signature: bytes, signed: bytes) -> None:
    """Raise unless the key has made the signature over what is signed, as this mechanism does."""
    kind, going = algorithms.MECHANISMS[mechanism]
    if not isinstance(key, kind) or digest not in going:
        raise ValueError
    match key:
        case ec.EllipticCurvePublicKey():
            key.verify(signature, signed, ec.ECDSA(_HASHES[digest]))
        case rsa.RSAPublicKey():
            key.verify(signature, signed, padding.PKCS1v15(), _HASHES[digest])
        case ed25519.Ed25519PublicKey():
            key.verify(signature, signed)
        case _:
            raise ValueError


# --- DER, element by element: lengths are definite and minimal, tags have one byte


def _open(der: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """Where the contents of the element at a place begin and end; it has this tag and ends before ``end`` does."""
    length, start = der[at + 1], at + 2
    if length >= _LONG:
        size = length - _LONG
        length = int.from_bytes(der[start : start + size], "big")
        start += size
        if not 0 < size <= _LENGTH_BYTES or length < max(_LONG, 1 << 8 * (size - 1)):
            raise ValueError
    if der[at] != tag or start + length > end:
        raise ValueError
    return start, start + length


def _last(der: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """As :func:`_open`, of an element behind which there is none."""
    start, stop = _open(der, at, end, tag)
    if stop != end:
        raise ValueError
    return start, stop


def _past(der: bytes, at: int, expected: bytes) -> int:
    """The place behind these bytes, which are the ones at a place."""
    if not der.startswith(expected, at):
        raise ValueError
    return at + len(expected)
