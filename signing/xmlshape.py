"""Is this XML signature of the one shape that we read?

Most attacks on XML signatures move, double or hide elements so that what is verified isn't what is read afterwards.
So before any mathematics (W3C XML Signature Best Practices): no DOCTYPE, UTF-8, one ``ds:Signature``, which is the root
or a child of it; in SignedInfo just two methods and one Reference, to the whole document or to the file beside it;
no transform but ``enveloped`` and one canonical form without comments; every ID once.

The signature's value and digests are ``signing.xmldsig``'s. XAdES (``ds:Object``) is not read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree
from lxml.etree import _Element as Element

from signing.certificate import MAX_CERTIFICATES
from signing.evidence import Fault, Reason

MAX_BYTES = 10_000_000

DS = "http://www.w3.org/2000/09/xmldsig#"
ENVELOPED = f"{DS}enveloped-signature"
SIGNATURE_METHODS = {
    f"http://www.w3.org/2001/04/xmldsig-more#{key}-sha{bits}": f"{key.upper()}_SHA{bits}"
    for key in ("rsa", "ecdsa")
    for bits in (256, 384, 512)
} | {f"http://www.w3.org/2007/05/xmldsig-more#sha{bits}-rsa-MGF1": f"SHA{bits}_RSA_MGF1" for bits in (256, 384, 512)}
DIGEST_METHODS = {
    "http://www.w3.org/2001/04/xmlenc#sha256": "SHA256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "SHA384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "SHA512",
}

_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_CANONICAL = frozenset(
    {"http://www.w3.org/TR/2001/REC-xml-c14n-20010315", "http://www.w3.org/2006/12/xml-c14n11", _EXCLUSIVE}
)
_PREFIXES = f"{{{_EXCLUSIVE}}}InclusiveNamespaces"
_IDS = frozenset({"ID", "Id", "id"})
_ENCODINGS = frozenset({"UTF-8", "US-ASCII", "ASCII"})
_FRAGMENT = re.compile(r"#[\w.-]+")
_KEY_INFO = frozenset({"KeyName", "KeyValue", "X509Data"})


@dataclass(frozen=True, slots=True)
class Parts:
    """What the shape check found in a document; the names of algorithms are URIs that are on our lists."""

    root: Element
    signature: Element
    method: str
    digest: str
    uri: str
    transforms: tuple[str, ...]
    certificates: tuple[str, ...]


def parser() -> etree.XMLParser[Element]:
    """A parser that expands nothing, fetches nothing and keeps libxml2's own limits."""
    return etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False)


def parse(document: bytes) -> Element | Fault:
    """Parse a document of unknown origin: well-formed UTF-8 of bearable size without DOCTYPE."""
    if len(document) > MAX_BYTES:
        return Fault(Reason.SHAPE, f"The XML document is larger than {MAX_BYTES // 1_000_000} MB.")
    if b"<!DOCTYPE" in document:
        return Fault(Reason.SHAPE, "The XML document has a DOCTYPE.")
    try:
        document.decode()
        root = etree.fromstring(document, parser())
    except (UnicodeDecodeError, etree.XMLSyntaxError):
        return Fault(Reason.SYNTAX, "The XML document is not well-formed UTF-8.")
    encoding = root.getroottree().docinfo.encoding or "UTF-8"
    if encoding.upper() not in _ENCODINGS:
        return Fault(Reason.SHAPE, "The XML document is not declared as UTF-8.")
    return root


def read(document: bytes) -> Parts | Fault:
    """Parse a document and find the parts of its one signature, or the first thing that isn't of our shape."""
    root = parse(document)
    return root if isinstance(root, Fault) else _take_apart(root)


def points_at_root(parts: Parts) -> bool:
    """Whether the reference means the whole document: it is empty, or names the ID of the root element."""
    is_fragment = _FRAGMENT.fullmatch(parts.uri) is not None
    return parts.uri == "" or (is_fragment and parts.uri[1:] in _identifiers(parts.root))


def _take_apart(root: Element) -> Parts | Fault:
    for detail in _misplaced(root):
        return Fault(Reason.SHAPE, detail)
    [signature] = root.iter(_ds("Signature"))
    for detail in _misbuilt(signature):
        return Fault(Reason.SHAPE, detail)
    signed_info = _child(signature, "SignedInfo")
    reference = _child(signed_info, "Reference")
    parts = Parts(
        root=root,
        signature=signature,
        method=_algorithm(_child(signed_info, "SignatureMethod")),
        digest=_algorithm(_child(reference, "DigestMethod")),
        uri=reference.get("URI", ""),
        transforms=tuple(_algorithm(transform) for transform in reference.iter(_ds("Transform"))),
        certificates=tuple(element.text or "" for element in signature.iter(_ds("X509Certificate"))),
    )
    if parts.method not in SIGNATURE_METHODS or parts.digest not in DIGEST_METHODS:
        return Fault(Reason.ALGORITHM, "The signature or digest algorithm is not accepted.")
    return parts


def _misplaced(root: Element) -> Iterator[str]:
    """Everything that is wrong with the place of the signature."""
    signatures = list(root.iter(_ds("Signature")))
    if len(signatures) != 1:
        yield "There is not exactly one ds:Signature in the document."
    [signature] = signatures
    if signature is not root and signature.getparent() is not root:
        yield "The ds:Signature is not a child of the document's root."
    identifiers = [value for element in root.iter(etree.Element) for value in _identifiers(element)]
    if len(set(identifiers)) != len(identifiers):
        yield "An ID occurs twice in the document."


def _misbuilt(signature: Element) -> Iterator[str]:
    """Everything that is wrong inside the signature."""
    if any(not isinstance(node.tag, str) for node in signature.iter()):
        yield "There are comments or processing instructions inside the signature."
    if _names(signature) != ["SignedInfo", "SignatureValue", "KeyInfo"]:
        yield "The ds:Signature does not consist of SignedInfo, SignatureValue and KeyInfo."
    signed_info = _child(signature, "SignedInfo")
    if _names(signed_info) != ["CanonicalizationMethod", "SignatureMethod", "Reference"]:
        yield "The ds:SignedInfo does not consist of two methods and one Reference."
    reference = _child(signed_info, "Reference")
    if _names(reference) not in (["Transforms", "DigestMethod", "DigestValue"], ["DigestMethod", "DigestValue"]):
        yield "The ds:Reference does not consist of Transforms, DigestMethod and DigestValue."
    if reference.get("URI") is None:
        yield "The ds:Reference has no URI."
    yield from _misguided(signed_info, reference)
    yield from _misidentified(_child(signature, "KeyInfo"))


def _misguided(signed_info: Element, reference: Element) -> Iterator[str]:
    """Everything that is wrong with methods and transforms."""
    if len(_child(signed_info, "SignatureMethod")) or len(_child(reference, "DigestMethod")):
        yield "A signature or digest method has parameters."
    transforms = list(reference.iter(_ds("Transform")))
    if _algorithm(_child(signed_info, "CanonicalizationMethod")) not in _CANONICAL:
        yield "The canonicalization method is not accepted."
    canonical = [transform for transform in transforms if _algorithm(transform) != ENVELOPED]
    if len(canonical) > 1 or any(_algorithm(transform) not in _CANONICAL for transform in canonical):
        yield "There is a transform other than enveloped-signature and one canonicalization."
    for method in (_child(signed_info, "CanonicalizationMethod"), *transforms):
        if [child.tag for child in method] not in ([], [_PREFIXES]):
            yield "A transform has parameters."


def _misidentified(key_info: Element) -> Iterator[str]:
    """Everything that is wrong with the signer's certificates."""
    names = _names(key_info)
    if names.count("X509Data") != 1 or not _KEY_INFO.issuperset(names):
        yield "The ds:KeyInfo does not hold exactly one X509Data."
    certificates = list(key_info.iter(_ds("X509Certificate")))
    if not 1 <= len(certificates) <= MAX_CERTIFICATES:
        yield f"There are not one to {MAX_CERTIFICATES} certificates in the ds:KeyInfo."


def _identifiers(element: Element) -> Iterator[str]:
    return (value for name, value in element.items() if _local(name) in _IDS)


def _names(element: Element) -> list[str]:
    """The local names of the children, empty for those of another namespace."""
    names = (etree.QName(child) for child in element)
    return [name.localname if name.namespace == DS else "" for name in names]


def _child(element: Element, name: str) -> Element:
    return next(child for child in element if child.tag == _ds(name))


def _algorithm(method: Element) -> str:
    return method.get("Algorithm", "")


def _local(name: str) -> str:
    return etree.QName(name).localname


def _ds(name: str) -> str:
    return f"{{{DS}}}{name}"
