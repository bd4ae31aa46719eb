"""Which certificates were found good before, and for which moments does that still hold?

A decision depends on the certificate, on everything in the folder of authorities (certificates, lists, responses,
terms), on the use and policy, and on the moment. Between two turning points of the material, nothing in it begins or
ends to count, so every moment in between has the same answer. Only good ones are remembered: a refusal is cheap to find
again, and an unknown should end as soon as it can.

The memory belongs to one list of authorities. Asked with another one, also one that differs in a single revocation
list, it is empty. It lives in a worker process, is bounded, and is lost with it.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from signing.trust.authorities import Authorities
from signing.trust.terms import Use

_MAX_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Accepted:
    """A signer's certificate is accepted.

    ``authority`` names the entry, ``chain`` has the certificates above the signer's from the issuing authority's to the
    root's (DER), ``revocation`` the SHA-256 (hexadecimal) of the lists and responses that were relied on.
    """

    authority: str
    chain: tuple[bytes, ...] = ()
    revocation: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about a certificate, but for the moment."""

    certificate: bytes
    use: Use
    later_revocation_counts: bool


@dataclass(frozen=True, slots=True)
class _Remembered:
    accepted: Accepted
    after: datetime
    before: datetime


class Decisions:
    """What was found good under one list of authorities at a time."""

    def __init__(self, limit: int = _MAX_REMEMBERED) -> None:
        self._limit = limit
        self._authorities = Authorities()
        self._held: OrderedDict[Question, _Remembered] = OrderedDict()

    def recall(self, question: Question, authorities: Authorities, at: datetime) -> Accepted | None:
        """The decision that holds at a moment, if there is one."""
        self._belong_to(authorities)
        found = self._held.get(question)
        if found is None or not found.after < at < found.before:
            return None
        self._held.move_to_end(question)
        return found.accepted

    def remember(
        self, question: Question, authorities: Authorities, accepted: Accepted, at: datetime, turns: Iterable[datetime]
    ) -> None:
        """Keep a decision for all moments between the turning points around the one it was made for."""
        self._belong_to(authorities)
        points = set(turns)
        if at in points:
            return
        after = max((point for point in points if point < at), default=datetime.min.replace(tzinfo=UTC))
        before = min((point for point in points if point > at), default=datetime.max.replace(tzinfo=UTC))
        self._held[question] = _Remembered(accepted, after, before)
        self._held.move_to_end(question)
        while len(self._held) > self._limit:
            self._held.popitem(last=False)

    def _belong_to(self, authorities: Authorities) -> None:
        if authorities is self._authorities:
            return
        if authorities != self._authorities:
            self._held.clear()
        self._authorities = authorities
