"""XML signatures made by hand, so that a defect is signed as well as the rest; with signxml's lax opinion of each."""

import base64
import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree
from signxml.verifier import SignatureConfiguration, XMLVerifier

from signing.evidence import Evidence, Fault, Reason
from signing.policy import Policy
from signing.trust import authorities
from signing.trust.authorities import Authorities
from signing.verify import DEFAULT, verify_enveloped
from tests.authority import Credential, Pki, now
from tests.cms_builder import ACCEPTED, REFUSED, sign

Verdict = Reason | str

DS = "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
ENVELOPED = f"{DS}enveloped-signature"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
DOCUMENT = '<Forms Id="doc"><Form Id="f"><Name>Invented</Name></Form></Forms>'
SIGNED = DOCUMENT.encode()


def transform(algorithm: str, parameters: str = "") -> str:
    """One transform."""
    return f'<ds:Transform Algorithm="{algorithm}">{parameters}</ds:Transform>'


def reference(
    covered: str,
    *,
    uri: str = ' URI=""',
    transforms: str | None = None,
    digest: str = SHA256,
    value: bytes | None = None,
) -> str:
    """A reference over a canonical form; ``uri`` is a whole attribute, ``value`` a digest in the right one's place."""
    chosen = transform(ENVELOPED) + transform(EXCLUSIVE) if transforms is None else transforms
    taken = base64.b64encode(value or hashlib.sha256(covered.encode()).digest()).decode()
    return (
        f"<ds:Reference{uri}>{f'<ds:Transforms>{chosen}</ds:Transforms>' if chosen else ''}"
        f'<ds:DigestMethod Algorithm="{digest}"></ds:DigestMethod><ds:DigestValue>{taken}</ds:DigestValue>'
        "</ds:Reference>"
    )


@dataclass(slots=True)
class XmlDraft:
    """A signed document in the making; ``signature`` is the element alone, ``dump`` the document around it."""

    signer: Credential
    references: str = field(default_factory=lambda: reference(DOCUMENT))
    method: str = RSA_SHA256
    method_parameters: str = ""
    c14n: str = EXCLUSIVE
    key_info: str = ""
    key_attributes: str = ""
    behind: str = ""
    attributes: str = ""
    value: bytes | None = None

    def __post_init__(self) -> None:
        """Put in the signer's certificate."""
        self.key_info = x509_data(self.signer)

    def signed_info(self) -> str:
        """What is signed, in its canonical form."""
        return (
            f'<ds:SignedInfo xmlns:ds="{DS}">'
            f'<ds:CanonicalizationMethod Algorithm="{self.c14n}"></ds:CanonicalizationMethod>'
            f'<ds:SignatureMethod Algorithm="{self.method}">{self.method_parameters}</ds:SignatureMethod>'
            f"{self.references}</ds:SignedInfo>"
        )

    def signature(self) -> str:
        """The ds:Signature."""
        value = self.value or _sign(self.signer, canonical(self.signed_info()))
        text = base64.b64encode(value).decode()
        return (
            f'<ds:Signature xmlns:ds="{DS}"{self.attributes}>{self.signed_info()}'
            f"<ds:SignatureValue>{text}</ds:SignatureValue><ds:KeyInfo{self.key_attributes}>{self.key_info}</ds:KeyInfo>"
            f"{self.behind}</ds:Signature>"
        )

    def dump(self, document: str = DOCUMENT) -> str:
        """The document with the signature as its root's last child."""
        return inserted(document, self.signature())


def canonical(text: str) -> bytes:
    """The exclusive canonical form of an element."""
    return etree.tostring(etree.fromstring(text), method="c14n", exclusive=True)


def inserted(document: str, signature: str) -> str:
    """A signature as the last child of a document's root."""
    head, tail = document.rsplit("</", 1)
    return f"{head}{signature}</{tail}"


def x509_data(signer: Credential) -> str:
    """The signer's certificate as KeyInfo holds it."""
    return f"<ds:X509Data><ds:X509Certificate>{base64_of(signer)}</ds:X509Certificate></ds:X509Data>"


def base64_of(signer: Credential) -> str:
    """The signer's certificate, its armour left out."""
    return "".join(signer.certificate.read_text().splitlines()[1:-1])


@dataclass(frozen=True, slots=True)
class XmlBench:
    """An authority that is accepted, a signer, and the two judges."""

    folder: Path
    pki: Pki
    accepted: Authorities
    signer: Credential

    @classmethod
    def open(cls, folder: Path) -> "XmlBench":
        """Set up a bench in an empty folder."""
        pki = Pki.create(folder / "pki")
        pki.install(folder / "authorities", "test")
        signer = pki.issue("An Invented Signer", key="rsa-2048")
        return cls(folder, pki, authorities.load(folder / "authorities"), signer)

    def draft(self, references: str | None = None) -> XmlDraft:
        """A good signature."""
        return XmlDraft(self.signer) if references is None else XmlDraft(self.signer, references)

    def verdict(self, document: str | bytes, policy: Policy = DEFAULT) -> Evidence | Fault:
        """What the gateway makes of a document."""
        path = self.folder / "document"
        path.write_bytes(document.encode() if isinstance(document, str) else document)
        return verify_enveloped(path, authorities=self.accepted, at=now(), policy=policy)

    def ours(self, document: str | bytes, policy: Policy = DEFAULT) -> Verdict:
        """The reason of a refusal; accepted only if what is handed on is what was signed."""
        verdict = self.verdict(document, policy)
        if isinstance(verdict, Fault):
            return verdict.reason
        assert verdict.content == SIGNED
        return ACCEPTED

    def judge(self, document: str) -> tuple[Verdict, str]:
        """Our verdict, and whether a verifier that asks for nothing but mathematics falls for it."""
        return self.ours(document), self.lax(document)

    def lax(self, document: str) -> str:
        """The verdict of signxml with everything allowed that it can allow."""
        configuration = SignatureConfiguration(expect_references=True, location=".//")
        try:
            XMLVerifier().verify(document.encode(), x509_cert=self.signer.read(), expect_config=configuration)
        except Exception:  # any trouble is a refusal here
            return REFUSED
        return ACCEPTED


def _sign(signer: Credential, content: bytes) -> bytes:
    return sign(signer.private(), content, "sha256")
