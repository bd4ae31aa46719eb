"""Which reference of a XAdES signature is to the document, which to its properties, and which to its KeyInfo?

One is to the document and has no Type; one has the Type SignedProperties and names these (ETSI EN 319 132-1, 4.4.2).
Many toolkits sign the signature's own ds:KeyInfo as well, by a third reference without a Type. It proves no more than
the property SigningCertificate does, so it is let be, and nothing follows from it. Any other reference is refused.

Their order means nothing. Digests are ``signing.xmldsig``'s, algorithms ``signing.xmlshape``'s.
"""

from collections.abc import Iterator

from lxml.etree import _Element as Element

from signing.xmlshape import DS, ENVELOPED, Parts, child

SIGNED_PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"


def document_place(parts: Parts) -> int:
    """The place, from zero, of the reference to the document, if ``misdirected`` finds nothing wrong."""
    others = {properties_place(parts), key_info_place(parts)}
    [place] = [place for place in range(len(parts.references)) if place not in others]
    return place


def properties_place(parts: Parts) -> int:
    """The place of the reference to the SignedProperties, if ``misdirected`` finds nothing wrong."""
    return [reference.kind for reference in parts.references].index(SIGNED_PROPERTIES)


def key_info_place(parts: Parts) -> int | None:
    """The place of the reference to the signature's KeyInfo, None if that isn't signed."""
    return next(iter(_to_key_info(parts)), None)


def is_key_info(element: Element | None, parts: Parts) -> bool:
    """Whether an element, as it was verified, is the KeyInfo with the certificates that were read before."""
    if element is None or element.tag != f"{{{DS}}}KeyInfo":
        return False
    return tuple(each.text or "" for each in element.iter(f"{{{DS}}}X509Certificate")) == parts.certificates


def misdirected(parts: Parts, identifier: str) -> Iterator[str]:
    """Everything that is wrong with where the references point; ``identifier`` is the Id of the SignedProperties."""
    kinds = sorted(reference.kind for reference in parts.references)
    if kinds not in (["", SIGNED_PROPERTIES], ["", "", SIGNED_PROPERTIES]):
        yield "There is not one reference of the Type SignedProperties beside one or two without a Type."
    to_key_info = _to_key_info(parts)
    if len(to_key_info) != len(parts.references) - 2:
        yield "Of the references without a Type not just one is to the document and at most one to the KeyInfo."
    properties = properties_place(parts)
    if not identifier or parts.references[properties].uri != f"#{identifier}":
        yield "The reference to the SignedProperties does not name them."
    if any(ENVELOPED in parts.references[place].transforms for place in (properties, *to_key_info)):
        yield "A reference into the signature has a transform other than a canonicalization."


def _to_key_info(parts: Parts) -> list[int]:
    identifier = child(parts.signature, "KeyInfo").get("Id", "")
    return [
        place for place, reference in enumerate(parts.references) if identifier and reference.uri == f"#{identifier}"
    ]
