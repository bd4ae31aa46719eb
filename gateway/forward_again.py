"""How are declarations sent again whose confirm is worth nothing any more, because the broker has lost its queue?

Confirmed declarations are dropped; what is in custody has them still. They are cut out of it again in a limited worker,
as when they were judged, and must lie where the journal says; then their effects are to be done once more, under the
same message ids, so a consumer that had them drops them. Nothing is judged anew. Of a submission whose files are purged
there is nothing to send. The embedded queue is in the journal, and loses nothing that the journal has.

A kill leaves a file in the folder of declarations that nobody waits for, which the next start removes.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from config.settings import Settings
from gateway.examination import (
    Content,
    ContentRules,
    NotWhatWasVerifiedError,
    RefusedSet,
    ValidatedSet,
    validate_set,
)
from gateway.register.actor import Operator
from gateway.register.history import record
from gateway.workers import Workers
from schemas.filename import FileName, parse
from schemas.validate import Limits
from signing.evidence import Fault
from signing.policy import Leniency, Policy
from signing.xmldsig import examine_enveloped
from spool import purges, submissions
from spool.custody import Custody
from spool.effects import Kind
from spool.files import move_durably
from spool.journal import Journal
from spool.submissions import State, Submission, note
from spool.tables import effects
from spool.tables import submissions as rows
from spool.waking import Topic, wake

_PAGE: Final = 500
_VERDICT: Final = "verdict.accepted"


class NotAgainError(Exception):
    """The declarations of a ticket cannot be sent again; the message says why."""


@dataclass(frozen=True, slots=True)
class Resender:
    """Has the declarations of a site's tickets sent again."""

    settings: Settings
    journal: Journal
    workers: Workers

    def tickets(self, since: int) -> Iterator[str]:
        """The submissions of which a message was confirmed since a moment, in their order.  Blocks on the journal."""
        after = ""
        while True:
            query = (
                sa.select(effects.c.ticket)
                .where(effects.c.kind == Kind.FORWARD, effects.c.state == "done", effects.c.done_at >= since)
                .where(effects.c.ticket > after)
                .distinct()
                .order_by(effects.c.ticket)
                .limit(_PAGE)
            )
            with self.journal.read() as connection:
                page = list(connection.execute(query).scalars())
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1]

    async def send(self, ticket: str, who: Operator, reason: str, since: int = 0) -> int:
        """Have what was confirmed of ``ticket`` since a moment sent again; answers how many messages.

        Raises:
            NotAgainError: it cannot be.
            WorkerFailedError, TemporaryError: not now.
        """
        with self.journal.read() as connection:
            submission = submissions.load(connection, ticket)
            timeline = submissions.timeline(connection, ticket)
            done = _done(connection, ticket, since)
        if submission is None or submission.state is not State.ACCEPTED:
            raise NotAgainError("it is no accepted submission")
        verdicts = [event.facts for event in timeline if event.name == _VERDICT]
        spans = [(item["offset"], item["length"]) for item in done.values() if "offset" in item]
        if spans:
            await self._cut(submission, (verdicts or [{}])[-1], spans)
        with self.journal.write() as connection:
            if purges.gone(connection, purges.Kind.PAYLOAD, [ticket]):
                raise NotAgainError("its files are purged")
            count = _plan_again(connection, list(done))
            if count:
                note(connection, ticket, "declarations.sent_again", count=count, reason=reason)
                record(connection, who, "messages.sent_again", f"ticket:{ticket}", reason, None, {"messages": count})
        return count

    async def _cut(self, submission: Submission, verdict: Mapping[str, Any], spans: Sequence[tuple[int, int]]) -> None:
        """Cut the declarations out of what is in custody, to where they are forwarded from."""
        spool = self.settings.spool.path
        folder = Custody(spool / "custody", self.journal).folder(submission.ticket, submission.received_at)
        parts = [file.name for file in submission.files if file.name.startswith("FI.")]
        signatures = verdict.get("signatures") or [None] * len(parts)
        contents = [await self._content(folder, name, said) for name, said in zip(parts, signatures, strict=True)]
        name = parse(submission.name)
        if not isinstance(name, FileName):
            raise NotAgainError("its name is none")
        most = max((self.settings.intake.max_file_bytes, *(file.size for file in submission.files)))
        limits = Limits(most, self.settings.judging.max_forms)
        zone = ZoneInfo(self.settings.intake.time_zone)
        day = datetime.fromtimestamp(submission.received_at / 1_000_000, tz=UTC).astimezone(zone).date()
        rules = ContentRules(name.purpose, limits, day, self.settings.schemas.folder)
        # Beside the file that parked messages of the same ticket may wait with, until it is known to be the same.
        beside = spool / "declarations" / f".again-{submission.ticket}"
        try:
            made = await self.workers.run(validate_set, contents, rules, beside)
            if not _holds(made, spans):
                raise NotAgainError("what is in custody is cut otherwise now: its type has changed")
            move_durably(beside, beside.with_name(submission.ticket))
        except NotWhatWasVerifiedError:
            raise NotAgainError("its files are not those that were judged") from None
        finally:
            beside.unlink(missing_ok=True)

    async def _content(self, folder: Path, name: str, said: Mapping[str, Any] | None) -> Content:
        data = folder / name
        if not data.is_file():
            raise NotAgainError("its files are not in custody")
        if said is None:
            return Content(name, data, None)
        if (folder / f"FS.{name.removeprefix('FI.')}").exists():
            return Content(name, data, said["data"])
        inside = await self.workers.run(content_of, data, tuple(said["leniencies"]), said["certificate"])
        if inside is None:
            raise NotAgainError("its signature is not the one that was judged")
        return Content(name, inside, None)


def _holds(made: ValidatedSet | RefusedSet, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether every declaration lies where the journal says."""
    if isinstance(made, RefusedSet):
        return False
    return {(each.offset, each.length) for each in made.declarations}.issuperset(spans)


def content_of(data: Path, leniencies: Sequence[str], certificate: str) -> bytes | None:
    """What the signature inside a document covers, if it is by this certificate (SHA-256, hex).  Runs in a worker."""
    proven = examine_enveloped(data, Policy(leniencies=frozenset(map(Leniency, leniencies))))
    if isinstance(proven, Fault) or hashlib.sha256(proven.certificate).hexdigest() != certificate:
        return None
    return proven.content


def _done(connection: Connection, ticket: str, since: int) -> dict[int, Mapping[str, Any]]:
    """The facts of what was confirmed, by the number of the effect."""
    query = sa.select(effects.c.number, effects.c.facts).where(
        effects.c.ticket == ticket,
        effects.c.kind == Kind.FORWARD,
        effects.c.state == "done",
        effects.c.done_at >= since,
    )
    return {row.number: row.facts for row in connection.execute(query)}


def _plan_again(connection: Connection, numbers: Sequence[int]) -> int:
    """Have effects done once more, and their submission closed by that again; answers how many there were."""
    anew = {"state": "pending", "done_at": None, "attempts": 0, "next_attempt_at": 0, "reason": None}
    count = 0
    for start in range(0, len(numbers), _PAGE):
        these = effects.c.number.in_(numbers[start : start + _PAGE]) & (effects.c.state == "done")
        tickets = sa.select(effects.c.ticket).where(these)
        connection.execute(sa.update(rows).where(rows.c.ticket.in_(tickets)).values(closed_at=None))
        count += connection.execute(sa.update(effects).where(these).values(anew)).rowcount
    wake(connection, Topic.FORWARD)
    return count
