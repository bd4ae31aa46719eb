"""At which moments may the answer about a signer change, though nothing in the folder does?

Every date in the material is a turning point: where a certificate or an acceptance begins or ends, and where a list or
response stops counting. Between two neighbours the same material counts, so the same is decided
(``signing.trust.decisions``). When something becomes revoked is found by ``signing.trust.revocation``, and added by who
asks.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from cryptography import x509

from signing.trust.authority import Authority
from signing.trust.crl import read_certificate, read_list
from signing.trust.freshness import Dates, Moment, last_moment
from signing.trust.ocsp import read_response


def turning_points(certificate: bytes, issuers: Sequence[Authority]) -> Iterator[datetime]:
    """Every moment at which something begins or ends to count.

    Args:
        certificate: the signer's, DER
        issuers: the entries that may vouch for him
    """
    yield from _validity(x509.load_der_x509_certificate(certificate))
    for authority in issuers:
        yield from _terms(authority)
        for der in (authority.certificate, *authority.chain, *authority.list_issuers):
            yield from _validity(read_certificate(der))
        for dates, age in _dates(authority):
            yield last_moment(dates, age)
        for response in map(read_response, authority.responses):
            for responder in response.certificates:
                yield from _validity(responder)


def is_about_to_grow(issuers: Sequence[Authority], moment: Moment) -> bool:
    """Whether a list or response lies there that counts only when our clock has reached it."""
    return any(not moment.is_made(dates) for authority in issuers for dates, _ in _dates(authority))


def _dates(authority: Authority) -> Iterator[tuple[Dates, timedelta | None]]:
    age = authority.terms.revocation_max_age
    for each in map(read_list, authority.crls):
        yield each.dates, age
    for response in map(read_response, authority.responses):
        for answer in response.answers:
            yield answer.dates, age


def _terms(authority: Authority) -> Iterator[datetime]:
    for date in (authority.terms.accepted_from, authority.terms.accepted_to):
        if date is not None:
            yield date


def _validity(certificate: x509.Certificate) -> Iterator[datetime]:
    yield certificate.not_valid_before_utc
    yield certificate.not_valid_after_utc
