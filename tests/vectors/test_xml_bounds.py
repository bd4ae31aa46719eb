"""XML that costs its reader dear, text behind the signature, and what is tolerated by name."""

import base64
import hashlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from lxml import etree

from signing import xmlshape
from signing.evidence import Evidence, Fault, Reason
from signing.policy import Leniency, Policy
from tests.cms_builder import ACCEPTED, REFUSED
from tests.xml_builder import (
    DOCUMENT,
    DS,
    ENVELOPED,
    EXCLUSIVE,
    XmlBench,
    XmlDraft,
    canonical,
    inserted,
    reference,
    transform,
)

MORE = "http://www.w3.org/2001/04/xmldsig-more#"
SHA1 = Policy(leniencies=frozenset({Leniency.SHA1}))
RSA_1024 = Policy(leniencies=frozenset({Leniency.RSA_1024}))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> XmlBench:
    """An accepted authority and a signer."""
    return XmlBench.open(tmp_path_factory.mktemp("bench"))


def detail(verdict: Evidence | Fault | etree._Element) -> str:
    """What the refusal says."""
    assert isinstance(verdict, Fault)
    assert verdict.reason is Reason.SHAPE
    return verdict.detail


def declared(count: int, first: int = 0) -> str:
    """Declarations of namespaces."""
    return " ".join(f'xmlns:n{number}="urn:n{number}"' for number in range(first, first + count))


def test_many_namespaces_in_one_element() -> None:
    """Invalid: twenty thousand would keep the canonical form busy for minutes."""
    assert "namespaces" in detail(xmlshape.parse(f"<a {declared(20_000)}>{'<b/>' * 100}</a>".encode()))


def test_many_namespaces_in_many_levels() -> None:
    """Invalid: what counts is how many are in scope, wherever they were declared."""
    levels = [f"<a {declared(1, level)}>" for level in range(25)]
    document = "".join(levels) + "</a>" * 25
    assert "namespaces" in detail(xmlshape.parse(document.encode()))


def test_one_prefix_declared_in_many_levels() -> None:
    """Invalid: each declaration is looked at, though only the last is seen."""
    document = "".join(f'<a xmlns:n="urn:{level}">' for level in range(25)) + "</a>" * 25
    assert "namespaces" in detail(xmlshape.parse(document.encode()))


def test_namespaces_declared_by_every_form() -> None:
    """Valid: some tools declare the same few again in each of thousands of siblings."""
    document = f"<a>{f'<b {declared(xmlshape.MAX_NAMESPACES)}/>' * 1000}</a>"
    assert not isinstance(xmlshape.parse(document.encode()), Fault)


def test_many_attributes() -> None:
    """Invalid: the canonical form sorts them one by one."""
    attributes = " ".join(f'a{number}=""' for number in range(xmlshape.MAX_ATTRIBUTES + 1))
    assert "attributes" in detail(xmlshape.parse(f"<a {attributes}/>".encode()))


@pytest.mark.parametrize("node", ["<b/>", "<?b?>", "<!---->", '<b c="" d=""/>'])
def test_many_nodes(node: str) -> None:
    """Invalid: each of them takes up a hundred times its bytes while the signature is verified."""
    count = xmlshape.MAX_NODES // (1 + node.count("=")) + 1
    assert "elements and attributes" in detail(xmlshape.parse(f"<a>{node * count}</a>".encode()))


@pytest.mark.parametrize("place", ["SignedInfo", "Reference"])
def test_many_prefixes_to_keep(place: str, bench: XmlBench) -> None:
    """Invalid: each of them is looked up for each element (Exclusive C14N, 3)."""
    prefixes = " ".join(f"n{number}" for number in range(1000))
    kept = f'<ec:InclusiveNamespaces xmlns:ec="{EXCLUSIVE}" PrefixList="{prefixes}"></ec:InclusiveNamespaces>'
    document = bench.draft(reference(DOCUMENT, transforms=transform(ENVELOPED) + transform(EXCLUSIVE, kept))).dump()
    if place == "SignedInfo":
        document = bench.draft().dump()
        method = f'<ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}">'
        document = document.replace(method, method + kept)
    assert "prefixes" in detail(bench.verdict(document))


def test_a_few_prefixes_to_keep(bench: XmlBench) -> None:
    """Valid: toolkits keep the prefixes that values use, such as xsi's (Exclusive C14N, 3)."""
    kept = f'<ec:InclusiveNamespaces xmlns:ec="{EXCLUSIVE}" PrefixList="xsi xs"></ec:InclusiveNamespaces>'
    document = bench.draft(reference(DOCUMENT, transforms=transform(ENVELOPED) + transform(EXCLUSIVE, kept))).dump()
    assert (ACCEPTED, ACCEPTED) == bench.judge(document)


def test_elements_three_hundred_levels_deep(bench: XmlBench) -> None:
    """Invalid: libxml2's own limit is 256."""
    deep = "<a>" * 300 + "</a>" * 300
    assert Reason.SYNTAX is bench.ours(bench.draft().dump().replace("<Form ", f"{deep}<Form "))


def test_a_namespace_that_is_a_relative_name(bench: XmlBench) -> None:
    """Invalid: such a name has no canonical form (C14N 1.0, 1.3)."""
    document = DOCUMENT.replace("<Forms ", '<Forms xmlns:r="relative" ')
    assert Reason.SHAPE is bench.ours(inserted(document, bench.draft().signature()))


# Text behind the signature


@pytest.mark.parametrize("space", ["\n", "\r\n", "  \t"])
def test_signed_white_space_behind_the_signature(space: str, bench: XmlBench) -> None:
    """Valid: tools that indent put the signature before the last line's end; that line's end is signed content."""
    document = DOCUMENT.replace("</Forms>", f"{space}</Forms>")
    covered = canonical(document).decode()
    signed = bench.draft(reference(covered)).signature()
    verdict = bench.verdict(document.replace(f"{space}</Forms>", f"{signed}{space}</Forms>"))
    assert isinstance(verdict, Evidence)
    assert verdict.content == covered.encode()


def test_signed_white_space_around_the_signature(bench: XmlBench) -> None:
    """Valid: what stood before and behind the signature stands together in what is handed on (XMLDSig, 6.6.4)."""
    covered = DOCUMENT.replace("</Forms>", "\n  \n</Forms>")
    signed = bench.draft(reference(covered)).signature()
    verdict = bench.verdict(DOCUMENT.replace("</Forms>", f"\n  {signed}\n</Forms>"))
    assert isinstance(verdict, Evidence)
    assert verdict.content == covered.encode()


def test_unsigned_white_space_behind_the_signature(bench: XmlBench) -> None:
    """Invalid: white space is content, and this was not signed (C14N 1.0, 2.3)."""
    assert (Reason.TAMPERED, REFUSED) == bench.judge(inserted(DOCUMENT, f"{bench.draft().signature()}\n"))


@pytest.mark.parametrize("text", ["Evil", "\n Evil", "\u00a0", "&#13;", "\u2028"])
def test_signed_text_behind_the_signature(text: str, bench: XmlBench) -> None:
    """Invalid even if it is signed: a declaration has no text among its forms, and only spaces are white space."""
    document = DOCUMENT.replace("</Forms>", f"{text}</Forms>")
    signed = bench.draft(reference(canonical(document).decode())).signature()
    assert "text behind" in detail(bench.verdict(document.replace(f"{text}</Forms>", f"{signed}{text}</Forms>")))


def test_a_comment_behind_the_signature(bench: XmlBench) -> None:
    """Valid: no comment is signed, and none is handed on."""
    assert ACCEPTED == bench.ours(inserted(DOCUMENT, f"{bench.draft().signature()}<!-- -->"))


def test_text_behind_a_comment_behind_the_signature(bench: XmlBench) -> None:
    """Invalid: the text is in the canonical form, and was not signed."""
    assert Reason.TAMPERED is bench.ours(inserted(DOCUMENT, f"{bench.draft().signature()}<!-- -->Evil"))


# What is tolerated by name


def sha1_signed(draft: XmlDraft) -> str:
    """A draft whose value is made over SHA-1 in the way of its key."""
    info, key = canonical(draft.signed_info()), draft.signer.private()
    if isinstance(key, rsa.RSAPrivateKey):
        draft.value = key.sign(info, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303 -- the defect
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        numbers = decode_dss_signature(key.sign(info, ec.ECDSA(hashes.SHA1())))  # noqa: S303 -- the defect
        draft.value = b"".join(number.to_bytes(32, "big") for number in numbers)
    return draft.dump()


def sha1_reference() -> str:
    """A reference whose digest is SHA-1."""
    taken = hashlib.sha1(DOCUMENT.encode(), usedforsecurity=False).digest()
    return reference(DOCUMENT, digest=f"{DS}sha1", value=taken)


def test_a_digest_of_sha_1_that_is_tolerated(bench: XmlBench) -> None:
    """Refused by default; tolerated, it is named."""
    document = bench.draft(sha1_reference()).dump()
    assert Reason.ALGORITHM is bench.ours(document)
    verdict = bench.verdict(document, SHA1)
    assert isinstance(verdict, Evidence)
    assert verdict.leniencies == ("sha1",)


@pytest.mark.parametrize(("key", "method"), [("rsa-2048", f"{DS}rsa-sha1"), ("p-256", f"{MORE}ecdsa-sha1")])
def test_a_signature_of_sha_1_that_is_tolerated(key: str, method: str, bench: XmlBench) -> None:
    """Refused by default; tolerated, it is named."""
    draft = XmlDraft(bench.pki.issue("Old", key=key))
    draft.method = method
    document = sha1_signed(draft)
    assert Reason.ALGORITHM is bench.ours(document)
    verdict = bench.verdict(document, SHA1)
    assert isinstance(verdict, Evidence)
    assert verdict.leniencies == ("sha1",)


def test_what_is_tolerated_but_not_needed_is_not_named(bench: XmlBench) -> None:
    """The evidence says what a signature needed, not what it might have had."""
    verdict = bench.verdict(bench.draft().dump(), replace(SHA1, leniencies=frozenset(Leniency)))
    assert isinstance(verdict, Evidence)
    assert verdict.leniencies == ()


@pytest.mark.parametrize("name", [f"{DS}dsa-sha1", f"{DS}hmac-sha1", f"{MORE}rsa-md5", f"{DS}sha1"])
def test_sha_1_tolerated_opens_no_other_door(name: str, bench: XmlBench) -> None:
    """DSA, MACs and MD5 stay out, and a digest is no method."""
    draft = bench.draft()
    draft.method = name
    assert bench.ours(draft.dump(), SHA1) is Reason.ALGORITHM


def test_a_changed_document_over_sha_1(bench: XmlBench) -> None:
    """Tolerance is for the algorithm, not for the mathematics."""
    document = bench.draft(sha1_reference()).dump()
    assert bench.ours(document.replace("Invented", "Evil"), SHA1) is Reason.TAMPERED


def test_an_rsa_key_of_1024_bits_that_is_tolerated(bench: XmlBench) -> None:
    """Refused by default; tolerated, it is named."""
    document = XmlDraft(bench.pki.issue("Short", key="rsa-1024")).dump()
    assert Reason.KEY is bench.ours(document)
    assert Reason.KEY is bench.ours(document, SHA1)
    verdict = bench.verdict(document, RSA_1024)
    assert isinstance(verdict, Evidence)
    assert verdict.leniencies == ("rsa-1024",)


def test_base64_with_junk_in_the_signature_value(bench: XmlBench) -> None:
    """Invalid: what isn't of the alphabet is not skipped (XML Schema 2, 3.2.16)."""
    document = bench.draft().dump().replace("</ds:SignatureValue>", "!!!</ds:SignatureValue>")
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(document)


def test_base64_with_junk_in_the_certificate(bench: XmlBench) -> None:
    """Invalid: nor in the certificate."""
    draft = bench.draft()
    draft.key_info = draft.key_info.replace(
        "</ds:X509Certificate>", f"-{base64.b64encode(b'x').decode()}</ds:X509Certificate>"
    )
    assert Reason.SHAPE is bench.ours(draft.dump())
