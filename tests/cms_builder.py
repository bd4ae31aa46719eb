"""CMS signatures made by hand, so that a defect is signed as well as the rest; with OpenSSL's opinion of each."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from asn1crypto import cms
from asn1crypto import x509 as asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from signing.evidence import Evidence, Fault, Reason
from signing.policy import Policy
from signing.trust import authorities
from signing.trust.authorities import Authorities
from signing.verify import DEFAULT, verify_detached
from tests import signers
from tests.authority import Credential, Pki, PrivateKey, now

ACCEPTED = "accepted"
REFUSED = "refused"
Verdict = Reason | str

CONTENT = b"<Forms>\r\n <Form/>\r\n</Forms>\r\n"


def attribute(name: str, *values: Any) -> cms.CMSAttribute:
    """An attribute of a type that has a name, or of any type by its number with ready-made values."""
    return cms.CMSAttribute({"type": name, "values": values})


@dataclass(slots=True)
class Draft:
    """A signature in the making; every field may be spoilt before ``dump`` signs what is there."""

    signer: Credential
    content: bytes = CONTENT
    digest: str = "sha256"
    mechanism: dict[str, Any] = field(default_factory=dict)
    attributes: list[cms.CMSAttribute] = field(default_factory=list)
    certificates: list[Any] = field(default_factory=list)
    outside: dict[str, Any] = field(default_factory=dict)
    inside: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Fill in what a good signature has."""
        self.certificates = [certificate_of(self.signer)]
        self.attributes = [
            attribute("content_type", "data"),
            attribute("message_digest", hashlib.new(self.digest, self.content).digest()),
        ]
        self.mechanism = {"algorithm": _mechanism(self.signer.private(), self.digest)}

    def drop(self, name: str) -> None:
        """Leave out an attribute."""
        self.attributes = [each for each in self.attributes if each["type"].native != name]

    def signed_attributes(self) -> bytes:
        """What is signed: the attributes as a DER set (RFC 5652, 5.4)."""
        der: bytes = cms.CMSAttributes(self.attributes).dump()
        return der

    def signer_info(self) -> cms.SignerInfo:
        """The one signer, with whatever fields ``inside`` puts in place of the right ones."""
        certificate = certificate_of(self.signer)
        named = {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
        fields: dict[str, Any] = {
            "version": "v1",
            "sid": {"issuer_and_serial_number": named},
            "digest_algorithm": {"algorithm": self.digest},
            "signed_attrs": cms.CMSAttributes(self.attributes),
            "signature_algorithm": self.mechanism,
            "signature": sign(self.signer.private(), self.signed_attributes(), self.digest),
        }
        return cms.SignerInfo({name: value for name, value in (fields | self.inside).items() if value is not None})

    def dump(self) -> bytes:
        """The whole signature as DER."""
        fields: dict[str, Any] = {
            "version": "v1",
            "digest_algorithms": [{"algorithm": self.digest}],
            "encap_content_info": {"content_type": "data"},
            "certificates": self.certificates,
            "signer_infos": [self.signer_info()],
        }
        signed = cms.SignedData({name: value for name, value in (fields | self.outside).items() if value is not None})
        return content_info("signed_data", signed)


@dataclass(frozen=True, slots=True)
class Bench:
    """A file, an authority that is accepted, and the two judges."""

    folder: Path
    pki: Pki
    accepted: Authorities
    data: Path

    @classmethod
    def open(cls, folder: Path) -> "Bench":
        """Set up a bench in an empty folder."""
        pki = Pki.create(folder / "pki")
        pki.install(folder / "authorities", "test")
        data = folder / "FI.DIMN.123456.20261121.00001.R.1.1"
        data.write_bytes(CONTENT)
        return cls(folder, pki, authorities.load(folder / "authorities"), data)

    def draft(self, key: str | PrivateKey = "p-256", digest: str = "sha256") -> Draft:
        """A good signature by a new signer of the accepted authority."""
        return Draft(self.pki.issue("An Invented Signer", key=key), digest=digest)

    def verify(self, der: bytes, policy: Policy = DEFAULT, at: datetime | None = None) -> Evidence | Fault:
        """What the gateway answers."""
        signature = base64.b64encode(der)
        return verify_detached(self.data, signature, authorities=self.accepted, at=at or now(), policy=policy)

    def ours(self, der: bytes, policy: Policy = DEFAULT) -> Verdict:
        """The gateway's verdict: the reason of a refusal, or accepted."""
        verdict = self.verify(der, policy)
        return verdict.reason if isinstance(verdict, Fault) else ACCEPTED

    def openssl(self, der: bytes) -> str:
        """The second opinion."""
        return ACCEPTED if signers.accepts(self.data, der, self.pki.issuing, self.folder) else REFUSED

    def judge(self, signature: Draft | bytes) -> tuple[Verdict, str]:
        """Our verdict and OpenSSL's."""
        der = signature.dump() if isinstance(signature, Draft) else signature
        return self.ours(der), self.openssl(der)


def content_info(content_type: str, content: Any) -> bytes:
    """The outermost structure."""
    kind: bytes = cms.ContentType(content_type).dump()
    return element(0x30, kind + element(0xA0, content if isinstance(content, bytes) else content.dump()))


def certificate_of(credential: Credential) -> asn1.Certificate:
    """A certificate as asn1crypto reads it."""
    return asn1.Certificate.load(credential.read().public_bytes(Encoding.DER))


def sign(key: PrivateKey, content: bytes, digest: str) -> bytes:
    """A signature in the usual way of the key."""
    known = {"sha1": hashes.SHA1(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}  # noqa: S303 -- to be refused
    algorithm = known.get(digest, hashes.SHA256())
    match key:
        case ed25519.Ed25519PrivateKey():
            return key.sign(content)
        case rsa.RSAPrivateKey():
            return key.sign(content, padding.PKCS1v15(), algorithm)
        case ec.EllipticCurvePrivateKey():
            return key.sign(content, ec.ECDSA(algorithm))


def raw_rsa(key: PrivateKey, block: bytes) -> bytes:
    """The bare power: what somebody gets who writes the padding himself."""
    assert isinstance(key, rsa.RSAPrivateKey)
    numbers = key.private_numbers()
    modulus = numbers.public_numbers.n
    return pow(int.from_bytes(block, "big"), numbers.d, modulus).to_bytes(key.key_size // 8, "big")


def padded(digest_info: bytes, size: int, *, kind: int = 1, tail: bytes = b"") -> bytes:
    """A PKCS #1 block of ``size`` bytes (RFC 8017, 9.2), with a tail that doesn't belong there."""
    filling = b"\xff" * (size - 3 - len(digest_info) - len(tail))
    return b"\x00" + bytes([kind]) + filling + b"\x00" + digest_info + tail


def spliced(der: bytes, old: bytes, new: bytes) -> bytes:
    """Replace bytes that occur once and mend the lengths of every element around them."""
    assert der.count(old) == 1, der.count(old)
    return _splice(der, old, new)


def longer(der: bytes, depth: int) -> bytes:
    """Put a NULL behind the last element at a depth: 0 is the outermost structure's inside."""
    size, header = _read_length(der, 1)
    position, end = 1 + header, 1 + header + size
    elements = []
    while position < end:
        inner, inner_header = _read_length(der, position + 1)
        elements.append(der[position : position + 1 + inner_header + inner])
        position += 1 + inner_header + inner
    elements[-1:] = [longer(elements[-1], depth - 1)] if depth else [elements[-1], b"\x05\x00"]
    body = b"".join(elements)
    return der[:1] + _length(len(body)) + body


def element(tag: int, body: bytes) -> bytes:
    """One DER element around ready-made contents."""
    return bytes([tag]) + _length(len(body)) + body


def unsorted(attributes: Sequence[cms.CMSAttribute]) -> bytes:
    """A set of attributes in the order given, with the tag of the field."""
    body = b"".join(each.dump() for each in attributes)
    return b"\xa0" + _length(len(body)) + body


def _splice(der: bytes, old: bytes, new: bytes) -> bytes:
    result = b""
    position = 0
    while position < len(der):
        size, header = _read_length(der, position + 1)
        end = position + 1 + header + size
        whole, body = der[position:end], der[position + 1 + header : end]
        if whole == old:
            result += new
        elif old in whole:
            inner = _splice(body, old, new) if der[position] & 0x20 else body.replace(old, new)
            result += der[position : position + 1] + _length(len(inner)) + inner
        else:
            result += whole
        position = end
    return result


def _read_length(der: bytes, position: int) -> tuple[int, int]:
    first = der[position]
    if first < 0x80:
        return first, 1
    count = first & 0x7F
    return int.from_bytes(der[position + 1 : position + 1 + count], "big"), 1 + count


def _length(size: int) -> bytes:
    if size < 0x80:
        return bytes([size])
    encoded = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(encoded)]) + encoded


def _mechanism(key: PrivateKey, digest: str) -> str:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    return f"{digest}_rsa" if isinstance(key, rsa.RSAPrivateKey) else f"{digest}_ecdsa"
