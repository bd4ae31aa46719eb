"""How does the gateway get a key of its own to sign its answers?

An RSA-3072 key and a self-signed certificate for digitalSignature and nonRepudiation, enough for a first start. Whoever
must be verified through a public authority puts that authority's certificate in its place.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from config.errors import ConfigurationError
from signing.durable import write_new

_BITS = 3072
_YEARS = 5


def create_signing_key(key: Path, certificate: Path, common_name: str) -> None:
    """Make a key, readable by its owner alone, and a certificate of five years; both as PEM.

    Args:
        common_name: the name in the certificate, 1 to 64 characters

    Raises:
        ConfigurationError: if either file exists or can't be written; nothing is overwritten
    """
    taken = [f"{path}: the file exists" for path in (key, certificate) if path.exists()]
    if taken:
        raise ConfigurationError(taken)
    private = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    signed = _self_signed(private, common_name)
    try:
        write_new(key, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
        write_new(certificate, signed.public_bytes(Encoding.PEM))
    except OSError as error:
        raise ConfigurationError([f"{error.filename2 or error.filename}: {error.strerror}"]) from error


def _self_signed(private: rsa.RSAPrivateKey, common_name: str) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    public = private.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365 * _YEARS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(private, hashes.SHA256())
    )
