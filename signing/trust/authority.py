"""What is one accepted authority, and can its files be used?

An entry is an issuing authority, those above it up to a self-signed root, and their revocation lists. Its certificates
must be authorities with keys from our list, and sign one another; which lists and OCSP responses belong to it is
``signing.trust.revocation_files``'s question. Its terms say for what and when it is accepted (``signing.trust.terms``).
Dates are not looked at here: they are judged for each signature.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import SignatureAlgorithmOID

from config.errors import ConfigurationError
from signing.certificate import weakness_of
from signing.trust.crl import newest, read_list
from signing.trust.freshness import Dates, last_moment
from signing.trust.revocation_files import check_list, check_response, is_issued_by, read_files
from signing.trust.terms import Terms, read_terms

AUTHORITY = "authority.pem"
CHAIN = "chain.pem"
CRLS = "crls"
RESPONSES = "ocsp"
LIST_ISSUERS = "crl-issuers.pem"
TERMS = "authority.toml"

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_MAX_CERTIFICATES = 9  # what a path may cost is bounded by its length, and by the size of what is on it
_MAX_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True)
class Authority:
    """One accepted authority.

    ``certificate`` is the issuing authority's, ``chain`` those above it in order and ending with the root (empty if the
    authority is the root), ``crls`` and ``responses`` the usable revocation lists and OCSP responses, ``list_issuers``
    the certificates of those who sign lists on behalf of one of these authorities; all DER. ``terms`` say for what it
    is accepted.
    """

    name: str
    certificate: bytes
    chain: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    terms: Terms = field(default_factory=Terms)
    responses: tuple[bytes, ...] = ()
    list_issuers: tuple[bytes, ...] = ()

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
    def fresh_until(self) -> datetime | None:
        """The last moment at which all of its revocation lists count, by its terms too, in UTC; None without a list.

        Of several lists of a kind the newest is meant. Deltas are left out: nobody waits for one that is stale.
        """
        return min((last_moment(dates, self.terms.revocation_max_age) for dates in self._dates()), default=None)

    @property
    def made(self) -> datetime | None:
        """When the oldest of its revocation lists was made, in UTC; of several of a kind and of deltas as above."""
        return min((dates.this_update for dates in self._dates()), default=None)

    def _dates(self) -> list[Dates]:
        return [each.dates for each in newest(map(read_list, self.crls)) if not each.is_delta]


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
    list_issuers = [entry / LIST_ISSUERS] if (entry / LIST_ISSUERS).exists() else []
    crls, responses = _files(entry / CRLS, "*.crl"), _files(entry / RESPONSES, "*.ors")
    faults: list[str] = []
    try:
        terms = read_terms(entry / TERMS)
    except ConfigurationError as error:
        faults.extend(error.faults)
    try:
        authority, list_faults = assemble(
            entry.name, entry / AUTHORITY, chain, crls, responses=responses, list_issuers=list_issuers
        )
    except ConfigurationError as error:
        faults.extend(error.faults)
    if faults:
        raise ConfigurationError(faults)
    return replace(authority, terms=terms), list_faults


def assemble(
    name: str,
    certificate: Path,
    chain: Sequence[Path],
    crls: Sequence[Path],
    *,
    responses: Sequence[Path] = (),
    list_issuers: Sequence[Path] = (),
) -> tuple[Authority, list[str]]:
    """Make an authority of files in PEM or DER; the second value has the faults of its lists, which are left out.

    Args:
        list_issuers: files with the certificates of those who sign lists for one of these authorities
        responses: OCSP responses, DER

    Raises:
        ConfigurationError: if the certificates don't make a chain of authorities up to a root
    """
    faults: list[str] = []
    issuing = _certificates(certificate, faults, _unfit)
    above = [found for path in chain for found in _certificates(path, faults, _unfit)]
    if not faults and len(issuing) != 1:
        faults.append(f"{certificate}: there must be exactly one certificate, not {len(issuing)}")
    if faults:
        raise ConfigurationError(faults)
    [first] = issuing
    line = _line_to_root(first, above)
    if not line:
        raise ConfigurationError([f"{certificate}: the chain does not lead to a self-signed root"])
    delegated = _list_issuers(list_issuers, line)
    lists, list_faults = read_files(crls, lambda content: check_list(content, [*line, *delegated]))
    answers, answer_faults = read_files(responses, lambda content: check_response(content, line))
    ders, others = _ders(line), _ders(delegated)
    return Authority(name, ders[0], ders[1:], lists, Terms(), answers, others), [*list_faults, *answer_faults]


def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))


def _ders(certificates: Sequence[x509.Certificate]) -> tuple[bytes, ...]:
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates)


def _list_issuers(paths: Sequence[Path], line: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """The certificates of those who sign lists on behalf of an authority of the line.

    Raises:
        ConfigurationError: if one can't be used, or none of the line issued it
    """
    faults: list[str] = []
    found = [(path, each) for path in paths for each in _certificates(path, faults, _unfit_to_sign_lists)]
    if len(found) > _MAX_CERTIFICATES:
        faults.append(f"{paths[0]}: there are more than {_MAX_CERTIFICATES} certificates")
    for path, each in found:
        if not any(is_issued_by(each, issuer) for issuer in line):
            faults.append(f"{path}: no authority of this entry issued this certificate")
    if faults:
        raise ConfigurationError(faults)
    return [each for _, each in found]


def _certificates(path: Path, faults: list[str], unfit: Callable[[x509.Certificate], str]) -> list[x509.Certificate]:
    try:
        content = path.read_bytes()
        if content.lstrip().startswith(b"-----"):
            found = x509.load_pem_x509_certificates(content)
        else:
            found = [x509.load_der_x509_certificate(content)]
        reasons = [_too_large(certificate) or unfit(certificate) for certificate in found]
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


def _unfit_to_sign_lists(certificate: x509.Certificate) -> str:
    """Why a certificate can't be that of someone who signs lists: its key usage must say so (RFC 5280, 6.3.3 f)."""
    try:
        may = certificate.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        may = False
    return weakness_of(certificate.public_key()) if may else "this certificate is not for signing revocation lists"


def _too_large(certificate: x509.Certificate) -> str:
    is_too_large = len(certificate.public_bytes(Encoding.DER)) > _MAX_BYTES
    return f"the certificate is larger than {_MAX_BYTES // 1024} kB" if is_too_large else ""


def _line_to_root(first: x509.Certificate, above: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """The certificates from the issuing authority up to a self-signed root; empty if there is no such line."""
    line = [first]
    while not _is_root(line[-1]):
        issuer = next((other for other in above if other not in line and is_issued_by(line[-1], other)), None)
        if issuer is None or len(line) == _MAX_CERTIFICATES:
            return []
        line.append(issuer)
    return line


def _is_root(certificate: x509.Certificate) -> bool:
    """Whether it signed itself, with SHA-1 if need be: many roots did, and it is the operator who vouches for them."""
    key = certificate.public_key()
    if certificate.signature_algorithm_oid != SignatureAlgorithmOID.RSA_WITH_SHA1 or not isinstance(key, RSAPublicKey):
        return is_issued_by(certificate, certificate)
    try:
        key.verify(certificate.signature, certificate.tbs_certificate_bytes, PKCS1v15(), SHA1())  # noqa: S303 -- see above
    except InvalidSignature:
        return False
    return certificate.subject == certificate.issuer
