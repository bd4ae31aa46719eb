"""Can the times that a signature tells be true, seen from the moment of receipt?

A signer's clock may go a little fast, and a file may have waited before it was sent; how much of either is a matter of
policy. The signing time is the signer's own word, a timestamp that of an accepted authority: both are held against the
same limits, each for itself. Pure; whether the certificate was valid is asked for the moment of receipt alone.
"""

from datetime import datetime

from signing.evidence import Fault, Proven, Reason
from signing.policy import Policy


def check_times(proven: Proven, stamped_at: datetime | None, at: datetime, policy: Policy) -> Fault | None:
    """Why the times of a signature can't be accepted; None if they can, or if it tells none.

    Args:
        proven: the signature, with the signing time it claims
        stamped_at: the earliest time that an accepted timestamp proves
        at: the moment of receipt
        policy: how far from that moment either may lie
    """
    for name, moment in (("signing time", proven.signed_at), ("timestamp", stamped_at)):
        if moment is None:
            continue
        if moment - at > policy.ahead:
            return Fault(Reason.TIME, f"The {name} of the signature lies after its receipt.")
        if policy.before is not None and at - moment > policy.before:
            return Fault(Reason.TIME, f"The {name} of the signature lies too long before its receipt.")
    return None
