"""What runs out soon, and who is told?

Once a day and at start: the gateway's own certificates, the registered certificates of active senders, and the accepted
authorities, 60, 30 and 7 days before their end and when it has passed (events ``expiry.near`` and ``expiry.passed``).
Every minute: revocation lists of an authority that have run out, so that its senders' submissions are being held
(``revocation.stale``). Each is told once, and again after a restart.

Nothing is decided or changed here: a signature by an expired certificate is refused by ``signing``.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa
import structlog
from cryptography import x509
from sqlalchemy.engine import Connection

from config.errors import ConfigurationError
from config.settings import Settings, Signing
from signing.own import own_keys
from signing.trust.authorities import Authorities, current
from spool.journal import Journal
from spool.tables import certificates, senders

log = structlog.get_logger()

DAYS: Final = (7, 30, 60)
_PASSED: Final = -1
_DAY: Final = timedelta(days=1)
_PAUSE: Final = 60.0
# What ended longer ago is no news, where it is one of many.
_OLD_NEWS: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Expiry:
    """Something that ends: in words for an operator, and the first moment at which it is no longer good."""

    what: str
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Warned:
    """What is told of an end: whole days that are left, negative when it has passed, and the mark it crossed."""

    expiry: Expiry
    days_left: int
    mark: int


def due_warnings(expiries: Iterable[Expiry], at: datetime, told: Mapping[Expiry, int]) -> list[Warned]:
    """Which ends to tell of at the moment ``at``; ``told`` has the mark that each was last told at.  Pure."""
    warned = []
    for expiry in expiries:
        days = (expiry.not_after - at) // _DAY
        mark = _PASSED if expiry.not_after <= at else next((limit for limit in DAYS if days <= limit), None)
        if mark is not None and told.get(expiry) != mark:
            warned.append(Warned(expiry, days, mark))
    return warned


class Watch:
    """Watches for one site."""

    def __init__(self, settings: Settings, journal: Journal) -> None:
        self._settings = settings
        self._journal = journal
        self._told: dict[Expiry, int] = {}
        self._stale: set[Expiry] = set()
        self._looked: datetime | None = None
        self._seen: Authorities | None = None
        self._ends: list[Expiry] = []

    async def turn(self) -> float:
        """Look, and tell what is new; answers seconds until the next look.

        Raises:
            TemporaryError: the authorities or the register cannot be read.
        """
        await asyncio.to_thread(self.look, datetime.now(UTC))
        return _PAUSE

    def look(self, at: datetime) -> None:
        """Tell what is to be told at the moment ``at``."""
        authorities = current(self._settings.trust.authorities)
        self._look_at_lists(authorities, at)
        # Once a day, and when the clock was put back.
        if self._looked is None or not timedelta(0) <= at - self._looked < _DAY:
            expiries = [*own_expiries(self._settings.signing, at), *authority_expiries(authorities)]
            with self._journal.read() as connection:
                expiries.extend(registered_expiries(connection, at))
            warned = due_warnings(expiries, at, self._told)
            present = set(expiries)
            self._told = {expiry: mark for expiry, mark in self._told.items() if expiry in present}
            self._looked = at
            for item in warned:
                self._told[item.expiry] = item.mark
                _tell(item)

    def _look_at_lists(self, authorities: Authorities, at: datetime) -> None:
        if authorities is not self._seen:
            # Reading a large list takes a while, and ``current`` gives the same object until something has changed.
            ends = ((entry.name, entry.fresh_until) for entry in authorities)
            self._ends = [Expiry(name, end) for name, end in ends if end is not None]
            self._seen = authorities
        stale = {end for end in self._ends if end.not_after <= at}
        for end in sorted(stale - self._stale, key=lambda end: end.what):
            log.error("revocation.stale", authority=end.what, since=end.not_after.isoformat())
        self._stale = stale


def own_expiries(settings: Signing, at: datetime) -> Iterator[Expiry]:
    """The ends of the gateway's own certificates, but for one that another has replaced."""
    try:
        own = own_keys.own_certificates(settings)
    except ConfigurationError as fault:
        # A running gateway has read its keys; what is on the disk now concerns its next start.
        log.error("expiry.unknown", what="own certificate", reasons=fault.faults)
        return
    for setting, not_after in own_keys.expiries(own, at):
        yield Expiry(f"own certificate ({setting})", not_after)


def authority_expiries(authorities: Authorities) -> Iterator[Expiry]:
    """For each accepted authority the first end of its certificates, or of its acceptance."""
    for entry in authorities:
        ends = [x509.load_der_x509_certificate(der).not_valid_after_utc for der in (entry.certificate, *entry.chain)]
        until = entry.terms.accepted_to
        yield Expiry(f"authority {entry.name}", min(ends if until is None else [*ends, until]))


def registered_expiries(connection: Connection, at: datetime) -> Iterator[Expiry]:
    """The ends of the certificates that active senders are registered with, but for what ended long ago."""
    present, old = int(at.timestamp() * 1_000_000), int((at - _OLD_NEWS).timestamp() * 1_000_000)
    held = certificates.c
    query = (
        sa.select(held.sender, held.fingerprint, held.not_after)
        .join(senders, senders.c.number == held.sender)
        .where(senders.c.state == "active", held.not_after > old)
        .where(held.valid_to.is_(None) | (held.valid_to > present))
        .order_by(held.sender, held.fingerprint)
    )
    for sender, fingerprint, not_after in connection.execute(query):
        end = datetime.fromtimestamp(not_after / 1_000_000, tz=UTC)
        yield Expiry(f"certificate {fingerprint[:16]} of sender {sender}", end)


def _tell(item: Warned) -> None:
    ends = item.expiry.not_after.isoformat()
    if item.mark == _PASSED:
        log.error("expiry.passed", what=item.expiry.what, ended=ends, days_left=item.days_left)
    else:
        log.warning("expiry.near", what=item.expiry.what, ends=ends, days_left=item.days_left)
