"""Certificates and revocation lists of any shape, good or bad, with the verdicts of the gateway and of OpenSSL."""

import base64
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from config.errors import ConfigurationError
from signing.evidence import Fault, Reason, TrustUnavailable
from signing.trust import authorities
from signing.verify import verify_detached
from tests import signers
from tests.authority import Credential, PrivateKey, identifier_of, new_key, now, usage, write
from tests.cms_builder import ACCEPTED, CONTENT, REFUSED

UNKNOWN = "unknown"
NOT_CONFIGURABLE = "not configurable"
Verdict = Reason | str
Extension = tuple[x509.ExtensionType, bool]

DAY = timedelta(days=1)
SIGNING_CERTIFICATES = ("key_cert_sign", "crl_sign")


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody with a key and a certificate."""

    key: PrivateKey
    certificate: x509.Certificate


def named(common_name: str) -> x509.Name:
    """A name of one part."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def certify(
    common_name: str,
    issuer: Member | None = None,
    *,
    key: PrivateKey | str = "p-256",
    ca: bool | None = True,
    path_length: int | None = None,
    usages: Sequence[str] | None = SIGNING_CERTIFICATES,
    days: tuple[int, int] = (-400, 3000),
    extensions: Iterable[Extension] = (),
    identifiers: bool = True,
) -> Member:
    """Make a certificate; without an issuer it is self-signed, with ``ca`` None it has no basic constraints."""
    private = new_key(key) if isinstance(key, str) else key
    above = issuer.key if issuer else private
    builder = x509.CertificateBuilder().subject_name(named(common_name)).public_key(private.public_key())
    builder = builder.issuer_name(issuer.certificate.subject if issuer else named(common_name))
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now() + days[0] * DAY).not_valid_after(now() + days[1] * DAY)
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    if usages is not None:
        builder = builder.add_extension(usage(usages), critical=True)
    given = [*extensions, *(_identifiers(private, above, is_authority=bool(ca)) if identifiers else ())]
    for extension, critical in given:
        builder = builder.add_extension(extension, critical=critical)
    return Member(private, builder.sign(above, hashes.SHA256()))


def _identifiers(key: PrivateKey, issuer: PrivateKey, *, is_authority: bool) -> list[Extension]:
    """Whose key it is, in the certificates of authorities, and who signed it (RFC 5280, 4.2.1.1 and 4.2.1.2)."""
    own: list[Extension] = [(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)]
    return [*(own if is_authority else ()), (identifier_of(issuer), False)]


def sign_for(issuer: Member, *, extensions: Iterable[Extension] = (), identifiers: bool = True) -> Member:
    """A signer's certificate as it should be."""
    return certify(
        "Signer",
        issuer,
        ca=None,
        usages=("non_repudiation",),
        days=(-30, 300),
        extensions=extensions,
        identifiers=identifiers,
    )


@dataclass(slots=True)
class List:
    """A revocation list in the making."""

    issuer: Member
    revoked: Sequence[x509.RevokedCertificate] = ()
    signed_by: Member | None = None
    this_update: datetime = field(default_factory=lambda: now() - timedelta(hours=1))
    next_update: datetime = field(default_factory=lambda: now() + 7 * DAY)
    extensions: Sequence[Extension] = ()

    def dump(self) -> bytes:
        """The list as DER."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.issuer.certificate.subject)
        builder = builder.last_update(self.this_update).next_update(self.next_update)
        for entry in self.revoked:
            builder = builder.add_revoked_certificate(entry)
        for extension, critical in self.extensions:
            builder = builder.add_extension(extension, critical=critical)
        key = (self.signed_by or self.issuer).key
        return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def entry(member: Member, *extensions: Extension, at: datetime | None = None) -> x509.RevokedCertificate:
    """The line of a list that revokes somebody."""
    builder = x509.RevokedCertificateBuilder().serial_number(member.certificate.serial_number)
    builder = builder.revocation_date(at or now() - timedelta(hours=3))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.build()


@dataclass(frozen=True, slots=True)
class Known:
    """What lies in an entry's folder: lists, OCSP responses, and certificates of those who sign lists for others."""

    lists: Sequence[bytes] = ()
    responses: Sequence[bytes] = ()
    list_issuers: Sequence[Member] = ()


def judge(folder: Path, line: Sequence[Member], crls: Sequence[bytes] | None = None) -> tuple[Verdict, str]:
    """Both verdicts on a signature by the last of a line from root to signer, with good lists unless told otherwise."""
    lists = [List(member).dump() for member in line[:-1]] if crls is None else list(crls)
    return judge_by(folder, line, Known(lists))


def judge_by(folder: Path, line: Sequence[Member], known: Known) -> tuple[Verdict, str]:
    """Both verdicts on a signature, with what lies in the entry's folder; OpenSSL sees no OCSP responses here."""
    return ours(folder, line, known), openssl(folder, line, known)


def ours(folder: Path, line: Sequence[Member], known: Known) -> Verdict:
    """The gateway's verdict, once the issuer's entry is configured and the rest lies in its folder."""
    accepted, data = folder / "authorities", folder / "data"
    above = [_file(folder, f"ca{number}", member) for number, member in enumerate(line[:-1])]
    others = [_file(folder, f"lists{number}", member) for number, member in enumerate(known.list_issuers)]
    data.write_bytes(CONTENT)
    try:
        authorities.add(accepted, "test", above[-1], above[:-1], [], list_issuers=others)
    except ConfigurationError:
        return NOT_CONFIGURABLE
    (accepted / "test" / "ocsp").mkdir()
    for number, crl in enumerate(known.lists):
        (accepted / "test" / "crls" / f"{number}.crl").write_bytes(crl)
    for number, response in enumerate(known.responses):
        (accepted / "test" / "ocsp" / f"{number}.ors").write_bytes(response)
    signature = base64.b64encode(signers.cms(data, _credential(folder, line[-1])))
    try:
        verdict = verify_detached(data, signature, authorities=authorities.current(accepted), at=now())
    except TrustUnavailable:
        return UNKNOWN
    return verdict.reason if isinstance(verdict, Fault) else ACCEPTED


def openssl(folder: Path, line: Sequence[Member], known: Known) -> str:
    """The verdict of ``openssl verify`` in its strict mode, revocation included."""
    above, crls, leaf = folder / "above.pem", folder / "lists.pem", _file(folder, "leaf", line[-1])
    others = [*line[1:-1], *known.list_issuers]
    above.write_bytes(b"".join(member.certificate.public_bytes(Encoding.PEM) for member in others))
    crls.write_bytes(b"".join(_pem(crl) for crl in known.lists))
    root = _file(folder, "root", line[0])
    command = [
        "openssl",
        "verify",
        "-policy",
        "2.5.29.32.0",
        "-crl_check_all",
        "-extended_crl",
        "-use_deltas",
        "-CAfile",
        root,
    ]
    command += ["-untrusted", above] if others else []
    command += ["-CRLfile", crls] if known.lists else []
    arguments = [*map(str, command), str(leaf)]
    done = subprocess.run(arguments, check=False, capture_output=True, timeout=30)
    return REFUSED if done.returncode else ACCEPTED


def _credential(folder: Path, member: Member) -> Credential:
    return write(folder, "signer", member.key, member.certificate)


def _file(folder: Path, stem: str, member: Member) -> Path:
    path = folder / f"{stem}.pem"
    path.write_bytes(member.certificate.public_bytes(Encoding.PEM))
    return path


def _pem(crl: bytes) -> bytes:
    return b"-----BEGIN X509 CRL-----\n" + base64.encodebytes(crl) + b"-----END X509 CRL-----\n"
