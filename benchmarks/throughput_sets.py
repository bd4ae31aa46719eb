"""Sets of files to measure with: FI of 10 KB, each with a serial of its own, FS over it, and an empty GO.

Part of :mod:`benchmarks.throughput`. Signatures are made in the process, so that no time goes into starting programs.
"""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs7

from tests.gateway_process import three_forms, today

BYTES: Final = 10_240
_SERIAL: Final = b">VOORBEELD-0001<"


@dataclass(frozen=True, slots=True)
class Signer:
    """A sender's key and certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def read(cls, key: Path, certificate: Path) -> "Signer":
        """From PEM files."""
        private = load_pem_private_key(key.read_bytes(), password=None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise SystemExit("a key on a curve is expected")
        return cls(private, x509.load_pem_x509_certificate(certificate.read_bytes()))

    def sign(self, data: bytes) -> bytes:
        """FS over ``data``: a detached CMS in base64."""
        options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary]
        builder = pkcs7.PKCS7SignatureBuilder().set_data(data)
        return base64.encodebytes(
            builder.add_signer(self.certificate, self.key, hashes.SHA256()).sign(Encoding.DER, options)
        )


@dataclass(frozen=True, slots=True)
class MadeSet:
    """A set of one part: what its names share, and the bytes of FI and FS; GO is empty."""

    stem: str
    data: bytes
    signature: bytes

    @property
    def files(self) -> tuple[tuple[str, bytes], ...]:
        """Names and bytes, in the order in which they are sent."""
        return (f"FI.{self.stem}.1.1", self.data), (f"FS.{self.stem}.1.1", self.signature), (f"GO.{self.stem}.1", b"")


def document(serial: int) -> bytes:
    """A valid file of three declarations and 10 KB; comments fill it up."""
    text = three_forms().replace(_SERIAL, b">VOORBEELD-%06d<" % serial)
    missing = BYTES - len(text) - len(b"<!---->")
    return text.replace(b"</Dimona>", b"<!--" + b"." * missing + b"--></Dimona>")


def make(sender: str, serial: int, signer: Signer) -> MadeSet:
    """The set of ``sender`` with this serial, 1 to 99999."""
    data = document(serial)
    return MadeSet(f"DIMN.{sender}.{today()}.{serial:05}.R", data, signer.sign(data))
