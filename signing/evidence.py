"""What does a verification hand back?

Evidence that carries what was verified, a fault with its reason, or nothing yet because our own knowledge of
revocations is missing. Never a bare yes or no: whoever validates the declaration must get the very bytes that the
signature covers.

This file holds only the values; ``signing.verify`` is the door.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from config.errors import TemporaryError


class Format(StrEnum):
    """How the signature is written: RFC 5652, W3C XML Signature, or that with ETSI's XAdES inside (EN 319 132-1)."""

    CMS = "cms"
    XML = "xml"
    XADES = "xades"


class Reason(StrEnum):
    """Why a signature is refused, in the order in which it is judged: shape, algorithms, mathematics, path."""

    SYNTAX = "syntax"
    SHAPE = "shape"
    FORMAT = "format"
    NO_CERTIFICATE = "no-certificate"
    ALGORITHM = "algorithm"
    KEY = "key"
    SIGNATURE = "signature"
    TAMPERED = "tampered"
    TIME = "time"
    TIMESTAMP = "timestamp"
    NOT_ACCEPTED = "not-accepted"
    NOT_YET_VALID = "not-yet-valid"
    EXPIRED = "expired"
    REVOKED = "revoked"
    KEY_USAGE = "key-usage"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Fault:
    """A refusal. ``detail`` is an English sentence without names of persons or content of the declaration.

    ``chain`` and ``revocation`` are as in :class:`Evidence`, of a refusal that relied on them.
    """

    reason: Reason
    detail: str
    chain: tuple[bytes, ...] = ()
    revocation: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stamp:
    """A timestamp that came with a signature, not verified yet.

    ``token`` is the DER of an RFC 3161 token; ``stamped`` the bytes whose digest it must carry.
    """

    token: bytes
    stamped: bytes


@dataclass(frozen=True, slots=True)
class Proven:
    """The mathematics hold; whether the signer's certificate is accepted is still to be judged.

    ``certificate`` is DER, ``sha256`` the hexadecimal digest of the file as it lies on disk. ``content`` holds the
    bytes that the signature covers when they are not the file itself. ``signed_at`` is when the signer says to have
    signed, None if it doesn't say.
    """

    format: Format
    certificate: bytes
    sha256: str
    leniencies: tuple[str, ...] = ()
    content: bytes | None = None
    signed_at: datetime | None = None
    stamps: tuple[Stamp, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """A good signature by an accepted signer.

    ``certificate`` is the signer's, as DER, and ``fingerprint`` its SHA-256 in hexadecimal; ``authority`` names the
    accepted authority that issued it. ``sha256`` is the hexadecimal digest of the file's bytes. ``leniencies`` names
    what was tolerated (``signing.policy``).

    ``chain`` has the certificates above the signer's up to the root (DER), and ``revocation`` the SHA-256 (hexadecimal)
    of every list and response that was relied on: what a later proof needs. ``signed_at`` is when the signer says to
    have signed, ``stamped_at`` the earliest time that an accepted timestamp proves, ``ignored_stamps`` how many
    timestamps prove nothing because no accepted authority vouches for them.

    ``content`` is None when the signature covers the file byte for byte. Otherwise it is what was signed, in
    canonical form, and only that may be validated and forwarded.
    """

    format: Format
    certificate: bytes
    fingerprint: str
    authority: str
    sha256: str
    leniencies: tuple[str, ...]
    content: bytes | None
    chain: tuple[bytes, ...] = ()
    revocation: tuple[str, ...] = ()
    signed_at: datetime | None = None
    stamped_at: datetime | None = None
    ignored_stamps: int = 0


class TrustUnavailable(TemporaryError):  # noqa: N818 -- says what is missing, as BrokerUnavailable does
    """Nobody can say now whether a certificate of ``issuer`` is revoked; the work is kept and tried again.

    ``authority`` names the entry and ``certificate`` is the DER of the certificate in question, where that is known:
    a program that fetches revocation data can ask for just that.
    """

    def __init__(
        self, issuer: str, detail: str, authority: str | None = None, certificate: bytes | None = None
    ) -> None:
        super().__init__(issuer, detail, authority, certificate)
        self.issuer = issuer
        self.detail = detail
        self.authority = authority
        self.certificate = certificate

    def __str__(self) -> str:
        return f"{self.issuer}: {self.detail}"
