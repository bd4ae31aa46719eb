"""Where is a private key of the gateway, and how does it sign?

A PEM file, a credential that systemd hands to its unit (systemd.exec(5), LoadCredential=), or a key in a PKCS#11 token.
Whatever it is, it makes one kind of signature: over the SHA-256 of the content, by RSA PKCS#1 v1.5 or by ECDSA.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from config.credential import credential_file, read_secret
from config.errors import ConfigurationError
from config.settings import KeyReference
from signing.own.pkcs11_uri import name_of, parse_uri

_PKCS11: Final = "pkcs11:"


class PrivateKey(Protocol):
    """A key that signs; thread-safe."""

    def sign(self, content: bytes) -> bytes:
        """The signature over the SHA-256 of ``content``: PKCS#1 v1.5, or ECDSA in DER.

        Raises:
            TemporaryError: the key can't be reached now
        """


@dataclass(frozen=True, slots=True)
class FileKey:
    """A key that was read into memory."""

    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = field(repr=False)

    def sign(self, content: bytes) -> bytes:
        """The signature over the SHA-256 of ``content``: PKCS#1 v1.5, or ECDSA in DER."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(content, padding.PKCS1v15(), hashes.SHA256())
        return self.key.sign(content, ec.ECDSA(hashes.SHA256()))


def open_private_key(reference: KeyReference) -> PrivateKey:
    """The key that a setting names.

    Args:
        reference: a PEM file (RSA or NIST curve, unencrypted), ``credential:NAME`` or ``pkcs11:…``

    Raises:
        ConfigurationError: with every fault found
    """
    if isinstance(reference, str) and reference.startswith(_PKCS11):
        return _token_key(reference)
    return _file_key(_path(reference))


def describe(reference: KeyReference) -> str:
    """A setting in words that may be shown: of a URI, only what names the token and the key."""
    text = str(reference)
    return name_of(text) if text.startswith(_PKCS11) else text


def _file_key(path: Path) -> FileKey:
    content, faults = read_secret(path)
    try:
        key = load_pem_private_key(content, password=None)
    except Exception as fault:  # encrypted, foreign or broken: each has an error of its own
        raise ConfigurationError([*faults, f"{path}: this is no unencrypted private key in PEM"]) from fault
    if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        faults.append(f"{path}: the key is neither RSA nor on a NIST curve")
    elif not faults:
        return FileKey(key)
    raise ConfigurationError(faults)


def _token_key(reference: str) -> PrivateKey:
    uri = parse_uri(reference)
    try:
        from signing.own.pkcs11_key import open_pkcs11_key  # noqa: PLC0415 -- its library is an optional extra
    except ModuleNotFoundError as fault:
        missing = "the package python-pkcs11 is not installed; pip install 'batch-gateway[pkcs11]'"
        raise ConfigurationError([f"{uri.name}: {missing}"]) from fault
    return open_pkcs11_key(uri, None if uri.pin is None else _pin(_path(uri.pin)))


def _pin(path: Path) -> str:
    content, faults = read_secret(path)
    text = content.removesuffix(b"\n").decode("utf-8", errors="replace")
    if not text.isprintable() or not text:
        faults.append(f"{path}: this is no PIN in one line")
    if faults:
        raise ConfigurationError(faults)
    return text


def _path(reference: KeyReference) -> Path:
    """The file of a reference that is no token."""
    if isinstance(reference, Path):
        return reference
    return credential_file(reference)
