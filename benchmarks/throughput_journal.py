"""Journals with much in them: submissions that are settled, and submissions that wait.

Part of :mod:`benchmarks.throughput`. Rows go straight into the tables, the events with a chain that verifies; what is
settled is sealed, as it is in a gateway that was not filled in an instant. What waits is in custody as if it had been
taken there; its files are links to a few.
"""

import asyncio
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from benchmarks.throughput_sets import MadeSet, Signer
from benchmarks.throughput_sets import make as make_set
from benchmarks.throughput_site import SENDERS, make, serving
from gateway.sealing import Sealer
from signing.own.own_keys import open_keys
from spool import chain, tables
from spool.checkpoints import CHECKPOINTS, Checkpoints
from spool.custody import ENVELOPE
from spool.journal import Journal, open_journal
from tests.gateway_process import Site

FEW: Final = 10_000
"""Enough to wait for as long as is measured, and next to nothing."""

_WARM_SECONDS: Final = 5.0
_SECONDS: Final = 20.0
_BATCH: Final = 5000
_LINKS: Final = 5000  # to one file; ext4 allows 65,000
_LONG_AGO: Final = 90 * 86_400_000_000


_CLOSED: Final = (
    "SELECT count(CASE WHEN state = 'accepted' THEN 1 END), count(*) FROM submissions "
    "WHERE closed_at > ? AND closed_at <= ?"
)


@dataclass(frozen=True, slots=True)
class Filling:
    """How many submissions are settled, and how many wait."""

    settled: int
    waiting: int

    @property
    def words(self) -> str:
        """Told in a report."""
        return f"with {self.settled:,} settled and {self.waiting:,} waiting"


def drain(folder: Path, broker: str, filling: Filling) -> float:
    """How many submissions a second are answered and forwarded of those that wait; nobody sends anything meanwhile."""
    folder.mkdir()
    site = make(folder, broker)
    fill(site, filling)
    with serving(site) as gateway:
        time.sleep(_WARM_SECONDS)
        begun = time.time_ns() // 1000
        time.sleep(_SECONDS)
        [(accepted, closed)] = gateway.ask(_CLOSED, begun, begun + int(_SECONDS * 1e6))
    if accepted < closed:
        raise SystemExit(f"{closed - accepted} of {closed} were not accepted")
    return closed / _SECONDS


def fill(site: Site, filling: Filling) -> None:
    """Write so many submissions into the journal and the custody of ``site``."""
    journal = open_journal(site.settings.journal.place)
    signer = Signer.read(site.signer.key, site.signer.certificate)
    long_ago = time.time_ns() // 1000 - _LONG_AGO
    _settle(journal, make_set("200000", 1, signer), filling.settled, long_ago)
    checkpoints = Checkpoints(site.settings.spool.path / CHECKPOINTS)
    asyncio.run(Sealer(journal, checkpoints, open_keys(site.settings.signing)).seal_all())
    waiting = _Waiting(site.settings.spool.path / "custody", signer)
    for first in range(0, filling.waiting, _BATCH):
        rows = [waiting.take(number) for number in range(first, min(first + _BATCH, filling.waiting))]
        with journal.write() as connection:
            _write(connection, rows)
    journal.close()
    os.sync()  # or the gateway's own syncs would wait for gigabytes that no gateway writes in an instant


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of one submission; events are names and facts."""

    submission: dict[str, Any]
    files: list[dict[str, Any]]
    events: list[tuple[str, dict[str, Any]]]
    answer: dict[str, Any] | None = None
    effects: tuple[dict[str, Any], ...] = ()


def _write(connection: Connection, rows: list[_Rows]) -> None:
    connection.execute(sa.insert(tables.submissions), [row.submission for row in rows])
    connection.execute(sa.insert(tables.files), [file for row in rows for file in row.files])
    happened = [
        (row.submission["ticket"], row.submission["received_at"], name, facts)
        for row in rows
        for name, facts in row.events
    ]
    chain.append(connection, happened)
    if given := [row.answer for row in rows if row.answer is not None]:
        connection.execute(sa.insert(tables.answers), given)
        connection.execute(sa.insert(tables.effects), [effect for row in rows for effect in row.effects])


def _ticket(kind: str, number: int) -> str:
    return f"{kind}{number:012d}"


def _files(made: MadeSet, stem: str, ticket: str) -> list[dict[str, Any]]:
    names = (f"FI.{stem}.1.1", f"FS.{stem}.1.1", f"GO.{stem}.1")
    return [
        {"ticket": ticket, "name": name, "size": len(data), "sha256": sha256(data).hexdigest()}
        for name, (_, data) in zip(names, made.files, strict=True)
    ]


def _submission(ticket: str, number: int, made: MadeSet, at: int) -> dict[str, Any]:
    sender, user = list(SENDERS.items())[number % len(SENDERS)]
    day = datetime.fromtimestamp(at / 1e6, UTC).strftime("%Y%m%d")
    stem = f"DIMN.{sender}.{day}.{number // len(SENDERS) + 1:05}.R"
    return {
        "ticket": ticket, "received_at": at, "channel": "sftp", "sender": sender, "username": user,
        "directory": "IN", "name": f"GO.{stem}.1", "stem": stem, "content": sha256(made.data).hexdigest(),
        "state": "received", "attempts": 0, "next_attempt_at": 0, "verdict_at": None, "findings": None,
        "certificate": None, "schema_version": None, "forms": None, "closed_at": None, "message_id": None,
    }  # fmt: skip


# --- what is settled


def _settle(journal: Journal, made: MadeSet, count: int, since: int) -> None:
    for first in range(0, count, _BATCH):
        rows = [_settled(number, made, since + number) for number in range(first, min(first + _BATCH, count))]
        with journal.write() as connection:
            _write(connection, rows)


def _settled(number: int, made: MadeSet, at: int) -> _Rows:
    ticket = _ticket("A", number)
    submission = _submission(ticket, number, made, at)
    submission |= {"state": "accepted", "verdict_at": at, "findings": [], "forms": 3, "closed_at": at}
    stem = f"ACRF.999999.{_ticket('', number)}.R"
    facts = {"checks": ["sender", "set", "repeats", "signature", "validation", "mandates"], "codes": [], "forms": 3}
    events: list[tuple[str, dict[str, Any]]] = [
        ("custody.taken", {"name": submission["name"], "files": 3}),
        ("verdict.accepted", facts),
        ("answer.placed", {"stem": stem}),
        ("submission.closed", {}),
    ]
    answer = {
        "ticket": ticket, "ordinal": 1, "sender": submission["sender"], "directory": "OUT", "prefix": "FO",
        "stem": stem, "data": made.data[:1500], "signature": made.signature, "channel": "sftp", "correlation": None,
    }  # fmt: skip
    effects = tuple(_done(ticket, kind, ordinal, at) for kind, ordinal in _EFFECTS)
    return _Rows(submission, _files(made, submission["stem"], ticket), events, answer, effects)


_EFFECTS: Final = (("answer", 1), ("forward", 1), ("forward", 2), ("forward", 3))


def _done(ticket: str, kind: str, ordinal: int, at: int) -> dict[str, Any]:
    facts = {"answer_of": ticket, "ordinal": ordinal}
    return {"ticket": ticket, "kind": kind, "ordinal": ordinal, "facts": facts, "state": "done", "done_at": at}


# --- what waits


class _Waiting:
    """Puts submissions into custody."""

    def __init__(self, custody: Path, signer: Signer) -> None:
        self._custody = custody
        self._originals = custody.parent / "originals"
        self._originals.mkdir()
        self._sets = self._make(signer)

    def _make(self, signer: Signer) -> Iterator[tuple[MadeSet, list[Path], int]]:
        for serial in range(1, 100_000):
            made = make_set("200000", serial, signer)
            kept = [self._originals / name for name, _ in made.files]
            for path, (_, data) in zip(kept, made.files, strict=True):
                path.write_bytes(data)
            # What was signed after it was received is refused.
            yield made, kept, time.time_ns() // 1000

    def take(self, number: int) -> _Rows:
        """The submission with this number."""
        if number % _LINKS == 0:
            self._made, self._kept, self._since = next(self._sets)
        ticket, at = _ticket("B", number), self._since + number % _LINKS
        submission = _submission(ticket, number, self._made, at)
        files = _files(self._made, submission["stem"], ticket)
        folder = self._custody / datetime.fromtimestamp(at / 1e6, UTC).strftime("%Y-%m-%d") / ticket
        folder.mkdir(parents=True)
        for path, file in zip(self._kept, files, strict=True):
            os.link(path, folder / file["name"])
        (folder / ENVELOPE).write_text(json.dumps({"ticket": ticket, "received_at": at}))
        return _Rows(submission, files, [("custody.taken", {"name": submission["name"], "files": 3})])
