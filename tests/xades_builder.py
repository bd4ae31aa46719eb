"""XAdES signatures made by hand, so that a defect is signed as well as the rest; with signxml's opinion of each."""

import base64
import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.xades.xades import XAdESSignatureConfiguration, XAdESVerifier

from tests.authority import Credential, now
from tests.cms_builder import ACCEPTED, REFUSED
from tests.xml_builder import (
    DOCUMENT,
    DS,
    EXCLUSIVE,
    INCLUSIVE,
    SHA256,
    Verdict,
    XmlBench,
    XmlDraft,
    reference,
    x509_data,
)
from tests.xml_builder import canonical as canonical_bytes
from tests.xml_builder import transform as one_transform

XADES = "http://uri.etsi.org/01903/v1.3.2#"
XADES_141 = "http://uri.etsi.org/01903/v1.4.1#"
TYPE = "http://uri.etsi.org/01903#SignedProperties"
FORMAT = (
    '<xades:DataObjectFormat ObjectReference="#r"><xades:MimeType>text/xml</xades:MimeType></xades:DataObjectFormat>'
)
_PROLOGUE = f'xmlns:xades="{XADES}" xmlns:ds="{DS}"'


@dataclass(slots=True)
class XadesDraft:
    """A signature in the making; every field is text that may be spoilt before ``dump`` signs what is there.

    ``signature`` and ``data`` are what the signed properties hold, ``unsigned`` stands behind them. ``order`` is that
    of the references: 0 to the document, 1 to the properties, 2 whatever ``more_references`` has.
    """

    signer: Credential
    covered: str = DOCUMENT
    subject: str = ' Id="r" URI=""'
    subject_transforms: str | None = None
    pointer: str = f' Type="{TYPE}" URI="#p"'
    pointer_transforms: str = field(default_factory=lambda: one_transform(EXCLUSIVE))
    attributes: str = ' Id="s"'
    target: str = ' Target="#s"'
    identifier: str = ' Id="p"'
    time: str = ""
    certificate: str = ""
    signature: str = ""
    data: str = FORMAT
    unsigned: str = ""
    properties: str | None = None
    covered_properties: str | None = None
    around: str = "{}"
    key_info: str = ""
    key_attributes: str = ""
    more_references: str = ""
    order: tuple[int, ...] = (0, 1, 2)
    behind: str = ""

    def __post_init__(self) -> None:
        """Put in the time and the signer's certificate."""
        self.time = signing_time(now().isoformat())
        self.certificate = certificate_v2(self.signer)

    def signed_properties(self) -> str:
        """What the signature says about itself, with its own namespaces."""
        if self.properties is not None:
            return self.properties
        data = f"<xades:SignedDataObjectProperties>{self.data}</xades:SignedDataObjectProperties>" if self.data else ""
        return (
            f"<xades:SignedProperties {_PROLOGUE}{self.identifier}><xades:SignedSignatureProperties>{self.time}"
            f"{self.certificate}{self.signature}</xades:SignedSignatureProperties>{data}</xades:SignedProperties>"
        )

    def qualifying(self) -> str:
        """The QualifyingProperties."""
        inside = self.signed_properties() + self.unsigned
        return f"<xades:QualifyingProperties {_PROLOGUE}{self.target}>{inside}</xades:QualifyingProperties>"

    def draft(self) -> XmlDraft:
        """The same as a plain XML signature with an Object."""
        said = self.covered_properties or canonical_bytes(self.signed_properties()).decode()
        references = (
            reference(self.covered, uri=self.subject, transforms=self.subject_transforms),
            reference(said, uri=self.pointer, transforms=self.pointer_transforms),
            self.more_references,
        )
        draft = XmlDraft(self.signer, "".join(references[place] for place in self.order))
        draft.attributes = self.attributes
        draft.behind = self.around.format(f"<ds:Object>{self.qualifying()}</ds:Object>") + self.behind
        draft.key_info, draft.key_attributes = self.key_info or draft.key_info, self.key_attributes
        return draft

    def sign_key_info(self, *, uri: str = ' URI="#k"', transforms: str | None = None, digest: str = SHA256) -> None:
        """Put in one more reference, to the KeyInfo as it is now; in exclusive form, whatever ``transforms`` say."""
        self.key_attributes = ' Id="k"'
        covered = f'<ds:KeyInfo xmlns:ds="{DS}" Id="k">{self.key_info or x509_data(self.signer)}</ds:KeyInfo>'
        value = hashlib.new(digest.rpartition("#")[2], covered.encode()).digest()
        chosen = one_transform(EXCLUSIVE) if transforms is None else transforms
        self.more_references += reference(covered, uri=uri, transforms=chosen, digest=digest, value=value)

    def dump(self, document: str = DOCUMENT) -> str:
        """The document with the signature as its root's last child."""
        return self.draft().dump(document)

    def stamp(self, token: bytes, *, form: str = INCLUSIVE, times: int = 1) -> None:
        """Put in a timestamp."""
        self.unsigned = unsigned(timestamp(token, form) * times)


def signing_time(text: str) -> str:
    """When the signer says to have signed."""
    return f"<xades:SigningTime>{text}</xades:SigningTime>"


def cert(signer: Credential, more: str = "", *, digest: str = SHA256, value: bytes | None = None) -> str:
    """One certificate by its digest; ``value`` takes the right one's place."""
    der = signer.read().public_bytes(Encoding.DER)
    name = digest.rpartition("#")[2]
    taken = base64.b64encode(hashlib.new(name, der).digest() if value is None else value).decode()
    return (
        f'<xades:Cert><xades:CertDigest><ds:DigestMethod Algorithm="{digest}"/><ds:DigestValue>{taken}</ds:DigestValue>'
        f"</xades:CertDigest>{more}</xades:Cert>"
    )


def certificate_v1(signer: Credential, issuer: str | None = None, serial: int | None = None) -> str:
    """The older SigningCertificate, with issuer and number; both may be others."""
    name = signer.read().issuer.rfc4514_string() if issuer is None else issuer
    number = signer.read().serial_number if serial is None else serial
    named = (
        f"<xades:IssuerSerial><ds:X509IssuerName>{name}</ds:X509IssuerName>"
        f"<ds:X509SerialNumber>{number}</ds:X509SerialNumber></xades:IssuerSerial>"
    )
    return f"<xades:SigningCertificate>{cert(signer, named)}</xades:SigningCertificate>"


def certificate_v2(*signers: Credential) -> str:
    """SigningCertificateV2 with digests alone."""
    return f"<xades:SigningCertificateV2>{''.join(map(cert, signers))}</xades:SigningCertificateV2>"


def unsigned(properties: str) -> str:
    """Unsigned properties of the signature."""
    inside = f"<xades:UnsignedSignatureProperties>{properties}</xades:UnsignedSignatureProperties>"
    return f"<xades:UnsignedProperties>{inside}</xades:UnsignedProperties>"


def timestamp(token: bytes, form: str = INCLUSIVE, *, name: str = "SignatureTimeStamp", attributes: str = "") -> str:
    """A timestamp that says in which canonical form its bytes were; none if ``form`` is empty."""
    method = f'<ds:CanonicalizationMethod Algorithm="{form}"/>' if form else ""
    text = base64.b64encode(token).decode()
    held = f"<xades:EncapsulatedTimeStamp{attributes}>{text}</xades:EncapsulatedTimeStamp>"
    return f"<xades:{name}>{method}{held}</xades:{name}>"


def judge(bench: XmlBench, signature: XadesDraft | str) -> tuple[Verdict, str]:
    """Our verdict, and that of signxml's XAdES verifier with everything allowed that it can allow."""
    document = signature if isinstance(signature, str) else signature.dump()
    return bench.ours(document), lax(bench, document)


def lax(bench: XmlBench, document: str) -> str:
    """The verdict of signxml alone."""
    configuration = XAdESSignatureConfiguration(expect_references=True, location=".//")
    try:
        XAdESVerifier().verify(document.encode(), x509_cert=bench.signer.read(), expect_config=configuration)
    except Exception:  # any trouble is a refusal here
        return REFUSED
    return ACCEPTED


def stamped_bytes(document: str) -> bytes:
    """The canonical form of a document's SignatureValue, made from its text alone: ds is all that it needs."""
    [value] = etree.fromstring(document).iter(f"{{{DS}}}SignatureValue")
    return f'<ds:SignatureValue xmlns:ds="{DS}">{value.text}</ds:SignatureValue>'.encode()
