"""Does an accepted authority stand behind this signer, now, for signing?

RFC 5280 section 6 by pyhanko-certvalidator, which NIST's PKITS shows to accept no bad path. What it leaves to its
caller is here: anchors keep the constraints of their own certificate, revocation must be known for every certificate of
the path, and the accepted authority itself must be the signer's issuer. Paths are built from configured certificates
only; those that came with the message are not needed, since a configured chain always reaches its root.

Revocation has three outcomes. Unknown is no refusal: it is ``TrustUnavailable``, and names the issuer. A list made
after the moment that is judged counts too, so that a submission which waited for a fresh list can be decided.
"""

from collections.abc import Coroutine, Sequence
from datetime import datetime
from functools import lru_cache

from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.authority import AuthorityWithCert, CertTrustAnchor
from pyhanko_certvalidator.errors import (
    DisallowedAlgorithmError,
    ExpiredError,
    InsufficientRevinfoError,
    InvalidCertificateError,
    NotYetValidError,
    PathValidationError,
    RevokedError,
)
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.sig_validate import DEFAULT_SIGNATURE_VALIDATOR

from signing.authorities import Authorities
from signing.authority import Authority
from signing.evidence import Fault, Reason, TrustUnavailable

_SIGNING = frozenset({"digital_signature", "non_repudiation"})
# A certificate that limits itself to other purposes, such as TLS servers or time stamps, signs no declaration.
_SIGNING_PURPOSES = frozenset(
    {
        "any_extended_key_usage",
        "client_auth",
        "email_protection",
        "microsoft_document_signing",
        "adobe_authentic_documents_trust",
        "1.3.6.1.5.5.7.3.36",  # document signing, RFC 9336
    }
)
_WEAK_DIGESTS = frozenset({"md2", "md5", "sha1"})


def judge(certificate: bytes, authorities: Authorities, at: datetime) -> str | Fault:
    """Which accepted authority vouches for a signer at a moment.

    Args:
        certificate: the signer's, as DER
        at: the moment, with its time zone

    Returns:
        the name of the authority

    Raises:
        TrustUnavailable: if revocation can't be decided for a certificate of the path
    """
    try:
        leaf = asn1.Certificate.load(certificate, strict=True)
        issuers = [authority for authority in authorities if _issued(authority, leaf)]
    except Exception:  # asn1crypto raises whatever hostile bytes lead it to
        return Fault(Reason.SYNTAX, "The signer's certificate cannot be read.")
    if not issuers:
        return Fault(Reason.NOT_ACCEPTED, "The signer's certificate was not issued by an accepted authority.")
    misuse = _misuse(leaf)
    return misuse or _first_good(leaf, issuers, at)


def _first_good(leaf: asn1.Certificate, issuers: Sequence[Authority], at: datetime) -> str | Fault:
    """The same issuer may be accepted through several chains: one good chain is enough."""
    faults: list[Fault] = []
    unknown: list[TrustUnavailable] = []
    for authority in issuers:
        try:
            fault = _fault_of_path(leaf, authority, at)
        except TrustUnavailable as error:
            unknown.append(error)
            continue
        if fault is None:
            return authority.name
        faults.append(fault)
    if unknown:
        raise unknown[0]
    return faults[0]


def _issued(authority: Authority, leaf: asn1.Certificate) -> bool:
    issuer = _certificate(authority.certificate)
    if issuer.subject.hashable != leaf.issuer.hashable:
        return False
    try:
        DEFAULT_SIGNATURE_VALIDATOR.validate_signature(
            leaf["signature_value"].native,
            leaf["tbs_certificate"].dump(),
            issuer.public_key,
            leaf["signature_algorithm"],
        )
    except Exception:  # a wrong key type, algorithm or signature each have an error of their own
        return False
    return True


def _misuse(leaf: asn1.Certificate) -> Fault | None:
    """Why a certificate isn't meant for signing declarations."""
    try:
        usages = leaf.key_usage_value.native if leaf.key_usage_value else set()
        purposes = set(leaf.extended_key_usage_value.native) if leaf.extended_key_usage_value else None
    except Exception:  # asn1crypto reads extensions late
        return Fault(Reason.SYNTAX, "The key usage of the signer's certificate cannot be read.")
    if not usages & _SIGNING:
        return Fault(Reason.KEY_USAGE, "The signer's certificate is meant neither for signatures nor non-repudiation.")
    if purposes is not None and not purposes & _SIGNING_PURPOSES:
        return Fault(Reason.KEY_USAGE, "The extended key usage of the signer's certificate leaves out signing.")
    return None


def _fault_of_path(leaf: asn1.Certificate, authority: Authority, at: datetime) -> Fault | None:
    try:
        path = _finish(_validate(leaf, authority, at))
    except TrustUnavailable:
        raise
    except InsufficientRevinfoError as error:
        raise TrustUnavailable(_undecided(leaf, authority, at), "revocation is unknown") from error
    except PathValidationError as error:
        return _fault_of(error)
    except InvalidCertificateError:
        return Fault(Reason.KEY_USAGE, "The signer's certificate is not meant for signatures.")
    except Exception:  # constraints it doesn't know make the library raise TypeError, NotImplementedError and more
        return Fault(Reason.NOT_ACCEPTED, "No valid path leads from the signer's certificate to an accepted authority.")
    if path.find_issuing_authority(leaf) != AuthorityWithCert(_certificate(authority.certificate)):
        return Fault(Reason.NOT_ACCEPTED, "The signer's certificate was not issued by an accepted authority.")
    return None


async def _validate(leaf: asn1.Certificate, authority: Authority, at: datetime) -> ValidationPath:
    """Build and validate the path; nothing in it ever waits, because nothing is fetched."""
    anchor = CertTrustAnchor(_certificate(authority.root), derive_default_quals_from_cert=True)
    context = ValidationContext(
        trust_manager=SimpleTrustManager.build([anchor]),
        other_certs=[_certificate(der) for der in (authority.certificate, *authority.chain)],
        crls=_lists(authority.crls),
        allow_fetching=False,
        revocation_mode="require",
        moment=at,
        weak_hash_algos=_WEAK_DIGESTS,
        retroactive_revinfo=True,
    )
    return await CertificateValidator(leaf, validation_context=context).async_validate_path()


def _finish(validation: Coroutine[None, None, ValidationPath]) -> ValidationPath:
    """Run a coroutine that never waits, with no need of an event loop and no harm to a running one."""
    try:
        validation.send(None)
    except StopIteration as finished:
        path: ValidationPath = finished.value
        return path
    validation.close()
    raise TrustUnavailable("pyhanko-certvalidator", "path validation waits, though nothing is to be fetched")


def _fault_of(error: PathValidationError) -> Fault:
    whose = "signer's certificate" if error.is_ee_cert else "certificate of an authority above the signer"
    match error:
        case RevokedError():
            return Fault(Reason.REVOKED, f"The {whose} was revoked on {error.revocation_dt:%Y-%m-%d}.")
        case ExpiredError():
            return Fault(Reason.EXPIRED, f"The {whose} expired on {error.expired_dt:%Y-%m-%d}.")
        case NotYetValidError():
            return Fault(Reason.NOT_YET_VALID, f"The {whose} is not valid before {error.valid_from:%Y-%m-%d}.")
        case DisallowedAlgorithmError():
            return Fault(Reason.ALGORITHM, f"The {whose} is signed with an algorithm or key that is not accepted.")
        case _:
            return Fault(Reason.NOT_ACCEPTED, f"The {whose} breaks a rule of certificate paths.")


def _undecided(leaf: asn1.Certificate, authority: Authority, at: datetime) -> str:
    """The highest authority of the path without a list that is good at the moment: the one to be asked for it."""
    current = {crl.issuer.hashable for crl in _lists(authority.crls) if _is_current(crl, at)}
    path = [_certificate(der) for der in reversed((authority.certificate, *authority.chain))][1:]
    issuers = [certificate.issuer for certificate in (*path, leaf)]
    lacking = [issuer for issuer in issuers if issuer.hashable not in current]
    return str((lacking or issuers[-1:])[0].human_friendly)


def _is_current(crl: asn1_crl.CertificateList, at: datetime) -> bool:
    next_update: datetime | None = crl["tbs_cert_list"]["next_update"].native
    return next_update is not None and next_update >= at


@lru_cache(maxsize=256)
def _certificate(der: bytes) -> asn1.Certificate:
    return asn1.Certificate.load(der, strict=True)


@lru_cache(maxsize=16)
def _lists(ders: tuple[bytes, ...]) -> tuple[asn1_crl.CertificateList, ...]:
    return tuple(asn1_crl.CertificateList.load(der, strict=True) for der in ders)
