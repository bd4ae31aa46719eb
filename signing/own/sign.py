"""How does the gateway sign what it sends?

Detached CMS with the attributes of CAdES-B (ETSI EN 319 122-1): content type, message digest, signing time, the signing
certificate's digest, and the algorithms protected (RFC 6211). A timestamp over the signature makes it CAdES-T (5.3
there). Written as base64 in columns of 64 parted by CRLF, the layout that clients of the network write themselves.

pyHanko's signer needs an event loop; what it would put together is put together here without one. Where a timestamp
comes from is not known here.
"""

import base64
import hashlib
import textwrap
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from asn1crypto import algos, cms, core
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import PublicKeyAlgorithmOID
from pyhanko.sign.general import as_signing_certificate_v2

from config.errors import ConfigurationError, TemporaryError
from config.settings import KeyReference
from signing.certificate import check_signer
from signing.evidence import Fault
from signing.own.private_key import PrivateKey, describe, open_private_key

_DIGEST = "sha256"
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
        certificate = asn1.Certificate.load(self.certificate, strict=True)
        signer = {
            "version": "v1",
            "sid": {
                "issuer_and_serial_number": {
                    "issuer": certificate.issuer,
                    "serial_number": certificate.serial_number,
                }
            },
            "digest_algorithm": {"algorithm": _DIGEST},
            "signed_attrs": cms.CMSAttributes.load(self.attributes),
            "signature_algorithm": _mechanism(certificate),
            "signature": self.value,
        }
        if self.token is not None:
            stamp = {"type": "signature_time_stamp_token", "values": (cms.ContentInfo.load(self.token),)}
            signer["unsigned_attrs"] = cms.CMSAttributes([cms.CMSAttribute(stamp)])
        signed = cms.SignedData(
            {
                "version": "v1",
                "digest_algorithms": [{"algorithm": _DIGEST}],
                "encap_content_info": {"content_type": "data"},
                "certificates": [certificate],
                "signer_infos": [cms.SignerInfo(signer)],
            }
        )
        encoded: bytes = cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump()
        return encoded

    def text(self) -> bytes:
        """Base64 of the CMS, lines of 64 characters that each end in CRLF."""
        lines = textwrap.wrap(base64.b64encode(self.cms()).decode(), _COLUMNS)
        return "".join(f"{line}\r\n" for line in lines).encode()


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
        attributes = _attributes(data, self.certificate, at)
        value = self.key.sign(attributes)
        if not _is_signature_of(x509.load_der_x509_certificate(self.certificate), value, attributes):
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
    return _is_signature_of(certificate, value, _PROBE)


def _is_signature_of(certificate: x509.Certificate, value: bytes, content: bytes) -> bool:
    public = certificate.public_key()
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


def _mechanism(certificate: asn1.Certificate) -> algos.SignedDigestAlgorithm:
    kind = "rsa" if certificate.public_key.algorithm == "rsa" else "ecdsa"
    return algos.SignedDigestAlgorithm({"algorithm": f"{_DIGEST}_{kind}"})


def _attributes(data: bytes, certificate: bytes, at: datetime) -> bytes:
    values = {
        "message_digest": hashlib.new(_DIGEST, data).digest(),
        "signing_time": cms.Time({"utc_time": core.UTCTime(at.astimezone(UTC).replace(microsecond=0))}),
    }
    attributes = [cms.CMSAttribute({"type": name, "values": (value,)}) for name, value in values.items()]
    attributes += [cms.CMSAttribute.load(attribute) for attribute in _lasting_attributes(certificate)]
    encoded: bytes = cms.CMSAttributes(attributes).dump()
    return encoded


# Putting these together costs more than the signature.
@lru_cache(maxsize=4)
def _lasting_attributes(certificate: bytes) -> tuple[bytes, ...]:
    """Those attributes (DER) that are the same in every signature with this certificate (DER)."""
    loaded = asn1.Certificate.load(certificate, strict=True)
    digest = algos.DigestAlgorithm({"algorithm": _DIGEST})
    protection = {"digest_algorithm": digest, "signature_algorithm": _mechanism(loaded)}
    values = {
        "content_type": "data",
        "signing_certificate_v2": as_signing_certificate_v2(loaded),
        "cms_algorithm_protection": cms.CMSAlgorithmProtection(protection),
    }
    return tuple(cms.CMSAttribute({"type": name, "values": (value,)}).dump() for name, value in values.items())
