"""What does the journal keep of the signatures of a submission, for a proof years from now?  Pure.

With the files in custody these facts say who signed, who vouched for the signer, and what was relied on: certificates,
lists and answers by their SHA-256, so that an archive of them can be searched.  No names: the journal is read by more
people than the custody is.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from gateway.parties import SignatureProfile
from signing.evidence import Evidence, Fault


def evidence_facts(
    profile: SignatureProfile, evidence: Sequence[Evidence | None], fault: Fault | None = None
) -> dict[str, Any]:
    """The facts of a verdict about its signatures, as JSON takes them.

    Args:
        profile: how the sender signs
        evidence: of every FI judged so far, in the order of the parts; None for one without a signature
        fault: why the next one was refused

    Returns:
        ``signed_by``: ``sender``, ``channel`` (the login vouches, nothing was verified) or ``nobody``;
        ``signatures``: one entry for each part; ``refused``: the reason, None if nothing was; and where that relied on
        a list or a response, ``refusal``: which, and the certificates above the signer's.
    """
    by_channel = profile is SignatureProfile.CHANNEL
    signed = fault is not None or any(item is not None for item in evidence)
    return {
        "signed_by": "channel" if by_channel else "sender" if signed else "nobody",
        "signatures": [None if item is None else _facts(item) for item in evidence],
        "refused": None if fault is None else str(fault.reason),
    } | ({"refusal": _refusal(fault)} if fault is not None and fault.revocation else {})


def relied_on(facts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The entries of a verdict's facts that name what it relied on, by kind: of good signatures, and of a refusal."""
    said = [*(facts.get("signatures") or ()), facts.get("refusal")]
    return [entry for entry in said if entry is not None]


def _refusal(fault: Fault) -> dict[str, Any]:
    return {
        "chain": [hashlib.sha256(der).hexdigest() for der in fault.chain],
        "revocation": list(fault.revocation),
    }


def _facts(evidence: Evidence) -> dict[str, Any]:
    return {
        "format": str(evidence.format),
        "certificate": evidence.fingerprint,
        "authority": evidence.authority,
        "chain": [hashlib.sha256(der).hexdigest() for der in evidence.chain],
        "revocation": list(evidence.revocation),
        "data": evidence.sha256,
        "signed_at": _written(evidence.signed_at),
        "stamped_at": _written(evidence.stamped_at),
        "ignored_stamps": evidence.ignored_stamps,
        "leniencies": sorted(evidence.leniencies),
    }


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
