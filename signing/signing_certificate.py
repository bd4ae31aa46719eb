"""Is this the certificate that a XAdES signature says it was made with?

SigningCertificate and SigningCertificateV2 (ETSI EN 319 132-1, 5.2.2) list certificates by digest, the signer's first;
the rest must have come along. The digest decides. Issuer and number need not be there, and must be right if they are;
the older form writes the issuer as text, which toolkits spell in many ways, so order, case and spaces don't count.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence

from asn1crypto.tsp import IssuerSerial
from cryptography import x509
from cryptography.x509.oid import NameOID
from lxml.etree import _Element as Element

from signing.certificate import MAX_CERTIFICATES
from signing.evidence import Fault, Reason
from signing.layout import decode
from signing.policy import Leniency, Policy
from signing.xmlshape import SHA1, SPACE, accepts, algorithm_of, child, names

XADES = "http://uri.etsi.org/01903/v1.3.2#"

# What toolkits write in names beside the types of RFC 4514, section 3.
_NAMES = {
    "E": NameOID.EMAIL_ADDRESS,
    "EMAILADDRESS": NameOID.EMAIL_ADDRESS,
    "S": NameOID.STATE_OR_PROVINCE_NAME,
    "SERIALNUMBER": NameOID.SERIAL_NUMBER,
    "GIVENNAME": NameOID.GIVEN_NAME,
    "G": NameOID.GIVEN_NAME,
    "SURNAME": NameOID.SURNAME,
    "SN": NameOID.SURNAME,
    "T": NameOID.TITLE,
    "TITLE": NameOID.TITLE,
}


def judge(listed: Element, came: Sequence[bytes], policy: Policy) -> frozenset[Leniency] | Fault:
    """What must be tolerated for a list of certificates, if it is of those that came along.

    Args:
        listed: a SigningCertificate or SigningCertificateV2
        came: the certificates in the signature, DER, the signer's first
        policy: what is tolerated
    """
    if not 1 <= len(listed) <= MAX_CERTIFICATES:
        return Fault(Reason.SHAPE, f"There are not one to {MAX_CERTIFICATES} certificates in a SigningCertificate.")
    weak = False
    for place, cert in enumerate(listed):
        digest = child(cert, "CertDigest", XADES)
        algorithm = algorithm_of(child(digest, "DigestMethod"))
        if not accepts(algorithm, policy):
            return Fault(Reason.ALGORITHM, "The digest algorithm of a signing certificate is not accepted.")
        weak = weak or algorithm == SHA1
        if not any(_is_named(cert, digest, candidate) for candidate in (came if place else came[:1])):
            return Fault(Reason.NO_CERTIFICATE, "The signature names another certificate than came with it.")
    return frozenset({Leniency.SHA1}) if weak else frozenset()


def _is_named(cert: Element, digest: Element, certificate: bytes) -> bool:
    """Whether a Cert, by its digest and by issuer and number if it gives them, is a certificate."""
    algorithm = algorithm_of(child(digest, "DigestMethod"))
    taken = hashlib.new(algorithm.rpartition("#")[2], certificate).digest()
    if not hmac.compare_digest(taken, decode((child(digest, "DigestValue").text or "").encode())):
        return False
    if len(cert) == 1:
        return True
    candidate = x509.load_der_x509_certificate(certificate)
    match names(cert, XADES):
        case ["CertDigest", "IssuerSerial"]:
            issuer, serial = (child(cert[1], name).text or "" for name in ("X509IssuerName", "X509SerialNumber"))
            return int(serial) == candidate.serial_number and _is_same(issuer, candidate.issuer)
        case ["CertDigest", "IssuerSerialV2"]:
            named = IssuerSerial.load(decode((cert[1].text or "").encode()), strict=True)
            [general] = named["issuer"]
            issuer_v2 = (general.name, general.chosen.untag().dump())
            is_issuer = issuer_v2 == ("directory_name", candidate.issuer.public_bytes())
            return bool(is_issuer and named["serial_number"].native == candidate.serial_number)
        case _:
            return False


def _is_same(written: str, name: x509.Name) -> bool:
    """Whether a name as RFC 4514 writes it is a name, in whatever order: toolkits differ in that."""
    text = re.sub(r"(?<!\\)([,+;])\s+", r"\1", written.strip(SPACE)).replace("OID.", "")
    parsed = x509.Name.from_rfc4514_string(text, _NAMES)
    return _folded(parsed) == _folded(name)


def _folded(name: x509.Name) -> list[tuple[str, str]]:
    return sorted((each.oid.dotted_string, " ".join(str(each.value).split()).casefold()) for each in name)
