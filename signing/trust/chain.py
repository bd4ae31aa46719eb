"""Does RFC 5280 accept a path from this certificate to that anchor, revocation aside?

Section 6.1 by pyhanko-certvalidator, which NIST's PKITS shows to accept no bad path. What it leaves to its caller is
here: the anchor keeps the constraints of its own certificate, SHA-1 is too weak, and whatever it raises is a refusal.
Paths are built from the given certificates only, and nothing is fetched.

Whether a certificate of the path is revoked is ``signing.trust.revocation``'s question; what we ask beyond the RFC, of
keys, usages and who must have issued, is ``signing.trust.path``'s.
"""

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from asn1crypto import crl as asn1_crl
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1
from pyhanko_certvalidator import CertificateValidator, PKIXValidationParams, ValidationContext
from pyhanko_certvalidator.authority import CertTrustAnchor, derive_quals_from_cert
from pyhanko_certvalidator.errors import (
    DisallowedAlgorithmError,
    ExpiredError,
    InvalidCertificateError,
    NotYetValidError,
    PathValidationError,
)
from pyhanko_certvalidator.ltv.poe import POEManager
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import (
    NO_REVOCATION,
    AlgorithmUsagePolicy,
    CertRevTrustPolicy,
    DisallowWeakAlgorithmsPolicy,
)
from pyhanko_certvalidator.registry import CertificateRegistry, SimpleTrustManager
from pyhanko_certvalidator.revinfo.archival import CRLContainer, OCSPContainer
from pyhanko_certvalidator.revinfo.manager import RevinfoManager

from signing.evidence import Fault, Reason, TrustUnavailable

T = TypeVar("T")

STRONG = DisallowWeakAlgorithmsPolicy(  # type: ignore[no-untyped-call]  # the library annotates it in part
    weak_hash_algos=frozenset({"md2", "md5", "sha1"})
)


@dataclass(frozen=True, slots=True)
class Material:
    """What paths are built from: the anchor, and the authorities below it from the top down.

    ``algorithms`` says with what nothing on the path may be signed.
    """

    anchor: asn1.Certificate
    below: tuple[asn1.Certificate, ...]
    algorithms: AlgorithmUsagePolicy = STRONG


def find_path(
    leaf: asn1.Certificate, material: Material, at: datetime, parameters: PKIXValidationParams | None = None
) -> ValidationPath | Fault:
    """A valid path from the anchor to a certificate, or why there is none.

    Args:
        at: the moment to judge at, with its time zone
        parameters: the inputs of RFC 5280, 6.1.1 (d) to (i); None for its most liberal ones
    """
    context = context_for(material, at, CertRevTrustPolicy(NO_REVOCATION))
    validator = CertificateValidator(leaf, validation_context=context, pkix_params=parameters)
    try:
        return finish(validator.async_validate_path())
    except PathValidationError as error:
        return _fault_of(error)
    except InvalidCertificateError:
        return Fault(Reason.KEY_USAGE, "The signer's certificate is not meant for signatures.")
    except MemoryError:  # the worker's limit is our own trouble
        raise
    except Exception:  # constraints it doesn't know make the library raise TypeError, NotImplementedError and more
        return Fault(Reason.NOT_ACCEPTED, "No valid path leads from the signer's certificate to an accepted authority.")


def context_for(
    material: Material,
    at: datetime,
    policy: CertRevTrustPolicy,
    crls: Sequence[asn1_crl.CertificateList] = (),
    responses: Sequence[asn1_ocsp.OCSPResponse] = (),
    others: Sequence[asn1.Certificate] = (),
) -> ValidationContext:
    """What the library judges from: nothing else, nothing fetched, and to the second.

    Args:
        policy: what is asked about revocation
        others: certificates that sign lists, and are on no path of a signer
    """
    registry = CertificateRegistry.build((*material.below, *others))
    lists = [CRLContainer(crl) for crl in crls]
    answers = [answer for response in responses for answer in OCSPContainer.load_multi(response)]
    return ValidationContext(
        trust_manager=SimpleTrustManager.build([_anchor(material.anchor)]),
        certificate_registry=registry,
        revinfo_manager=_Revocations(registry, POEManager(), lists, answers),
        allow_fetching=False,
        revinfo_policy=policy,
        moment=at,
        time_tolerance=timedelta(0),
        algorithm_usage_policy=material.algorithms,
    )


class _Revocations(RevinfoManager):
    """The library's, but for one thing: nobody is remembered as the issuer of a list.

    While an issuer's own status is looked up, the library takes a list of that name without looking at its signature
    or the issuer's status, which is right for the moment, and would then remember it as verified.
    """

    def record_crl_issuer(self, certificate_list: asn1_crl.CertificateList, cert: asn1.Certificate) -> None:
        """Remember nothing; the signature is verified each time."""


def _anchor(certificate: asn1.Certificate) -> CertTrustAnchor:
    qualifiers = derive_quals_from_cert(certificate)
    # The library counts both lengths down, and fails where a root limits one and says nothing of the other.
    return CertTrustAnchor(certificate, replace(qualifiers, max_aa_path_length=qualifiers.max_path_length))


def finish(validation: Coroutine[None, None, T]) -> T:
    """Run a coroutine that never waits, with no need of an event loop and no harm to a running one.

    Raises:
        TrustUnavailable: if it does wait
    """
    try:
        validation.send(None)
    except StopIteration as finished:
        value: T = finished.value
        return value
    validation.close()
    raise TrustUnavailable("pyhanko-certvalidator", "path validation waits, though nothing is to be fetched")


def _fault_of(error: PathValidationError) -> Fault:
    whose = "signer's certificate" if error.is_ee_cert else "certificate of an authority above the signer"
    match error:
        case ExpiredError():
            return Fault(Reason.EXPIRED, f"The {whose} expired on {error.expired_dt:%Y-%m-%d}.")
        case NotYetValidError():
            return Fault(Reason.NOT_YET_VALID, f"The {whose} is not valid before {error.valid_from:%Y-%m-%d}.")
        case DisallowedAlgorithmError():
            return Fault(Reason.ALGORITHM, f"The {whose} is signed with an algorithm or key that is not accepted.")
        case _:
            return Fault(Reason.NOT_ACCEPTED, f"The {whose} breaks a rule of certificate paths.")
