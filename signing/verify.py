"""Is this signature good, and what exactly does it cover?

The one door for signatures: a file with its signature beside it (FS, annex 25), or an XML document with its signature
inside. CMS or XML is told from the bytes. Judged in this order: shape, algorithms, mathematics, path.

Whether the signer's certificate is registered for the sender is not asked here. The functions are synchronous and
meant for a limited worker process: hostile bytes may cost time and memory, an XML document of ten megabytes 600 MB.
They give evidence or a fault for any bytes. What they raise is our own trouble: ``TrustUnavailable``, ``OSError`` if
the file can't be read, ``MemoryError`` if the worker's limit is too low.
"""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import assert_never

from signing import cms, path, xmldsig
from signing.authorities import Authorities
from signing.evidence import Evidence, Fault, Format, Proven, Reason, TrustUnavailable
from signing.layout import Unwrapped, unwrap
from signing.policy import Leniency, Policy
from signing.terms import Use

DEFAULT = Policy()

__all__ = ["Evidence", "Fault", "Format", "Reason", "TrustUnavailable", "Use", "verify_detached", "verify_enveloped"]


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
    unwrapped = unwrap(signature)
    if isinstance(unwrapped, Fault):
        return unwrapped
    proven = _examine(data, unwrapped, policy)
    if isinstance(proven, Fault):
        return proven
    return _evidence(proven, unwrapped.leniencies, path.judge(proven.certificate, authorities, at, use))


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
    proven = xmldsig.examine_enveloped(data)
    if isinstance(proven, Fault):
        return proven
    return _evidence(proven, (), path.judge(proven.certificate, authorities, at, use))


def _examine(data: Path, unwrapped: Unwrapped, policy: Policy) -> Proven | Fault:
    match unwrapped.format:
        case Format.CMS:
            return cms.examine(data, unwrapped.content, text_mode=policy.allows(Leniency.TEXT_MODE))
        case Format.XML | Format.XADES:
            return xmldsig.examine_detached(data, unwrapped.content)
        case _:
            assert_never(unwrapped.format)


def _evidence(proven: Proven, leniencies: tuple[str, ...], authority: str | Fault) -> Evidence | Fault:
    if isinstance(authority, Fault):
        return authority
    return Evidence(
        format=proven.format,
        certificate=proven.certificate,
        fingerprint=hashlib.sha256(proven.certificate).hexdigest(),
        authority=authority,
        sha256=proven.sha256,
        leniencies=leniencies + proven.leniencies,
        content=proven.content,
    )
