"""Unsigned properties of XAdES: timestamps over the signature's value, and all else that may not stand there.

What a token proves is judged elsewhere; here the question is which bytes it must be over, and what comes along.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from signing import xmldsig
from signing.evidence import Fault, Proven, Reason, Stamp
from signing.policy import Policy
from tests.cms_builder import ACCEPTED, REFUSED
from tests.xades_builder import XADES_141, XadesDraft, lax, stamped_bytes, timestamp, unsigned
from tests.xml_builder import DS, EXCLUSIVE, INCLUSIVE, XmlBench

TOKEN = b"what a timestamp authority might say"
C14N_11 = "http://www.w3.org/2006/12/xml-c14n11"

Judge = Callable[[str], Proven | Fault]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> XmlBench:
    """An accepted authority and a signer."""
    return XmlBench.open(tmp_path_factory.mktemp("bench"))


@pytest.fixture
def draft(bench: XmlBench) -> XadesDraft:
    """A good XAdES signature."""
    return XadesDraft(bench.signer)


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    """Shape and mathematics alone."""

    def examine(document: str) -> Proven | Fault:
        path = tmp_path / "document"
        path.write_text(document)
        return xmldsig.examine_enveloped(path, Policy())

    return examine


def reason(verdict: Proven | Fault) -> Reason:
    """Why it was refused."""
    assert isinstance(verdict, Fault), verdict
    return verdict.reason


@pytest.mark.parametrize("form", [INCLUSIVE, EXCLUSIVE, C14N_11, ""])
def test_a_timestamp_over_the_signature_value(form: str, draft: XadesDraft, judge: Judge) -> None:
    """Valid: the token, and the SignatureValue in the form it names, else the inclusive one (EN 319 132-1, 5.3)."""
    draft.stamp(TOKEN, form=form)
    document = draft.dump()
    verdict = judge(document)
    assert isinstance(verdict, Proven)
    assert verdict.stamps == (Stamp(TOKEN, stamped_bytes(document)),)


@pytest.mark.parametrize(("form", "inherits"), [(INCLUSIVE, True), (EXCLUSIVE, False)])
def test_the_namespaces_around_the_signature_value(
    form: str, draft: XadesDraft, judge: Judge, *, inherits: bool
) -> None:
    """The inclusive form has the namespaces in scope, the exclusive one those that are used (C14N 1.0, 2.4)."""
    draft.stamp(TOKEN, form=form)
    document = draft.dump().replace("<Forms ", '<Forms xmlns:other="urn:other" ')
    verdict = judge(document)
    assert isinstance(verdict, Proven)
    [stamp] = verdict.stamps
    assert (b'xmlns:other="urn:other"' in stamp.stamped) is inherits


def test_the_value_in_a_default_namespace(draft: XadesDraft, judge: Judge) -> None:
    """In Java's shape, too, the value's form has no ``xmlns=""`` in it."""
    draft.stamp(TOKEN)
    plain = draft.draft()
    document = plain.dump().replace("<ds:SignatureValue>", f'<SignatureValue xmlns="{DS}">')
    verdict = judge(document.replace("</ds:SignatureValue>", "</SignatureValue>"))
    assert isinstance(verdict, Proven)
    assert b'xmlns=""' not in verdict.stamps[0].stamped
    assert verdict.stamps[0].stamped.startswith(b'<SignatureValue xmlns="http://www.w3.org/2000/09/xmldsig#"')


def test_no_timestamp(draft: XadesDraft, judge: Judge) -> None:
    """Valid: level B needs none (EN 319 132-1, 6.3)."""
    verdict = judge(draft.dump())
    assert isinstance(verdict, Proven)
    assert verdict.stamps == ()


def test_empty_unsigned_properties(draft: XadesDraft, judge: Judge) -> None:
    """Valid: nothing is in them."""
    draft.unsigned = "<xades:UnsignedProperties/>"
    assert isinstance(judge(draft.dump()), Proven)


def test_four_timestamps(draft: XadesDraft, judge: Judge) -> None:
    """Valid: a signature may be stamped by several authorities."""
    draft.stamp(TOKEN, times=4)
    verdict = judge(draft.dump())
    assert isinstance(verdict, Proven)
    assert len(verdict.stamps) == 4


def test_five_timestamps(draft: XadesDraft, judge: Judge) -> None:
    """Invalid: each of them costs a path."""
    draft.stamp(TOKEN, times=5)
    assert reason(judge(draft.dump())) is Reason.SHAPE


def test_a_timestamp_over_an_edited_signature_value(draft: XadesDraft, judge: Judge) -> None:
    """White space in the value is stamped as well: the bytes are those of the document, not of a tidier one."""
    draft.stamp(TOKEN)
    document = draft.dump().replace("</ds:SignatureValue>", "\n</ds:SignatureValue>")
    verdict = judge(document)
    assert isinstance(verdict, Proven)
    assert verdict.stamps[0].stamped.endswith(b"\n</ds:SignatureValue>")


@pytest.mark.parametrize(
    "form",
    [
        f"{INCLUSIVE}#WithComments",
        f"{EXCLUSIVE}WithComments",
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        "urn:mine",
        f"{DS}enveloped-signature",
        f"{DS}base64",
    ],
)
def test_a_form_that_is_not_read(form: str, draft: XadesDraft, judge: Judge) -> None:
    """Invalid: canonical forms without comments only, for timestamps as for the rest."""
    draft.stamp(TOKEN, form=form)
    assert reason(judge(draft.dump())) is Reason.SHAPE


def test_a_form_with_parameters(draft: XadesDraft, judge: Judge) -> None:
    """Invalid: prefixes kept for a timestamp are of no use to anybody."""
    draft.stamp(TOKEN, form=EXCLUSIVE)
    prefixes = f'<ec:InclusiveNamespaces xmlns:ec="{EXCLUSIVE}" PrefixList="ds"/>'
    old = f'<ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"/>'
    new = f'<ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}">{prefixes}</ds:CanonicalizationMethod>'
    draft.unsigned = draft.unsigned.replace(old, new)
    assert reason(judge(draft.dump())) is Reason.SHAPE


def test_two_forms(draft: XadesDraft, judge: Judge) -> None:
    """Invalid: a timestamp names one canonical form."""
    method = f'<ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"/>'
    draft.stamp(TOKEN)
    draft.unsigned = draft.unsigned.replace("<xades:Enc", f"{method}<xades:Enc")
    assert reason(judge(draft.dump())) is Reason.SHAPE


@pytest.mark.parametrize("uri", ["#p", "#doc", "#r"])
def test_a_timestamp_over_something_else(uri: str, draft: XadesDraft, judge: Judge) -> None:
    """Invalid: what is stamped is the signature's value, not what an Include says (EN 319 132-1, 5.1.4.4)."""
    draft.stamp(TOKEN)
    draft.unsigned = draft.unsigned.replace("<ds:Can", f'<xades:Include URI="{uri}"/><ds:Can')
    assert reason(judge(draft.dump())) is Reason.SHAPE


def test_an_xml_timestamp(draft: XadesDraft, judge: Judge) -> None:
    """Invalid: tokens are those of RFC 3161."""
    draft.stamp(TOKEN)
    draft.unsigned = draft.unsigned.replace("EncapsulatedTimeStamp", "XMLTimeStamp")
    assert reason(judge(draft.dump())) is Reason.SHAPE


def test_two_tokens_in_one_timestamp(draft: XadesDraft, judge: Judge) -> None:
    """Invalid: one token for each SignatureTimeStamp."""
    token = "<xades:EncapsulatedTimeStamp>AAAA</xades:EncapsulatedTimeStamp>"
    draft.stamp(TOKEN)
    draft.unsigned = draft.unsigned.replace("<xades:Enc", f"{token}<xades:Enc")
    assert reason(judge(draft.dump())) is Reason.SHAPE


def test_a_timestamp_without_a_token(draft: XadesDraft, judge: Judge) -> None:
    """Invalid: it proves nothing."""
    draft.unsigned = unsigned("<xades:SignatureTimeStamp/>")
    assert reason(judge(draft.dump())) is Reason.SHAPE


@pytest.mark.parametrize("encoding", ["BER", "PER", "XER", "CER"])
def test_a_token_that_is_not_der(encoding: str, draft: XadesDraft, judge: Judge) -> None:
    """Invalid: tokens are DER (EN 319 132-1, 5.1.3)."""
    attribute = f' Encoding="http://uri.etsi.org/01903/v1.2.2#{encoding}"'
    draft.unsigned = unsigned(timestamp(TOKEN, attributes=attribute))
    assert reason(judge(draft.dump())) is Reason.SHAPE


def test_a_token_that_says_that_it_is_der(draft: XadesDraft, judge: Judge) -> None:
    """Valid: DER is what it is without saying so, too."""
    draft.unsigned = unsigned(timestamp(TOKEN, attributes=' Encoding="http://uri.etsi.org/01903/v1.2.2#DER"'))
    assert isinstance(judge(draft.dump()), Proven)


def test_a_token_that_is_not_base64(draft: XadesDraft, judge: Judge) -> None:
    """Invalid: junk between the letters is no base64."""
    draft.stamp(TOKEN)
    draft.unsigned = draft.unsigned.replace("</xades:Enc", "!!</xades:Enc")
    assert reason(judge(draft.dump())) is Reason.SHAPE


def test_a_counter_signature(bench: XmlBench, draft: XadesDraft, judge: Judge) -> None:
    """Invalid: a second signature (EN 319 132-1, 5.2.7)."""
    draft.unsigned = unsigned(f"<xades:CounterSignature>{bench.draft().signature()}</xades:CounterSignature>")
    document = draft.dump()
    assert reason(judge(document)) is Reason.SHAPE
    assert lax(bench, document) == ACCEPTED


@pytest.mark.parametrize(
    "name",
    [
        "CounterSignature",
        "CompleteCertificateRefs",
        "CompleteRevocationRefs",
        "AttributeCertificateRefs",
        "AttributeRevocationRefs",
        "SigAndRefsTimeStamp",
        "RefsOnlyTimeStamp",
        "CertificateValues",
        "RevocationValues",
        "AttrAuthoritiesCertValues",
        "AttributeRevocationValues",
        "ArchiveTimeStamp",
        "SigningCertificateV2",
        "SigningTime",
    ],
)
def test_another_unsigned_property(name: str, draft: XadesDraft, judge: Judge) -> None:
    """Invalid: certificates, lists and older levels' timestamps that nobody here checks (EN 319 132-1, annex A)."""
    draft.unsigned = unsigned(timestamp(TOKEN, name=name))
    assert reason(judge(draft.dump())) is Reason.SHAPE


@pytest.mark.parametrize("name", ["ArchiveTimeStamp", "TimeStampValidationData", "RenewedDigestsV2"])
def test_an_unsigned_property_of_version_1_4_1(name: str, draft: XadesDraft, judge: Judge) -> None:
    """Invalid: these belong to long-term levels (EN 319 132-1, 5.5)."""
    draft.unsigned = unsigned(f'<long:{name} xmlns:long="{XADES_141}"/>')
    assert reason(judge(draft.dump())) is Reason.SHAPE


def test_a_signature_timestamp_of_another_namespace(draft: XadesDraft, judge: Judge) -> None:
    """Invalid: only the namespace makes it a timestamp."""
    draft.stamp(TOKEN)
    draft.unsigned = draft.unsigned.replace(
        "<xades:SignatureTimeStamp>", f'<xades:SignatureTimeStamp xmlns:xades="{XADES_141}">'
    )
    assert reason(judge(draft.dump())) is Reason.SHAPE


def test_unsigned_properties_of_the_data(draft: XadesDraft, judge: Judge) -> None:
    """Invalid: nothing unsigned may be said about the document."""
    inside = "<xades:UnsignedDataObjectProperty/>"
    inside = f"<xades:UnsignedDataObjectProperties>{inside}</xades:UnsignedDataObjectProperties>"
    draft.unsigned = f"<xades:UnsignedProperties>{inside}</xades:UnsignedProperties>"
    assert reason(judge(draft.dump())) is Reason.SHAPE


def test_unsigned_properties_twice(bench: XmlBench, draft: XadesDraft, judge: Judge) -> None:
    """Invalid: they are there once (EN 319 132-1, 4.3.1)."""
    draft.stamp(TOKEN)
    draft.unsigned *= 2
    document = draft.dump()
    assert reason(judge(document)) is Reason.SHAPE
    assert lax(bench, document) == REFUSED


def test_a_timestamp_among_the_signed_properties(draft: XadesDraft, judge: Judge) -> None:
    """Invalid: nobody can stamp a value before it is there."""
    draft.signature = timestamp(TOKEN)
    assert reason(judge(draft.dump())) is Reason.SHAPE
