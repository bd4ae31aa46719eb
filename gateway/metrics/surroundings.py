"""How is everything that a gateway stands on: journal, disk, broker, workers, door, certificates, revocation lists?

Found out when somebody looks.  What cannot be found out is left out, and the journal's trouble is a metric itself; a
label is the name of a stage, of a setting, or of an accepted authority, which an operator chose.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from cryptography import x509
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.engine import Connection

from config.errors import ConfigurationError, TemporaryError
from config.settings import Settings
from gateway.health import Running, stops
from gateway.metrics import inside
from gateway.metrics.inside import HASHINGS, INSIDE
from gateway.metrics.signatures import Signatures
from gateway.metrics.spool_bytes import SpoolBytes
from gateway.metrics.waiting import waiting
from gateway.watch import authority_expiries
from signing.own import own_keys
from signing.trust.authorities import Authorities, current
from spool import maintenance, processes
from spool.files import free_bytes
from spool.journal import Journal
from spool.tables import certificates, checkpoints, events, senders, ssh_keys, technical_users

_DAY: Final = timedelta(days=1)
_SECOND: Final = 1_000_000
_MARKS: Final = (7, 30, 60)

GAUGES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "gateway_journal_up": ("Whether the journal can be read.", ()),
    "gateway_journal_read_seconds": ("How long the questions about what waits took.", ()),
    "gateway_waiting": ("What waits at a stage; 100000 stands for more too.", ("stage",)),
    "gateway_waiting_oldest_seconds": ("How long ago the oldest that waits at a stage came in.", ("stage",)),
    **INSIDE,
    "gateway_disk_free_bytes": ("What the disk has left for us.", ("place",)),
    "gateway_disk_size_bytes": ("How large the disk is.", ("place",)),
    "gateway_disk_free_inodes": ("How many more files the disk has room for, where it counts them.", ("place",)),
    "gateway_disk_reserve_bytes": ("Below so much on the disk of the spool nothing is taken in.", ()),
    "gateway_spool_bytes": ("What a part of the spool holds; measured now and then.", ("part",)),
    "gateway_intake_stopped": ("Whether nothing new is taken in, for this reason.", ("reason",)),
    "gateway_evidence_unsealed_seconds": ("How long the oldest event without a checkpoint has waited for it.", ()),
    "gateway_checkpoint_age_seconds": ("Since the last checkpoint was made; only where there is one.", ()),
    "gateway_scanner_signatures_age_seconds": (
        "Since the signatures of the content scanner were published; only where it says so.",
        (),
    ),
    "gateway_role_processes": ("Processes of the site that have a role, on whatever host.", ("role",)),
    "gateway_revocation_age_seconds": ("Age of the oldest revocation list in use of an authority.", ("authority",)),
    "gateway_revocation_left_seconds": (
        "Until the revocation lists of an authority count no more; negative: its senders are held.",
        ("authority",),
    ),
    "gateway_authority_days_left": ("Until an accepted authority, or its acceptance, ends.", ("authority",)),
    "gateway_own_certificate_days_left": ("Until an own certificate and its key end, by setting.", ("setting",)),
    "gateway_sender_certificates_ending": (
        "Registered certificates of active senders that end within so many days.",
        ("days",),
    ),
    "gateway_user_keys_ending": ("SSH keys of active users that end within so many days.", ("days",)),
}

_Samples = Iterator[tuple[str, tuple[str, ...], float]]


@dataclass(frozen=True, slots=True)
class Evidence:
    """For how many seconds the oldest event without a checkpoint waits, and how old the last checkpoint is."""

    waiting: float
    checkpoint: float | None

    @classmethod
    def read(cls, connection: Connection, present: int) -> "Evidence":
        """As the journal says it at ``present`` (microseconds)."""
        last = sa.func.coalesce(sa.func.max(checkpoints.c.last_event), 0)
        query = sa.select(sa.func.max(checkpoints.c.sealed_at), sa.select(last).scalar_subquery())
        sealed_at, number = connection.execute(query).one()
        oldest = connection.execute(
            sa.select(events.c.at).where(events.c.number > number).order_by(events.c.number).limit(1)
        ).scalar()
        age = None if sealed_at is None else max(0, present - sealed_at) / _SECOND
        return cls(0.0 if oldest is None else max(0, present - oldest) / _SECOND, age)

    def samples(self) -> _Samples:
        """As metrics."""
        yield "gateway_evidence_unsealed_seconds", (), self.waiting
        if self.checkpoint is not None:
            yield "gateway_checkpoint_age_seconds", (), self.checkpoint


def _by_label(name: str, values: Mapping[str, float]) -> _Samples:
    for label, value in values.items():
        yield name, (label,), value


class Surroundings(Collector):
    """Looks round for one process, from any thread."""

    def __init__(self, settings: Settings, journal: Journal, running: Running) -> None:
        self._settings = settings
        self._journal = journal
        self._running = running
        self._spool_bytes = SpoolBytes(settings.spool.path)
        self._signatures = Signatures(settings.scanner)
        self._seen: Authorities | None = None
        self._lists: list[tuple[str, datetime, datetime]] = []

    def describe(self) -> Iterator[Metric]:
        """Every metric, without values."""
        yield CounterMetricFamily(*HASHINGS)
        for name, (text, labels) in GAUGES.items():
            yield GaugeMetricFamily(name, text, labels=labels)

    def collect(self) -> Iterator[Metric]:
        """Every metric that can be known."""
        families = {name: GaugeMetricFamily(name, text, labels=labels) for name, (text, labels) in GAUGES.items()}
        for name, labels, value in self._samples():
            families[name].add_metric(labels, value)
        yield from (family for family in families.values() if family.samples)
        yield from inside.hashings(self._running)

    def _samples(self) -> _Samples:
        at = datetime.now(UTC)
        yield from self._of_journal(at)
        yield from inside.samples(self._running)
        yield from self._of_disk()
        yield from _by_label("gateway_spool_bytes", self._spool_bytes.known())
        made_at = self._signatures.made_at()
        if made_at is not None:
            yield "gateway_scanner_signatures_age_seconds", (), at.timestamp() - made_at
        yield from _by_label("gateway_role_processes", processes.by_role(self._settings.spool.path))
        yield from self._of_own_certificates(at)
        yield from self._of_authorities(at)

    def _of_journal(self, at: datetime) -> _Samples:
        begun = time.monotonic()
        present = _micros(at)
        try:
            with self._journal.read() as connection:
                found = [*waiting(connection)]
                ends = [*_endings(connection, at)]
                evidence = Evidence.read(connection, present)
                window = maintenance.planned(connection, present)
        except TemporaryError:
            yield "gateway_journal_up", (), 0
            return
        yield "gateway_journal_up", (), 1
        yield "gateway_journal_read_seconds", (), time.monotonic() - begun
        for stage in found:
            age = 0.0 if stage.since is None else max(0, present - stage.since) / _SECOND
            yield "gateway_waiting", (stage.stage,), stage.count
            yield "gateway_waiting_oldest_seconds", (stage.stage,), age
        yield from ends
        yield from evidence.samples()
        closed = window is not None and window.is_closed(present)
        yield from _by_label("gateway_intake_stopped", self._stopped(evidence, is_closed=closed))

    def _of_disk(self) -> _Samples:
        spool, journal = self._settings.spool, self._settings.journal
        places = {"spool": spool.path} | ({"journal": journal.path.parent} if journal.url is None else {})
        for place, path in places.items():
            try:
                facts = os.statvfs(path)
            except OSError:
                continue
            yield "gateway_disk_free_bytes", (place,), facts.f_bavail * facts.f_frsize
            yield "gateway_disk_size_bytes", (place,), facts.f_blocks * facts.f_frsize
            if facts.f_files:
                yield "gateway_disk_free_inodes", (place,), facts.f_favail
        yield "gateway_disk_reserve_bytes", (), spool.reserve

    def _stopped(self, evidence: Evidence, *, is_closed: bool) -> dict[str, bool]:
        """What stops intake: as the door of this process sees it, or else as it is to be seen from outside."""
        settings, intake = self._settings, self._running.intake
        seen = {
            "evidence": evidence.waiting > settings.evidence.max_unsealed_seconds,
            "backlog": self._spool_bytes.known().get("declarations", 0) > settings.routing.max_waiting_bytes,
            "maintenance": is_closed,
        }
        if intake is not None:
            seen = dict.fromkeys(seen, False) | dict.fromkeys(stops(intake), True)
        try:
            return seen | {"disk": free_bytes(settings.spool.path) < settings.spool.reserve}
        except OSError:
            return seen

    def _of_own_certificates(self, at: datetime) -> _Samples:
        try:
            own = own_keys.own_certificates(self._settings.signing)
        except ConfigurationError:
            return
        for setting, not_after in own_keys.expiries(own, at):
            yield "gateway_own_certificate_days_left", (setting,), (not_after - at) / _DAY
        path = self._settings.broker.certificate
        if path is not None:
            with suppress(OSError, ValueError):
                ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
                yield "gateway_own_certificate_days_left", ("broker.certificate",), (ends - at) / _DAY

    def _of_authorities(self, at: datetime) -> _Samples:
        try:
            authorities = current(self._settings.trust.authorities)
        except (TemporaryError, ConfigurationError):
            return
        if authorities is not self._seen:
            # Reading a large list takes a while, and ``current`` gives the same object until something has changed.
            dates = ((entry.name, entry.made, entry.fresh_until) for entry in authorities)
            self._lists = [(name, made, until) for name, made, until in dates if made is not None and until is not None]
            self._seen = authorities
        for name, made, until in self._lists:
            yield "gateway_revocation_age_seconds", (name,), (at - made).total_seconds()
            yield "gateway_revocation_left_seconds", (name,), (until - at).total_seconds()
        for entry, expiry in zip(authorities, authority_expiries(authorities), strict=True):
            yield "gateway_authority_days_left", (entry.name,), (expiry.not_after - at) / _DAY


def _micros(at: datetime) -> int:
    return int(at.timestamp() * _SECOND)


def _endings(connection: Connection, at: datetime) -> _Samples:
    """How many certificates and keys end within the marks; who has an end behind him is counted no more."""
    present = _micros(at)
    held, keys = certificates.c, ssh_keys.c
    end = sa.case((held.valid_to < held.not_after, held.valid_to), else_=held.not_after)
    held_now = (
        sa.select(sa.func.count())
        .select_from(certificates.join(senders, senders.c.number == held.sender))
        .where(senders.c.state == "active", end > present)
    )
    keys_now = (
        sa.select(sa.func.count())
        .select_from(ssh_keys.join(technical_users, technical_users.c.username == keys.username))
        .where(technical_users.c.state == "active", keys.valid_to > present)
    )
    for days in _MARKS:
        limit = _micros(at + days * _DAY)
        certain = connection.execute(held_now.where(end <= limit)).scalar_one()
        yield "gateway_sender_certificates_ending", (str(days),), certain
        yield (
            "gateway_user_keys_ending",
            (str(days),),
            connection.execute(keys_now.where(keys.valid_to <= limit)).scalar_one(),
        )
