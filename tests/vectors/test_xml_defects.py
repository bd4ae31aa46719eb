"""Defects of XML signatures that were signed along with the rest: each named, with our verdict and a lax one's beside.

The lax one is signxml with all checks off that it lets its caller switch off.
"""

import base64
import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from signing.evidence import Reason
from tests.cms_builder import ACCEPTED, REFUSED
from tests.xml_builder import (
    DOCUMENT,
    DS,
    ENVELOPED,
    EXCLUSIVE,
    INCLUSIVE,
    RSA_SHA256,
    XmlBench,
    base64_of,
    canonical,
    inserted,
    reference,
    transform,
)

HMAC_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
XSLT = "http://www.w3.org/TR/1999/REC-xslt-19991116"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> XmlBench:
    """An accepted authority and a signer."""
    return XmlBench.open(tmp_path_factory.mktemp("bench"))


def with_transforms(bench: XmlBench, *transforms: str, covered: str = DOCUMENT) -> str:
    """A document signed with these transforms."""
    return bench.draft(reference(covered, transforms="".join(transforms))).dump()


def test_no_defect(bench: XmlBench) -> None:
    """Valid: what the vectors below spoil is good (XMLDSig, 3.2)."""
    assert (ACCEPTED, ACCEPTED) == bench.judge(bench.draft().dump())


def test_a_changed_digest_value(bench: XmlBench) -> None:
    """Invalid: the digest is that of something else (XMLDSig, 3.2.1)."""
    document = bench.draft(reference(DOCUMENT, value=bytes(32))).dump()
    assert (Reason.TAMPERED, REFUSED) == bench.judge(document)


def test_an_empty_digest_value(bench: XmlBench) -> None:
    """Invalid: nothing is the digest of nothing."""
    document = bench.draft().dump()
    start, end = document.index("<ds:DigestValue>") + 16, document.index("</ds:DigestValue>")
    assert (Reason.SIGNATURE, REFUSED) == bench.judge(document[:start] + document[end:])


def test_a_cut_digest_value(bench: XmlBench) -> None:
    """Invalid: half a digest proves half of nothing."""
    half = hashlib.sha256(DOCUMENT.encode()).digest()[:16]
    assert (Reason.TAMPERED, REFUSED) == bench.judge(bench.draft(reference(DOCUMENT, value=half)).dump())


def test_an_empty_signature_value(bench: XmlBench) -> None:
    """Invalid: no value signs nothing (XMLDSig, 4.3)."""
    document = bench.draft().dump()
    start, end = document.index("<ds:SignatureValue>") + 19, document.index("</ds:SignatureValue>")
    assert Reason.SHAPE is bench.ours(document[:start] + document[end:])


def test_an_hmac_with_the_public_key(bench: XmlBench) -> None:
    """Invalid: everybody knows the public key, so everybody can make this MAC (GHSA-6vx8-pcwv-xhf4)."""
    draft = bench.draft()
    draft.method = HMAC_SHA256
    public = bench.signer.read().public_key()
    for secret in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        bench.signer.certificate.read_bytes(),
        base64_of(bench.signer).encode(),
    ):
        draft.value = hmac.digest(secret, canonical(draft.signed_info()), "sha256")
        assert (Reason.ALGORITHM, REFUSED) == bench.judge(draft.dump())


def test_an_hmac_of_no_length(bench: XmlBench) -> None:
    """Invalid: a MAC cut to zero bits always matches (CVE-2009-0217)."""
    draft = bench.draft()
    draft.method = HMAC_SHA256
    draft.method_parameters = "<ds:HMACOutputLength>0</ds:HMACOutputLength>"
    assert (Reason.SHAPE, REFUSED) == bench.judge(draft.dump())


def test_a_length_for_an_rsa_signature(bench: XmlBench) -> None:
    """Invalid: methods have no parameters (XMLDSig, 4.4.2)."""
    draft = bench.draft()
    draft.method_parameters = "<ds:HMACOutputLength>1</ds:HMACOutputLength>"
    assert Reason.SHAPE is bench.ours(draft.dump())


@pytest.mark.parametrize("name", ["dsa-sha1", "rsa-sha1", "hmac-sha1"])
def test_a_method_of_the_first_edition(name: str, bench: XmlBench) -> None:
    """Invalid: all of them rest on SHA-1 (XMLDSig 1.1, 6.1)."""
    draft = bench.draft()
    draft.method = f"{DS}{name}"
    assert Reason.ALGORITHM is bench.ours(draft.dump())


@pytest.mark.parametrize("name", ["rsa-md5", "rsa-sha224", "rsa-ripemd160", "ecdsa-sha1"])
def test_a_method_that_is_not_on_our_list(name: str, bench: XmlBench) -> None:
    """Invalid: known to RFC 9231, weaker than our list."""
    draft = bench.draft()
    draft.method = f"http://www.w3.org/2001/04/xmldsig-more#{name}"
    assert Reason.ALGORITHM is bench.ours(draft.dump())


def test_a_method_with_a_space(bench: XmlBench) -> None:
    """Invalid: names of algorithms are compared as they stand (RFC 3986, 6.2.1)."""
    draft = bench.draft()
    draft.method = f" {RSA_SHA256}"
    assert Reason.ALGORITHM is bench.ours(draft.dump())


def test_a_digest_of_sha_1(bench: XmlBench) -> None:
    """Invalid: signed truly, but over SHA-1 (XMLDSig 1.1, 6.2)."""
    taken = hashlib.sha1(DOCUMENT.encode(), usedforsecurity=False).digest()
    document = bench.draft(reference(DOCUMENT, digest=f"{DS}sha1", value=taken)).dump()
    assert Reason.ALGORITHM is bench.ours(document)


def test_two_references(bench: XmlBench) -> None:
    """Invalid: both are good, but which of them is the declaration?"""
    form = '<Form Id="f"><Name>Invented</Name></Form>'
    document = bench.draft(reference(DOCUMENT) + reference(form, uri=' URI="#f"')).dump()
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(document)


def test_a_manifest(bench: XmlBench) -> None:
    """Invalid: the digests in a Manifest are checked by nobody (XMLDSig, 5.1)."""
    content = f'<ds:Manifest xmlns:ds="{DS}" Id="m">{reference(DOCUMENT)}</ds:Manifest>'
    draft = bench.draft(reference(content, uri=f' URI="#m" Type="{DS}Manifest"', transforms=transform(EXCLUSIVE)))
    draft.behind = f"<ds:Object>{content}</ds:Object>"
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(draft.dump())


def test_an_object_with_anything(bench: XmlBench) -> None:
    """Invalid: an Object that no reference covers is unsigned content (XMLDSig, 4.5)."""
    draft = bench.draft()
    draft.behind = "<ds:Object><Forms/></ds:Object>"
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(draft.dump())


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/hostname",
        "/etc/hostname",
        "http://127.0.0.1:9/",
        "https://pki.example/",
        "ftp://pki.example/",
        "//pki.example/",
        "document",
        "data:text/xml,x",
    ],
)
def test_a_reference_to_the_outside(uri: str, bench: XmlBench) -> None:
    """Invalid: nothing is fetched, from no disk and no network (XMLDSig Best Practices, 3)."""
    assert (Reason.SHAPE, REFUSED) == bench.judge(bench.draft(reference(DOCUMENT, uri=f' URI="{uri}"')).dump())


@pytest.mark.parametrize(
    "uri", ["#xpointer(/)", "#xpointer(id('doc'))", "#element(/1)", "#", "##doc", "#doc ", "# doc"]
)
def test_a_reference_by_a_pointer(uri: str, bench: XmlBench) -> None:
    """Invalid: the root is named by nothing or by its ID alone (XMLDSig, 4.4.3.2)."""
    assert Reason.SHAPE is bench.ours(bench.draft(reference(DOCUMENT, uri=f' URI="{uri}"')).dump())


def test_a_reference_without_a_uri(bench: XmlBench) -> None:
    """Invalid: what is meant would be the reader's choice (XMLDSig, 4.4.3.1)."""
    assert (Reason.SHAPE, REFUSED) == bench.judge(bench.draft(reference(DOCUMENT, uri="")).dump())


def test_an_xpath_transform_that_drops_a_form(bench: XmlBench) -> None:
    """Invalid: a filter takes out what shall not be signed (XMLDSig Best Practices, 2.1.2)."""
    expression = "<ds:XPath>not(ancestor-or-self::Form)</ds:XPath>"
    chosen = (transform(ENVELOPED), transform(XPATH, expression), transform(EXCLUSIVE))
    assert Reason.SHAPE is bench.ours(with_transforms(bench, *chosen, covered='<Forms Id="doc"></Forms>'))


def test_an_xpath_filter_2_transform(bench: XmlBench) -> None:
    """Invalid: so does its second edition (RFC 3653)."""
    filtering = transform("http://www.w3.org/2002/06/xmldsig-filter2")
    assert Reason.SHAPE is bench.ours(with_transforms(bench, transform(ENVELOPED), filtering))


def test_an_xslt_transform(bench: XmlBench) -> None:
    """Invalid: a program of the sender's (XMLDSig Best Practices, 2.1.1)."""
    sheet = (
        '<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0">'
        '<xsl:template match="/"><xsl:copy-of select="document(\'/etc/hostname\')"/></xsl:template></xsl:stylesheet>'
    )
    assert Reason.SHAPE is bench.ours(with_transforms(bench, transform(ENVELOPED), transform(XSLT, sheet)))


def test_a_base64_transform(bench: XmlBench) -> None:
    """Invalid: it takes the text alone, and drops every element around it (XMLDSig, 6.6.2)."""
    chosen = (transform(ENVELOPED), transform(f"{DS}base64"))
    assert Reason.SHAPE is bench.ours(with_transforms(bench, *chosen, covered="Invented"))


def test_a_decryption_transform(bench: XmlBench) -> None:
    """Invalid: nothing here decrypts (XMLENC decryption transform)."""
    decrypting = transform("http://www.w3.org/2002/07/decrypt#XML")
    assert Reason.SHAPE is bench.ours(with_transforms(bench, transform(ENVELOPED), decrypting))


def test_a_transform_without_an_algorithm(bench: XmlBench) -> None:
    """Invalid: a transform that says nothing does nothing that we know."""
    assert Reason.SHAPE is bench.ours(with_transforms(bench, transform(ENVELOPED), "<ds:Transform></ds:Transform>"))


def test_canonical_before_enveloped(bench: XmlBench) -> None:
    """Invalid: after the canonical form there is no signature left to take out (XMLDSig, 6.6.4)."""
    assert Reason.SHAPE is bench.ours(with_transforms(bench, transform(EXCLUSIVE), transform(ENVELOPED)))


def test_a_canonical_form_with_comments(bench: XmlBench) -> None:
    """Invalid: comments would be signed and not handed on (XMLDSig, 4.4.3.3)."""
    chosen = (transform(ENVELOPED), transform(f"{EXCLUSIVE}WithComments"))
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(with_transforms(bench, *chosen))


def test_a_signed_info_with_comments(bench: XmlBench) -> None:
    """Invalid: a canonical form of SignedInfo that keeps comments isn't read (XMLDSig, 4.4.1)."""
    draft = bench.draft()
    draft.c14n = f"{INCLUSIVE}#WithComments"
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(draft.dump())


def test_an_unknown_canonical_form(bench: XmlBench) -> None:
    """Invalid: a form of the signer's own could turn anything into anything (XMLDSig, 8.1)."""
    draft = bench.draft()
    draft.c14n = "urn:mine"
    assert (Reason.SHAPE, REFUSED) == bench.judge(draft.dump())


def test_no_canonical_form(bench: XmlBench) -> None:
    """Valid: without one, an enveloped reference is read in the inclusive form (XMLDSig, 4.4.3.2)."""
    assert (ACCEPTED, ACCEPTED) == bench.judge(with_transforms(bench, transform(ENVELOPED)))


def test_a_key_value_alone(bench: XmlBench) -> None:
    """Invalid: a bare key belongs to nobody (XMLDSig, 4.5.2)."""
    draft = bench.draft()
    draft.key_info = f"<ds:KeyValue>{rsa_value(bench)}</ds:KeyValue>"
    assert Reason.SHAPE is bench.ours(draft.dump())


def test_a_key_value_of_somebody_else(bench: XmlBench) -> None:
    """Invalid: KeyValue and certificate name different keys (XMLDSig, 4.5)."""
    draft = bench.draft()
    other = "<ds:RSAKeyValue><ds:Modulus>AQAB</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue>"
    draft.key_info = f"<ds:KeyValue>{other}</ds:KeyValue>{draft.key_info}"
    assert Reason.SHAPE is bench.ours(draft.dump())


def test_a_forged_key_value_beside_a_good_certificate(bench: XmlBench) -> None:
    """Invalid: signed with the key in the KeyValue, shown with the certificate of the victim."""
    forger = bench.pki.issue("Forger", key="rsa-2048")
    draft = bench.draft()
    draft.signer = forger
    assert (Reason.SIGNATURE, REFUSED) == bench.judge(draft.dump())


@pytest.mark.parametrize("uri", ["#k", "file:///etc/hostname", "http://127.0.0.1:9/"])
def test_a_key_to_be_retrieved(uri: str, bench: XmlBench) -> None:
    """Invalid: no key is looked for elsewhere (XMLDSig, 4.5.3)."""
    draft = bench.draft()
    draft.key_info = f'<ds:RetrievalMethod URI="{uri}"></ds:RetrievalMethod>{draft.key_info}'
    assert Reason.SHAPE is bench.ours(draft.dump())


@pytest.mark.parametrize("name", ["PGPData", "SPKIData", "MgmtData"])
def test_a_key_of_another_kind(name: str, bench: XmlBench) -> None:
    """Invalid: only X509Data names a signer (XMLDSig, 4.5)."""
    draft = bench.draft()
    draft.key_info = f"<ds:{name}></ds:{name}>{draft.key_info}"
    assert Reason.SHAPE is bench.ours(draft.dump())


def test_no_certificate(bench: XmlBench) -> None:
    """Invalid: the name of a key is no certificate."""
    draft = bench.draft()
    draft.key_info = "<ds:KeyName>An Invented Signer</ds:KeyName>"
    assert Reason.SHAPE is bench.ours(draft.dump())


def test_the_certificate_twice(bench: XmlBench) -> None:
    """Invalid: the signer's certificate is there exactly once."""
    draft = bench.draft()
    certificate = f"<ds:X509Certificate>{base64_of(bench.signer)}</ds:X509Certificate>"
    draft.key_info = f"<ds:X509Data>{certificate * 2}</ds:X509Data>"
    assert (Reason.NO_CERTIFICATE, ACCEPTED) == bench.judge(draft.dump())


def test_a_certificate_outside_the_x509_data(bench: XmlBench) -> None:
    """Invalid: the certificate stands where nobody would look (XMLDSig, 4.5.4)."""
    draft = bench.draft()
    certificate = f"<ds:X509Certificate>{base64_of(bench.signer)}</ds:X509Certificate>"
    draft.key_info = f"<ds:KeyName>{certificate}</ds:KeyName><ds:X509Data></ds:X509Data>"
    assert Reason.SHAPE is bench.ours(draft.dump())


def test_a_certificate_with_bytes_behind(bench: XmlBench) -> None:
    """Invalid: the certificate ends with its last byte (X.690, 10.1)."""
    draft = bench.draft()
    longer = base64.b64encode(base64.b64decode(base64_of(bench.signer)) + b"\x00").decode()
    draft.key_info = f"<ds:X509Data><ds:X509Certificate>{longer}</ds:X509Certificate></ds:X509Data>"
    assert bench.ours(draft.dump()) in {Reason.SHAPE, Reason.SYNTAX}


def test_no_key_info(bench: XmlBench) -> None:
    """Invalid: somebody must say who signed (XMLDSig, 4.5)."""
    draft = bench.draft()
    document = draft.dump().replace(f"<ds:KeyInfo>{draft.key_info}</ds:KeyInfo>", "")
    assert Reason.SHAPE is bench.ours(document)


def test_parts_out_of_order(bench: XmlBench) -> None:
    """Invalid: SignedInfo comes first (XMLDSig, 4.2)."""
    root = etree.fromstring(bench.draft().dump())
    [signature] = root.iter(f"{{{DS}}}Signature")
    signature.append(signature[0])
    assert (Reason.SHAPE, REFUSED) == bench.judge(etree.tostring(root).decode())


def test_a_signature_of_another_namespace(bench: XmlBench) -> None:
    """Invalid: only the namespace makes it a signature (XMLDSig, 4.1)."""
    assert (Reason.SHAPE, REFUSED) == bench.judge(bench.draft().dump().replace(DS, "http://www.w3.org/2009/xmldsig11#"))


def test_a_signature_in_upper_case(bench: XmlBench) -> None:
    """Invalid: names of elements have a case (XML 1.0, 3)."""
    assert (Reason.SHAPE, REFUSED) == bench.judge(
        bench.draft().dump().replace("ds:Signature ", "ds:SIGNATURE ").replace("</ds:Signature>", "</ds:SIGNATURE>")
    )


def test_a_namespace_added_to_the_root(bench: XmlBench) -> None:
    """Valid: a prefix that nobody uses isn't in the exclusive form (Exclusive C14N, 3)."""
    document = bench.draft().dump().replace("<Forms ", '<Forms xmlns:unused="urn:unused" ')
    assert (ACCEPTED, ACCEPTED) == bench.judge(document)


def test_a_default_namespace_added_to_the_root(bench: XmlBench) -> None:
    """Invalid: every element becomes another one (XML Namespaces, 6.2)."""
    document = bench.draft().dump().replace("<Forms ", '<Forms xmlns="urn:evil" ')
    assert (Reason.TAMPERED, REFUSED) == bench.judge(document)


def test_a_comment_in_the_text(bench: XmlBench) -> None:
    """Valid: the comment isn't signed, and what is handed on is without it (CVE-2017-11427 and its kin)."""
    document = bench.draft().dump().replace("Invented", "Inv<!-- ignored -->ented")
    assert (ACCEPTED, ACCEPTED) == bench.judge(document)


def test_a_processing_instruction_in_the_text(bench: XmlBench) -> None:
    """Invalid: instructions are in the canonical form (C14N 1.0, 2.3)."""
    document = bench.draft().dump().replace("Invented", "Inv<?ignored?>ented")
    assert (Reason.TAMPERED, REFUSED) == bench.judge(document)


def test_a_comment_in_the_signature_value(bench: XmlBench) -> None:
    """Invalid: readers differ on the text around a comment."""
    document = bench.draft().dump().replace("<ds:SignatureValue>", "<ds:SignatureValue><!-- -->")
    assert Reason.SHAPE is bench.ours(document)


def test_a_comment_in_the_digest_value(bench: XmlBench) -> None:
    """Invalid: the canonical form drops it, so the signature over two digests could hold (CVE-2025-29775)."""
    document = bench.draft().dump().replace("<ds:DigestValue>", "<ds:DigestValue><!--AAAA-->")
    assert Reason.SHAPE is bench.ours(document)


def test_cdata_in_the_text(bench: XmlBench) -> None:
    """Valid: the canonical form has no CDATA sections, only their text (C14N 1.0, 2.3)."""
    document = bench.draft().dump().replace("Invented", "<![CDATA[Invented]]>")
    assert (ACCEPTED, ACCEPTED) == bench.judge(document)


def test_a_character_by_its_number(bench: XmlBench) -> None:
    """Valid: a reference to a character is that character (C14N 1.0, 2.3)."""
    assert (ACCEPTED, ACCEPTED) == bench.judge(bench.draft().dump().replace("Invented", "&#73;nvented"))


def test_an_entity_without_a_doctype(bench: XmlBench) -> None:
    """Invalid: an entity that nothing declares is no XML (XML 1.0, 4.1)."""
    assert (Reason.SYNTAX, REFUSED) == bench.judge(bench.draft().dump().replace("Invented", "&name;"))


@pytest.mark.parametrize(
    "declared",
    [
        '<!DOCTYPE Forms [<!ENTITY n "Invented">]>',
        '<!DOCTYPE Forms [<!ENTITY n SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE Forms [<!ENTITY % p SYSTEM "http://127.0.0.1:9/"> %p;]>',
        '<!DOCTYPE Forms [<!ATTLIST Forms Id CDATA "doc">]>',
        '<!DOCTYPE Forms [<!ATTLIST Name x ID "f">]>',
        '<!DOCTYPE Forms SYSTEM "http://127.0.0.1:9/forms.dtd">',
        "<!DOCTYPE\tForms>",
    ],
)
def test_a_document_type(declared: str, bench: XmlBench) -> None:
    """Invalid: entities, defaults and IDs of a DTD change what is read (XMLDSig Best Practices, 2.1.3)."""
    assert Reason.SHAPE is bench.ours(declared + bench.draft().dump())


def test_an_inclusion(bench: XmlBench) -> None:
    """Invalid: XInclude is not processed, and an element more was not signed."""
    include = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/hostname" parse="text"/>'
    assert (Reason.TAMPERED, REFUSED) == bench.judge(bench.draft().dump().replace("Invented", include))


def test_white_space_between_elements(bench: XmlBench) -> None:
    """Invalid: white space is content (C14N 1.0, 2.3)."""
    assert (Reason.TAMPERED, REFUSED) == bench.judge(bench.draft().dump().replace("<Form ", "\n<Form "))


def test_text_behind_the_signature(bench: XmlBench) -> None:
    """Invalid: text after the signature belongs to the root (XMLDSig, 6.6.4)."""
    document = inserted(DOCUMENT, f"{bench.draft().signature()}Evil")
    assert (Reason.SHAPE, REFUSED) == bench.judge(document)


def test_two_roots(bench: XmlBench) -> None:
    """Invalid: a document has one root (XML 1.0, 2.1)."""
    assert Reason.SYNTAX is bench.ours(bench.draft().dump() + DOCUMENT)


def test_an_instruction_outside_the_root(bench: XmlBench) -> None:
    """Valid or refused, but never handed on: a style sheet before the root is not part of what is signed."""
    verdict = bench.ours('<?xml-stylesheet href="evil.xsl"?>' + bench.draft().dump())
    assert verdict in {ACCEPTED, Reason.TAMPERED}


def rsa_value(bench: XmlBench) -> str:
    """The signer's key as an RSAKeyValue."""
    modulus = base64.b64encode(bench.signer.private().public_key().public_numbers().n.to_bytes(256, "big")).decode()  # type: ignore[union-attr]  # the key is RSA
    return f"<ds:RSAKeyValue><ds:Modulus>{modulus}</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue>"
