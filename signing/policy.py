"""What may a sender's signature look like, and what is tolerated?

The values only: a site has a policy, a sender or a message type may narrow or widen it, and whoever verifies is handed
the result. Where each rule is applied: formats in ``signing.verify``, leniencies where the bytes are read, times in
``signing.times``, later revocations in ``signing.trust.path``.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from signing.evidence import Format


class Leniency(StrEnum):
    """What is refused unless it is tolerated by name; the evidence says which of them a signature needed.

    TEXT_MODE: the signature covers the file with every LF read as CRLF (S/MIME canonical text, RFC 8551, 3.1.1).
    PEM_ARMOUR: FS has the BEGIN and END lines that senders are asked to strip.
    SHA1: the signature is made over SHA-1 digests. RSA_1024: with an RSA key of 1024 to 2047 bits.
    """

    TEXT_MODE = "text-mode"
    PEM_ARMOUR = "pem-armour"
    SHA1 = "sha1"
    RSA_1024 = "rsa-1024"


@dataclass(frozen=True, slots=True)
class Policy:
    """What is accepted.

    ``ahead`` is how far a signing time or timestamp may lie after the moment of receipt, ``before`` how far before it
    (None: any time). ``later_revocation_counts`` refuses a certificate that was revoked after the moment of receipt,
    but before the submission was judged.
    """

    formats: frozenset[Format] = frozenset(Format)
    leniencies: frozenset[Leniency] = frozenset({Leniency.TEXT_MODE})
    ahead: timedelta = timedelta(minutes=5)
    before: timedelta | None = None
    later_revocation_counts: bool = False

    def allows(self, leniency: Leniency) -> bool:
        """Whether something is tolerated."""
        return leniency in self.leniencies
