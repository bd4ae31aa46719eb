"""Does RFC 5280 accept a path from this certificate to that anchor, and is every certificate on it unrevoked?

Section 6 by pyhanko-certvalidator, which NIST's PKITS shows to accept no bad path. What it leaves to its caller is
here: the anchor keeps the constraints of its own certificate, revocation must be known for every certificate, SHA-1 is
too weak, and whatever it raises is a refusal. Paths are built from the given certificates only, and nothing is fetched.

What we ask beyond the RFC, of keys, usages and who must have issued, is ``signing.path``'s.

Revocation has three outcomes. Unknown is no refusal: it is ``TrustUnavailable``, and names the issuer. A list made
after the moment that is judged counts too, so that a submission which waited for a fresh list can be decided.
"""

from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import datetime

from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1
from pyhanko_certvalidator import CertificateValidator, PKIXValidationParams, ValidationContext
from pyhanko_certvalidator.authority import CertTrustAnchor, derive_quals_from_cert
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
from pyhanko_certvalidator.policy_decl import AlgorithmUsagePolicy, DisallowWeakAlgorithmsPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager

from signing.evidence import Fault, Reason, TrustUnavailable

STRONG = DisallowWeakAlgorithmsPolicy(  # type: ignore[no-untyped-call]  # the library annotates it in part
    weak_hash_algos=frozenset({"md2", "md5", "sha1"})
)


@dataclass(frozen=True, slots=True)
class Material:
    """What paths are built from: the anchor, the authorities below it from the top down, and their lists.

    ``algorithms`` says with what nothing on the path may be signed.
    """

    anchor: asn1.Certificate
    below: tuple[asn1.Certificate, ...]
    crls: tuple[asn1_crl.CertificateList, ...]
    algorithms: AlgorithmUsagePolicy = STRONG


def find_path(
    leaf: asn1.Certificate, material: Material, at: datetime, parameters: PKIXValidationParams | None = None
) -> ValidationPath | Fault:
    """A valid path from the anchor to a certificate, or why there is none.

    Args:
        at: the moment to judge at, with its time zone
        parameters: the inputs of RFC 5280, 6.1.1 (d) to (i); None for its most liberal ones

    Raises:
        TrustUnavailable: if revocation can't be decided for a certificate of the path
    """
    try:
        return _finish(_validate(leaf, material, at, parameters))
    except TrustUnavailable:
        raise
    except InsufficientRevinfoError as error:
        raise TrustUnavailable(_undecided(leaf, material, at), "revocation is unknown") from error
    except PathValidationError as error:
        return _fault_of(error)
    except InvalidCertificateError:
        return Fault(Reason.KEY_USAGE, "The signer's certificate is not meant for signatures.")
    except Exception:  # constraints it doesn't know make the library raise TypeError, NotImplementedError and more
        return Fault(Reason.NOT_ACCEPTED, "No valid path leads from the signer's certificate to an accepted authority.")


async def _validate(
    leaf: asn1.Certificate, material: Material, at: datetime, parameters: PKIXValidationParams | None
) -> ValidationPath:
    """Build and validate the path; nothing in it ever waits, because nothing is fetched."""
    qualifiers = derive_quals_from_cert(material.anchor)
    # The library counts both lengths down, and fails where a root limits one and says nothing of the other.
    qualifiers = replace(qualifiers, max_aa_path_length=qualifiers.max_path_length)
    anchor = CertTrustAnchor(material.anchor, qualifiers)
    context = ValidationContext(
        trust_manager=SimpleTrustManager.build([anchor]),
        other_certs=material.below,
        crls=material.crls,
        allow_fetching=False,
        revocation_mode="require",
        moment=at,
        algorithm_usage_policy=material.algorithms,
        retroactive_revinfo=True,
    )
    validator = CertificateValidator(leaf, validation_context=context, pkix_params=parameters)
    return await validator.async_validate_path()


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


def _undecided(leaf: asn1.Certificate, material: Material, at: datetime) -> str:
    """The highest authority of the path without a list that is good at the moment: the one to be asked for it."""
    current = {crl.issuer.hashable for crl in material.crls if _is_current(crl, at)}
    issuers = [certificate.issuer for certificate in (*material.below, leaf)]
    lacking = [issuer for issuer in issuers if issuer.hashable not in current]
    return str((lacking or issuers[-1:])[0].human_friendly)


def _is_current(crl: asn1_crl.CertificateList, at: datetime) -> bool:
    next_update: datetime | None = crl["tbs_cert_list"]["next_update"].native
    return next_update is not None and next_update >= at
