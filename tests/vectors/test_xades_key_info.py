"""A third reference, to the KeyInfo that the signature itself has: as toolkits write it, and all that it may not be.

Beside our verdict stands signxml's own XAdES verifier, which takes references to anything.
"""

from itertools import permutations
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.algorithms import SignatureConstructionMethod, SignatureMethod
from signxml.xades.xades import XAdESSigner

from signing import xades_references, xmldsig, xmlshape
from signing.evidence import Evidence, Fault, Format, Reason
from signing.policy import Leniency, Policy
from signing.verify import verify_detached
from tests.authority import now
from tests.cms_builder import ACCEPTED, REFUSED
from tests.xades_builder import FORMAT, TYPE, XadesDraft, certificate_v2, judge
from tests.xml_builder import (
    DOCUMENT,
    DS,
    ENVELOPED,
    EXCLUSIVE,
    INCLUSIVE,
    SIGNED,
    XmlBench,
    base64_of,
    canonical,
    reference,
    transform,
    x509_data,
)

NAME = "FI.DIMN.123456.20261121.00001.R.1.1"
ORDERS = list(permutations(range(3)))
TOLERANT = Policy(leniencies=frozenset({Leniency.SHA1}))
NAMESPACED = DOCUMENT.replace("<Forms ", '<Forms xmlns="urn:invented" xmlns:other="urn:other" ')


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> XmlBench:
    """An accepted authority and a signer."""
    return XmlBench.open(tmp_path_factory.mktemp("bench"))


@pytest.fixture
def draft(bench: XmlBench) -> XadesDraft:
    """A good XAdES signature without a third reference."""
    return XadesDraft(bench.signer)


def certificate_of(bench: XmlBench) -> bytes:
    """The signer's certificate, DER."""
    return bench.signer.read().public_bytes(Encoding.DER)


def beside(bench: XmlBench, folder: Path, signature: str, data: bytes = SIGNED) -> Evidence | Fault:
    """The verdict on a signature beside the document."""
    path = folder / NAME
    path.write_bytes(data)
    return verify_detached(path, signature.encode(), authorities=bench.accepted, at=now())


# What is accepted


@pytest.mark.parametrize("order", ORDERS)
def test_three_references_in_every_order(order: tuple[int, ...], bench: XmlBench, draft: XadesDraft) -> None:
    """Valid: inside the document; what is handed on is the document, and the certificate the one that was checked."""
    draft.sign_key_info()
    draft.order = order
    assert (ACCEPTED, ACCEPTED) == judge(bench, draft)
    verdict = bench.verdict(draft.dump())
    assert isinstance(verdict, Evidence)
    assert (verdict.format, verdict.certificate) == (Format.XADES, certificate_of(bench))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("form", ["", INCLUSIVE])
def test_three_references_beside_the_document(
    form: str, order: tuple[int, ...], bench: XmlBench, draft: XadesDraft, tmp_path: Path
) -> None:
    """Valid: so it is in FS, over the file's bytes or over a canonical form."""
    draft.subject, draft.subject_transforms = f' Id="r" URI="{NAME}"', transform(form) if form else ""
    draft.sign_key_info()
    draft.order = order
    verdict = beside(bench, tmp_path, draft.draft().signature())
    assert isinstance(verdict, Evidence), verdict
    assert (verdict.content, verdict.certificate) == (SIGNED if form else None, certificate_of(bench))


@pytest.mark.parametrize("order", ORDERS)
def test_a_changed_document_under_three_references(order: tuple[int, ...], bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: a good reference to the KeyInfo doesn't make a changed document good, wherever it stands."""
    draft.sign_key_info()
    draft.order = order
    assert (Reason.TAMPERED, REFUSED) == judge(bench, draft.dump().replace("Invented", "Evil"))


@pytest.mark.parametrize("document", [DOCUMENT, NAMESPACED])
@pytest.mark.parametrize("key", ["rsa-2048", "p-256"])
def test_signxml_as_it_comes_inside_the_document(key: str, document: str, bench: XmlBench) -> None:
    """Valid: three references, the KeyInfo last; a KeyValue beside the certificate; a canonical form 1.1."""
    signer = bench.pki.issue("Signer", key=key)
    algorithm = SignatureMethod.ECDSA_SHA256 if key == "p-256" else SignatureMethod.RSA_SHA256
    signed = XAdESSigner(signature_algorithm=algorithm).sign(
        etree.fromstring(document), key=signer.key.read_bytes(), cert=[signer.read()]
    )
    assert 3 == len(signed.findall(f".//{{{DS}}}Reference"))
    assert 1 == len(signed.findall(f".//{{{DS}}}KeyValue"))
    verdict = bench.verdict(etree.tostring(signed))
    assert isinstance(verdict, Evidence), verdict
    assert verdict.content == etree.tostring(etree.fromstring(document), method="c14n")


@pytest.mark.parametrize("document", [DOCUMENT, NAMESPACED])
def test_signxml_as_it_comes_beside_the_document(document: str, bench: XmlBench, tmp_path: Path) -> None:
    """Valid: the same in FS."""
    signature = XAdESSigner(method=SignatureConstructionMethod.detached).sign(
        etree.fromstring(document), key=bench.signer.key.read_bytes(), cert=[bench.signer.read()], reference_uri=NAME
    )
    verdict = beside(bench, tmp_path, etree.tostring(signature).decode(), document.encode())
    assert isinstance(verdict, Evidence), verdict
    assert verdict.content == etree.tostring(etree.fromstring(document), method="c14n")


@pytest.mark.parametrize("form", [INCLUSIVE, EXCLUSIVE, "http://www.w3.org/2006/12/xml-c14n11", ""])
def test_key_info_in_any_canonical_form(form: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Valid: each form that is read for documents; none means the inclusive one, with the namespaces around it."""
    document = DOCUMENT.replace("<Forms ", '<Forms xmlns:other="urn:other" ')
    around = "" if form == EXCLUSIVE else ' xmlns:other="urn:other"'
    covered = f'<ds:KeyInfo xmlns:ds="{DS}"{around} Id="k">{x509_data(bench.signer)}</ds:KeyInfo>'
    draft.key_attributes = ' Id="k"'
    draft.more_references = reference(covered, uri=' URI="#k"', transforms=transform(form) if form else "")
    assert (ACCEPTED, ACCEPTED) == judge(bench, draft.dump(document))


@pytest.mark.parametrize("name", ["xmldsig-more#sha384", "xmlenc#sha256", "xmlenc#sha512"])
def test_digests_of_key_info_on_the_list(name: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Valid: the list is that of all references."""
    draft.sign_key_info(digest=f"http://www.w3.org/2001/04/{name}")
    assert (ACCEPTED, ACCEPTED) == judge(bench, draft)


def test_an_authority_and_a_key_name_in_the_key_info(bench: XmlBench, draft: XadesDraft) -> None:
    """Valid: what a KeyInfo may hold is what it may hold unsigned."""
    authority = f"<ds:X509Certificate>{base64_of(bench.pki.issuing_credential)}</ds:X509Certificate></ds:X509Data>"
    certificates = x509_data(bench.signer).replace("</ds:X509Data>", authority)
    draft.key_info = f"<ds:KeyName>An Invented Signer</ds:KeyName>{certificates}"
    draft.sign_key_info()
    assert (ACCEPTED, ACCEPTED) == judge(bench, draft)


# Digests and transforms


def test_a_digest_of_sha_1_of_the_key_info(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid, unless SHA-1 is tolerated; and then it is named."""
    draft.sign_key_info(digest=f"{DS}sha1")
    assert Reason.ALGORITHM is bench.ours(draft.dump())
    verdict = bench.verdict(draft.dump(), TOLERANT)
    assert isinstance(verdict, Evidence)
    assert verdict.leniencies == ("sha1",)


def test_a_digest_of_md5_of_the_key_info(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid, whatever is tolerated."""
    draft.sign_key_info(digest="http://www.w3.org/2001/04/xmldsig-more#md5")
    assert Reason.ALGORITHM is bench.ours(draft.dump(), TOLERANT)


def test_a_wrong_digest_of_the_key_info(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: a reference that doesn't hold spoils the signature."""
    draft.key_attributes = ' Id="k"'
    draft.more_references = reference("", uri=' URI="#k"', transforms=transform(EXCLUSIVE), value=bytes(32))
    assert (Reason.TAMPERED, REFUSED) == judge(bench, draft)


def test_a_certificate_put_into_a_signed_key_info(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: even an authority's certificate, with which nothing would be wrong if the KeyInfo weren't signed."""
    authority = f"<ds:X509Certificate>{base64_of(bench.pki.issuing_credential)}</ds:X509Certificate></ds:X509Data>"
    assert ACCEPTED == bench.ours(draft.dump().replace("</ds:X509Data>", authority))
    draft.sign_key_info()
    assert (Reason.TAMPERED, REFUSED) == judge(bench, draft.dump().replace("</ds:X509Data>", authority))


@pytest.mark.parametrize(
    "transforms",
    [
        transform(ENVELOPED),
        transform(ENVELOPED) + transform(EXCLUSIVE),
        transform(f"{EXCLUSIVE}WithComments"),
        transform(EXCLUSIVE) * 2,
        transform(f"{DS}base64"),
        transform(EXCLUSIVE, "<ds:XPath>1</ds:XPath>"),
        transform("http://www.w3.org/TR/1999/REC-xpath-19991116", "<ds:XPath>1</ds:XPath>"),
        transform("http://www.w3.org/2002/06/xmldsig-filter2"),
        transform("http://www.w3.org/TR/1999/REC-xslt-19991116"),
    ],
)
def test_a_transform_of_the_key_info(transforms: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: one canonical form without comments, and nothing else."""
    draft.sign_key_info(transforms=transforms)
    assert Reason.SHAPE is bench.ours(draft.dump())


# What the reference says


@pytest.mark.parametrize(
    "kind", [TYPE, f"{DS}X509Data", f"{DS}KeyInfo", f"{DS}Object", f"{DS}Manifest", f"{DS}rawX509Certificate", " "]
)
def test_a_type_for_the_key_info(kind: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: no Type means a KeyInfo (XMLDSig, 4.4.3.1)."""
    draft.sign_key_info(uri=f' Type="{kind}" URI="#k"')
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


@pytest.mark.parametrize(
    "uri",
    ["", "#", "##k", "k", "#K", "#k ", " #k", "#k#k", "#xpointer(id('k'))", f"{NAME}#k", "http://127.0.0.1:9/#k"],
)
def test_a_reference_that_does_not_name_the_key_info(uri: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: the Id as it is written, behind one number sign; signxml takes more for the same."""
    draft.sign_key_info(uri=f' URI="{uri}"')
    assert Reason.SHAPE is bench.ours(draft.dump())


def test_a_third_reference_without_a_uri(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: what it means is left to the reader (XMLDSig, 4.4.3.1)."""
    draft.sign_key_info(uri="")
    assert (Reason.SHAPE, REFUSED) == judge(bench, draft)


@pytest.mark.parametrize("attributes", ["", ' Id=""'])
def test_a_key_info_without_an_id(attributes: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: nothing names nothing."""
    draft.sign_key_info(uri=' URI="#"')
    draft.key_attributes = attributes
    assert (Reason.SHAPE, REFUSED) == judge(bench, draft)


@pytest.mark.parametrize("spelling", ["ID", "id", "xml:id"])
def test_a_key_info_with_its_id_in_another_spelling(spelling: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: the attribute of a KeyInfo is Id (XMLDSig, 4.5)."""
    draft.sign_key_info()
    draft.key_attributes = f' {spelling}="k"'
    assert Reason.SHAPE is bench.ours(draft.dump())


def test_a_format_of_the_key_info(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: what is described is the document (EN 319 132-1, 5.2.4)."""
    draft.sign_key_info(uri=' Id="i" URI="#k"')
    assert (ACCEPTED, ACCEPTED) == judge(bench, draft)
    draft.data = FORMAT.replace("#r", "#i")
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


# What the reference points at


def test_key_info_elsewhere_in_the_document(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: one that nobody uses is signed, the one that is used isn't."""
    other = f'<ds:KeyInfo xmlns:ds="{DS}" Id="k">{x509_data(bench.signer)}</ds:KeyInfo>'
    document = DOCUMENT.replace("<Form ", f"{other}<Form ")
    draft.covered = document
    draft.sign_key_info()
    draft.key_attributes = ' Id="k2"'
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft.dump(document))


def test_key_info_in_the_object(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: so with one beside the properties; an Object holds these alone (EN 319 132-1, 4.4.2)."""
    draft.sign_key_info()
    draft.key_attributes = ""
    other = f'<ds:KeyInfo Id="k">{x509_data(bench.signer)}</ds:KeyInfo>'
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft.dump().replace("</ds:Object>", f"{other}</ds:Object>"))


def test_key_info_in_another_object(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: and with one in a second Object."""
    draft.sign_key_info()
    draft.key_attributes = ""
    draft.behind = f'<ds:Object><ds:KeyInfo Id="k">{x509_data(bench.signer)}</ds:KeyInfo></ds:Object>'
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


def test_a_second_key_info_in_the_signature(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: which of the two counts would be the reader's choice (XMLDSig, 4.1)."""
    draft.sign_key_info()
    document = draft.dump()
    other = f"<ds:KeyInfo>{x509_data(bench.signer)}</ds:KeyInfo>"
    assert Reason.SHAPE is bench.ours(document.replace("<ds:Object>", f"{other}<ds:Object>"))
    assert Reason.SHAPE is bench.ours(document.replace("<ds:KeyInfo ", f"{other}<ds:KeyInfo "))


def test_x509_data_instead_of_key_info(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: a part of the KeyInfo is not the KeyInfo; of its parts none is named."""
    data = x509_data(bench.signer)
    draft.key_info = data.replace("<ds:X509Data>", '<ds:X509Data Id="x">')
    covered = draft.key_info.replace("<ds:X509Data", f'<ds:X509Data xmlns:ds="{DS}"')
    draft.more_references = reference(covered, uri=' URI="#x"', transforms=transform(EXCLUSIVE))
    assert Reason.SHAPE is bench.ours(draft.dump())


@pytest.mark.parametrize("named", ["doc", "f", "s", "p", "r"])
def test_a_third_reference_to_another_id(named: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: the document, a form, the signature, the properties, a reference."""
    draft.sign_key_info(uri=f' URI="#{named}"')
    assert (Reason.SHAPE, REFUSED) == judge(bench, draft)


def test_the_document_twice_and_the_properties(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: with a right digest too, a third reference to the document is one too many."""
    draft.more_references = reference(DOCUMENT, uri=' URI="#doc"')
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


@pytest.mark.parametrize("spelling", ["ID", "Id", "id", "xml:id"])
def test_the_id_of_the_key_info_twice(spelling: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: ID, Id, id and xml:id are each an ID to somebody."""
    document = DOCUMENT.replace("<Form ", f'<Other {spelling}="k"></Other><Form ')
    draft.covered = canonical(document).decode()
    draft.sign_key_info()
    assert Reason.SHAPE is bench.ours(draft.dump(document))


# How many references


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2), (2, 1), (0, 2), (2, 0)])
def test_two_references_to_the_key_info(order: tuple[int, ...], bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: also when they make three, without the document or without the properties."""
    draft.sign_key_info()
    draft.sign_key_info()
    draft.order = order
    assert Reason.SHAPE is bench.ours(draft.dump())


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_properties_and_key_info_alone(
    order: tuple[int, ...], bench: XmlBench, draft: XadesDraft, tmp_path: Path
) -> None:
    """Invalid: nothing covers the document, inside of it or beside it."""
    draft.sign_key_info()
    draft.order = order
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)
    verdict = beside(bench, tmp_path, draft.draft().signature())
    assert isinstance(verdict, Fault)
    assert verdict.reason is Reason.SHAPE


def test_document_and_key_info_alone(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: the properties are there, but nothing covers them."""
    draft.sign_key_info()
    draft.order = (0, 2)
    assert (Reason.SHAPE, REFUSED) == judge(bench, draft)


def test_four_references(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: beside the three nothing more is signed."""
    draft.sign_key_info()
    form = '<Form Id="f"><Name>Invented</Name></Form>'
    draft.more_references += reference(form, uri=' URI="#f"', transforms=transform(EXCLUSIVE))
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


@pytest.mark.parametrize("order", [(0, 2), (2, 0), (2,)])
def test_a_plain_signature_of_the_key_info(order: tuple[int, ...], bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: an XML signature that is no XAdES has one reference, to the document."""
    draft.sign_key_info()
    draft.order = order
    plain = draft.draft()
    plain.behind = ""
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(plain.dump())


def test_a_file_named_like_the_key_info_of_its_signature(bench: XmlBench, draft: XadesDraft, tmp_path: Path) -> None:
    """Invalid: a reference to ``#k`` means the KeyInfo, even if the file beside the signature has that name."""
    draft.sign_key_info()
    draft.order = (1, 2)
    path = tmp_path / "#k"
    path.write_bytes(SIGNED)
    verdict = xmldsig.examine_detached(path, draft.draft().signature().encode(), Policy())
    assert isinstance(verdict, Fault)
    assert verdict.reason is Reason.SHAPE


# What the KeyInfo holds, and whose certificate it is


@pytest.mark.parametrize(
    "more",
    [
        '<ds:RetrievalMethod URI="http://127.0.0.1:9/"></ds:RetrievalMethod>',
        "<ds:MgmtData>Evil</ds:MgmtData>",
        '<Other xmlns="urn:other"></Other>',
        "<ds:X509Data><ds:X509SubjectName>CN=Another</ds:X509SubjectName></ds:X509Data>",
    ],
)
def test_something_else_in_a_signed_key_info(more: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: signed or not, one X509Data tells whose signature it is."""
    draft.key_info = x509_data(bench.signer) + more
    draft.sign_key_info()
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


def test_two_signers_in_a_signed_key_info(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: whose signature it is would be the reader's choice."""
    other = base64_of(bench.pki.issue("Another", key="rsa-2048"))
    certificate = f"<ds:X509Certificate>{other}</ds:X509Certificate></ds:X509Data>"
    draft.key_info = x509_data(bench.signer).replace("</ds:X509Data>", certificate)
    draft.sign_key_info()
    assert (Reason.NO_CERTIFICATE, ACCEPTED) == judge(bench, draft)


def test_somebody_elses_certificate_in_a_signed_key_info(bench: XmlBench) -> None:
    """Invalid: KeyInfo and property name the victim, and all three references hold; the value is the forger's."""
    forged = XadesDraft(bench.pki.issue("Forger", key="rsa-2048"))
    forged.key_info, forged.certificate = x509_data(bench.signer), certificate_v2(bench.signer)
    forged.sign_key_info()
    assert (Reason.SIGNATURE, REFUSED) == judge(bench, forged)


def test_another_certificate_of_the_same_key_in_a_signed_key_info(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: a signed KeyInfo doesn't stand in for the property, which names another."""
    draft.key_info = x509_data(bench.pki.issue("An Invented Signer", key=bench.signer.private()))
    draft.sign_key_info()
    assert Reason.NO_CERTIFICATE is bench.ours(draft.dump())


def test_a_verified_element_that_is_not_the_key_info_that_was_read(bench: XmlBench, draft: XadesDraft) -> None:
    """What the reference was verified over must be a KeyInfo with the certificates that are used: else no verdict."""
    draft.sign_key_info()
    parts = xmlshape.read(draft.dump().encode(), Policy())
    assert not isinstance(parts, Fault)
    own = f'<ds:KeyInfo xmlns:ds="{DS}">{x509_data(bench.signer)}</ds:KeyInfo>'
    other = f'<ds:KeyInfo xmlns:ds="{DS}">{x509_data(bench.pki.issue("Another", key="rsa-2048"))}</ds:KeyInfo>'
    for text, same in ((own, True), (other, False), (own.replace("KeyInfo", "Object"), False)):
        assert xades_references.is_key_info(etree.fromstring(text), parts) is same
    assert not xades_references.is_key_info(None, parts)


def test_a_verifier_that_verified_another_key_info(
    bench: XmlBench, draft: XadesDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is believed then, though all the digests hold."""
    draft.sign_key_info()
    assert ACCEPTED == bench.ours(draft.dump())
    monkeypatch.setattr(xades_references, "is_key_info", lambda *_: False)
    assert Reason.SHAPE is bench.ours(draft.dump())
