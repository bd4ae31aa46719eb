"""How does the gateway sign what it sends?

Detached CMS with the attributes of CAdES-B (ETSI EN 319 122-1): content type, message digest, signing time, the signing
certificate's digest, and the algorithms protected (RFC 6211). Written as base64 in columns of 64 parted by CRLF, the
layout that clients of the network write themselves.

pyHanko's signer needs an event loop; what it would put together is put together here without one.
"""

import base64
import hashlib
import stat
import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asn1crypto import algos, cms, core
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from pyhanko.sign.general import as_signing_certificate_v2

from config.errors import ConfigurationError
from signing.certificate import check_signer
from signing.evidence import Fault

_DIGEST = "sha256"
_COLUMNS = 64

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Signer:
    """A key with its certificate, ready to sign; thread-safe."""

    key: PrivateKey
    certificate: bytes

    @classmethod
    def open(cls, key: Path, certificate: Path) -> "Signer":
        """Read a key and its certificate, both PEM.

        Args:
            key: RSA or NIST curve, unencrypted, not readable by everybody

        Raises:
            ConfigurationError: with every fault found
        """
        faults: list[str] = []
        private = _read_key(key, faults)
        public = _read_certificate(certificate, faults)
        if private and public and private.public_key() != public.public_key():
            faults.append(f"{certificate}: the certificate does not belong to {key}")
        if faults or private is None or public is None:
            raise ConfigurationError(faults)
        return cls(private, public.public_bytes(Encoding.DER))

    def sign_detached(self, data: bytes) -> bytes:
        """Sign bytes as they are.

        Returns:
            base64 text of the CMS, lines of 64 characters that each end in CRLF
        """
        certificate = asn1.Certificate.load(self.certificate, strict=True)
        mechanism = algos.SignedDigestAlgorithm({"algorithm": self._mechanism()})
        attributes = _attributes(data, certificate, mechanism)
        signer = cms.SignerInfo(
            {
                "version": "v1",
                "sid": {
                    "issuer_and_serial_number": {
                        "issuer": certificate.issuer,
                        "serial_number": certificate.serial_number,
                    }
                },
                "digest_algorithm": {"algorithm": _DIGEST},
                "signed_attrs": attributes,
                "signature_algorithm": mechanism,
                "signature": self._sign(attributes.dump()),
            }
        )
        signed = cms.SignedData(
            {
                "version": "v1",
                "digest_algorithms": [{"algorithm": _DIGEST}],
                "encap_content_info": {"content_type": "data"},
                "certificates": [certificate],
                "signer_infos": [signer],
            }
        )
        return _columns(cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump())

    def _mechanism(self) -> str:
        return f"{_DIGEST}_rsa" if isinstance(self.key, rsa.RSAPrivateKey) else f"{_DIGEST}_ecdsa"

    def _sign(self, content: bytes) -> bytes:
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(content, padding.PKCS1v15(), hashes.SHA256())
        return self.key.sign(content, ec.ECDSA(hashes.SHA256()))


def _attributes(data: bytes, certificate: Any, mechanism: algos.SignedDigestAlgorithm) -> Any:
    digest_algorithm = algos.DigestAlgorithm({"algorithm": _DIGEST})
    protection = cms.CMSAlgorithmProtection({"digest_algorithm": digest_algorithm, "signature_algorithm": mechanism})
    now = datetime.now(UTC).replace(microsecond=0)
    values = {
        "content_type": "data",
        "message_digest": hashlib.new(_DIGEST, data).digest(),
        "signing_time": cms.Time({"utc_time": core.UTCTime(now)}),
        "signing_certificate_v2": as_signing_certificate_v2(certificate),
        "cms_algorithm_protection": protection,
    }
    return cms.CMSAttributes([cms.CMSAttribute({"type": name, "values": (value,)}) for name, value in values.items()])


def _columns(der: bytes) -> bytes:
    lines = textwrap.wrap(base64.b64encode(der).decode(), _COLUMNS)
    return "".join(f"{line}\r\n" for line in lines).encode()


def _read_key(path: Path, faults: list[str]) -> PrivateKey | None:
    try:
        if path.stat().st_mode & stat.S_IROTH:
            faults.append(f"{path}: everybody may read this key")
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        faults.append(f"{path}: {error.strerror}")
        return None
    except Exception:  # encrypted, foreign or broken: each has an error of its own
        faults.append(f"{path}: this is no unencrypted private key in PEM")
        return None
    if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        faults.append(f"{path}: the key is neither RSA nor on a NIST curve")
        return None
    return key


def _read_certificate(path: Path, faults: list[str]) -> x509.Certificate | None:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        faults.append(f"{path}: {error.strerror}")
        return None
    except ValueError:
        faults.append(f"{path}: this is no certificate in PEM")
        return None
    checked = check_signer(certificate.public_bytes(Encoding.DER))
    if isinstance(checked, Fault):
        faults.append(f"{path}: {checked.detail}")
        return None
    return certificate
