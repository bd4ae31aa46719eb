"""Does this signature cover its file, whoever signed?

The gateway asks more: whether an accepted authority stands behind the signer (asked here only if authorities are
given) and whether the certificate is registered for the sender (known to the gateway alone). Imported only where there
is a signature to look at: the libraries behind it take half a second to load.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from config.settings import Trust as TrustSettings
from gateway.report import Signature, Trust
from signing import cms, times, xmldsig
from signing.certificate import check_signer
from signing.evidence import Fault, Format, Proven, Reason, TrustUnavailable
from signing.layout import MAX_BYTES, unwrap
from signing.policy import Policy
from signing.trust.authorities import Authorities, load
from signing.verify import Evidence, Use, verify_detached, verify_enveloped


@dataclass(frozen=True, slots=True)
class Question:
    """What a signature is judged by.

    ``authorities`` is the folder of those that are accepted, None to ask none. ``at`` is the moment of receipt,
    ``formats`` those that the type takes (empty for all), ``environment`` and ``purpose`` those of the file.
    """

    authorities: Path | None
    at: datetime
    formats: frozenset[Format] = frozenset()
    environment: str | None = None
    purpose: str | None = None


def check_signature(data: Path, signature: Path | None, question: Question) -> Signature | Fault:
    """Judge the signature of one file.

    Args:
        data: the signed file
        signature: its FS; None if the signature is inside
        question: by what it is judged

    Raises:
        ConfigurationError: the folder of authorities is not right
        OSError: a file can't be read
    """
    policy = _policy(question.formats)
    beside = None if signature is None else _read(signature)
    proven = _enveloped(data, policy) if beside is None else _detached(data, beside, policy)
    if isinstance(proven, Fault):
        return proven
    if fault := times.check_times(proven, None, question.at, policy):
        return fault
    signer = _signer(proven, policy)
    if isinstance(signer, Fault) or question.authorities is None:
        return signer
    try:
        judged = _judged(data, beside, question, load(question.authorities))
    except TrustUnavailable:
        return replace(signer, trust=Trust.UNKNOWN)
    return judged if isinstance(judged, Fault) else replace(signer, trust=Trust.ACCEPTED)


def _policy(formats: frozenset[Format]) -> Policy:
    """What a gateway takes whose settings nobody changed."""
    settings = TrustSettings()
    return Policy(
        formats=formats or frozenset(Format),
        ahead=timedelta(seconds=settings.signed_ahead_seconds),
        before=timedelta(days=settings.signed_before_days),
    )


def _read(signature: Path) -> bytes:
    """The bytes of FS, or one too many for `signing.layout`."""
    with signature.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _detached(data: Path, signature: bytes, policy: Policy) -> Proven | Fault:
    unwrapped = unwrap(signature, policy)
    if isinstance(unwrapped, Fault):
        return unwrapped
    examine = cms.examine if unwrapped.format is Format.CMS else xmldsig.examine_detached
    return _welcome(examine(data, unwrapped.content, policy), policy)


def _enveloped(data: Path, policy: Policy) -> Proven | Fault:
    return _welcome(xmldsig.examine_enveloped(data, policy), policy)


def _welcome(proven: Proven | Fault, policy: Policy) -> Proven | Fault:
    if isinstance(proven, Fault) or proven.format in policy.formats:
        return proven
    return Fault(Reason.FORMAT, f"A signature in the format {proven.format} is not accepted.")


def _signer(proven: Proven, policy: Policy) -> Signature | Fault:
    certificate = check_signer(proven.certificate, policy)
    if isinstance(certificate, Fault):
        return certificate
    return Signature(
        format=proven.format,
        fingerprint=hashlib.sha256(proven.certificate).hexdigest(),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        content=proven.content,
    )


def _judged(data: Path, signature: bytes | None, question: Question, authorities: Authorities) -> Evidence | Fault:
    policy = _policy(question.formats)
    use = Use(question.environment, question.purpose)
    if signature is None:
        return verify_enveloped(data, authorities=authorities, at=question.at, policy=policy, use=use)
    return verify_detached(data, signature, authorities=authorities, at=question.at, policy=policy, use=use)
