"""The one signed acknowledgement of a submission: what it says, under which name, and putting it where it is read."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.engine import Connection

from schemas.acknowledgement import Acknowledgement, render
from schemas.codes import Finding
from schemas.filename import Environment
from signing.sign import Signer
from spool import answers, effects
from spool.answers import StoredAnswer
from spool.effects import Effect, Kind
from spool.journal import Journal
from spool.mailbox import Mailbox
from spool.outbox import Outbox, answer_files
from spool.submissions import Submission, note

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SignedAcknowledgement:
    """The ACRF of ``submission`` and our signature over it; it has no name yet."""

    submission: Submission
    created: datetime
    data: bytes
    signature: bytes


def compose(
    submission: Submission, findings: tuple[Finding, ...], signer: Signer, zone: ZoneInfo
) -> SignedAcknowledgement:
    """The acknowledgement of ``submission``: positive if there are no findings."""
    created = datetime.now(zone)
    data = render(
        Acknowledgement(file_name=submission.name, ticket=submission.ticket, created=created, findings=findings)
    )
    return SignedAcknowledgement(submission, created, data, signer.sign_detached(data))


def promise(connection: Connection, answer: SignedAcknowledgement) -> None:
    """Name the answer, keep its bytes and plan to place it, all with the verdict's transaction."""
    ticket = answer.submission.ticket
    environment = _environment(answer.submission.directory)
    stem = answers.take_stem(connection, answer.created.strftime("%Y%m%d"), environment)
    mailbox = Mailbox(answer.submission.sender, environment.outbox)
    answers.store(connection, StoredAnswer(ticket, mailbox, stem, answer.data, answer.signature))
    promise_again(connection, ticket, ticket)


def promise_again(connection: Connection, ticket: str, first: str) -> None:
    """Plan to answer ``ticket`` with the answer that ``first`` got."""
    effects.plan(connection, ticket, Kind.ANSWER, [{"answer_of": first}])


def place_pending(journal: Journal, outbox: Outbox, limit: int = 50) -> int:
    """Place the oldest answers still to be placed; answers how many that were.  Blocks on the disk."""
    with journal.read() as connection:
        batch = effects.pending(connection, Kind.ANSWER, limit)
        if not batch:
            return 0
        stored = [answers.load(connection, effect.facts["answer_of"]) for effect in batch]
    for answer in stored:
        outbox.place(answer.mailbox, answer_files(answer.stem, answer.data, answer.signature))
    with journal.write() as connection:
        for effect, answer in zip(batch, stored, strict=True):
            note(connection, effect.ticket, "answer.placed", stem=answer.stem)
        closed = effects.done(connection, batch)
    _report(batch, stored, closed)
    return len(batch)


def _report(batch: Sequence[Effect], stored: Sequence[StoredAnswer], closed: Sequence[str]) -> None:
    for effect, answer in zip(batch, stored, strict=True):
        log.info("answer.placed", ticket=effect.ticket, sender=answer.mailbox.sender, stem=answer.stem)
    for ticket in closed:
        log.info("submission.closed", ticket=ticket)


async def place_all(journal: Journal, outbox: Outbox) -> int:
    """Place every answer still to be placed; answers how many that were."""
    total = 0
    while count := await asyncio.to_thread(place_pending, journal, outbox):
        total += count
    return total


def _environment(inbox: str) -> Environment:
    return next(environment for environment in Environment if environment.inbox == inbox)
