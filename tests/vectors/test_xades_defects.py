"""Defects of what a XAdES signature says about itself, signed along with the rest, and each with its verdict.

Beside our verdict stands, where it says something, that of signxml's own XAdES verifier.
"""

import base64
import hmac
from datetime import UTC, datetime

import pytest
from asn1crypto import x509 as asn1
from asn1crypto.tsp import IssuerSerial

from signing.evidence import Evidence, Reason
from signing.policy import Leniency, Policy
from tests.cms_builder import ACCEPTED, REFUSED, certificate_of
from tests.xades_builder import (
    FORMAT,
    XADES,
    XADES_141,
    XadesDraft,
    cert,
    certificate_v1,
    certificate_v2,
    judge,
    signing_time,
    timestamp,
    unsigned,
)
from tests.xml_builder import DS, EXCLUSIVE, XmlBench, canonical, transform

TOLERANT = Policy(leniencies=frozenset({Leniency.SHA1}))
POLICY_ID = (
    "<xades:SignaturePolicyId><xades:SigPolicyId><xades:Identifier>urn:oid:1.3.6.1.4.1.32473.1</xades:Identifier>"
    "</xades:SigPolicyId><xades:SigPolicyHash>"
    '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>AAAA</ds:DigestValue>'
    "</xades:SigPolicyHash></xades:SignaturePolicyId>"
)
CLAIMED = "<xades:ClaimedRoles><xades:ClaimedRole>Clerk</xades:ClaimedRole></xades:ClaimedRoles>"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> XmlBench:
    """An accepted authority and a signer."""
    return XmlBench.open(tmp_path_factory.mktemp("bench"))


@pytest.fixture
def draft(bench: XmlBench) -> XadesDraft:
    """A good XAdES signature."""
    return XadesDraft(bench.signer)


def commitment(kind: str, to: str = "<xades:AllSignedDataObjects/>", more: str = "") -> str:
    """What the signer commits to."""
    identifier = f"<xades:Identifier>http://uri.etsi.org/01903/v1.2.2#ProofOf{kind}</xades:Identifier>"
    inside = f"<xades:CommitmentTypeId>{identifier}</xades:CommitmentTypeId>{to}{more}"
    return f"<xades:CommitmentTypeIndication>{inside}</xades:CommitmentTypeIndication>"


def test_no_defect(bench: XmlBench, draft: XadesDraft) -> None:
    """Valid: what the vectors below spoil is good (EN 319 132-1, 6)."""
    assert (ACCEPTED, ACCEPTED) == judge(bench, draft)


# The signing time


def test_no_signing_time(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: every baseline signature says when it was made (EN 319 132-1, 6.3)."""
    draft.time = ""
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


def test_two_signing_times(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: one of them would be the reader's choice (EN 319 132-1, 5.2.1)."""
    draft.time = signing_time("2020-01-01T00:00:00Z") + draft.time
    assert (Reason.SHAPE, REFUSED) == judge(bench, draft)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T10:00:00",
        "2026-11-21",
        "",
        "now",
        "20261121T100000Z",
        "2026-W47-6T10:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T10:00:60Z",
        "2026-11-21 10:00:00Z",
        "2026-11-21T10:00:00z",
        "2026-11-21T10:00Z",
        "2026-11-21T10:00:00+25:00",
        "0001-01-01T00:00:00+14:00",
        "-2026-11-21T10:00:00Z",
        "12026-11-21T10:00:00Z",
        "0000-01-01T00:00:00Z",
        "\u0662\u0660\u0662\u0666-11-21T10:00:00Z",
        "2026-11-21T10:00:00Z2026-11-21T10:00:00Z",
        " 2026-11-21T10:00:00Z",
    ],
)
def test_a_signing_time_that_is_no_moment(text: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: a time is a date, a time of day and a zone; without a zone it is any of twenty-six hours."""
    draft.time = signing_time(text)
    assert Reason.TIME is bench.ours(draft.dump())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05+02:00", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05-14:00", datetime(2026, 1, 2, 17, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.5Z", datetime(2026, 1, 2, 3, 4, 5, 500000, tzinfo=UTC)),
        ("2026-01-02T03:04:05.123456789Z", datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)),
    ],
)
def test_a_signing_time_in_any_zone(text: str, expected: datetime, bench: XmlBench, draft: XadesDraft) -> None:
    """Valid: it is handed on in UTC (XML Schema 2, 3.2.7)."""
    draft.time = signing_time(text)
    verdict = bench.verdict(draft.dump())
    assert isinstance(verdict, Evidence)
    assert verdict.signed_at == expected


# The signing certificate


def test_no_signing_certificate(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: without it the certificate could be exchanged for another of the same key (EN 319 132-1, 5.2.2)."""
    draft.certificate = ""
    assert (Reason.SHAPE, REFUSED) == judge(bench, draft)


def test_a_signing_certificate_of_another(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: the signature says that somebody else made it."""
    draft.certificate = certificate_v2(bench.pki.issue("Another", key="rsa-2048"))
    assert (Reason.NO_CERTIFICATE, REFUSED) == judge(bench, draft)


def test_a_signing_certificate_of_the_same_key(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: the key is the same, the certificate isn't: that is what the property is for."""
    twin = bench.pki.issue("An Invented Signer", key=bench.signer.private())
    draft.certificate = certificate_v2(twin)
    assert (Reason.NO_CERTIFICATE, REFUSED) == judge(bench, draft)


def test_a_signing_certificate_that_is_not_signed(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: among the unsigned properties anybody may exchange it."""
    draft.certificate, draft.unsigned = "", unsigned(draft.certificate)
    assert (Reason.SHAPE, REFUSED) == judge(bench, draft)


def test_the_signers_certificate_second(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: the first that is named is the signer's (EN 319 132-1, 5.2.2)."""
    another = bench.pki.issue("Another", key="rsa-2048")
    draft.certificate = certificate_v2(another, bench.signer)
    assert (Reason.NO_CERTIFICATE, REFUSED) == judge(bench, draft)


def test_a_second_certificate_that_did_not_come_along(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: what is named must be there."""
    draft.certificate = certificate_v2(bench.signer, bench.pki.issuing_credential)
    assert (Reason.NO_CERTIFICATE, REFUSED) == judge(bench, draft)


def test_a_second_certificate_that_came_along(bench: XmlBench, draft: XadesDraft) -> None:
    """Valid: the issuing authority's, in KeyInfo and property."""
    authority = "".join(bench.pki.issuing.read_text().splitlines()[1:-1])
    draft.certificate = certificate_v2(bench.signer, bench.pki.issuing_credential)
    draft.key_info = bench.draft().key_info.replace(
        "</ds:X509Data>", f"<ds:X509Certificate>{authority}</ds:X509Certificate></ds:X509Data>"
    )
    assert (ACCEPTED, ACCEPTED) == judge(bench, draft)


def test_more_certificates_than_may_come_along(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: nine at most, in the property as in the KeyInfo."""
    draft.certificate = certificate_v2(*[bench.signer] * 10)
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


def test_an_empty_list_of_certificates(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: a property that names nobody binds nobody."""
    draft.certificate = certificate_v2()
    assert (Reason.SHAPE, REFUSED) == judge(bench, draft)


def test_both_forms_of_the_signing_certificate(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: the older or the newer, not both (EN 319 132-1, 6.3)."""
    draft.certificate = certificate_v1(bench.signer) + certificate_v2(bench.signer)
    assert (Reason.SHAPE, REFUSED) == judge(bench, draft)


@pytest.mark.parametrize("value", [b"", bytes(32), bytes(16)])
def test_a_wrong_digest_of_the_certificate(value: bytes, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: it is nobody's digest."""
    draft.certificate = f"<xades:SigningCertificateV2>{cert(bench.signer, value=value)}</xades:SigningCertificateV2>"
    assert (Reason.NO_CERTIFICATE, REFUSED) == judge(bench, draft)


def test_a_digest_of_sha_1_of_the_certificate(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid, unless SHA-1 is tolerated; and then it is named."""
    listed = cert(bench.signer, digest=f"{DS}sha1")
    draft.certificate = f"<xades:SigningCertificateV2>{listed}</xades:SigningCertificateV2>"
    document = draft.dump()
    assert (Reason.ALGORITHM, ACCEPTED) == judge(bench, document)
    verdict = bench.verdict(document, TOLERANT)
    assert isinstance(verdict, Evidence)
    assert verdict.leniencies == ("sha1",)


@pytest.mark.parametrize("uri", ["http://www.w3.org/2001/04/xmldsig-more#md5", "http://www.w3.org/2001/04/xmlenc#md5"])
def test_a_digest_of_md5_of_the_certificate(uri: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid, whatever is tolerated."""
    listed = cert(bench.signer, digest=uri)
    draft.certificate = f"<xades:SigningCertificateV2>{listed}</xades:SigningCertificateV2>"
    assert Reason.ALGORITHM is bench.ours(draft.dump(), TOLERANT)


def test_a_signature_method_as_digest_of_the_certificate(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: rsa-sha256 is on a list of ours, but not on this one."""
    draft.certificate = draft.certificate.replace("2001/04/xmlenc#sha256", "2001/04/xmldsig-more#rsa-sha256")
    assert Reason.ALGORITHM is bench.ours(draft.dump())


@pytest.mark.parametrize(
    "written",
    [
        "C=BE,CN=Test Issuing",
        "CN=Test Issuing,C=BE",
        "CN=Test Issuing, C=BE",
        "2.5.4.3=Test Issuing,C=be",
        " CN=Test  Issuing,C=BE\n",
    ],
)
def test_an_issuer_in_another_spelling(written: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Valid: toolkits differ in order, case and spaces; the digest says which certificate is meant."""
    draft.certificate = certificate_v1(bench.signer, issuer=written)
    assert (ACCEPTED, ACCEPTED) == judge(bench, draft)


@pytest.mark.parametrize("written", ["CN=Another,C=BE", "C=BE", "CN=Test Issuing,C=BE,O=More"])
def test_another_issuer(written: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: digest and issuer mean different certificates (EN 319 132-1, 5.2.2)."""
    draft.certificate = certificate_v1(bench.signer, issuer=written)
    assert (Reason.NO_CERTIFICATE, ACCEPTED) == judge(bench, draft)


@pytest.mark.parametrize("written", ["", "Test Issuing", "/C=BE/CN=Test Issuing"])
def test_an_issuer_that_is_no_name(written: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: it isn't written as RFC 4514 says."""
    draft.certificate = certificate_v1(bench.signer, issuer=written)
    assert bench.ours(draft.dump()) in {Reason.SHAPE, Reason.NO_CERTIFICATE}


def test_another_serial_number(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: so do digest and number."""
    draft.certificate = certificate_v1(bench.signer, serial=1)
    assert (Reason.NO_CERTIFICATE, ACCEPTED) == judge(bench, draft)


def test_a_serial_number_of_five_thousand_digits(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: nobody's number, and long enough to make a slow reader."""
    draft.certificate = certificate_v1(bench.signer, serial=1).replace(">1<", f">{'9' * 5000}<")
    assert Reason.SHAPE is bench.ours(draft.dump())


@pytest.mark.parametrize("same", [True, False])
def test_the_issuer_and_serial_number_of_rfc_5035(bench: XmlBench, draft: XadesDraft, *, same: bool) -> None:
    """Valid if both are the signer's, invalid if the number isn't (EN 319 132-1, 5.2.2)."""
    signer = certificate_of(bench.signer)
    named = IssuerSerial(
        {
            "issuer": [asn1.GeneralName("directory_name", signer.issuer)],
            "serial_number": signer.serial_number if same else 1,
        }
    )
    text = base64.b64encode(named.dump()).decode()
    listed = cert(bench.signer, f"<xades:IssuerSerialV2>{text}</xades:IssuerSerialV2>")
    draft.certificate = f"<xades:SigningCertificateV2>{listed}</xades:SigningCertificateV2>"
    assert (ACCEPTED if same else Reason.NO_CERTIFICATE, ACCEPTED) == judge(bench, draft)


# Policy, place, roles, data


def test_an_implied_policy(bench: XmlBench, draft: XadesDraft) -> None:
    """Valid: it says that the agreement between sender and receiver holds (EN 319 132-1, 5.2.9)."""
    inside = "<xades:SignaturePolicyImplied/>"
    draft.signature = f"<xades:SignaturePolicyIdentifier>{inside}</xades:SignaturePolicyIdentifier>"
    assert (ACCEPTED, ACCEPTED) == judge(bench, draft)


def test_an_explicit_policy(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: nobody here knows its rules, so nobody can say that they were kept (EN 319 132-1, 5.2.9)."""
    draft.signature = f"<xades:SignaturePolicyIdentifier>{POLICY_ID}</xades:SignaturePolicyIdentifier>"
    assert (Reason.POLICY, ACCEPTED) == judge(bench, draft)


@pytest.mark.parametrize(
    "signature",
    [
        "<xades:SignatureProductionPlace><xades:City>Ghent</xades:City></xades:SignatureProductionPlace>",
        "<xades:SignatureProductionPlaceV2><xades:City>Ghent</xades:City></xades:SignatureProductionPlaceV2>",
        f"<xades:SignerRole>{CLAIMED}</xades:SignerRole>",
        f"<xades:SignerRoleV2>{CLAIMED}</xades:SignerRoleV2>",
    ],
)
def test_the_signers_own_words(signature: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Valid: where and as what somebody signs is his own word, and nothing follows from it."""
    draft.signature = signature
    assert (ACCEPTED, ACCEPTED) == judge(bench, draft)


@pytest.mark.parametrize("name", ["CertifiedRoles", "CertifiedRolesV2", "SignedAssertions"])
def test_a_role_that_somebody_attests(name: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: nobody here checks the attestation (EN 319 132-1, 5.2.6)."""
    version = "" if name == "CertifiedRoles" else "V2"
    draft.signature = f"<xades:SignerRole{version}>{CLAIMED}<xades:{name}/></xades:SignerRole{version}>"
    assert Reason.SHAPE is bench.ours(draft.dump())


@pytest.mark.parametrize("namespace", ["urn:unknown", XADES_141, DS])
def test_a_property_of_another_namespace(namespace: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: what isn't known might change what is meant."""
    draft.signature = f'<other:Property xmlns:other="{namespace}"/>'
    assert Reason.SHAPE is bench.ours(draft.dump())


def test_properties_of_an_older_version(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: only version 1.3.2 is read (EN 319 132-1, 4.2)."""
    draft.properties = draft.signed_properties().replace(XADES, "http://uri.etsi.org/01903/v1.1.1#")
    assert (Reason.SHAPE, REFUSED) == judge(bench, draft)


def test_no_properties_of_the_data(bench: XmlBench, draft: XadesDraft) -> None:
    """Valid: that the data is XML needs no saying."""
    draft.data = ""
    assert (ACCEPTED, ACCEPTED) == judge(bench, draft)


@pytest.mark.parametrize("reference", ["#p", "#doc", "#other", "", "r"])
def test_a_format_of_something_else(reference: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: it describes what isn't the document (EN 319 132-1, 5.2.4)."""
    draft.data = FORMAT.replace("#r", reference)
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


def test_an_encoded_document(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: the document is what it is, not base64 of something else (EN 319 132-1, 5.2.4)."""
    encoding = f"<xades:Encoding>{DS}base64</xades:Encoding>"
    draft.data = FORMAT.replace("</xades:DataObjectFormat>", f"{encoding}</xades:DataObjectFormat>")
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


@pytest.mark.parametrize("kind", ["Origin", "Approval"])
@pytest.mark.parametrize("to", ["<xades:AllSignedDataObjects/>", "<xades:ObjectReference>#r</xades:ObjectReference>"])
def test_a_commitment_that_a_declaration_makes(kind: str, to: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Valid: whoever declares made the document or approves of it (EN 319 132-1, 5.2.3)."""
    draft.data = FORMAT + commitment(kind, to)
    assert (ACCEPTED, ACCEPTED) == judge(bench, draft)


@pytest.mark.parametrize("kind", ["Receipt", "Delivery", "Sender", "Creation", "origin", ""])
def test_a_commitment_to_less(kind: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: who has received, delivered, sent or made a document hasn't declared it (EN 319 132-1, 5.2.3)."""
    draft.data = FORMAT + commitment(kind)
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


def test_a_commitment_to_something_else(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: it is about no part that is signed."""
    draft.data = FORMAT + commitment("Origin", "<xades:ObjectReference>#f</xades:ObjectReference>")
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


def test_a_commitment_with_a_reserve(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: a qualifier may say anything."""
    inside = "<xades:CommitmentTypeQualifier>but not really</xades:CommitmentTypeQualifier>"
    more = f"<xades:CommitmentTypeQualifiers>{inside}</xades:CommitmentTypeQualifiers>"
    draft.data = FORMAT + commitment("Origin", more=more)
    assert (Reason.SHAPE, ACCEPTED) == judge(bench, draft)


@pytest.mark.parametrize("name", ["AllDataObjectsTimeStamp", "IndividualDataObjectsTimeStamp"])
def test_a_timestamp_over_the_content(name: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: nobody here checks it (EN 319 132-1, 5.2.8)."""
    draft.data = FORMAT + timestamp(b"token", name=name)
    assert Reason.SHAPE is bench.ours(draft.dump())


# How the properties are written


@pytest.mark.parametrize("inside", ["<!-- -->", "<?ignored?>"])
def test_a_comment_in_the_properties(inside: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: readers differ on the text around it."""
    document = draft.dump().replace("<xades:SigningTime>", f"<xades:SigningTime>{inside}")
    assert Reason.SHAPE is bench.ours(document)


def test_an_attribute_of_another_namespace(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: xsi:type makes an element another one, xsi:nil makes it none."""
    schema = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"'
    draft.signature = f"<xades:SignerRole {schema}>{CLAIMED}</xades:SignerRole>"
    assert Reason.SHAPE is bench.ours(draft.dump())


@pytest.mark.parametrize(
    "transforms",
    [
        transform(f"{DS}enveloped-signature"),
        transform(f"{EXCLUSIVE}WithComments"),
        transform(EXCLUSIVE) * 2,
        transform(f"{DS}base64"),
        transform("http://www.w3.org/TR/1999/REC-xpath-19991116", "<ds:XPath>1</ds:XPath>"),
        transform("http://www.w3.org/TR/1999/REC-xslt-19991116"),
        transform("http://uri.etsi.org/01903/v1.3.2#"),
    ],
)
def test_a_transform_of_the_properties(transforms: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: one canonical form without comments, and nothing else."""
    draft.pointer_transforms = transforms
    assert Reason.SHAPE is bench.ours(draft.dump())


def test_the_older_order_of_properties(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: the schema has an order (EN 319 132-1, annex C)."""
    draft.time, draft.certificate = draft.certificate, draft.time
    assert (Reason.SHAPE, REFUSED) == judge(bench, draft)


def test_a_thousand_properties(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: a property of the signature occurs once."""
    draft.signature = f"<xades:SignerRole>{CLAIMED}</xades:SignerRole>" * 1000
    assert Reason.SHAPE is bench.ours(draft.dump())


def test_properties_two_hundred_levels_deep(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: the depth is that of the schema."""
    draft.signature = "<xades:SignerRole>" * 200 + "</xades:SignerRole>" * 200
    assert Reason.SHAPE is bench.ours(draft.dump())


# What XAdES has from XML-DSig


def test_an_hmac_with_properties(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: the certificate is no secret, whoever the properties name (GHSA-6vx8-pcwv-xhf4)."""
    plain = draft.draft()
    plain.method = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
    plain.value = hmac.digest(bench.signer.certificate.read_bytes(), canonical(plain.signed_info()), "sha256")
    assert (Reason.ALGORITHM, REFUSED) == judge(bench, plain.dump())


def test_a_key_without_a_certificate(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: the property names a certificate that isn't there (EN 319 132-1, 6.3)."""
    draft.key_info = "<ds:KeyName>An Invented Signer</ds:KeyName>"
    assert Reason.SHAPE is bench.ours(draft.dump())


def test_somebody_elses_certificate_in_key_info(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: KeyInfo names the victim, the property the forger."""
    forger = bench.pki.issue("Forger", key="rsa-2048")
    forged = XadesDraft(forger)
    forged.key_info = bench.draft().key_info
    assert Reason.NO_CERTIFICATE is bench.ours(forged.dump())


def test_somebody_elses_certificate_everywhere(bench: XmlBench) -> None:
    """Invalid: KeyInfo and property name the victim, the value is the forger's."""
    forged = XadesDraft(bench.pki.issue("Forger", key="rsa-2048"))
    forged.key_info, forged.certificate = bench.draft().key_info, certificate_v2(bench.signer)
    assert (Reason.SIGNATURE, REFUSED) == judge(bench, forged)


@pytest.mark.parametrize("declared", ['<!DOCTYPE Forms [<!ENTITY n "Invented">]>', "<!DOCTYPE Forms>"])
def test_a_document_type(declared: str, bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: a DTD may declare IDs and defaults, also for properties (XMLDSig Best Practices, 2.1.3)."""
    assert Reason.SHAPE is bench.ours(declared + draft.dump())


def test_an_entity_in_the_properties(bench: XmlBench, draft: XadesDraft) -> None:
    """Invalid: an entity that nothing declares is no XML (XML 1.0, 4.1)."""
    document = draft.dump().replace("<xades:SigningTime>", "<xades:SigningTime>&time;")
    assert Reason.SYNTAX is bench.ours(document)
