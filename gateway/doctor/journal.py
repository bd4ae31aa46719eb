"""Is the journal there, of this release, how large is it, what waits in it, and is it sealed?"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from config.errors import ConfigurationError, TemporaryError
from gateway.doctor.finding import Finding, Patient, fine, lasting, size_in_words, trouble, unknown
from gateway.metrics.waiting import MOST, Waiting, waiting
from gateway.sealing_copies import open_copies
from spool import chain, checkpoints, maintenance, tables
from spool.files import size_of
from spool.journal import Journal, open_journal

_SECOND: Final = 1_000_000
_ON_ITS_WAY: Final = 2
_BESIDE: Final = ("", "-wal", "-shm")

_PATIENCE: Final = {
    "judge": (timedelta(minutes=5), "GatewaySubmissionsWait"),
    "held": (timedelta(minutes=15), "GatewaySubmissionsHeld"),
    "quarantined": (timedelta(0), "GatewaySubmissionsQuarantined"),
    "answer": (timedelta(minutes=5), "GatewayAnswersWait"),
    "publish": (timedelta(minutes=5), "GatewayAnswersWait"),
    "forward": (timedelta(minutes=30), "GatewayForwardsWait"),
    "parked": (timedelta(0), "GatewayMessagesParked"),
    "unpublished": (timedelta(0), "GatewayMessagesParked"),
}
"""How long the oldest may wait at a stage, and the alert that fires then; in the embedded queue it may wait long."""

_TO_DO: Final = {
    "judge": "See `gateway logs --event 'round.*'`, and the workers.",
    "held": "`gateway submissions --state held` and `gateway why TICKET` say what for.",
    "quarantined": "`gateway quarantine list` says what failed.",
    "answer": "See `gateway logs --event 'answer.not_*'`: disk or rights of the spool.",
    "publish": "`gateway mq check`.",
    "forward": "`gateway mq check`, and `gateway logs --event 'declarations.*'`.",
    "parked": "`gateway replay` lists them with the reason.",
    "unpublished": "`gateway replay` lists them with the reason.",
}


def journal(patient: Patient) -> Iterator[Finding]:
    """Where it is, whether it answers, its version and size."""
    opened = _opened(patient)
    if isinstance(opened, Finding):
        yield opened
        return
    place = patient.settings.journal.place
    with opened.read() as connection:
        yield fine(f"{_words(place)} answers, is of this release, and has {size_in_words(_size(connection, place))}")
        yield from _clock(connection)


def stages(patient: Patient) -> Iterator[Finding]:
    """What waits, how much and how long; maintenance."""
    opened = _opened(patient)
    if isinstance(opened, Finding):
        yield unknown("what waits: the journal was not read", "See the journal.")
        return
    with opened.read() as connection:
        found = list(waiting(connection))
        window = maintenance.planned(connection, _micros(patient.at))
    yield from (_of_stage(stage, patient.at) for stage in found)
    if window is not None:
        state = "on" if window.is_closed(_micros(patient.at)) else "announced"
        yield fine(f"maintenance is {state}, until {_moment(window.ends_at):%Y-%m-%d %H:%M} UTC")


def evidence(patient: Patient) -> Iterator[Finding]:
    """How old the last checkpoint is, and the oldest event without one."""
    opened = _opened(patient)
    if isinstance(opened, Finding):
        yield unknown("whether events are sealed: the journal was not read", "See the journal.")
        return
    with opened.read() as connection:
        latest = checkpoints.latest(connection)
        oldest = chain.after(connection, latest.last, 1)
        sealed_at = connection.execute(sa.select(sa.func.max(tables.checkpoints.c.sealed_at))).scalar()
    last = (
        "no checkpoint yet" if sealed_at is None else f"last checkpoint {lasting(patient.at - _moment(sealed_at))} ago"
    )
    yield from _copied(patient, latest.ordinal)
    if not oldest:
        yield fine(f"{last}; every event is sealed")
        return
    age = patient.at - _moment(oldest[0].at)
    words = f"{last}; the oldest event without one is {lasting(age)} old"
    if age > timedelta(seconds=2 * patient.settings.evidence.seal_seconds):
        to_do = "See `gateway logs --event 'round.*'` for the round `seal`, and the disk of the spool."
        yield trouble(words, to_do, "GatewayEvidenceUnsealed")
    else:
        yield fine(words)


def _copied(patient: Patient, latest: int) -> Iterator[Finding]:
    """Whether the second copies keep up; that of the latest checkpoint may be on its way."""
    copies = open_copies(patient.settings.evidence)
    if copies is None:
        return
    folder = copies.files.folder
    if latest < _ON_ITS_WAY or copies.has(latest - 1):
        yield fine(f"the second copies of checkpoints in {folder} are there")
    else:
        to_do = "See that the folder is mounted and writable, and `gateway logs --event 'checkpoint.*'`."
        yield trouble(f"checkpoint {latest - 1} has no second copy in {folder}", to_do, "GatewayCheckpointsNotCopied")


def _opened(patient: Patient) -> Journal | Finding:
    place = _place(patient)
    if isinstance(place, Finding):
        return place
    try:
        return open_journal(place)
    except ConfigurationError as fault:
        return trouble(", ".join(fault.faults), "`gateway migrate` where it is of an older release.")
    except TemporaryError as fault:
        to_do = "See that the database answers, and its disk has room."
        return trouble(f"{_words(place)}: {fault}", to_do, "GatewayJournalAway")


def _of_stage(stage: Waiting, at: datetime) -> Finding:
    count = "more than 100000" if stage.count >= MOST else str(stage.count)
    if stage.since is None:
        return fine(f"{stage.stage}: nothing waits")
    age = at - _moment(stage.since)
    words = f"{stage.stage}: {count}, the oldest for {lasting(age)}"
    patience, alert = _PATIENCE.get(stage.stage, (None, ""))
    if patience is None or (patience and age <= patience):
        return fine(words)
    return trouble(words, _TO_DO[stage.stage], alert)


def _place(patient: Patient) -> Path | str | Finding:
    try:
        place = patient.settings.journal.place
    except ConfigurationError as fault:
        return unknown(", ".join(fault.faults))
    if isinstance(place, Path):
        for path in (place.parent, place):
            try:
                path.stat()
            except PermissionError:
                return unknown(f"{place} cannot be read by this user")
            except OSError:
                break
        # Even to read it, SQLite writes beside it.
        if place.exists() and not os.access(place, os.R_OK | os.W_OK):
            return unknown(f"{place} cannot be read by this user")
    return place


def _words(place: Path | str) -> str:
    """The place, without a password."""
    return str(place) if isinstance(place, Path) else sa.make_url(place).render_as_string()


def _size(connection: Connection, place: Path | str) -> int:
    if isinstance(place, Path):
        return sum(size_of(place.with_name(place.name + suffix)) for suffix in _BESIDE)
    return int(connection.execute(sa.text("SELECT pg_database_size(current_database())")).scalar_one())


def _clock(connection: Connection) -> Iterator[Finding]:
    """Whether a database of another host has our time."""
    if connection.dialect.name != "postgresql":
        return
    there = connection.execute(sa.text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one()
    apart = timedelta(seconds=float(there)) - (datetime.now(UTC) - datetime(1970, 1, 1, tzinfo=UTC))
    if abs(apart) > timedelta(seconds=5):
        yield trouble(f"the database's clock is {lasting(apart)} off ours", "Let both be set by NTP.")


def _micros(at: datetime) -> int:
    return int(at.timestamp() * _SECOND)


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at / _SECOND, tz=UTC)
