"""May this certificate sign at all, before anybody asks who issued it?

Size, encoding, no authority of its own, and a key from our list: RSA of 2048 bits or more, NIST curves from P-256 on,
Ed25519. The libraries that check paths accept an RSA-1024 leaf, so the key is judged here; RSA from 1024 bits on is
tolerated by name (``signing.policy``). Ed25519 has a few points of small order (RFC 8032, 5.1): for such a key anybody
can write a signature that holds for any content, so they are refused.
Dates, issuer, usage and revocation belong to ``signing.trust.path``.
"""

from functools import lru_cache

from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from signing.der import is_der
from signing.evidence import Fault, Reason
from signing.policy import Leniency, Policy

MAX_BYTES = 8192
MAX_CERTIFICATES = 9  # the signer's and at most eight of its authorities

_MIN_RSA_BITS = 2048
_MIN_TOLERATED_RSA_BITS = 1024
_MAX_RSA_BITS = 8192  # larger keys only serve to keep the verifier busy
_ED25519_FIELD = 2**255 - 19
# The y of the eight points whose order divides eight; of order eight are the last two.
_OF_ORDER_EIGHT = int("05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826", 16)
_SMALL_ORDER = frozenset({0, 1, _ED25519_FIELD - 1, _OF_ORDER_EIGHT, _ED25519_FIELD - _OF_ORDER_EIGHT})
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


_STRICT = Policy()


def check_signer(der: bytes, policy: Policy = _STRICT) -> x509.Certificate | Fault:
    """Read a signer's certificate and refuse what may never sign.

    Args:
        der: the certificate as it came with the signature
        policy: what is tolerated
    """
    if len(der) > MAX_BYTES:
        return Fault(Reason.SHAPE, "The signer's certificate is larger than 8 kB.")
    return _check(der, _MIN_TOLERATED_RSA_BITS if policy.allows(Leniency.RSA_1024) else _MIN_RSA_BITS)


def leniencies_of(certificate: bytes) -> tuple[str, ...]:
    """What had to be tolerated for a signer's certificate, which ``check_signer`` let pass."""
    return (Leniency.RSA_1024.value,) if isinstance(_check(certificate, _MIN_RSA_BITS), Fault) else ()


@lru_cache(maxsize=256)
def _check(der: bytes, min_rsa_bits: int) -> x509.Certificate | Fault:
    try:
        certificate, issues_others = _read(der)
        weakness = weakness_of(certificate.public_key(), min_rsa_bits)
    except MemoryError:  # the worker's limit is our own trouble
        raise
    except Exception:  # parsers meet hostile bytes here, and raise what they like
        return Fault(Reason.SYNTAX, "The signer's certificate cannot be read.")
    if issues_others:
        return Fault(Reason.SHAPE, "The signer's certificate is that of an authority.")
    if weakness:
        return Fault(Reason.KEY, weakness)
    return certificate


def is_authority(certificate: asn1.Certificate) -> bool:
    """Whether a certificate says that it may issue others."""
    return bool(certificate.ca)


def weakness_of(key: PublicKeyTypes, min_rsa_bits: int = _MIN_RSA_BITS) -> str:
    """Why a public key is not on our list; empty if it is."""
    match key:
        case rsa.RSAPublicKey() if min_rsa_bits <= key.key_size <= _MAX_RSA_BITS:
            return ""
        case rsa.RSAPublicKey():
            return f"An RSA key of {key.key_size} bits is not accepted; it needs {min_rsa_bits} to {_MAX_RSA_BITS}."
        case ec.EllipticCurvePublicKey() if isinstance(key.curve, _CURVES):
            return ""
        case ed25519.Ed25519PublicKey() if _is_of_small_order(key):
            return "The key is a point of small order, with which anybody can sign."
        case ed25519.Ed25519PublicKey():
            return ""
        case _:
            return "The key is none of RSA, P-256, P-384, P-521 and Ed25519."


def _is_of_small_order(key: ed25519.Ed25519PublicKey) -> bool:
    y = int.from_bytes(key.public_bytes_raw(), "little") & ((1 << 255) - 1)
    return y % _ED25519_FIELD in _SMALL_ORDER


def _read(der: bytes) -> tuple[x509.Certificate, bool]:
    parsed = asn1.Certificate.load(der, strict=True)
    if not is_der(der) or parsed.serial_number <= 0:
        raise ValueError
    return x509.load_der_x509_certificate(der), is_authority(parsed)
