"""Is every certificate of a path unrevoked? Yes, no, or nobody can say now.

Each certificate is looked up on the lists that stand for themselves (``signing.trust.crl``), in OCSP responses that
name it, and, where no list stands for itself, by all lists together (``signing.trust.full_rules``).

When sources differ, a certificate revoked for good stays so, and the newest source says whether one is on hold
(RFC 5280, 5.3.1). Nobody is refused for want of knowledge: that is ``Undecided``, which names whom to ask.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from asn1crypto import x509 as asn1
from pyhanko_certvalidator.path import ValidationPath

from signing.der import encoding
from signing.evidence import Fault, Reason
from signing.trust.chain import Material
from signing.trust.crl import UnreadableLineError, may_sign_lists, read_certificate
from signing.trust.freshness import Moment
from signing.trust.full_rules import by_other_lists, in_responses
from signing.trust.standing import Finding, Good, Question, Revoked, Sources


@dataclass(frozen=True, slots=True)
class Unrevoked:
    """Nobody on the path is revoked.

    ``relied`` has the SHA-256 (hexadecimal) of the lists and responses that say so; ``turns`` the later moments from
    which they say otherwise. ``is_lasting`` tells whether that is all there is to know about other moments.
    """

    relied: tuple[str, ...] = ()
    turns: tuple[datetime, ...] = ()
    is_lasting: bool = True


@dataclass(frozen=True, slots=True)
class Undecided:
    """Nobody can say now whether a certificate (DER) of an issuer is revoked."""

    issuer: str
    certificate: bytes


def check_path(
    path: ValidationPath, material: Material, sources: Sources, moment: Moment
) -> Unrevoked | Fault | Undecided:
    """Whether every certificate of a valid path, but the anchor, is unrevoked.

    Args:
        material: what the path was built from
    """
    certificates = list(path.iter_certs(include_root=True))
    undecided: Undecided | None = None
    good: list[Unrevoked] = []
    for length, (issuer, certificate) in enumerate(pairwise(certificates), 1):
        ending = ValidationPath(path.trust_anchor, interm=certificates[1:length], leaf=certificate)
        match _standing(Question(certificate, issuer, ending, material, sources, moment)):
            case Revoked() as revoked:
                return _fault(revoked, is_signer=length == len(certificates) - 1)
            case Good() as found:
                good.append(Unrevoked(found.relied, found.turns, found.is_lasting))
            case None:
                undecided = undecided or Undecided(_name_of(issuer), encoding(certificate))
    return undecided or _together(good)


def _name_of(issuer: asn1.Certificate) -> str:
    """As commands and openssl write it (RFC 4514), so that an operator finds the one by the other."""
    try:
        return read_certificate(encoding(issuer)).subject.rfc4514_string()
    except ValueError:
        return str(issuer.subject.human_friendly)


def _together(good: Sequence[Unrevoked]) -> Unrevoked:
    relied = dict.fromkeys(digest for each in good for digest in each.relied)
    turns = tuple(turn for each in good for turn in each.turns)
    return Unrevoked(tuple(relied), turns, all(each.is_lasting for each in good))


def _standing(question: Question) -> Finding | None:
    try:
        findings = [*_on_lists(question)]
    except UnreadableLineError:
        return None
    if not findings:
        findings = [*by_other_lists(question)]
    findings += in_responses(question)
    return _weigh(findings, question.moment) if findings else None


def _weigh(findings: Sequence[Finding], moment: Moment) -> Finding | None:
    """What several sources together say."""
    newest = max(findings, key=lambda finding: (finding.made, isinstance(finding, Revoked)))
    revoked = [each for each in findings if isinstance(each, Revoked) and (each.for_good or each is newest)]
    in_force = [each for each in revoked if moment.revokes(each.revoked_at)]
    if in_force:
        return min(in_force, key=lambda each: each.revoked_at)
    if not any(isinstance(each, Good) or each.is_whole for each in findings):
        return None
    relied = tuple(digest for each in findings for digest in each.relied)
    good = [each for each in findings if isinstance(each, Good)]
    turns = (*(each.revoked_at for each in revoked), *(turn for each in good for turn in each.turns))
    return Good(newest.made, relied, all(each.is_lasting for each in good), turns)


def _on_lists(question: Question) -> Iterator[Finding]:
    """What the lists say that stand for themselves.

    Raises:
        UnreadableLineError: if the certificate is on one, in words that we don't understand
    """
    try:
        certificate = read_certificate(encoding(question.certificate))
        issuer = read_certificate(encoding(question.issuer))
        if not may_sign_lists(issuer):
            return
        mine = [each for each in question.lists() if each.crl.issuer == issuer.subject and each.is_signed_by(issuer)]
        complete = [each for each in mine if each.stands_for(certificate)]
        if any(each.has_deltas and any(other.continues(each) for other in mine) for each in complete):
            return  # newer news than any of these lists has
    except MemoryError:  # the worker's limit is our own trouble
        raise
    except Exception:  # extensions that break a rule each have an error of their own: the library is to judge
        return
    for each in complete:
        line = each.find(certificate.serial_number)
        made, relied = each.dates.this_update, (each.digest,)
        yield Revoked(made, relied, line.revoked_at, line.for_good) if line else Good(made, relied)
    # A list that doesn't say that it has deltas may have one all the same: somebody put it there. What such a delta
    # revokes is revoked; what it takes back isn't heard.
    for each in mine:
        if complete and each.is_delta and not each.is_indirect and (line := each.find(certificate.serial_number)):
            yield Revoked(each.dates.this_update, (each.digest,), line.revoked_at, line.for_good)


def _fault(revoked: Revoked, *, is_signer: bool) -> Fault:
    whose = "signer's certificate" if is_signer else "certificate of an authority above the signer"
    words = f"The {whose} was revoked on {revoked.revoked_at:%Y-%m-%d}."
    return Fault(Reason.REVOKED, words, revocation=revoked.relied)
