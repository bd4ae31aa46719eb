"""What may a sender read about its own submissions, without a portal?

Documents made from the journal when they are read: one for each ticket, the list of today, and a history for a
spreadsheet. Beside them every answer that was ever made for this sender can be read again, by the names that these
documents give, also when it was deleted in OUT; so can the messages that institutions sent by themselves. Only what
concerns the sender is looked up: its number is in every query.

Bounds: the newest `LISTED` tickets are listed and any can be read; the lists hold the newest `ROWS` submissions, and
`LISTED` unfetched answers.  What today's list leaves out it counts.
Nothing of the content of a declaration is in here, but names of files, codes and words.
"""

import csv
import io
import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.codes import Code
from schemas.wording import Language, code_text
from spool import maintenance
from spool import status_left_out as left
from spool import status_messages as messages
from spool import submissions as journal_of
from spool.answers import FETCHED, file_names
from spool.effects import Kind
from spool.expiries import warnings_of
from spool.journal import Journal
from spool.mailbox import Document, Entry
from spool.status_messages import fetched_at
from spool.submissions import State, StoredFile, Submission
from spool.tables import answers, effects, files, senders, submissions

__all__ = ["FETCHED", "HISTORY", "LISTED", "ROWS", "TODAY", "Document", "Status"]

LISTED: Final = 500
ROWS: Final = 2000
TODAY: Final = "today.json"
HISTORY: Final = "history.csv"
_TICKET: Final = re.compile(r"([0-9A-Z]{13})\.json")
_COLUMNS: Final = (
    "ticket",
    "received",
    "directory",
    "name",
    "state",
    "verdict",
    "forms",
    "codes",
    "answers",
    "fetched",
)


@dataclass(frozen=True, slots=True)
class _Answer:
    directory: str
    channel: str
    files: tuple[str, ...]
    fetched: int | None


@dataclass(frozen=True, slots=True)
class _Known:
    """What the journal knows of one submission, besides itself."""

    submission: Submission
    answers: list[_Answer]
    files: list[StoredFile]

    @property
    def state(self) -> str:
        """Where it stands, as its sender is told."""
        # Whether a person looks at it is no business of its sender.
        held = self.submission.state is State.QUARANTINED
        return (State.HELD if held else self.submission.state).value

    @property
    def modified(self) -> float:
        """When the last thing happened to it, in seconds since the epoch."""
        submission = self.submission
        fetched = [answer.fetched or 0 for answer in self.answers]
        moments = [submission.received_at, submission.verdict_at or 0, submission.closed_at or 0, *fetched]
        return max(moments) / 1_000_000

    @property
    def fetched(self) -> int | None:
        """When the last of its answers was fetched; None while one was not."""
        moments = [answer.fetched for answer in self.answers]
        return max((moment for moment in moments if moment is not None), default=None) if all(moments) else None


class Status:
    """The documents of every sender.  Every method reads the journal and may block on it.

    Args:
        journal: where everything is looked up.
        zone: the day of ``today.json`` and every time are those of this zone.
    """

    def __init__(self, journal: Journal, zone: ZoneInfo) -> None:
        self._journal = journal
        self._zone = zone

    def entries(self, sender: str) -> list[Entry]:
        """What ``sender`` can list, with the sizes the documents have now."""
        with self._journal.read() as connection:
            known = _known(connection, sender, LISTED)
            language = _language(connection, sender)
            lists = {name: make(connection, sender) for name, make in self._lists().items()}
            seen = messages.newest(connection, sender, LISTED)
        documents = {f"{one.submission.ticket}.json": self._ticket(one, language) for one in known}
        found = documents | {f"{one.ticket}.json": self._message(one) for one in seen} | lists
        return [Entry(name, len(document.data), document.modified) for name, document in sorted(found.items())]

    def document(self, sender: str, name: str) -> Document | None:
        """The document ``name`` of ``sender``, or None if there is none."""
        with self._journal.read() as connection:
            make = self._lists().get(name)
            if make is not None:
                return make(connection, sender)
            if ticket := _TICKET.fullmatch(name):
                if known := _known(connection, sender, 1, ticket[1]):
                    return self._ticket(known[0], _language(connection, sender))
                return next(map(self._message, messages.newest(connection, sender, 1, ticket[1])), None)
            return messages.file(connection, sender, name)

    def _lists(self) -> dict[str, Callable[[Connection, str], Document]]:
        return {TODAY: self._today, HISTORY: self._history}

    # --- the documents

    def _ticket(self, known: _Known, language: Language) -> Document:
        facts = self._summary(known) | {
            "findings": [
                {"code": code, "text": _meaning(code, language), "detail": detail}
                for code, detail in known.submission.findings
            ],
            "files": [asdict(file) for file in known.files],
            "answers": [
                {
                    "directory": None if answer.channel == "mq" else answer.directory,
                    "channel": answer.channel,
                    "files": answer.files,
                    "fetched": self._when(answer.fetched),
                }
                for answer in known.answers
            ],
        }
        return Document(_json(facts), known.modified)

    def _message(self, seen: messages.Seen) -> Document:
        facts = seen.facts | {"received": self._when(seen.received), "fetched": self._when(seen.fetched)}
        return Document(_json(facts), max(seen.received, seen.fetched or 0) / 1_000_000)

    def _today(self, connection: Connection, sender: str) -> Document:
        now = datetime.now(self._zone)
        at = int(now.timestamp() * 1_000_000)
        window = maintenance.planned(connection, at)
        midnight = int(now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1_000_000)
        known = [one for one in _known(connection, sender, ROWS) if one.submission.received_at >= midnight]
        seen = [one for one in messages.newest(connection, sender, LISTED) if one.received >= midnight]
        unfetched = [_unfetched(connection, sender), messages.unfetched(connection, sender, LISTED)]
        left_out = {
            "submissions": left.submissions_since(connection, sender, midnight) - ROWS if len(known) == ROWS else 0,
            "messages": left.messages_since(connection, sender, midnight) - LISTED if len(seen) == LISTED else 0,
            "answers_not_fetched": left.unfetched(connection, sender) - sum(map(len, unfetched))
            if LISTED in map(len, unfetched)
            else 0,
        }
        facts = {
            "day": now.date().isoformat(),
            "complete": not any(left_out.values()),
            "left_out": left_out,
            "maintenance": None if window is None else maintenance.facts(window, at, self._zone),
            "submissions": [self._summary(one) | {"answers": _names(one.answers)} for one in known],
            "messages": [
                one.facts | {"received": self._when(one.received), "fetched": self._when(one.fetched)} for one in seen
            ],
            "warnings": [
                {"what": ending.what.value, "which": ending.key, "ends": self._when(ending.expires_at)}
                for ending in warnings_of(connection, sender, at)
            ],
            "answers_not_fetched": [name for names in unfetched for name in names],
        }
        return Document(_json(facts), max((one.modified for one in known), default=midnight / 1_000_000))

    def _history(self, connection: Connection, sender: str) -> Document:
        known = _known(connection, sender, ROWS)
        text = io.StringIO()
        rows = csv.writer(text)
        rows.writerow(_COLUMNS)
        for one in known:
            codes = " ".join(code for code, _ in one.submission.findings)
            facts = self._summary(one) | {"codes": codes, "answers": " ".join(_names(one.answers))}
            rows.writerow([facts[column] for column in _COLUMNS])
        return Document(text.getvalue().encode(), max((one.modified for one in known), default=time.time()))

    def _summary(self, known: _Known) -> dict[str, Any]:
        submission = known.submission
        return {
            "ticket": submission.ticket,
            "state": known.state,
            "directory": submission.directory,
            "name": submission.name,
            "received": self._when(submission.received_at),
            "verdict": self._when(submission.verdict_at),
            "forms": submission.forms,
            "fetched": self._when(known.fetched),
        }

    def _when(self, at: int | None) -> str | None:
        return None if at is None else datetime.fromtimestamp(at // 1_000_000, self._zone).isoformat()


def _json(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts, indent=1, ensure_ascii=False).encode() + b"\n"


def _names(given: Iterable[_Answer]) -> list[str]:
    return [answer.files[0] for answer in given]


def _meaning(code: str, language: Language) -> str:
    digits = code.removeprefix("ACRF-")
    return code_text(Code(digits), language) if digits in set(Code) else ""


def _language(connection: Connection, sender: str) -> Language:
    word = connection.execute(sa.select(senders.c.language).where(senders.c.number == sender)).scalar()
    return Language(word) if word in set(Language) else Language.EN


# --- looking things up


def _known(connection: Connection, sender: str, limit: int, ticket: str | None = None) -> list[_Known]:
    """The newest submissions of ``sender`` with their answers, newest first; only ``ticket`` if that is given."""
    if ticket is None:
        found = list(journal_of.search(connection, sender=sender, limit=limit))
    else:
        one = journal_of.load(connection, ticket)
        found = [one] if one is not None and one.sender == sender else []
    if not found:
        return []
    moments = [submission.received_at for submission in found]
    mine = (submissions.c.sender == sender) & submissions.c.received_at.between(min(moments), max(moments))
    given, received = _given(connection, sender, mine), _received(connection, mine)
    return [_Known(one, given[one.ticket], received[one.ticket]) for one in found]


def _received(connection: Connection, mine: sa.ColumnElement[bool]) -> dict[str, list[StoredFile]]:
    received: dict[str, list[StoredFile]] = defaultdict(list)
    query = (
        sa.select(files.c.ticket, files.c.name, files.c.size, files.c.sha256)
        .join(submissions, submissions.c.ticket == files.c.ticket)
        .where(mine)
        .order_by(files.c.ticket, files.c.name)
    )
    for ticket, *file in connection.execute(query):
        received[ticket].append(StoredFile(*file))
    return received


def _given(connection: Connection, sender: str, mine: sa.ColumnElement[bool]) -> dict[str, list[_Answer]]:
    """The answers to some submissions; a repeat has those of the first one."""
    given: dict[str, list[_Answer]] = defaultdict(list)
    ordinal = sa.func.coalesce(effects.c.facts["ordinal"].as_integer(), 1)
    query = (
        sa.select(effects.c.ticket, effects.c.kind, answers.c.directory, answers.c.prefix, answers.c.stem, fetched_at())
        .join(submissions, submissions.c.ticket == effects.c.ticket)
        .join(answers, (answers.c.ticket == effects.c.facts["answer_of"].as_string()) & (answers.c.ordinal == ordinal))
        .where(mine, effects.c.kind.in_((Kind.ANSWER, Kind.PUBLISH)), answers.c.sender == sender)
        .order_by(effects.c.number)
    )
    for ticket, kind, directory, prefix, stem, fetched in connection.execute(query):
        channel = "mq" if kind == Kind.PUBLISH else "sftp"
        given[ticket].append(_Answer(directory, channel, file_names(prefix, stem), fetched))
    return given


def _unfetched(connection: Connection, sender: str) -> list[str]:
    """The newest answers that nobody has fetched yet, by name, oldest first."""
    query = left.answers_unfetched(sender).limit(LISTED)
    return [f"{prefix}.{stem}" for prefix, stem in reversed(connection.execute(query).all())]
