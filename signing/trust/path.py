"""Does an accepted authority stand behind this signer, now, for signing?

``signing.trust.chain`` says whether RFC 5280 accepts the path, ``signing.trust.strict_store`` whether OpenSSL agrees,
and ``signing.trust.revocation`` whether everybody on it is unrevoked. Here is what we ask beyond them: the accepted
authority itself must be the signer's issuer, the certificate must be meant for signing, and the terms of the authority
must be met (``signing.trust.terms``). Paths are built from configured certificates only; those that came with the
message are not needed, since a configured chain always reaches its root.

The same issuer may be accepted by several entries, on different terms or through different chains: one that is good is
enough, but what one of them knows of revocations counts for all. What was found good is remembered
(``signing.trust.decisions``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

from asn1crypto import x509 as asn1
from pyhanko_certvalidator.authority import AuthorityWithCert
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.sig_validate import DEFAULT_SIGNATURE_VALIDATOR

from signing.certificate import MAX_BYTES
from signing.der import encoding
from signing.evidence import Fault, Reason, TrustUnavailable
from signing.trust import strict_store, window
from signing.trust.authorities import Authorities
from signing.trust.authority import Authority
from signing.trust.chain import Material, find_path
from signing.trust.decisions import Accepted, Decisions, Question
from signing.trust.freshness import Moment
from signing.trust.revocation import Undecided, Unrevoked, check_path
from signing.trust.standing import Sources
from signing.trust.terms import Terms, Use

__all__ = ["Accepted", "judge", "remembered"]

# A certificate that limits itself to other purposes, such as TLS servers or time stamps, signs no declaration.
_SIGNING_PURPOSES = frozenset(
    {
        "any_extended_key_usage",
        "client_auth",
        "email_protection",
        "microsoft_document_signing",
        "adobe_authentic_documents_trust",
        "1.3.6.1.5.5.7.3.36",  # document signing, RFC 9336
    }
)
_DECISIONS = Decisions()


@dataclass(frozen=True, slots=True)
class _Good:
    """An entry accepts a signer, and what is known about other moments."""

    accepted: Accepted
    standing: Unrevoked


def judge(
    certificate: bytes,
    authorities: Authorities,
    at: datetime,
    use: Use | None = None,
    *,
    later_revocation_counts: bool = False,
    now: datetime | None = None,
) -> Accepted | Fault:
    """Which accepted authority vouches for a signer at a moment.

    Args:
        certificate: the signer's, as DER
        at: the moment, with its time zone
        use: for which environment and message type, and whether it is a timestamp authority; None asks no authority
            about environment and message type
        later_revocation_counts: whether a certificate is refused that was revoked after the moment
        now: when it is judged, with its time zone; None for the present

    Raises:
        TrustUnavailable: if revocation can't be decided for a certificate of the path
    """
    question = Question(certificate, use or Use(), later_revocation_counts)
    if found := _DECISIONS.recall(question, authorities, at):
        return found
    issuers = _issuers(certificate, authorities)
    if isinstance(issuers, Fault):
        return issuers
    issuers = _told_by_each_other(issuers)
    moment = Moment(at, now or datetime.now(UTC), later_revocation_counts)
    good = _first_good(_Signer(certificate, question.use, moment), issuers)
    if isinstance(good, Fault):
        return good
    if good.standing.is_lasting and not window.is_about_to_grow(issuers, moment):
        turns = (*window.turning_points(certificate, issuers), *good.standing.turns)
        _DECISIONS.remember(question, authorities, good.accepted, at, turns)
    return good.accepted


def remembered(
    certificate: bytes,
    authorities: Authorities,
    at: datetime,
    use: Use | None = None,
    *,
    later_revocation_counts: bool = False,
) -> Accepted | None:
    """What :func:`judge` has found before and would answer again without judging; None if it would judge."""
    return _DECISIONS.recall(Question(certificate, use or Use(), later_revocation_counts), authorities, at)


@dataclass(frozen=True, slots=True)
class _Signer:
    """Who is judged, for what, and when."""

    certificate: bytes
    use: Use
    moment: Moment

    @property
    def parsed(self) -> asn1.Certificate:
        """A fresh reading: the library keeps what it works out in the object."""
        return asn1.Certificate.load(self.certificate, strict=True)


def _issuers(certificate: bytes, authorities: Authorities) -> tuple[Authority, ...] | Fault:
    """The entries whose key signed a certificate."""
    if len(certificate) > MAX_BYTES:
        return Fault(Reason.SHAPE, "The signer's certificate is larger than 8 kB.")
    try:
        leaf = asn1.Certificate.load(certificate, strict=True)
        issuers = tuple(authority for authority in authorities if _issued(authority, leaf))
    except MemoryError:  # the worker's limit is our own trouble
        raise
    except Exception:  # asn1crypto raises whatever hostile bytes lead it to
        return Fault(Reason.SYNTAX, "The signer's certificate cannot be read.")
    if not issuers:
        return Fault(Reason.NOT_ACCEPTED, "The signer's certificate was not issued by an accepted authority.")
    return issuers


def _told_by_each_other(issuers: tuple[Authority, ...]) -> tuple[Authority, ...]:
    """Entries of one issuer, each with what all of them know: whom a newer list of one revokes, no other accepts."""
    if len(issuers) == 1:
        return issuers
    lists = dict.fromkeys(der for authority in issuers for der in authority.crls)
    responses = dict.fromkeys(der for authority in issuers for der in authority.responses)
    return tuple(replace(each, crls=tuple(lists), responses=tuple(responses)) for each in issuers)


def _first_good(signer: _Signer, issuers: Sequence[Authority]) -> _Good | Fault:
    faults: list[Fault] = []
    unknown: list[TrustUnavailable] = []
    for authority in issuers:
        match _judge_by(authority, signer):
            case _Good() as good:
                return good
            case Fault() as fault:
                faults.append(fault)
            case Undecided() as undecided:
                unknown.append(_unavailable(undecided, authority))
    if unknown:
        raise unknown[0]
    return faults[0]


def _unavailable(undecided: Undecided, authority: Authority) -> TrustUnavailable:
    return TrustUnavailable(undecided.issuer, "revocation is unknown", authority.name, undecided.certificate)


def _judge_by(authority: Authority, signer: _Signer) -> _Good | Fault | Undecided:
    """What one entry says of a signer; what is refused anyway doesn't wait for a revocation list."""
    leaf, at = signer.parsed, signer.moment.at
    if refusal := authority.terms.refusal(at, signer.use):
        return Fault(Reason.POLICY, refusal)
    for fault in _misuse(leaf, authority.terms, signer.use):
        return fault
    material = _material(authority)
    path = _path(authority, signer, material)
    if isinstance(path, Fault):
        return path
    standing = check_path(path, material, _sources(authority), signer.moment)
    chain = (authority.certificate, *authority.chain)
    if isinstance(standing, Fault):
        return replace(standing, chain=chain)
    if not isinstance(standing, Unrevoked):
        return standing
    return _Good(Accepted(authority.name, chain, standing.relied), standing)


def _path(authority: Authority, signer: _Signer, material: Material) -> ValidationPath | Fault:
    """The path through the accepted authority itself, if both engines accept it."""
    leaf, at = signer.parsed, signer.moment.at
    path = find_path(leaf, material, at)
    if isinstance(path, Fault):
        return path
    if path.find_issuing_authority(leaf) != AuthorityWithCert(_certificate(authority.certificate)):
        return Fault(Reason.NOT_ACCEPTED, "The signer's certificate was not issued by an accepted authority.")
    return strict_store.check(signer.certificate, (authority.certificate, *authority.chain), at) or path


def _issued(authority: Authority, leaf: asn1.Certificate) -> bool:
    issuer = _certificate(authority.certificate)
    if issuer.subject.hashable != leaf.issuer.hashable:
        return False
    try:
        DEFAULT_SIGNATURE_VALIDATOR.validate_signature(
            leaf["signature_value"].native,
            encoding(leaf["tbs_certificate"]),
            issuer.public_key,
            leaf["signature_algorithm"],
        )
    except MemoryError:  # the worker's limit is our own trouble
        raise
    except Exception:  # a wrong key type, algorithm or signature each have an error of their own
        return False
    return True


def _misuse(leaf: asn1.Certificate, terms: Terms, use: Use) -> Iterator[Fault]:
    """Why a certificate isn't meant for what it is used for."""
    try:
        usages = leaf.key_usage_value.native if leaf.key_usage_value else set()
        purposes = set(leaf.extended_key_usage_value.native) if leaf.extended_key_usage_value else None
        policies = {policy["policy_identifier"].dotted for policy in leaf.certificate_policies_value or ()}
        is_critical = "extended_key_usage" in leaf.critical_extensions
    except MemoryError:  # the worker's limit is our own trouble
        raise
    except Exception:  # asn1crypto reads extensions late
        yield Fault(Reason.SYNTAX, "The usage or policies of the signer's certificate cannot be read.")
        return
    if not usages & terms.key_usages:
        meant = " or ".join(sorted(terms.key_usages))
        yield Fault(Reason.KEY_USAGE, f"The key usage of the signer's certificate leaves out {meant}.")
    if use.timestamps and not (purposes == {"time_stamping"} and is_critical):
        yield Fault(Reason.KEY_USAGE, "The certificate is not one for timestamps alone.")  # RFC 3161, 2.3
    if not use.timestamps and purposes is not None and not purposes & _SIGNING_PURPOSES:
        yield Fault(Reason.KEY_USAGE, "The extended key usage of the signer's certificate leaves out signing.")
    if terms.policies and not policies & terms.policies:
        yield Fault(Reason.POLICY, "The signer's certificate has none of the policies that are required.")


def _material(authority: Authority) -> Material:
    root, *below = reversed([_certificate(der) for der in (authority.certificate, *authority.chain)])
    return Material(root, tuple(below))


def _sources(authority: Authority) -> Sources:
    age = authority.terms.revocation_max_age
    return Sources(authority.crls, authority.responses, authority.list_issuers, age)


@lru_cache(maxsize=256)
def _certificate(der: bytes) -> asn1.Certificate:
    return asn1.Certificate.load(der, strict=True)
