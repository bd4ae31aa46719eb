"""What does a XAdES signature say about itself, and is it of the one shape that we read?

ETSI EN 319 132-1, baseline levels B and T, in the namespace of version 1.3.2: one ds:Object with one
QualifyingProperties that targets this signature; in it the SignedProperties, to which one of the references points
(``signing.xades_references``); behind them nothing unsigned but timestamps over the signature's value.

Signed properties are let be for a reason, and the rest is refused. The signing time is handed on, and must have its
zone: without one it is any of twenty-six hours. The signing certificate must be the one that came along. Place and
claimed roles are the signer's own words, and nothing follows from them. A format is let be for the document alone,
without an encoding; a commitment if it means what a declaration means: origin or approval. Refused are an explicit
signature policy (its rules are nobody's here), roles that others attest, timestamps over content, and every element
that isn't named here.

Mathematics are ``signing.xmldsig``'s, timestamps ``signing.timestamp``'s, times ``signing.times``'s.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from lxml.etree import _Element as Element

from signing.evidence import Fault, Reason, Stamp
from signing.layout import decode
from signing.policy import Leniency, Policy
from signing.signing_certificate import XADES, judge
from signing.timestamp import MAX_STAMPS
from signing.xades_references import document_place, misdirected
from signing.xmlshape import (
    DS,
    INCLUSIVE,
    SPACE,
    Parts,
    algorithm_of,
    canonical,
    child,
    is_canonical,
    names,
    parameters,
)

_DER = "http://uri.etsi.org/01903/v1.2.2#DER"
_COMMITMENTS = frozenset({f"http://uri.etsi.org/01903/v1.2.2#ProofOf{what}" for what in ("Origin", "Approval")})
_SIGNATURE_PROPERTIES = frozenset(
    {
        "SigningTime",
        "SigningCertificate",
        "SigningCertificateV2",
        "SignaturePolicyIdentifier",
        "SignatureProductionPlace",
        "SignatureProductionPlaceV2",
        "SignerRole",
        "SignerRoleV2",
    }
)
_SIGNING_CERTIFICATES = frozenset({f"{{{XADES}}}SigningCertificate", f"{{{XADES}}}SigningCertificateV2"})
_ROLES = frozenset({f"{{{XADES}}}SignerRole", f"{{{XADES}}}SignerRoleV2"})
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a signature says about itself: when it was made, with which timestamps; and what must be tolerated."""

    signed_at: datetime | None = None
    stamps: tuple[Stamp, ...] = ()
    leniencies: frozenset[Leniency] = frozenset()


def read(parts: Parts, certificate: bytes, policy: Policy) -> Claims | Fault:
    """What the properties say, or the first thing that isn't of our shape.

    Args:
        parts: a signature with a ds:Object
        certificate: the signer's, DER
        policy: what is tolerated
    """
    for detail in _misplaced(parts):
        return Fault(Reason.SHAPE, detail)
    qualifying = child(_object(parts), "QualifyingProperties", XADES)
    claims = _claims(qualifying[0], parts, certificate, policy)
    if isinstance(claims, Fault):
        return claims
    stamps = _stamps(parts, qualifying)
    return stamps if isinstance(stamps, Fault) else replace(claims, stamps=stamps)


def says(properties: Element, parts: Parts, certificate: bytes, policy: Policy, claims: Claims) -> bool:
    """Whether SignedProperties, as they were verified, say what was read before."""
    return _claims(properties, parts, certificate, policy) == replace(claims, stamps=())


def _object(parts: Parts) -> Element:
    if parts.extra is None:
        raise TypeError("the signature has no ds:Object")
    return parts.extra


def _misplaced(parts: Parts) -> Iterator[str]:
    """Everything that is wrong with where the properties are and with what points at them."""
    extra = _object(parts)
    if names(extra, XADES) != ["QualifyingProperties"] or set(extra.keys()) - {"Id"}:
        yield "The ds:Object does not hold QualifyingProperties alone."
    [qualifying] = extra
    if names(qualifying, XADES) not in (["SignedProperties"], ["SignedProperties", "UnsignedProperties"]):
        yield "The QualifyingProperties do not consist of SignedProperties and UnsignedProperties."
    identifier = parts.signature.get("Id", "")
    if not identifier or qualifying.get("Target") != f"#{identifier}":
        yield "The QualifyingProperties do not target the signature that they are in."
    if any(name.startswith("{") for element in extra.iter() for name in element.keys()):  # noqa: SIM118 -- no mapping
        yield "A property has an attribute of another namespace."
    if any((text or "").strip(SPACE) for text in (extra.text, qualifying.text, *(each.tail for each in extra.iter()))):
        yield "There is text between the properties."
    yield from misdirected(parts, qualifying[0].get("Id", ""))


def _claims(properties: Element, parts: Parts, certificate: bytes, policy: Policy) -> Claims | Fault:
    """What SignedProperties say, without the timestamps, which are no part of them."""
    for fault in _misbuilt(properties, parts.references[document_place(parts)].identifier):
        return fault
    signature = child(properties, "SignedSignatureProperties", XADES)
    came = (certificate, *(decode(text.encode()) for text in parts.certificates))
    [certificates] = [each for each in signature if str(each.tag) in _SIGNING_CERTIFICATES]
    leniencies = judge(certificates, came, policy)
    if isinstance(leniencies, Fault):
        return leniencies
    signed_at = _time(child(signature, "SigningTime", XADES).text or "")
    if signed_at is None:
        return Fault(Reason.TIME, "The SigningTime is no time with its zone.")
    return Claims(signed_at, leniencies=leniencies)


def _misbuilt(properties: Element, subject: str) -> Iterator[Fault]:
    """Everything that is wrong with the SignedProperties; ``subject`` is the Id of the reference to the document."""
    parts = ["SignedSignatureProperties", "SignedDataObjectProperties"]
    if names(properties, XADES) not in (parts, parts[:1]):
        yield Fault(Reason.SHAPE, "The SignedProperties do not consist of those of signature and data.")
    signature, *data = properties
    found = names(signature, XADES)
    if not _SIGNATURE_PROPERTIES.issuperset(found) or len(set(found)) != len(found):
        yield Fault(Reason.SHAPE, "There is a property of the signature that is not read, or one twice.")
    if "SigningTime" not in found:
        yield Fault(Reason.SHAPE, "There is no SigningTime.")
    if ("SigningCertificate" in found) == ("SigningCertificateV2" in found):
        yield Fault(Reason.SHAPE, "There is not exactly one SigningCertificate or SigningCertificateV2.")
    for element in signature:
        yield from _unwelcome(element)
    for element in (each for objects in data for each in objects):
        yield from (Fault(Reason.SHAPE, detail) for detail in _misdescribed(element, subject))


def _unwelcome(element: Element) -> Iterator[Fault]:
    """Everything in a property of the signature that promises more than anybody here checks."""
    inside = names(element, XADES)
    if element.tag == f"{{{XADES}}}SignaturePolicyIdentifier" and inside != ["SignaturePolicyImplied"]:
        yield Fault(Reason.POLICY, "The signature was made under a signature policy of its own.")
    if element.tag in _ROLES and inside != ["ClaimedRoles"]:
        yield Fault(Reason.SHAPE, "There is a role of the signer that somebody else attests.")


def _misdescribed(element: Element, subject: str) -> Iterator[str]:
    """Everything that is wrong with what is said about the data."""
    inside = names(element, XADES)
    match str(element.tag).removeprefix(f"{{{XADES}}}"):
        case "DataObjectFormat":
            if not subject or element.get("ObjectReference") != f"#{subject}":
                yield "A DataObjectFormat is not about the document."
            if not {"Description", "ObjectIdentifier", "MimeType"}.issuperset(inside):
                yield "A DataObjectFormat says that the document is encoded."
        case "CommitmentTypeIndication":
            if inside not in (["CommitmentTypeId", "AllSignedDataObjects"], ["CommitmentTypeId", "ObjectReference"]):
                yield "A commitment is qualified, or to several things."
            if inside[1] == "ObjectReference" and (not subject or element[1].text != f"#{subject}"):
                yield "A commitment is not about the document."
            identifier = child(element[0], "Identifier", XADES)
            if (identifier.text or "").strip(SPACE) not in _COMMITMENTS:
                yield "A commitment is neither to origin nor to approval."
        case _:
            yield "There is a property of the data that is not read."


def _time(text: str) -> datetime | None:
    """The moment, in UTC, that an xs:dateTime with a zone means; what is finer than microseconds is cut off."""
    match = _TIME.fullmatch(text)
    if match is None or match[3] is None:
        return None
    try:
        return datetime.fromisoformat(f"{match[1]}{(match[2] or '')[:7]}{match[3]}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _stamps(parts: Parts, qualifying: Element) -> tuple[Stamp, ...] | Fault:
    """The timestamps over the signature's value (EN 319 132-1, 5.3): the only unsigned properties."""
    found: list[Stamp] = []
    for properties in qualifying[1:]:
        if not {"UnsignedSignatureProperties"}.issuperset(names(properties, XADES)):
            return Fault(Reason.SHAPE, "There is an unsigned property that is not the signature's.")
        for stamp in (each for group in properties for each in group):
            for detail in _misstamped(stamp):
                return Fault(Reason.SHAPE, detail)
            found += _tokens(parts, stamp)
    if len(found) > MAX_STAMPS:
        return Fault(Reason.SHAPE, f"There are more than {MAX_STAMPS} timestamps.")
    return tuple(found)


def _misstamped(stamp: Element) -> Iterator[str]:
    """Everything that is wrong with an unsigned property of the signature."""
    if stamp.tag != f"{{{XADES}}}SignatureTimeStamp":
        yield "There is an unsigned property other than a SignatureTimeStamp."
    methods = [each for each in stamp if each.tag == f"{{{DS}}}CanonicalizationMethod"]
    if names(stamp, XADES)[len(methods) :] != ["EncapsulatedTimeStamp"]:
        yield "A SignatureTimeStamp does not consist of a canonicalization and one EncapsulatedTimeStamp."
    for method in methods:
        if not is_canonical(algorithm_of(method)) or len(method):
            yield "The canonicalization of a SignatureTimeStamp is not accepted."
        yield from parameters(method)
    if stamp[-1].get("Encoding", _DER) != _DER:
        yield "A timestamp is not in DER."


def _tokens(parts: Parts, stamp: Element) -> list[Stamp]:
    [method] = [algorithm_of(each) for each in stamp[:-1]] or [INCLUSIVE]
    value = canonical(child(parts.signature, "SignatureValue"), method)
    return [Stamp(decode((stamp[-1].text or "").encode()), value)]
