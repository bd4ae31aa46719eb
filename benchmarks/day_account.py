"""What became of the day: the journal, ``gateway reconcile`` and ``gateway report``, and what everybody has seen.

Part of :mod:`benchmarks.day`.
"""

import csv
import json
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from benchmarks.day_figures import Account, Seen, compare
from benchmarks.day_senders import Brought, Sender
from tests.gateway_process import Site


@dataclass(frozen=True, slots=True)
class Replay:
    """A day that was lived: when it began (seconds), its senders, outages, CPU seconds, and ids at the broker."""

    began: float
    senders: Sequence[Sender]
    outages: dict[str, tuple[float, float]]
    main: float
    workers: float
    ids: dict[str, int]
    again: int


def seen_of(site: Site, brought: Sequence[Brought]) -> list[Seen]:
    """What the senders saw, beside what the journal says of the same sets."""
    rows = {str(row["name"]): row for row in _rows(site, _SUBMISSIONS)}
    sent: dict[str, list[int | None]] = {}
    for effect in _rows(site, _FORWARDED):
        sent.setdefault(effect["ticket"], []).append(effect["done_at"] if effect["state"] == "done" else None)
    found = []
    for one in brought:
        if (row := rows.get(f"GO.{one.stem}.1")) is not None:
            held = None if row["held_at"] is None else (row["held_at"], row["verdict_at"])
            forwarded = tuple(sent.get(row["ticket"], ()))
            facts = (one.arrival.purpose, one.arrival.forms, one.ready, one.accepted, row["answered_at"])
            found.append(Seen(*facts, held, forwarded, row["verdict_at"]))
    return found


_SUBMISSIONS: Final = (
    "SELECT ticket, name, verdict_at, "
    "(SELECT min(at) FROM events WHERE events.ticket = submissions.ticket AND name = 'answer.placed') AS answered_at, "
    "(SELECT min(at) FROM events WHERE events.ticket = submissions.ticket AND name = 'submission.held') AS held_at "
    "FROM submissions"
)
_FORWARDED: Final = "SELECT ticket, state, done_at FROM effects WHERE kind = 'forward'"


def _rows(site: Site, query: str) -> list[sqlite3.Row]:
    journal = sqlite3.connect(f"file:{site.settings.journal.path}?mode=ro", uri=True, timeout=60)
    journal.row_factory = sqlite3.Row
    try:
        return journal.execute(query).fetchall()
    finally:
        journal.close()


def account_of(replay: Replay) -> Account:
    """What the senders were told and found, held against what came from the broker."""
    told = {stem: is_valid for one in replay.senders for stem, is_valid in one.sent.told.items()}
    answers = [
        (answer.stem, answer.ticket, answer.accepted)
        for one in replay.senders
        for answer in one.fetched.answers.values()
    ]
    forms = {each.stem: each.arrival.forms for one in replay.senders for each in one.brought}
    return compare(told, answers, forms, replay.ids)


def reconciled(site: Site, replay: Replay) -> dict[str, Any]:
    """What ``gateway reconcile`` says, every byte and the senders' own lists included."""
    file = site.work / "told.csv"
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        for one in replay.senders:
            tickets = {answer.stem: answer.ticket for answer in one.fetched.answers.values()}
            writer.writerows((f"FI.{stem}.1.1", tickets.get(stem, "")) for stem in one.sent.told)
    said: dict[str, Any] = json.loads(_said(site, "reconcile", "--hash", "--json", "--sent", str(file)))
    return said


def promised(site: Site, replay: Replay) -> str:
    """What ``gateway report`` says of the day (of the calendar) on which the replay began."""
    day = datetime.fromtimestamp(replay.began, UTC)
    return _said(site, "report", "--worst", "0", "--day", f"{day:%Y-%m-%d}").partition("\n\nheld")[0]


def _said(site: Site, *words: str) -> str:
    command = [sys.executable, "-m", "gateway", *words, "--config", str(site.settings_file)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - ourselves
    return done.stdout
