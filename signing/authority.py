"""What is one accepted authority, and can its files be used?

An entry is an issuing authority, those above it up to a self-signed root, and their revocation lists. Its certificates
must be authorities with keys from our list, and sign one another; a list must be signed by one of them, with more than
SHA-1. Its terms say for what and when it is accepted (``signing.terms``). Dates are not looked at here: they are judged
for each signature.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from config.errors import ConfigurationError
from signing.certificate import weakness_of
from signing.terms import Terms, read_terms

AUTHORITY = "authority.pem"
CHAIN = "chain.pem"
CRLS = "crls"
TERMS = "authority.toml"

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_WEAK_DIGESTS = frozenset({"md5", "sha1"})


@dataclass(frozen=True, slots=True)
class Authority:
    """One accepted authority.

    ``certificate`` is the issuing authority's, ``chain`` those above it in order and ending with the root (empty if the
    authority is the root), ``crls`` the usable revocation lists; all DER. ``terms`` say for what it is accepted.
    """

    name: str
    certificate: bytes
    chain: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    terms: Terms = field(default_factory=Terms)

    @property
    def root(self) -> bytes:
        """The trust anchor, as DER."""
        return self.chain[-1] if self.chain else self.certificate

    @property
    def subject(self) -> str:
        """The issuing authority's name as RFC 4514 writes it."""
        return x509.load_der_x509_certificate(self.certificate).subject.rfc4514_string()

    @property
    def chain_subjects(self) -> tuple[str, ...]:
        """The names of the authorities above it, the root last."""
        return tuple(x509.load_der_x509_certificate(der).subject.rfc4514_string() for der in self.chain)

    @property
    def not_after(self) -> datetime:
        """When the issuing authority's certificate expires, in UTC."""
        return x509.load_der_x509_certificate(self.certificate).not_valid_after_utc

    @property
    def next_update(self) -> datetime | None:
        """When the first of its revocation lists becomes stale, in UTC; None if none says so."""
        dates = [x509.load_der_x509_crl(crl).next_update_utc for crl in self.crls]
        return min((date for date in dates if date), default=None)


def check_name(name: str) -> None:
    """Let only names pass that are safe as folders and in command lines.

    Raises:
        ConfigurationError: for anything but lower-case letters, digits and hyphens
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError([f"{name!r}: a name has lower-case letters, digits and hyphens, at most 64"])


def read_entry(entry: Path) -> tuple[Authority, list[str]]:
    """Read one entry; the second value has the faults of its revocation lists, which are left out.

    Raises:
        ConfigurationError: if its name, certificates or terms can't be used
    """
    check_name(entry.name)
    chain = [entry / CHAIN] if (entry / CHAIN).exists() else []
    crls = sorted(path for path in (entry / CRLS).glob("*.crl") if not path.name.startswith("."))
    faults: list[str] = []
    try:
        terms = read_terms(entry / TERMS)
    except ConfigurationError as error:
        faults.extend(error.faults)
    try:
        authority, list_faults = assemble(entry.name, entry / AUTHORITY, chain, crls)
    except ConfigurationError as error:
        faults.extend(error.faults)
    if faults:
        raise ConfigurationError(faults)
    return replace(authority, terms=terms), list_faults


def assemble(name: str, certificate: Path, chain: Sequence[Path], crls: Sequence[Path]) -> tuple[Authority, list[str]]:
    """Make an authority of files in PEM or DER; the second value has the faults of its lists, which are left out.

    Raises:
        ConfigurationError: if the certificates don't make a chain of authorities up to a root
    """
    faults: list[str] = []
    issuing = _certificates(certificate, faults)
    above = [found for path in chain for found in _certificates(path, faults)]
    if not faults and len(issuing) != 1:
        faults.append(f"{certificate}: there must be exactly one certificate, not {len(issuing)}")
    if faults:
        raise ConfigurationError(faults)
    [first] = issuing
    line = _line_to_root(first, above)
    if not line:
        raise ConfigurationError([f"{certificate}: the chain does not lead to a self-signed root"])
    usable, list_faults = _usable_crls(crls, line)
    ders = tuple(member.public_bytes(Encoding.DER) for member in line)
    return Authority(name, ders[0], ders[1:], usable), list_faults


def _certificates(path: Path, faults: list[str]) -> list[x509.Certificate]:
    try:
        content = path.read_bytes()
        if content.lstrip().startswith(b"-----"):
            found = x509.load_pem_x509_certificates(content)
        else:
            found = [x509.load_der_x509_certificate(content)]
        reasons = [_unfit(certificate) for certificate in found]
    except OSError as error:
        faults.append(f"{path}: {error.strerror}")
        return []
    except Exception:  # a broken certificate makes the parser raise more than its own errors
        faults.append(f"{path}: this is no certificate")
        return []
    faults.extend(f"{path}: {reason}" for reason in reasons if reason)
    return found


def _unfit(certificate: x509.Certificate) -> str:
    """Why a certificate can't be an authority's."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return "this is not the certificate of an authority"
    return weakness_of(certificate.public_key()) if constraints.ca else "this is not the certificate of an authority"


def _line_to_root(first: x509.Certificate, above: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """The certificates from the issuing authority up to a self-signed root; empty if there is no such line."""
    line = [first]
    while not _issued(line[-1], line[-1]):
        issuer = next((other for other in above if other not in line and _issued(line[-1], other)), None)
        if issuer is None:
            return []
        line.append(issuer)
    return line


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # a wrong name, key type or signature each have an error of their own
        return False
    return True


def _usable_crls(paths: Sequence[Path], line: Sequence[x509.Certificate]) -> tuple[tuple[bytes, ...], list[str]]:
    usable: list[bytes] = []
    faults: list[str] = []
    for path in paths:
        try:
            usable.append(_read_crl(path, line))
        except OSError as error:
            faults.append(f"{path}: {error.strerror}")
        except ValueError as error:
            faults.append(f"{path}: {error}")
    return tuple(usable), faults


def _read_crl(path: Path, line: Sequence[x509.Certificate]) -> bytes:
    """A revocation list as DER.

    Raises:
        ValueError: if it is none, or not signed by one of these authorities
        OSError: if the file can't be read
    """
    content = path.read_bytes()
    is_pem = content.lstrip().startswith(b"-----")
    try:
        crl = x509.load_pem_x509_crl(content) if is_pem else x509.load_der_x509_crl(content)
        digest = crl.signature_hash_algorithm
        is_signed = any(issuer.subject == crl.issuer and _signed(crl, issuer) for issuer in line)
    except Exception as error:
        raise ValueError("this is no revocation list") from error
    if digest is not None and digest.name in _WEAK_DIGESTS:
        raise ValueError(f"the list is signed with {digest.name}")
    if not is_signed:
        raise ValueError("the list is not signed by an authority of this entry")
    return crl.public_bytes(Encoding.DER)


def _signed(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    key = issuer.public_key()
    return crl.is_signature_valid(key)  # type: ignore[arg-type]  # only keys on our list get here
