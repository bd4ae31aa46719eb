"""What is known of revocations, what is asked of it, and what may be found? The values only."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from asn1crypto import x509 as asn1
from pyhanko_certvalidator.path import ValidationPath

from signing.trust.chain import Material
from signing.trust.crl import RevocationList, read_list
from signing.trust.freshness import Dates, Moment


@dataclass(frozen=True, slots=True)
class Sources:
    """What is known of revocations: lists, OCSP responses, and certificates that sign indirect lists; all DER.

    ``max_age`` is how old a list or response may be at the moment that is judged.
    """

    lists: tuple[bytes, ...]
    responses: tuple[bytes, ...] = ()
    list_issuers: tuple[bytes, ...] = ()
    max_age: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One certificate, its issuer, and the path that ends in it."""

    certificate: asn1.Certificate
    issuer: asn1.Certificate
    path: ValidationPath
    material: Material
    sources: Sources
    moment: Moment

    def lists(self) -> list[RevocationList]:
        """The lists that count at the moment."""
        return [each for each in map(read_list, self.sources.lists) if self.counts(each.dates)]

    def counts(self, dates: Dates) -> bool:
        """Whether something made and renewed then counts at the moment."""
        return self.moment.counts(dates, self.sources.max_age)


@dataclass(frozen=True, slots=True)
class Good:
    """A source knows of no revocation; made when, and known by which digests.

    ``turns`` are later moments from which it says otherwise; ``is_lasting`` tells whether there can be no others.
    """

    made: datetime
    relied: tuple[str, ...]
    is_lasting: bool = True
    turns: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Revoked:
    """A source says since when a certificate is revoked, and whether for good or on hold.

    ``is_whole`` tells whether the source has the whole story, so that the certificate was good before.
    """

    made: datetime
    relied: tuple[str, ...]
    revoked_at: datetime
    for_good: bool
    is_whole: bool = True


Finding = Good | Revoked
