"""May this certificate sign at all, before anybody asks who issued it?

Size, encoding, no authority of its own, and a key from our list: RSA of 2048 bits or more, NIST curves from P-256 on,
Ed25519. The libraries that check paths accept an RSA-1024 leaf, so the key is judged here.
Dates, issuer, usage and revocation belong to ``signing.path``.
"""

from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from signing.der import is_der
from signing.evidence import Fault, Reason

MAX_BYTES = 8192
MAX_CERTIFICATES = 9  # the signer's and at most eight of its authorities

_MIN_RSA_BITS = 2048
_MAX_RSA_BITS = 8192  # larger keys only serve to keep the verifier busy
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


def check_signer(der: bytes) -> x509.Certificate | Fault:
    """Read a signer's certificate and refuse what may never sign.

    Args:
        der: the certificate as it came with the signature
    """
    if len(der) > MAX_BYTES:
        return Fault(Reason.SHAPE, "The signer's certificate is larger than 8 kB.")
    try:
        certificate, issues_others = _read(der)
        weakness = weakness_of(certificate.public_key())
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


def weakness_of(key: PublicKeyTypes) -> str:
    """Why a public key is not on our list; empty if it is."""
    match key:
        case rsa.RSAPublicKey() if _MIN_RSA_BITS <= key.key_size <= _MAX_RSA_BITS:
            return ""
        case rsa.RSAPublicKey():
            return f"An RSA key of {key.key_size} bits is not accepted; it needs {_MIN_RSA_BITS} to {_MAX_RSA_BITS}."
        case ec.EllipticCurvePublicKey() if isinstance(key.curve, _CURVES):
            return ""
        case ed25519.Ed25519PublicKey():
            return ""
        case _:
            return "The key is none of RSA, P-256, P-384, P-521 and Ed25519."


def _read(der: bytes) -> tuple[x509.Certificate, bool]:
    parsed = asn1.Certificate.load(der, strict=True)
    if not is_der(der) or parsed.serial_number <= 0:
        raise ValueError
    return x509.load_der_x509_certificate(der), is_authority(parsed)
