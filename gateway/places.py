"""What is there to fetch for the accepted authorities, and from where?

Only the places that the entries name (``crl_from``, ``ocsp_from``; never an address inside a certificate): every
revocation list of every entry, and the OCSP answers about registered certificates that an entry's authority issued.
Of these only the last 500 of a site, the others when they are used: every answer that is stored makes each verification
read the folder anew, which takes the longer the more answers it has.

Nothing is fetched here: that is ``gateway.fetching``'s.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import sqlalchemy as sa
from cryptography import x509

from gateway.download import host_of
from signing.trust import revocation_files
from signing.trust.authority import Authority
from spool.journal import Journal, now
from spool.tables import certificates, senders

_MOST_REGISTERED: Final = 500


@dataclass(frozen=True, slots=True)
class Place:
    """One thing to fetch for an authority: a list, or the OCSP answer about ``certificate`` (DER)."""

    authority: str
    url: str
    host: str
    certificate: bytes | None = None
    issuer: bytes | None = None

    @property
    def kind(self) -> str:
        """``list`` or ``ocsp``."""
        return "list" if self.certificate is None else "ocsp"


def registered(journal: Journal) -> tuple[bytes, ...]:
    """The unexpired certificates (DER) that active senders are registered with now or later, the last 500 of them."""
    held, present = certificates.c, now()
    query = (
        sa.select(held.der)
        .join(senders, senders.c.number == held.sender)
        .where(senders.c.state == "active", held.der.is_not(None), held.not_after > present)
        .where(held.valid_to.is_(None) | (held.valid_to > present))
        .order_by(held.registered_at.desc())
        .limit(_MOST_REGISTERED)
    )
    with journal.read() as connection:
        return tuple(connection.execute(query).scalars())


def places_of(entries: Iterable[Authority], about: Collection[bytes]) -> list[Place]:
    """Everything to fetch: each list once, and for each of these certificates its issuer's OCSP answer.

    Args:
        entries: the accepted authorities, whose terms name the places
        about: certificates as DER
    """
    places: dict[Place, None] = {}
    for entry in entries:
        for url in entry.terms.crl_from:
            places[Place(entry.name, url, host_of(url))] = None
        if entry.terms.ocsp_from is not None:
            for certificate in about:
                if is_issued_by(certificate, entry.certificate):
                    url = entry.terms.ocsp_from
                    places[Place(entry.name, url, host_of(url), certificate, entry.certificate)] = None
    return list(places)


@lru_cache(maxsize=16_384)
def is_issued_by(certificate: bytes, issuer: bytes) -> bool:
    """Whether the issuer's name and key are those behind the certificate, both DER."""
    try:
        return revocation_files.is_issued_by(
            x509.load_der_x509_certificate(certificate), x509.load_der_x509_certificate(issuer)
        )
    except ValueError:  # a broken certificate
        return False
