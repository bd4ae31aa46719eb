"""How does the gateway sign what it sends?

Detached CMS with the attributes of CAdES-B (ETSI EN 319 122-1): content type, message digest, signing time, the signing
certificate's digest, and the algorithms protected (RFC 6211). A timestamp over the signature makes it CAdES-T (5.3
there). Written as base64 in columns of 64 parted by CRLF, the layout that clients of the network write themselves.

pyHanko's signer needs an event loop; what it would put together is put together here (:mod:`signing.own.signed_data`)
without one. Where a timestamp comes from is not known here.
"""

import base64
import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import PublicKeyAlgorithmOID

from config.errors import ConfigurationError, TemporaryError
from config.settings import KeyReference
from signing.certificate import check_signer
from signing.evidence import Fault
from signing.own import signed_data
from signing.own.private_key import PrivateKey, describe, open_private_key

_COLUMNS = 64
_KINDS = {PublicKeyAlgorithmOID.RSAES_PKCS1_v1_5, PublicKeyAlgorithmOID.EC_PUBLIC_KEY}
# Signed once at the start, to see that key and certificate belong together; no attributes of a CMS begin like this.
_PROBE = b"the key of this certificate?"


class OtherKeySignedError(TemporaryError):
    """What the key made is no signature by its certificate; nothing is sent, and it is tried again."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that is not written down yet.

    ``certificate`` and ``attributes`` (what was signed) are DER, ``value`` is what a timestamp stamps, ``token`` the
    DER of that timestamp (RFC 3161), if there is one.
    """

    certificate: bytes
    attributes: bytes
    value: bytes
    token: bytes | None = None

    def stamped(self, token: bytes) -> "Signature":
        """The same signature with a timestamp over its value."""
        return replace(self, token=token)

    def cms(self) -> bytes:
        """The signature as DER."""
        return signed_data.signed_data(self.certificate, self.attributes, self.value, self.token)

    def text(self) -> bytes:
        """Base64 of the CMS, lines of 64 characters that each end in CRLF."""
        text = base64.b64encode(self.cms())
        return b"".join([text[start : start + _COLUMNS] + b"\r\n" for start in range(0, len(text), _COLUMNS)])


@dataclass(frozen=True, slots=True)
class Signer:
    """A key with its certificate (DER), ready to sign; thread-safe."""

    key: PrivateKey
    certificate: bytes

    @classmethod
    def open(cls, key: KeyReference, certificate: Path) -> "Signer":
        """Take a key and its certificate into use.

        Args:
            key: what :func:`signing.own.private_key.open_private_key` opens
            certificate: PEM

        Raises:
            ConfigurationError: with every fault found
        """
        faults: list[str] = []
        private, public = None, None
        try:
            private = open_private_key(key)
        except ConfigurationError as fault:
            faults.extend(fault.faults)
        try:
            public = read_certificate(certificate)
        except ConfigurationError as fault:
            faults.extend(fault.faults)
        if private and public and not _belong_together(private, public):
            faults.append(f"{certificate}: the certificate does not belong to {describe(key)}")
        if faults or private is None or public is None:
            raise ConfigurationError(faults)
        return cls(private, public.public_bytes(Encoding.DER))

    def sign(self, data: bytes, at: datetime) -> Signature:
        """Sign bytes as they are.

        Args:
            data: what is signed
            at: the signing time that the signature tells

        Raises:
            TemporaryError: the key can't be reached now, or signs with another than it should
        """
        attributes = signed_data.attributes(hashlib.new(signed_data.DIGEST, data).digest(), self.certificate, at)
        value = self.key.sign(attributes)
        if not _is_signature_of(_public_key(self.certificate), value, attributes):
            raise OtherKeySignedError("the key of our own signature made one that its certificate does not verify")
        return Signature(self.certificate, attributes, value)


def read_certificate(path: Path) -> x509.Certificate:
    """A certificate that the gateway may sign with, whatever its dates.

    Args:
        path: PEM

    Raises:
        ConfigurationError: it can't be read, is an authority's, or its key is none to sign answers with
    """
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise ConfigurationError([f"{path}: {error.strerror}"]) from error
    except ValueError as error:
        raise ConfigurationError([f"{path}: this is no certificate in PEM"]) from error
    checked = check_signer(certificate.public_bytes(Encoding.DER))
    if isinstance(checked, Fault):
        raise ConfigurationError([f"{path}: {checked.detail}"])
    if certificate.public_key_algorithm_oid not in _KINDS:
        raise ConfigurationError([f"{path}: the certificate's key is neither RSA nor on a NIST curve"])
    return certificate


def _belong_together(private: PrivateKey, certificate: x509.Certificate) -> bool:
    """Whether the certificate's key verifies what the private key signs; a token need not show a key's other half.

    Raises:
        ConfigurationError: the key can't sign
    """
    try:
        value = private.sign(_PROBE)
    except TemporaryError as fault:
        raise ConfigurationError([str(fault)]) from fault
    return _is_signature_of(certificate.public_key(), value, _PROBE)


@lru_cache(maxsize=4)
def _public_key(certificate: bytes) -> CertificatePublicKeyTypes:
    return x509.load_der_x509_certificate(certificate).public_key()


def _is_signature_of(public: CertificatePublicKeyTypes, value: bytes, content: bytes) -> bool:
    try:
        if isinstance(public, rsa.RSAPublicKey):
            public.verify(value, content, padding.PKCS1v15(), hashes.SHA256())
            return True
        if isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(value, content, ec.ECDSA(hashes.SHA256()))
            return True
    except InvalidSignature:
        pass
    return False
