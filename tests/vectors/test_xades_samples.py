"""XAdES signatures as tools make them: signxml, the JDK, OpenSSL's timestamps; inside the document and beside it."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from signxml.algorithms import SignatureConstructionMethod, SignatureMethod
from signxml.xades.xades import XAdESDataObjectFormat, XAdESSigner

from signing import xades, xmldsig, xmlshape
from signing.evidence import Evidence, Fault, Format, Proven, Reason
from signing.policy import Leniency, Policy
from signing.trust import authorities
from signing.verify import verify_detached, verify_enveloped
from tests.authority import Credential, now
from tests.cms_builder import ACCEPTED
from tests.timestamps import StampBench, openssl_token
from tests.xades_builder import XadesDraft, judge, signing_time, stamped_bytes
from tests.xml_builder import DOCUMENT, ENVELOPED, EXCLUSIVE, INCLUSIVE, SIGNED, XmlBench, transform

JAVA = Path(__file__).parent / "java"
JAVA_MOMENT = datetime(2026, 12, 1, tzinfo=UTC)
NAME = "FI.DIMN.123456.20261121.00001.R.1.1"

Judge = Callable[[str | bytes], Evidence | Fault]


class TwoReferences(XAdESSigner):
    """signxml's signer, save that it signs no KeyInfo."""

    def _add_reference_to_signed_info(self, sig_root: Any, node_to_reference: Any, **attributes: Any) -> None:
        if "Type" in attributes:
            super()._add_reference_to_signed_info(sig_root, node_to_reference, **attributes)  # type: ignore[no-untyped-call]  # signxml has few types


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> XmlBench:
    """An accepted authority and a signer."""
    return XmlBench.open(tmp_path_factory.mktemp("bench"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The document as it is sent, its signature beside it."""
    path = tmp_path / NAME
    path.write_bytes(SIGNED)
    return path


@pytest.fixture
def beside(bench: XmlBench, data: Path) -> Judge:
    """Verify a signature beside the document."""

    def verify(signature: str | bytes) -> Evidence | Fault:
        document = signature.encode() if isinstance(signature, str) else signature
        return verify_detached(data, document, authorities=bench.accepted, at=now())

    return verify


def by_signxml(signer: Credential, uri: str | None = None, **options: Any) -> str:
    """What signxml makes of the document; detached if there is a ``uri``."""
    method = SignatureConstructionMethod.detached if uri else SignatureConstructionMethod.enveloped
    algorithm = SignatureMethod.ECDSA_SHA256 if "p-" in options.pop("key", "") else SignatureMethod.RSA_SHA256
    xml = TwoReferences(method=method, signature_algorithm=algorithm, **options)
    root = xml.sign(
        etree.fromstring(SIGNED),
        key=signer.key.read_bytes(),
        cert=[signer.read()],
        reference_uri=uri,
        always_add_key_value=False,
    )
    return etree.tostring(root).decode()


def detached(signer: Credential, *, form: str = "") -> XadesDraft:
    """A hand-made signature that names the file; in a canonical form, or over its plain bytes."""
    draft = XadesDraft(signer)
    draft.subject = f' Id="r" URI="{NAME}"'
    draft.subject_transforms = transform(form) if form else ""
    return draft


@pytest.mark.parametrize("key", ["rsa-2048", "p-256"])
def test_signxml_inside_the_document(key: str, bench: XmlBench) -> None:
    """Its signer's shape: SigningCertificateV2, a DataObjectFormat, no transform of the properties."""
    document = by_signxml(bench.pki.issue("Signer", key=key), key=key, claimed_roles=["Clerk"])
    verdict = bench.verdict(document)
    assert isinstance(verdict, Evidence), verdict
    assert (verdict.format, verdict.content, verdict.leniencies) == (Format.XADES, SIGNED, ())
    assert verdict.signed_at is not None


def test_signxml_beside_the_document(bench: XmlBench, beside: Judge) -> None:
    """Detached: the name of the file, and properties in FS."""
    verdict = beside(by_signxml(bench.signer, NAME))
    assert isinstance(verdict, Evidence), verdict
    assert (verdict.format, verdict.content) == (Format.XADES, SIGNED)


def test_signxml_with_another_format(bench: XmlBench) -> None:
    """The media type is the signer's word."""
    said = XAdESDataObjectFormat(Description="Declarations", MimeType="application/xml")
    assert isinstance(bench.verdict(by_signxml(bench.signer, data_object_format=said)), Evidence)


def test_java_inside_the_document() -> None:
    """The JDK: default namespace, inclusive forms, SigningCertificate with issuer and number, a KeyValue."""
    accepted = authorities.load(JAVA / "authorities")
    verdict = verify_enveloped(JAVA / "xades-enveloped.xml", authorities=accepted, at=JAVA_MOMENT)
    assert isinstance(verdict, Evidence), verdict
    assert verdict.format is Format.XADES
    assert verdict.signed_at == datetime(2026, 11, 21, 10, tzinfo=UTC)


def test_java_beside_the_document() -> None:
    """Over the file's bytes as they are."""
    accepted = authorities.load(JAVA / "authorities")
    signature = (JAVA / "xades-detached.xml").read_bytes()
    verdict = verify_detached(JAVA / NAME, signature, authorities=accepted, at=JAVA_MOMENT)
    assert isinstance(verdict, Evidence), verdict
    assert (verdict.format, verdict.content) == (Format.XADES, None)


@pytest.mark.parametrize("form", ["", INCLUSIVE, EXCLUSIVE])
@pytest.mark.parametrize("encode", [str.encode, lambda text: base64.encodebytes(text.encode())])
def test_beside_the_document(form: str, encode: Callable[[str], bytes], bench: XmlBench, beside: Judge) -> None:
    """Over plain bytes the file is what was signed, over a canonical form that form is."""
    verdict = beside(encode(detached(bench.signer, form=form).draft().signature()))
    assert isinstance(verdict, Evidence), verdict
    assert (verdict.format, verdict.content) == (Format.XADES, SIGNED if form else None)


@pytest.mark.parametrize(
    "name", ["FI.DIMN.123456.20261121.00002.R.1.1", f"../{NAME}", f"./{NAME}", f"{NAME}#x", "", "#p"]
)
def test_beside_another_document(name: str, bench: XmlBench, beside: Judge) -> None:
    """Signed for another file, or for none."""
    draft = detached(bench.signer)
    draft.subject = f' Id="r" URI="{name}"'
    verdict = beside(draft.draft().signature())
    assert isinstance(verdict, Fault)
    assert verdict.reason is Reason.SHAPE


def test_beside_a_changed_document(bench: XmlBench, beside: Judge, data: Path) -> None:
    """The name alone is not enough."""
    signature = detached(bench.signer).draft().signature()
    data.write_bytes(SIGNED.replace(b"Invented", b"Evil"))
    verdict = beside(signature)
    assert isinstance(verdict, Fault)
    assert verdict.reason is Reason.TAMPERED


def test_beside_a_document_but_as_if_inside(bench: XmlBench, beside: Judge) -> None:
    """Nothing is enveloped in FS."""
    draft = detached(bench.signer)
    draft.subject_transforms = transform(ENVELOPED) + transform(EXCLUSIVE)
    verdict = beside(draft.draft().signature())
    assert isinstance(verdict, Fault)
    assert verdict.reason is Reason.SHAPE


def test_a_file_named_like_a_part_of_its_signature(bench: XmlBench, tmp_path: Path) -> None:
    """A reference to ``#p`` means the properties, even if the file beside the signature has that name."""
    draft = detached(bench.signer)
    draft.covered = etree.tostring(etree.fromstring(draft.signed_properties()), method="c14n", exclusive=True).decode()
    draft.subject, draft.subject_transforms = ' Id="r" URI="#p"', transform(EXCLUSIVE)
    path = tmp_path / "#p"
    path.write_bytes(SIGNED)
    verdict = xmldsig.examine_detached(path, draft.draft().signature().encode(), Policy())
    assert isinstance(verdict, Fault)
    assert verdict.reason is Reason.SHAPE


@pytest.mark.parametrize("attribute", ["ID", "Id", "id"])
def test_a_root_named_by_its_id(attribute: str, bench: XmlBench) -> None:
    """The reference to the document may name the root, as in plain XML signatures."""
    document = DOCUMENT.replace(' Id="doc"', f' {attribute}="doc"')
    draft = XadesDraft(bench.signer, covered=document, subject=' Id="r" URI="#doc"')
    assert isinstance(bench.verdict(draft.dump(document)), Evidence)


@pytest.mark.parametrize("form", [INCLUSIVE, EXCLUSIVE, "http://www.w3.org/2006/12/xml-c14n11", ""])
def test_properties_in_any_canonical_form(form: str, bench: XmlBench) -> None:
    """Each form that is read for documents is read for properties; none means the inclusive one."""
    draft = XadesDraft(bench.signer)
    draft.pointer_transforms = transform(form) if form else ""
    if form != EXCLUSIVE:  # every namespace in scope belongs to it, on its first element
        written = etree.fromstring(draft.signed_properties())
        draft.properties = etree.tostring(written, method="c14n").decode()
        draft.covered_properties = draft.properties
    assert judge(bench, draft) == (ACCEPTED, ACCEPTED)


def test_the_policy_says_which_formats_are_welcome(bench: XmlBench) -> None:
    """Plain XML alone, or XAdES alone: the evidence is of a format that the policy has, or there is none."""
    plain, advanced = bench.draft().dump(), XadesDraft(bench.signer).dump()
    for welcome, refused, kind in ((plain, advanced, Format.XML), (advanced, plain, Format.XADES)):
        policy = Policy(formats=frozenset({kind}))
        verdict = bench.verdict(welcome, policy)
        assert isinstance(verdict, Evidence)
        assert verdict.format is kind
        assert bench.ours(refused, policy) is Reason.FORMAT


def test_a_short_key_that_is_tolerated(bench: XmlBench) -> None:
    """A short key is refused by default; tolerated, it is named."""
    draft = XadesDraft(bench.pki.issue("Short", key="rsa-1024"))
    policy = Policy(leniencies=frozenset({Leniency.RSA_1024}))
    assert bench.ours(draft.dump()) is Reason.KEY
    verdict = bench.verdict(draft.dump(), policy)
    assert isinstance(verdict, Evidence)
    assert verdict.leniencies == ("rsa-1024",)


def test_a_timestamp_by_openssl(bench: XmlBench, tmp_path: Path) -> None:
    """Level T, from end to end: the evidence has the time that an accepted authority proves."""
    entries = tmp_path / "authorities"
    bench.pki.install(entries, "test")
    clock = StampBench.open(tmp_path, entries)
    draft = XadesDraft(bench.signer)
    document = draft.dump()
    token = openssl_token(tmp_path, clock.signer, stamped_bytes(document))
    path = tmp_path / "document"
    path.write_text(_stamped(draft, document, token))
    verdict = verify_enveloped(path, authorities=clock.accepted, at=now())
    assert isinstance(verdict, Evidence), verdict
    assert verdict.stamped_at is not None


def test_a_timestamp_over_another_signature(bench: XmlBench, tmp_path: Path) -> None:
    """A good token, moved to a signature that it was not made for."""
    entries = tmp_path / "authorities"
    bench.pki.install(entries, "test")
    clock = StampBench.open(tmp_path, entries)
    other = bench.draft().dump()
    draft = XadesDraft(bench.signer)
    document = draft.dump()
    assert stamped_bytes(other) != stamped_bytes(document)
    token = openssl_token(tmp_path, clock.signer, stamped_bytes(other))
    path = tmp_path / "document"
    path.write_text(_stamped(draft, document, token))
    verdict = verify_enveloped(path, authorities=clock.accepted, at=now())
    assert isinstance(verdict, Fault)
    assert verdict.reason is Reason.TIMESTAMP


@given(position=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255), insert=st.booleans())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_changed_byte_never_changes_what_is_said(
    position: float, value: int, *, insert: bool, tmp_path: Path
) -> None:
    """A changed signature is refused, or what it covers, says and names is still what the signer signed."""
    good = (JAVA / "xades-enveloped.xml").read_bytes()
    at = int(position * len(good))
    path = tmp_path / "changed"
    path.write_bytes(good[:at] + bytes([value]) + good[at + (not insert) :])
    verdict = xmldsig.examine_enveloped(path, Policy())
    expected = xmldsig.examine_enveloped(JAVA / "xades-enveloped.xml", Policy())
    assert isinstance(expected, Proven)
    assert isinstance(verdict, Fault) or replace(verdict, sha256=expected.sha256) == expected


def test_properties_that_say_something_else_than_was_read(bench: XmlBench) -> None:
    """What was read before the mathematics must be what the verified properties say: else nothing is believed."""
    draft, other = XadesDraft(bench.signer), XadesDraft(bench.signer)
    other.time = signing_time("2020-01-01T00:00:00Z")
    policy, certificate = Policy(), bench.signer.read().public_bytes(Encoding.DER)
    parts = xmlshape.read(draft.dump().encode(), policy)
    assert not isinstance(parts, Fault)
    claims = xades.read(parts, certificate, policy)
    assert isinstance(claims, xades.Claims)
    for properties, same in ((draft.signed_properties(), True), (other.signed_properties(), False)):
        assert xades.says(etree.fromstring(properties), parts, certificate, policy, claims) is same


def _stamped(draft: XadesDraft, document: str, token: bytes) -> str:
    """The same signature with a timestamp among its unsigned properties."""
    draft.stamp(token)
    head, tail = document.rsplit("</xades:QualifyingProperties>", 1)
    return f"{head}{draft.unsigned}</xades:QualifyingProperties>{tail}"
