"""Who holds a certificate, in words that survive its renewal and tell nobody else who it is?

An issuing authority's name and the subject's serialNumber (X.520, 6.2.9; RFC 4519, 2.31) say whose a certificate is:
a renewed one has both again, with another key. On an identity card the serialNumber is the person's national number.
So what is written down is a keyed hash, which can be compared, but neither read nor found by trying every number by
somebody who has the journal and not the key.

Whether the certificate is any good is ``signing.trust.path``'s question, and must be answered first: anybody can write
any name into a certificate of his own.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from config.errors import ConfigurationError
from signing.durable import write_new

_KEY_BYTES = 32
_MAX_SERIAL = 256


@dataclass(frozen=True, slots=True, repr=False)
class Holder:
    """The holder of a certificate: its issuer's name (RFC 4514) and the subject's serialNumber, a personal datum.

    ``issuer_der`` is the issuer's name as it is encoded: two that read alike may not be the same.
    """

    issuer: str
    serial_number: str
    issuer_der: bytes

    def __repr__(self) -> str:
        return f"Holder(issuer={self.issuer!r})"

    def mark(self, key: bytes) -> str:
        """The holder's keyed hash (HMAC with SHA-256, hexadecimal); the same for every certificate of the holder."""
        length = len(self.issuer_der).to_bytes(4, "big")
        return hmac.new(key, length + self.issuer_der + self.serial_number.encode(), hashlib.sha256).hexdigest()


def holder_of(certificate: bytes) -> Holder | None:
    """The holder of a certificate (DER); None if its subject has no serialNumber, or more than one."""
    try:
        read = x509.load_der_x509_certificate(certificate)
        found = read.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
        issuer, issuer_der = read.issuer.rfc4514_string(), read.issuer.public_bytes()
    except Exception:  # a broken certificate makes the parser raise more than its own errors
        return None
    if len(found) != 1 or not isinstance(found[0].value, str) or not 0 < len(found[0].value) <= _MAX_SERIAL:
        return None
    return Holder(issuer, found[0].value, issuer_der)


def read_key(path: Path) -> bytes:
    """The key that holders are hashed with.

    Raises:
        ConfigurationError: there is none, or it cannot be used
    """
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except OSError as fault:
        raise ConfigurationError([f"{path}: the key of the holders: {fault.strerror}"]) from fault
    except ValueError as fault:
        raise ConfigurationError([f"{path}: this is no key of holders"]) from fault
    if len(key) != _KEY_BYTES:
        raise ConfigurationError([f"{path}: this is no key of holders"])
    return key


def create_key(path: Path) -> None:
    """Make a key of holders, readable by its owner alone.

    Raises:
        FileExistsError: there is a file of that name, which is never replaced: what was hashed with it would be lost
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_new(path, secrets.token_hex(_KEY_BYTES).encode() + b"\n", mode=0o600)
