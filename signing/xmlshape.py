"""Is this XML signature of the one shape that we read?

Most attacks on XML signatures move, double or hide elements so that what is verified isn't what is read afterwards.
So before any mathematics (W3C XML Signature Best Practices): no DOCTYPE, UTF-8, one ``ds:Signature``, which is the root
or a child of it; in SignedInfo just two methods and one Reference, to the whole document or to the file beside it;
no transform but ``enveloped`` and one canonical form without comments; every ID once. A second Reference, perhaps a
third, and a ``ds:Object`` go together, and only XAdES has them: what they hold is ``signing.xades``'s question.

Namespaces, attributes and prefixes are counted, because canonical forms cost their square: a file of 400 kB with
20,000 namespaces would keep libxml2 busy for two minutes. Elements are counted for the memory that they take.

The signature's value and digests are ``signing.xmldsig``'s.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree
from lxml.etree import _Element as Element

from signing.certificate import MAX_CERTIFICATES
from signing.evidence import Fault, Reason
from signing.layout import decode
from signing.policy import Leniency, Policy

MAX_BYTES = 10_000_000
MAX_NAMESPACES = 24  # in scope at one place; a declaration has three or four
MAX_ATTRIBUTES = 100  # of one element
MAX_NODES = 600_000  # ten megabytes of ordinary declarations have 500,000

DS = "http://www.w3.org/2000/09/xmldsig#"
ENVELOPED = f"{DS}enveloped-signature"
SPACE = " \t\r\n"
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_PSS = "http://www.w3.org/2007/05/xmldsig-more#"
PSS = re.compile(f"{re.escape(_PSS)}sha[0-9]+-rsa-MGF1")
_ENC = "http://www.w3.org/2001/04/xmlenc#"
_METHODS = frozenset(
    {f"{_MORE}{key}-sha{bits}" for key in ("rsa", "ecdsa") for bits in (256, 384, 512)}
    | {f"{_PSS}sha{bits}-rsa-MGF1" for bits in (256, 384, 512)}
)
_DIGESTS = frozenset({f"{_ENC}sha256", f"{_MORE}sha384", f"{_ENC}sha512"})
_SHA1_METHODS = frozenset({f"{DS}rsa-sha1", f"{_MORE}ecdsa-sha1", f"{_PSS}sha1-rsa-MGF1"})
SHA1 = f"{DS}sha1"

_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
_CANONICAL = frozenset({INCLUSIVE, "http://www.w3.org/2006/12/xml-c14n11", _EXCLUSIVE})
_PREFIXES = f"{{{_EXCLUSIVE}}}InclusiveNamespaces"
_IDS = frozenset({"ID", "Id", "id"})
_ENCODINGS = frozenset({"UTF-8", "US-ASCII", "ASCII"})
_FRAGMENT = re.compile(r"#[\w.-]+")
_PARTS = ["SignedInfo", "SignatureValue", "KeyInfo"]
_METHODS_OF_INFO = ["CanonicalizationMethod", "SignatureMethod"]
_KEY_INFO = frozenset({"KeyName", "KeyValue", "X509Data"})


@dataclass(frozen=True, slots=True)
class Reference:
    """What a ds:Reference says: every part as it is written, the Type and the Id empty if there are none."""

    uri: str
    kind: str
    identifier: str
    digest: str
    transforms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the shape check found in a document; names of algorithms are URIs that the policy lets pass.

    ``references`` are one, or two or three if there is an ``extra``: the ds:Object of a XAdES signature.
    """

    root: Element
    signature: Element
    method: str
    references: tuple[Reference, ...]
    certificates: tuple[str, ...]
    extra: Element | None

    @property
    def leniencies(self) -> frozenset[Leniency]:
        """What must be tolerated for its algorithms."""
        used = {self.method, *(reference.digest for reference in self.references)}
        return frozenset() if used.isdisjoint(_SHA1_METHODS | {SHA1}) else frozenset({Leniency.SHA1})


def accepts(digest: str, policy: Policy) -> bool:
    """Whether a digest, named by its URI, is on our list."""
    return digest in _DIGESTS or (digest == SHA1 and policy.allows(Leniency.SHA1))


def parser() -> etree.XMLParser[Element]:
    """A parser that expands nothing, fetches nothing and keeps libxml2's own limits."""
    return etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False)


def parse(document: bytes) -> Element | Fault:
    """Parse a document of unknown origin: well-formed UTF-8 of bearable size and build without DOCTYPE."""
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
    for detail in _overloaded(root):
        return Fault(Reason.SHAPE, detail)
    return root


def read(document: bytes, policy: Policy) -> Parts | Fault:
    """Parse a document and find the parts of its one signature, or the first thing that isn't of our shape."""
    root = parse(document)
    return root if isinstance(root, Fault) else _take_apart(root, policy)


def points_at_root(root: Element, uri: str) -> bool:
    """Whether a URI means the whole document: it is empty, or names the ID of the root element."""
    return uri == "" or (_FRAGMENT.fullmatch(uri) is not None and uri[1:] in _identifiers(root))


def is_canonical(algorithm: str) -> bool:
    """Whether this is a canonical form that we read: without comments."""
    return algorithm in _CANONICAL


def canonical(element: Element, algorithm: str) -> bytes:
    """An element alone in its canonical form.

    It is made the root of a document first: lxml writes a wrong ``xmlns=""`` into elements inside of one.
    """
    alone = etree.fromstring(etree.tostring(element, with_tail=False), parser())
    return etree.tostring(alone, method="c14n", exclusive=algorithm == _EXCLUSIVE, with_comments=False)


def names(element: Element, namespace: str = DS) -> list[str]:
    """The local names of the children, empty for those of another namespace."""
    prefix = f"{{{namespace}}}"
    tags = [str(each.tag) for each in element]
    return [tag.removeprefix(prefix) if tag.startswith(prefix) else "" for tag in tags]


def child(element: Element, name: str, namespace: str = DS) -> Element:
    """The first child of a name.

    Raises:
        StopIteration: if there is none
    """
    return next(each for each in element if each.tag == f"{{{namespace}}}{name}")


def algorithm_of(method: Element) -> str:
    """The URI that a method or transform names."""
    return method.get("Algorithm", "")


def parameters(method: Element) -> Iterator[str]:
    """Everything that is wrong with what a canonical form's element holds."""
    if [each.tag for each in method] not in ([], [_PREFIXES]):
        yield "A transform has parameters."
    if any(len(each.get("PrefixList", "").split()) > MAX_NAMESPACES for each in method):
        yield "A canonicalization keeps too many prefixes."


def _overloaded(root: Element) -> Iterator[str]:
    """Everything that makes a document or its canonical form costly."""
    in_scope = 0
    for event, _ in etree.iterwalk(root, events=("start-ns", "end-ns")):
        in_scope += 1 if event == "start-ns" else -1
        if in_scope > MAX_NAMESPACES:
            yield f"More than {MAX_NAMESPACES} namespaces are declared at one place."
    nodes = 0
    for node in root.iter():
        attributes = len(node.attrib)
        if attributes > MAX_ATTRIBUTES:
            yield f"An element has more than {MAX_ATTRIBUTES} attributes."
        nodes += 1 + attributes
        if nodes > MAX_NODES:
            yield f"There are more than {MAX_NODES:,} elements and attributes."


def _take_apart(root: Element, policy: Policy) -> Parts | Fault:
    for detail in _misplaced(root):
        return Fault(Reason.SHAPE, detail)
    [signature] = root.iter(_ds("Signature"))
    for detail in _misbuilt(signature):
        return Fault(Reason.SHAPE, detail)
    signed_info = child(signature, "SignedInfo")
    parts = Parts(
        root=root,
        signature=signature,
        method=algorithm_of(child(signed_info, "SignatureMethod")),
        references=tuple(_reference(element) for element in signed_info[2:]),
        certificates=tuple(element.text or "" for element in child(signature, "KeyInfo").iter(_ds("X509Certificate"))),
        extra=signature[3] if len(signature) > 3 else None,
    )
    methods = _METHODS | (_SHA1_METHODS if policy.allows(Leniency.SHA1) else frozenset())
    if parts.method not in methods or not all(accepts(reference.digest, policy) for reference in parts.references):
        return Fault(Reason.ALGORITHM, "The signature or digest algorithm is not accepted.")
    return parts


def _reference(element: Element) -> Reference:
    return Reference(
        uri=element.get("URI", ""),
        kind=element.get("Type", ""),
        identifier=element.get("Id", ""),
        digest=algorithm_of(child(element, "DigestMethod")),
        transforms=tuple(algorithm_of(transform) for transform in element.iter(_ds("Transform"))),
    )


def _misplaced(root: Element) -> Iterator[str]:
    """Everything that is wrong with the place of the signature."""
    signatures = list(root.iter(_ds("Signature")))
    if len(signatures) != 1:
        yield "There is not exactly one ds:Signature in the document."
    [signature] = signatures
    if signature is not root and signature.getparent() is not root:
        yield "The ds:Signature is not a child of the document's root."
    if (signature.tail or "").strip(" \t\n"):
        yield "There is text behind the ds:Signature."
    identifiers = [value for element in root.iter(etree.Element) for value in _identifiers(element)]
    if len(set(identifiers)) != len(identifiers):
        yield "An ID occurs twice in the document."


def _misbuilt(signature: Element) -> Iterator[str]:
    """Everything that is wrong inside the signature."""
    if any(not isinstance(node.tag, str) for node in signature.iter()):
        yield "There are comments or processing instructions inside the signature."
    if names(signature) not in (_PARTS, [*_PARTS, "Object"]):
        yield "The ds:Signature does not consist of SignedInfo, SignatureValue, KeyInfo and, with XAdES, one Object."
    signed_info = child(signature, "SignedInfo")
    counts = (2, 3) if len(signature) > len(_PARTS) else (1,)
    if names(signed_info) not in [_METHODS_OF_INFO + ["Reference"] * count for count in counts]:
        yield "The ds:SignedInfo does not consist of two methods and one Reference, or two or three with an Object."
    for reference in signed_info[2:]:
        if names(reference) not in (["Transforms", "DigestMethod", "DigestValue"], ["DigestMethod", "DigestValue"]):
            yield "A ds:Reference does not consist of Transforms, DigestMethod and DigestValue."
        if reference.get("URI") is None:
            yield "A ds:Reference has no URI."
    if not all(map(_is_base64, signature.iter(_ds("SignatureValue"), _ds("DigestValue")))):
        yield "A value in the signature is not base64 text."
    yield from _misguided(signed_info)
    yield from _misidentified(child(signature, "KeyInfo"))


def _misguided(signed_info: Element) -> Iterator[str]:
    """Everything that is wrong with methods and transforms."""
    own, method, *references = signed_info
    if any(len(each) for each in (method, *(child(reference, "DigestMethod") for reference in references))):
        yield "A signature or digest method has parameters."
    if not is_canonical(algorithm_of(own)):
        yield "The canonicalization method is not accepted."
    yield from parameters(own)
    for reference in references:
        transforms = list(reference.iter(_ds("Transform")))
        forms = [transform for transform in transforms if algorithm_of(transform) != ENVELOPED]
        if len(forms) > 1 or not all(is_canonical(algorithm_of(transform)) for transform in forms):
            yield "There is a transform other than enveloped-signature and one canonicalization."
        for transform in transforms:
            yield from parameters(transform)


def _misidentified(key_info: Element) -> Iterator[str]:
    """Everything that is wrong with the signer's certificates."""
    found = names(key_info)
    if found.count("X509Data") != 1 or not _KEY_INFO.issuperset(found):
        yield "The ds:KeyInfo does not hold exactly one X509Data."
    certificates = list(key_info.iter(_ds("X509Certificate")))
    if not 1 <= len(certificates) <= MAX_CERTIFICATES:
        yield f"There are not one to {MAX_CERTIFICATES} certificates in the ds:KeyInfo."


def _is_base64(element: Element) -> bool:
    """Whether a value is base64 text with nothing else in it; signxml and its schemas pass over anything else."""
    try:
        return decode((element.text or "").encode()) is not None
    except ValueError:
        return False


def _identifiers(element: Element) -> Iterator[str]:
    return (value for name, value in element.items() if name.rpartition("}")[2] in _IDS)


def _ds(name: str) -> str:
    return f"{{{DS}}}{name}"
