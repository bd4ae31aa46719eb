"""Is this signature good, and what exactly does it cover?

The one door for signatures: a file with its signature beside it (FS, annex 25), or an XML document with its signature
inside. CMS or XML is told from the bytes. Judged in this order: shape, algorithms, mathematics, times, timestamps,
path.

A timestamp is verified when it is there, and a bad one refuses the signature. One that no accepted authority vouches
for proves nothing and harms nothing: it is ignored, and the evidence counts it. Else a sender whose software timestamps
on its own could send nothing before an operator accepted whoever it asks.

Whether the signer's certificate is registered for the sender is not asked here. The functions are synchronous and
meant for a limited worker process: hostile bytes may cost time and memory, an XML document of ten megabytes 700 MB.
They give evidence or a fault for any bytes. What they raise is our own trouble: ``TrustUnavailable``, ``OSError`` if
the file can't be read, ``MemoryError`` if the worker's limit is too low.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import assert_never

from signing import certificate, cms, times, timestamp, xmldsig
from signing.deadline import TooCostlyError, processor_seconds
from signing.evidence import Evidence, Fault, Format, Proven, Reason, TrustUnavailable
from signing.layout import Unwrapped, unwrap
from signing.policy import Policy
from signing.trust import path
from signing.trust.authorities import Authorities
from signing.trust.path import Accepted
from signing.trust.terms import Use

DEFAULT = Policy()

JUDGING_SECONDS = 5.0
"""Processor time that the certificates of one signature and of its timestamps may cost."""

_XML = (Format.XML, Format.XADES)
# Why nobody vouches for a timestamp; every other reason says that it is bad.
_UNVOUCHED = frozenset({Reason.NOT_ACCEPTED, Reason.POLICY})

__all__ = [
    "Evidence",
    "Fault",
    "Format",
    "Reason",
    "TrustUnavailable",
    "Use",
    "prove_detached",
    "verify_detached",
    "verify_enveloped",
]


def verify_detached(
    data: Path,
    signature: bytes,
    *,
    authorities: Authorities,
    at: datetime,
    policy: Policy = DEFAULT,
    use: Use | None = None,
) -> Evidence | Fault:
    """Judge the signature that came beside a file.

    Args:
        data: the signed file; an XML signature must name it as its last path element is spelled
        signature: the content of FS
        at: the moment at which the signer's certificate must be good, with its time zone
        policy: what is accepted and tolerated
        use: for which environment and message type; None asks no authority about them

    Raises:
        TrustUnavailable: if revocation can't be decided now
        OSError: if the file can't be read
    """
    proven = prove_detached(data, signature, policy)
    return proven if isinstance(proven, Fault) else _judge(proven, _Question(authorities, at, policy, use))


def prove_detached(data: Path, signature: bytes, policy: Policy = DEFAULT) -> Proven | Fault:
    """Whether the signature that came beside a file covers it, without asking who signed and when.

    Raises:
        OSError: if the file can't be read
    """
    unwrapped = unwrap(signature, policy)
    if isinstance(unwrapped, Fault):
        return unwrapped
    proven = _examine(data, unwrapped, policy)
    if isinstance(proven, Fault) or not unwrapped.leniencies:
        return proven
    return replace(proven, leniencies=unwrapped.leniencies + proven.leniencies)


def verify_enveloped(
    data: Path, *, authorities: Authorities, at: datetime, policy: Policy = DEFAULT, use: Use | None = None
) -> Evidence | Fault:
    """Judge the XML signature inside a document; the evidence carries the signed content.

    Args:
        data: an XML document of at most ten megabytes
        at: the moment at which the signer's certificate must be good, with its time zone
        policy: what is accepted and tolerated
        use: for which environment and message type; None asks no authority about them

    Raises:
        TrustUnavailable: if revocation can't be decided now
        OSError: if the file can't be read
    """
    if policy.formats.isdisjoint(_XML):
        return _unwelcome(Format.XML)
    proven = xmldsig.examine_enveloped(data, policy)
    if isinstance(proven, Fault):
        return proven
    return _judge(proven, _Question(authorities, at, policy, use))


@dataclass(frozen=True, slots=True)
class _Question:
    """By whom, when and for what a signature must be good."""

    authorities: Authorities
    at: datetime
    policy: Policy
    use: Use | None


def _examine(data: Path, unwrapped: Unwrapped, policy: Policy) -> Proven | Fault:
    match unwrapped.format:
        case Format.CMS:
            return (
                cms.examine(data, unwrapped.content, policy) if Format.CMS in policy.formats else _unwelcome(Format.CMS)
            )
        case Format.XML | Format.XADES:
            if policy.formats.isdisjoint(_XML):
                return _unwelcome(Format.XML)
            return xmldsig.examine_detached(data, unwrapped.content, policy)
        case _:
            assert_never(unwrapped.format)


def _unwelcome(form: Format) -> Fault:
    return Fault(Reason.FORMAT, f"A signature in the format {form} is not accepted.")


def _judge(proven: Proven, question: _Question) -> Evidence | Fault:
    """What remains once the mathematics hold."""
    if proven.format not in question.policy.formats:
        return _unwelcome(proven.format)
    if fault := times.check_times(proven, None, question.at, question.policy):
        return fault
    if not proven.stamps and (accepted := _remembered(proven, question)):
        return _evidence(proven, accepted, ())
    try:
        with processor_seconds(JUDGING_SECONDS):
            return _trusted(proven, question)
    except TooCostlyError:
        return Fault(Reason.NOT_ACCEPTED, "Judging the certificates of the signature takes too long.")


def _trusted(proven: Proven, question: _Question) -> Evidence | Fault:
    """Who vouches for the signer and for the timestamps."""
    try:
        stamped = _stamped_at(proven, question)
    except TrustUnavailable:
        # Who is refused anyway needn't wait for the timestamp's authority.
        accepted = _accepted(proven, question)
        if isinstance(accepted, Fault):
            return accepted
        raise
    if isinstance(stamped, Fault):
        return stamped
    accepted = _accepted(proven, question)
    return accepted if isinstance(accepted, Fault) else _evidence(proven, accepted, stamped)


def _remembered(proven: Proven, question: _Question) -> Accepted | None:
    """Who was found to vouch for the signer, if that still holds; there is nothing to compute then."""
    return path.remembered(
        proven.certificate,
        question.authorities,
        question.at,
        question.use,
        later_revocation_counts=question.policy.later_revocation_counts,
    )


def _accepted(proven: Proven, question: _Question) -> Accepted | Fault:
    return path.judge(
        proven.certificate,
        question.authorities,
        question.at,
        question.use,
        later_revocation_counts=question.policy.later_revocation_counts,
    )


def _stamped_at(proven: Proven, question: _Question) -> tuple[datetime, ...] | Fault:
    """The times that accepted timestamps prove."""
    proved: list[datetime] = []
    for stamp in proven.stamps:
        moment = timestamp.verify_stamp(
            stamp,
            question.authorities,
            question.at,
            question.use,
            later_revocation_counts=question.policy.later_revocation_counts,
        )
        if isinstance(moment, datetime):
            proved.append(moment)
        elif moment.reason is Reason.TIMESTAMP:
            return moment
        elif moment.reason not in _UNVOUCHED:
            words = f"The timestamp's authority is refused: {moment.reason}."
            return Fault(Reason.TIMESTAMP, words, moment.chain, moment.revocation)
    if proved and (fault := times.check_times(proven, min(proved), question.at, question.policy)):
        return fault
    return tuple(proved)


def _evidence(proven: Proven, accepted: Accepted, stamped: tuple[datetime, ...]) -> Evidence:
    tolerated = (*proven.leniencies, *certificate.leniencies_of(proven.certificate))
    return Evidence(
        format=proven.format,
        certificate=proven.certificate,
        fingerprint=hashlib.sha256(proven.certificate).hexdigest(),
        authority=accepted.authority,
        sha256=proven.sha256,
        leniencies=tuple(dict.fromkeys(tolerated)),
        content=proven.content,
        chain=accepted.chain,
        revocation=accepted.revocation,
        signed_at=proven.signed_at,
        stamped_at=min(stamped, default=None),
        ignored_stamps=len(proven.stamps) - len(stamped),
    )
