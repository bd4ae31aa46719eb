"""XML signatures: inside the document or beside it, by signxml and by Java, and the attacks on their shape."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import BasicConstraints
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from signxml.algorithms import CanonicalizationMethod as C14n

from signing import xmlshape
from signing.evidence import Evidence, Fault, Format, Reason
from signing.trust import authorities
from signing.trust.authorities import Authorities
from signing.verify import verify_detached, verify_enveloped
from tests import signers
from tests.authority import Credential, Pki, now

NAME = "FI.DIMN.123456.20261121.00001.R.1.1"
DOCUMENT = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<Forms xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="F.xsd">'
    b"<Form><Name>Invented</Name></Form></Forms>"
)
SIGNED = (
    b'<Forms xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="F.xsd">'
    b"<Form><Name>Invented</Name></Form></Forms>"
)
JAVA = Path(__file__).parent.parent / "vectors" / "java"
JAVA_MOMENT = datetime(2026, 12, 1, tzinfo=UTC)
DS = "{http://www.w3.org/2000/09/xmldsig#}"

Change = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """An authority on P-256."""
    return Pki.create(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def signer(pki: Pki) -> Credential:
    """Somebody whose signature would be accepted."""
    return pki.issue("An Invented Signer", key="rsa-2048")


@pytest.fixture(scope="module")
def good(signer: Credential) -> bytes:
    """A document with a good signature inside."""
    return signers.enveloped(DOCUMENT, signer)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The document without a signature."""
    path = tmp_path / NAME
    path.write_bytes(DOCUMENT)
    return path


@pytest.fixture
def judge(tmp_path: Path, accepted: Authorities) -> Callable[[bytes], Evidence | Fault]:
    """Verify the signature inside a document."""

    def verify(document: bytes) -> Evidence | Fault:
        path = tmp_path / "enveloped"
        path.write_bytes(document)
        return verify_enveloped(path, authorities=accepted, at=now())

    return verify


Judge = Callable[[bytes], Evidence | Fault]


def reason(verdict: Evidence | Fault) -> Reason:
    """Why it was refused."""
    assert isinstance(verdict, Fault), verdict
    return verdict.reason


def test_an_enveloped_signature_gives_what_was_signed(good: bytes, signer: Credential, judge: Judge) -> None:
    """The evidence carries the document without its signature, in canonical form."""
    verdict = judge(good)
    assert isinstance(verdict, Evidence)
    assert (verdict.format, verdict.authority, verdict.leniencies) == (Format.XML, "test", ())
    assert verdict.content == SIGNED
    assert verdict.fingerprint == signer.read().fingerprint(hashes.SHA256()).hex()


@pytest.mark.parametrize("c14n", [C14n.CANONICAL_XML_1_0, C14n.CANONICAL_XML_1_1])
@pytest.mark.parametrize("key", ["p-256", "p-384", "rsa-2048"])
def test_inclusive_canonical_forms_and_all_keys_are_read(c14n: C14n, key: str, pki: Pki, judge: Judge) -> None:
    """RSA and the NIST curves, with either inclusive form."""
    document = signers.enveloped(DOCUMENT, pki.issue("Key", key=key), c14n=c14n.value)
    assert isinstance(judge(document), Evidence)


@pytest.mark.parametrize("attribute", ["ID", "Id", "id"])
def test_a_reference_to_the_roots_own_id_is_read(attribute: str, signer: Credential, judge: Judge) -> None:
    """Some tools name the root by its ID in place of the empty URI."""
    document = DOCUMENT.replace(b"<Forms ", f'<Forms {attribute}="doc" '.encode())
    assert isinstance(judge(signers.enveloped(document, signer, uri="#doc")), Evidence)


@pytest.mark.parametrize("name", ["enveloped-rsa.xml", "enveloped-namespaces.xml"])
def test_java_enveloped_signatures_are_read(name: str) -> None:
    """The JDK's usual shape: a Signature in a default namespace, inclusive form, KeyValue beside the certificate."""
    verdict = verify_enveloped(JAVA / name, authorities=authorities.load(JAVA / "authorities"), at=JAVA_MOMENT)
    assert isinstance(verdict, Evidence), verdict


def test_an_element_in_no_namespace_stays_in_none() -> None:
    """Making room for Java's shape takes no meaning out of the document."""
    accepted = authorities.load(JAVA / "authorities")
    verdict = verify_enveloped(JAVA / "enveloped-namespaces.xml", authorities=accepted, at=JAVA_MOMENT)
    assert isinstance(verdict, Evidence)
    assert verdict.content is not None
    assert b'<note xmlns="">free</note>' in verdict.content


def test_a_java_detached_signature_is_read() -> None:
    """Over the file's bytes as they are: the file itself is what was signed."""
    signature = (JAVA / "detached-ecdsa.xml").read_bytes()
    accepted = authorities.load(JAVA / "authorities")
    verdict = verify_detached(JAVA / NAME, signature, authorities=accepted, at=JAVA_MOMENT)
    assert isinstance(verdict, Evidence)
    assert verdict.content is None


@pytest.mark.parametrize("encode", [bytes, base64.b64encode, base64.encodebytes, lambda xml: b"\xef\xbb\xbf" + xml])
def test_a_detached_signature_comes_as_it_is_or_in_base64(
    encode: Change, data: Path, signer: Credential, accepted: Authorities
) -> None:
    """FS may hold the XML itself or base64 of it; over a canonical form, that form is what was signed."""
    signature = encode(signers.detached(DOCUMENT, NAME, signer))
    verdict = verify_detached(data, signature, authorities=accepted, at=now())
    assert isinstance(verdict, Evidence)
    assert (verdict.format, verdict.content) == (Format.XML, SIGNED)


def test_a_detached_signature_names_its_file(data: Path, signer: Credential, accepted: Authorities) -> None:
    """A signature over another file, or over a path to one, isn't this file's."""
    for name in ("FI.DIMN.123456.20261121.00002.R.1.1", f"../{NAME}", f"file:///{NAME}", "#x"):
        signature = signers.detached(DOCUMENT, name, signer)
        assert reason(verify_detached(data, signature, authorities=accepted, at=now())) is Reason.SHAPE


def test_a_detached_signature_over_other_content(data: Path, signer: Credential, accepted: Authorities) -> None:
    """The name alone is not enough."""
    signature = signers.detached(DOCUMENT, NAME, signer)
    data.write_bytes(DOCUMENT.replace(b"Invented", b"Another"))
    assert reason(verify_detached(data, signature, authorities=accepted, at=now())) is Reason.TAMPERED


def test_an_enveloped_document_is_no_detached_signature(good: bytes, data: Path, accepted: Authorities) -> None:
    """FS with a signed document of its own says nothing about the file beside it."""
    assert reason(verify_detached(data, good, authorities=accepted, at=now())) is Reason.SHAPE


def test_a_detached_signature_is_no_document(data: Path, signer: Credential, judge: Judge) -> None:
    """Nor is a bare Signature a signed declaration."""
    assert data.read_bytes() == DOCUMENT
    assert reason(judge(signers.detached(DOCUMENT, "", signer))) is Reason.SHAPE


def _wrapped(good: bytes) -> bytes:
    """Wrapping: the signed document is moved below a root that the attacker wrote."""
    root = etree.fromstring(good)
    signature = root.find(f"{DS}Signature")
    assert signature is not None
    evil = etree.fromstring(DOCUMENT.replace(b"Invented", b"Evil"))
    evil.append(signature)
    etree.SubElement(evil, "Wrapper").append(root)
    return etree.tostring(evil)


def _nested(good: bytes) -> bytes:
    """The signature is moved one level down."""
    root = etree.fromstring(good)
    signature = root.find(f"{DS}Signature")
    assert signature is not None
    etree.SubElement(root, "Wrapper").append(signature)
    return etree.tostring(root)


def _with_object(good: bytes) -> bytes:
    """An Object inside the signature could hide a second document."""
    root = etree.fromstring(good)
    signature = root.find(f"{DS}Signature")
    assert signature is not None
    etree.SubElement(signature, f"{DS}Object").append(etree.fromstring(DOCUMENT))
    return etree.tostring(root)


def _signed_twice(good: bytes) -> bytes:
    """Two signatures leave open which one counts."""
    root = etree.fromstring(good)
    signature = root.find(f"{DS}Signature")
    assert signature is not None
    root.append(etree.fromstring(etree.tostring(signature)))
    return etree.tostring(root)


def replaced(old: bytes, new: bytes) -> Change:
    """A change of every occurrence of some bytes, which must be there."""

    def change(good: bytes) -> bytes:
        assert old in good
        return good.replace(old, new)

    return change


ENVELOPED = b'<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>'
EXCLUSIVE = b'<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>'
XPATH = b'<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><ds:XPath>1</ds:XPath></ds:Transform>'
XSLT = b'<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/>'
SHA256 = b"http://www.w3.org/2001/04/xmlenc#sha256"
RSA = b"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
REFERENCE = b'<ds:Reference URI="">'


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(_wrapped, Reason.TAMPERED, id="wrapped"),
        pytest.param(_nested, Reason.SHAPE, id="signature below a child"),
        pytest.param(_with_object, Reason.SHAPE, id="object in the signature"),
        pytest.param(_signed_twice, Reason.SHAPE, id="two signatures"),
        pytest.param(lambda _: DOCUMENT, Reason.SHAPE, id="no signature"),
        pytest.param(replaced(b"Invented", b"Another"), Reason.TAMPERED, id="changed text"),
        pytest.param(replaced(b"</Form>", b"</Form><Form/>"), Reason.TAMPERED, id="added element"),
        pytest.param(replaced(b"F.xsd", b"G.xsd"), Reason.TAMPERED, id="changed attribute"),
        pytest.param(replaced(b"?>", b"?><!DOCTYPE Forms>"), Reason.SHAPE, id="doctype"),
        pytest.param(
            replaced(b"?>", b'?><!DOCTYPE Forms [<!ENTITY e "Evil">]>'), Reason.SHAPE, id="doctype with entity"
        ),
        pytest.param(replaced(b"UTF-8", b"ISO-8859-1"), Reason.SHAPE, id="declared latin"),
        pytest.param(lambda good: good.decode().encode("utf-16"), Reason.SYNTAX, id="utf-16"),
        pytest.param(lambda good: good[:-1], Reason.SYNTAX, id="cut"),
        pytest.param(lambda _: b"", Reason.SYNTAX, id="empty"),
        pytest.param(replaced(b"<Form>", b'<Form Id="x"><A ID="x"/>'), Reason.SHAPE, id="an id twice"),
        pytest.param(replaced(REFERENCE, b'<ds:Reference URI="#x">'), Reason.SHAPE, id="reference to nothing"),
        pytest.param(
            replaced(REFERENCE, b'<ds:Reference URI="#xpointer(/)">'), Reason.SHAPE, id="reference by xpointer"
        ),
        pytest.param(
            replaced(REFERENCE, b'<ds:Reference URI="file:///etc/hostname">'), Reason.SHAPE, id="reference to a file"
        ),
        pytest.param(replaced(REFERENCE, b"<ds:Reference>"), Reason.SHAPE, id="reference to whatever"),
        pytest.param(replaced(ENVELOPED, b""), Reason.SHAPE, id="not enveloped"),
        pytest.param(replaced(ENVELOPED, ENVELOPED * 2), Reason.SHAPE, id="enveloped twice"),
        pytest.param(replaced(EXCLUSIVE, EXCLUSIVE * 2), Reason.SHAPE, id="two canonical forms"),
        pytest.param(replaced(EXCLUSIVE, XPATH), Reason.SHAPE, id="xpath"),
        pytest.param(replaced(EXCLUSIVE, XSLT), Reason.SHAPE, id="xslt"),
        pytest.param(replaced(b"xml-exc-c14n#", b"xml-exc-c14n#WithComments"), Reason.SHAPE, id="with comments"),
        pytest.param(replaced(SHA256, b"http://www.w3.org/2000/09/xmldsig#sha1"), Reason.ALGORITHM, id="sha-1 digest"),
        pytest.param(
            replaced(RSA, b"http://www.w3.org/2000/09/xmldsig#rsa-sha1"), Reason.ALGORITHM, id="sha-1 signature"
        ),
        pytest.param(replaced(RSA, b"http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"), Reason.ALGORITHM, id="hmac"),
        pytest.param(replaced(RSA, RSA.replace(b"rsa", b"ecdsa")), Reason.SHAPE, id="the other kind of key"),
        pytest.param(replaced(RSA, RSA.replace(b"256", b"512")), Reason.SIGNATURE, id="another digest"),
        pytest.param(
            replaced(b"<ds:SignatureValue>", b"<ds:SignatureValue><!-- -->"),
            Reason.SHAPE,
            id="comment in the signature",
        ),
        pytest.param(replaced(b"</ds:X509Data>", b"</ds:X509Data><ds:X509Data/>"), Reason.SHAPE, id="two X509Data"),
        pytest.param(
            replaced(b"<ds:X509Data>", b'<ds:RetrievalMethod URI="#k"/><ds:X509Data>'), Reason.SHAPE, id="key elsewhere"
        ),
        pytest.param(replaced(b"<ds:X509Certificate>", b"<ds:X509Certificate>AAAA"), Reason.SHAPE, id="no certificate"),
    ],
)
def test_a_defect_is_refused_with_its_reason(change: Change, expected: Reason, good: bytes, judge: Judge) -> None:
    """One defect for each vector; what verifies is never what an attacker added."""
    assert reason(judge(change(good))) is expected


def test_a_wrapped_document_named_by_its_id_is_refused(signer: Credential, judge: Judge) -> None:
    """The classic attack: the reference finds the signed original below a root that the attacker wrote."""
    original = DOCUMENT.replace(b"<Forms ", b'<Forms Id="doc" ')
    assert reason(judge(_wrapped(signers.enveloped(original, signer, uri="#doc")))) is Reason.SHAPE


@pytest.mark.parametrize("encoding", ["UTF-7", "UTF-32", "windows-1252"])
def test_a_foreign_encoding_is_refused_even_where_its_bytes_look_like_ours(encoding: str) -> None:
    """Parsers read encodings in which the same bytes mean something else: only UTF-8 may be declared."""
    verdict = xmlshape.parse(f'<?xml version="1.0" encoding="{encoding}"?><a/>'.encode())
    assert isinstance(verdict, Fault)


def test_comments_do_not_cut_the_signed_text(good: bytes, judge: Judge) -> None:
    """A comment in the document is not signed, and gone from what is handed on."""
    verdict = judge(good.replace(b"Invented", b"Inv<!-- x -->ented"))
    assert isinstance(verdict, Evidence)
    assert verdict.content == SIGNED


def test_two_signer_certificates_are_refused(good: bytes, pki: Pki, judge: Judge) -> None:
    """It must be plain whose key is meant."""
    other = "".join(pki.issue("Other").certificate.read_text().splitlines()[1:-1])
    document = good.replace(
        b"</ds:X509Data>", f"<ds:X509Certificate>{other}</ds:X509Certificate></ds:X509Data>".encode()
    )
    assert reason(judge(document)) is Reason.NO_CERTIFICATE


def test_the_authorities_may_come_along(good: bytes, pki: Pki, judge: Judge) -> None:
    """Certificates of authorities beside the signer's are let be."""
    issuing = "".join(pki.issuing.read_text().splitlines()[1:-1])
    document = good.replace(
        b"<ds:X509Data>", f"<ds:X509Data><ds:X509Certificate>{issuing}</ds:X509Certificate>".encode()
    )
    assert isinstance(judge(document), Evidence)


def test_another_certificate_does_not_match(good: bytes, pki: Pki, signer: Credential, judge: Judge) -> None:
    """With somebody else's certificate in its place the signature matches no more."""
    ours = "".join(signer.certificate.read_text().splitlines()[1:-1]).encode()
    theirs = "".join(pki.issue("Other", key="rsa-2048").certificate.read_text().splitlines()[1:-1]).encode()
    document = good.replace(b"\n", b"")
    assert ours in document
    assert reason(judge(document.replace(ours, theirs))) is Reason.SIGNATURE


def test_an_rsa_1024_key_is_refused(pki: Pki, judge: Judge) -> None:
    """Short keys are refused in XML as in CMS."""
    assert reason(judge(signers.enveloped(DOCUMENT, pki.issue("Short", key="rsa-1024")))) is Reason.KEY


def test_an_authority_as_signer_is_refused(pki: Pki, judge: Judge) -> None:
    """An authority signs certificates, not declarations."""
    constraints = BasicConstraints(ca=True, path_length=None)
    signer = pki.issue("Authority", extensions=[constraints])
    assert reason(judge(signers.enveloped(DOCUMENT, signer))) is Reason.NO_CERTIFICATE


def test_a_stranger_is_not_accepted(judge: Judge, tmp_path: Path) -> None:
    """Good mathematics of somebody unknown."""
    stranger = Pki.create(tmp_path / "stranger").issue("Stranger")
    assert reason(judge(signers.enveloped(DOCUMENT, stranger))) is Reason.NOT_ACCEPTED


def test_an_expired_signer_is_called_expired(pki: Pki, judge: Judge) -> None:
    """Dates are judged with the path, so the reason is the right one."""
    expired = pki.issue(
        "Expired", not_before=datetime(2020, 1, 1, tzinfo=UTC), not_after=datetime(2021, 1, 1, tzinfo=UTC)
    )
    assert reason(judge(signers.enveloped(DOCUMENT, expired))) is Reason.EXPIRED


def test_a_document_over_ten_megabytes_is_refused(judge: Judge) -> None:
    """In memory it would take 45 times as much."""
    verdict = judge(b"<a>" + b" " * xmlshape.MAX_BYTES + b"</a>")
    assert verdict == Fault(Reason.SHAPE, "The XML document is larger than 10 MB.")


@given(position=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255), insert=st.booleans())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_changed_byte_never_changes_what_is_signed(
    position: float, value: int, *, insert: bool, good: bytes, judge: Judge
) -> None:
    """A changed document is refused, or what is handed on is still what the signer signed."""
    at = int(position * len(good))
    verdict = judge(good[:at] + bytes([value]) + good[at + (not insert) :])
    assert isinstance(verdict, Fault) or verdict.content == SIGNED
