"""What do all lists, or one OCSP response, say about a certificate, by the rules in full?

RFC 5280, 6.3 with delta lists, indirect lists and lists of some reasons or distribution points, and RFC 6960 with
responders to whom an authority delegated (4.2.2.2), as pyhanko-certvalidator has them.

The library sees only what bears on a certificate: the lists of its issuer and of those that its distribution points
name, and the same again for whoever signs one of these; and only if a known key signed them. That a list stands for
itself, and can be asked quickly, is ``signing.trust.crl``'s part.
"""

from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

from asn1crypto import crl as asn1_crl
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1
from pyhanko_certvalidator.context import ValidationContext
from pyhanko_certvalidator.errors import RevokedError
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo, ValidationTimingParams
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy, FreshnessReqType
from pyhanko_certvalidator.revinfo.validate_crl import verify_crl
from pyhanko_certvalidator.revinfo.validate_ocsp import verify_ocsp_response
from pyhanko_certvalidator.sig_validate import DEFAULT_SIGNATURE_VALIDATOR

from signing.der import encoding
from signing.trust.chain import context_for, finish
from signing.trust.crl import Memory, RevocationList, newest, read_certificate
from signing.trust.ocsp import read_response
from signing.trust.standing import Finding, Good, Question, Revoked

# Dates are judged by ``signing.trust.freshness`` before the library is asked, so it finds nothing stale.
_ANY_AGE = CertRevTrustPolicy(
    REQUIRE_REVINFO,
    freshness=timedelta(days=36_500),
    freshness_req_type=FreshnessReqType.MAX_DIFF_REVOCATION_VALIDATION,
)
_PARSED_BYTES = 16 * 1024**2  # it takes some 25 times as much in memory
_Verify = Callable[[asn1.Certificate, ValidationPath, ValidationContext], Coroutine[None, None, None]]


def by_other_lists(question: Question) -> Iterator[Finding]:
    """What all lists together say, by the rules in full."""
    lists = _signed_lists(question)
    if not lists:
        return
    dates = [each.dates.this_update for each in lists]
    made = _Made(min(dates), max(dates), tuple(each.digest for each in lists), are_whole=False)
    yield from _ask(question, _context(question, lists), verify_crl, made)


def in_responses(question: Question) -> Iterator[Finding]:
    """What each response says that names the certificate, if somebody signed it who may."""
    for der in question.sources.responses:
        response = read_response(der)
        dates = [answer.dates for answer in response.about(question.certificate.serial_number)]
        # Which of several is meant is found by the library, which doesn't look at dates.
        if not dates or not all(map(question.counts, dates)):
            continue
        made = min(each.this_update for each in dates)
        # Lists tell about a responder to whom the authority delegated; its own word needs none.
        lists = _signed_lists(question) if response.certificates else []
        context = _context(question, lists, [asn1_ocsp.OCSPResponse.load(der)])
        yield from _ask(question, context, verify_ocsp_response, _Made(made, made, (response.digest,), are_whole=True))


@dataclass(frozen=True, slots=True)
class _Made:
    """When the first and the last of some sources were made, their digests, and whether each has the whole story."""

    first: datetime
    last: datetime
    relied: tuple[str, ...]
    are_whole: bool


def _ask(question: Question, context: ValidationContext, verify: _Verify, made: _Made) -> Iterator[Finding]:
    """Put a question to the library, first about every revocation it knows of, then about those that count."""
    found = _outcome(question, context, verify)
    if found is None and question.moment.later_revocation_counts:
        return
    if isinstance(found, RevokedError):
        for_good = found.reason.native != "certificate_hold"
        yield Revoked(made.last, made.relied, found.revocation_dt, for_good, made.are_whole)
        if question.moment.revokes(found.revocation_dt):
            return
    if found is not True:
        context.timing_params = _timing(question.moment.at, point_in_time=True)
        if _outcome(question, context, verify) is True:
            yield Good(made.first, made.relied, is_lasting=found is not None)
    else:
        yield Good(made.first, made.relied)


def _outcome(question: Question, context: ValidationContext, verify: _Verify) -> Literal[True] | RevokedError | None:
    """True for good, None for unknown."""
    try:
        finish(verify(question.certificate, question.path, context))
    except RevokedError as revoked:
        return revoked
    except MemoryError:  # the worker's limit is our own trouble
        raise
    except Exception:  # besides its own errors, what it doesn't support makes the library raise what it likes
        return None
    return True


def _context(
    question: Question, lists: Sequence[RevocationList], responses: Sequence[asn1_ocsp.OCSPResponse] = ()
) -> ValidationContext:
    """What the library may know; the certificates above the one in question are known to be good."""
    others = _certificates(question.sources.list_issuers)
    parsed = [_PARSED.read(each.der) for each in lists]
    context = context_for(question.material, question.moment.at, _ANY_AGE, parsed, responses, others)
    context.timing_params = _timing(question.moment.at, point_in_time=False)
    above = list(question.path.iter_certs(include_root=True))[:-1]
    for length, certificate in enumerate(above[1:], 1):
        ending = ValidationPath(question.path.trust_anchor, interm=above[1:length], leaf=certificate)
        context.record_validation(certificate, ending)  # type: ignore[no-untyped-call]  # annotated in part
    return context


def _timing(at: datetime, *, point_in_time: bool) -> ValidationTimingParams:
    """Whether a revocation counts only from its date on, or at all."""
    return ValidationTimingParams(ValidationTimingInfo(at, at, point_in_time), timedelta(0))


def _signed_lists(question: Question) -> list[RevocationList]:
    """The lists that count at the moment, bear on the certificate, and are signed by somebody we know."""
    known = [question.material.anchor, *question.material.below, *_certificates(question.sources.list_issuers)]
    names = _names_above(question.certificate, known)
    signed = [each for each in question.lists() if each.issuer in names and _is_signed_by_one(each, known)]
    return _without_gaps(newest(signed))  # the library would add what an older one says


def _without_gaps(lists: Sequence[RevocationList]) -> list[RevocationList]:
    """Without delta lists that don't follow on their complete list: the library doesn't compare their numbers."""
    complete = [each for each in lists if not each.is_delta]
    return [*complete, *(each for each in lists if each.is_delta and _follows(each, complete))]


def _follows(delta: RevocationList, complete: Sequence[RevocationList]) -> bool:
    bases = [each for each in complete if (each.issuer, each.scope) == (delta.issuer, delta.scope)]
    return all(delta.continues(base) and delta.begins_at(base) for base in bases)


def _names_above(certificate: asn1.Certificate, known: Sequence[asn1.Certificate]) -> set[str]:
    """Who issues the lists that a certificate may be on, and those that their issuers may be on."""
    wanted, reached = _list_issuers(certificate), set[str]()
    while missing := wanted - reached:
        name = missing.pop()
        reached.add(name)
        for each in known:
            if each.subject.hashable == name:
                wanted |= _list_issuers(each)
    return reached


def _list_issuers(certificate: asn1.Certificate) -> set[str]:
    named = [point["crl_issuer"] for point in certificate.crl_distribution_points_value or ()]
    issuers = [name for names in named if names.native for name in names if name.name == "directory_name"]
    return {certificate.issuer.hashable, *(name.chosen.hashable for name in issuers)}


def _is_signed_by_one(revocations: RevocationList, known: Sequence[asn1.Certificate]) -> bool:
    """By the quick way first; the library knows older keys and algorithms, whether or not they are still accepted."""
    return any(_is_signed_quickly(revocations, each) for each in known) or any(
        _is_signed_by(revocations, each) for each in known
    )


def _is_signed_quickly(revocations: RevocationList, issuer: asn1.Certificate) -> bool:
    try:
        return revocations.is_signed_by(read_certificate(encoding(issuer)))
    except Exception:  # broken certificates each have an error of their own
        return False


def _is_signed_by(revocations: RevocationList, issuer: asn1.Certificate) -> bool:
    parsed = _PARSED.read(revocations.der)
    signature, algorithm = parsed["signature"].native, parsed["signature_algorithm"]
    try:
        DEFAULT_SIGNATURE_VALIDATOR.validate_signature(
            signature, encoding(parsed["tbs_cert_list"]), issuer.public_key, algorithm
        )
    except Exception:  # a wrong key type, algorithm or signature each have an error of their own
        return False
    return True


@lru_cache(maxsize=64)
def _certificates(ders: tuple[bytes, ...]) -> tuple[asn1.Certificate, ...]:
    return tuple(asn1.Certificate.load(der, strict=True) for der in ders)


def _parse_list(der: bytes) -> asn1_crl.CertificateList:
    parsed = asn1_crl.CertificateList.load(der, strict=True)
    for line in parsed["tbs_cert_list"]["revoked_certificates"]:
        line["user_certificate"].native  # noqa: B018 -- read once for good, since the library looks at every line
    return parsed


_PARSED = Memory(_PARSED_BYTES, _parse_list)
