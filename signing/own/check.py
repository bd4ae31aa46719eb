"""Is this a signature of ours?

Of one over bytes that the gateway itself has written: the mathematics, the certificates that may have signed, and what
a timestamp is about. Dates and revocation are not looked at: proofs are read years after their certificate has ended.
"""

import tempfile
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from signing import cms
from signing.evidence import Fault, Reason
from signing.policy import Policy
from signing.timestamp import verify_stamp
from signing.trust.authorities import Authorities

_POLICY: Final = Policy(leniencies=frozenset())


def fault_of(data: bytes, signature: bytes, certificates: Collection[bytes]) -> str:
    """What is wrong with a signature of ours over ``data``; empty if nothing is.

    Args:
        signature: CMS, DER
        certificates: those that may have signed, DER
    """
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        proven = cms.examine(Path(file.name), signature, _POLICY)
    if isinstance(proven, Fault):
        return proven.detail
    if proven.certificate not in certificates:
        return "Somebody else has signed it."
    for stamp in proven.stamps:
        stamped = verify_stamp(stamp, Authorities(), datetime.now(UTC))
        if isinstance(stamped, Fault) and stamped.reason is Reason.TIMESTAMP:
            return stamped.detail
    return ""
