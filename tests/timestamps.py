"""A timestamp authority for tests: tokens by OpenSSL, tokens made by hand to be spoilt, and OpenSSL's opinion."""

import hashlib
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from asn1crypto import cms, core, tsp
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from pyhanko.sign.general import as_signing_certificate_v2

from signing import timestamp
from signing.evidence import Fault, Stamp
from signing.trust import authorities
from signing.trust.authorities import Authorities
from signing.trust.terms import check_terms
from tests.authority import Credential, Pki, PrivateKey, now
from tests.cms_builder import ACCEPTED, REFUSED, Draft, Verdict, attribute, certificate_of, element, spliced
from tests.signers import openssl

STAMPED = b"the value of an invented signature"
POLICY = "1.2.3.4.1"


def write_settings(path: Path, digests: str = "sha1, sha256, sha384, sha512") -> Path:
    """The settings of ``openssl ts -reply``, with a file of its own for the numbers of tokens; answers their path."""
    path.write_text(
        "[tsa]\ndefault_tsa = here\n[here]\nsigner_digest = sha256\ness_cert_id_alg = sha256\n"
        f"default_policy = {POLICY}\ndigests = {digests}\nserial = {path.with_suffix('.serial')}\n"
    )
    return path


def tst_info(stamped: bytes = STAMPED, digest: str = "sha256", **fields: Any) -> bytes:
    """What a token says, as DER; ``fields`` replace or add."""
    imprint = {"hash_algorithm": {"algorithm": digest}, "hashed_message": hashlib.new(digest, stamped).digest()}
    said = {
        "version": "v1",
        "policy": POLICY,
        "message_imprint": imprint,
        "serial_number": 7,
        "gen_time": core.GeneralizedTime(now()),
    }
    der: bytes = tsp.TSTInfo({name: value for name, value in (said | fields).items() if value is not None}).dump()
    return der


def draft(signer: Credential, info: bytes, digest: str = "sha256") -> Draft:
    """A good token around a TSTInfo, to be spoilt."""
    token = Draft(signer, info, digest)
    token.drop("content_type")
    token.attributes.append(attribute("content_type", "tst_info"))
    token.attributes.append(attribute("signing_certificate_v2", as_signing_certificate_v2(certificate_of(signer))))
    token.outside = {
        "version": "v3",
        "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(info)},
    }
    return token


@dataclass(frozen=True, slots=True)
class StampBench:
    """A timestamp authority that is accepted, and the two judges of its tokens."""

    folder: Path
    pki: Pki
    accepted: Authorities
    signer: Credential

    @classmethod
    def open(cls, folder: Path, accepted_in: Path | None = None) -> "StampBench":
        """Set up an authority for timestamps in an empty folder.

        Args:
            accepted_in: a folder of authorities to make it accepted in; its own if there is none
        """
        pki = Pki.create(folder / "stamps", name="Stamps")
        entries = accepted_in or folder / "stamp-authorities"
        terms = check_terms({"issues": ["timestamps"]})
        authorities.add(entries, "stamps", pki.issuing, [pki.root], pki.crls, terms)
        return cls(folder, pki, authorities.load(entries), issue(pki))

    def draft(self, info: bytes | None = None) -> Draft:
        """A good token made by hand."""
        return draft(self.signer, info or tst_info())

    def ours(self, token: bytes, stamped: bytes = STAMPED, at: datetime | None = None) -> Verdict:
        """The gateway's verdict: the reason of a refusal, or accepted."""
        verdict = timestamp.verify_stamp(Stamp(token, stamped), self.accepted, at or now())
        return verdict.reason if isinstance(verdict, Fault) else ACCEPTED

    def openssl(self, token: bytes, stamped: bytes = STAMPED) -> str:
        """The second opinion, of ``openssl ts -verify``."""
        written, data = self.folder / "second-opinion.tst", self.folder / "stamped"
        written.write_bytes(token)
        data.write_bytes(stamped)
        command = ["openssl", "ts", "-verify", "-token_in", "-in", written, "-data", data]
        command += ["-CAfile", self.pki.root, "-untrusted", self.pki.issuing]
        done = subprocess.run(list(map(str, command)), check=False, capture_output=True, timeout=30)
        return ACCEPTED if done.returncode == 0 else REFUSED

    def judge(self, token: Draft | bytes, stamped: bytes = STAMPED) -> tuple[Verdict, str]:
        """Our verdict and OpenSSL's."""
        der = token.dump() if isinstance(token, Draft) else token
        return self.ours(der, stamped), self.openssl(der, stamped)


def issue(
    pki: Pki,
    key: str | PrivateKey = "p-256",
    *,
    critical: bool = True,
    purposes: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.TIME_STAMPING,),
    **options: Any,
) -> Credential:
    """A timestamp authority's certificate as RFC 3161, 2.3 asks for it, unless told otherwise."""
    extensions = [x509.ExtendedKeyUsage(purposes)] if purposes else []
    return pki.issue("A Clock", key=key, extensions=extensions, critical=critical, **options)


def openssl_token(folder: Path, signer: Credential, stamped: bytes, *options: str) -> bytes:
    """A token by ``openssl ts``, which answers for the present."""
    settings = write_settings(folder / "ts.cnf")
    (folder / "stamped-by-openssl").write_bytes(stamped)
    query = openssl("ts", "-query", "-data", folder / "stamped-by-openssl", "-cert", *(options or ("-sha256",)))
    (folder / "query").write_bytes(query)
    files = ("-queryfile", folder / "query", "-config", settings, "-token_out")
    return openssl("ts", "-reply", *files, "-signer", signer.certificate, "-inkey", signer.key)


def with_stamps(signature: bytes, *tokens: bytes) -> bytes:
    """A CMS signature with signature timestamps added (CAdES-T)."""
    [signer] = cms.ContentInfo.load(signature)["content"]["signer_infos"]
    kind = core.ObjectIdentifier("1.2.840.113549.1.9.16.2.14").dump()
    stamps = sorted(element(0x30, kind + element(0x31, token)) for token in tokens)
    stamped = element(0x30, signer.contents + element(0xA1, b"".join(stamps)))
    return spliced(signature, signer.dump(), stamped)


def value_of(signature: bytes) -> bytes:
    """The signature's value: what a signature timestamp is about."""
    [signer] = cms.ContentInfo.load(signature)["content"]["signer_infos"]
    value: bytes = signer["signature"].native
    return value
