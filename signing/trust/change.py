"""What would another list of authorities change for the certificates that are registered?

Asked before the list is applied, so that an operator sees whom it would shut out. Each certificate is judged as its
next signature would be, for no particular environment or message type.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from signing.evidence import Fault, Reason, TrustUnavailable
from signing.trust.authorities import Authorities
from signing.trust.path import judge


@dataclass(frozen=True, slots=True)
class AcceptedBy:
    """An entry vouches for the certificate."""

    authority: str

    def __str__(self) -> str:
        return f"accepted by {self.authority}"


@dataclass(frozen=True, slots=True)
class Refused:
    """No entry does."""

    reason: Reason

    def __str__(self) -> str:
        return self.reason.value


@dataclass(frozen=True, slots=True)
class Unknown:
    """Revocation data of an issuer is missing."""

    issuer: str

    def __str__(self) -> str:
        return f"unknown: no revocation data of {self.issuer}"


Verdict = AcceptedBy | Refused | Unknown


@dataclass(frozen=True, slots=True)
class Change:
    """The verdicts on a certificate under two lists."""

    fingerprint: str
    before: Verdict
    after: Verdict

    @property
    def is_one(self) -> bool:
        """Whether anything changes."""
        return self.before != self.after


def difference(
    before: Authorities, after: Authorities, certificates: Mapping[str, bytes], at: datetime
) -> tuple[Change, ...]:
    """The verdicts on every certificate, in the order of their fingerprints, whether they change or not.

    Args:
        certificates: DER by fingerprint
        at: the moment to judge at, with its time zone
    """
    old = {fingerprint: _verdict(der, before, at) for fingerprint, der in certificates.items()}
    new = {fingerprint: _verdict(der, after, at) for fingerprint, der in certificates.items()}
    return tuple(Change(fingerprint, old[fingerprint], new[fingerprint]) for fingerprint in sorted(certificates))


def _verdict(certificate: bytes, authorities: Authorities, at: datetime) -> Verdict:
    try:
        judged = judge(certificate, authorities, at, now=at)
    except TrustUnavailable as error:
        return Unknown(error.issuer)
    return Refused(judged.reason) if isinstance(judged, Fault) else AcceptedBy(judged.authority)
