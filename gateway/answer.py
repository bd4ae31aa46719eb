"""The one signed acknowledgement of a submission: what it says, under which name, and putting it where it is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.engine import Connection

from config.errors import TemporaryError
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


class NotPlacedError(TemporaryError):
    """Some answers could not be written to the disk; they are still to be placed."""


def place_all(journal: Journal, outbox: Outbox, batch_size: int = 50) -> int:
    """Place every answer still to be placed; answers how many were.  Blocks on the disk.

    Raises:
        NotPlacedError: the disk refused some; the others are placed.
    """
    count, failed, last = 0, 0, 0
    while True:
        with journal.read() as connection:
            batch = effects.pending(connection, Kind.ANSWER, batch_size, after=last)
            stored = [answers.load(connection, effect.facts["answer_of"]) for effect in batch]
        if not batch:
            break
        last = batch[-1].number
        placed = [(effect, answer) for effect, answer in zip(batch, stored, strict=True) if _place(outbox, answer)]
        _record(journal, placed)
        count, failed = count + len(placed), failed + len(batch) - len(placed)
    if failed:
        raise NotPlacedError(f"{failed} answers could not be placed")
    return count


def _place(outbox: Outbox, answer: StoredAnswer) -> bool:
    try:
        outbox.place(answer.mailbox, answer_files(answer.stem, answer.data, answer.signature))
    except OSError as fault:
        log.error("answer.not_placed", ticket=answer.ticket, sender=answer.mailbox.sender, errno=fault.errno)
        return False
    return True


def _record(journal: Journal, placed: Sequence[tuple[Effect, StoredAnswer]]) -> None:
    with journal.write() as connection:
        for effect, answer in placed:
            note(connection, effect.ticket, "answer.placed", stem=answer.stem)
        closed = effects.done(connection, [effect for effect, _ in placed])
    _report(placed, closed)


def _report(placed: Sequence[tuple[Effect, StoredAnswer]], closed: Sequence[str]) -> None:
    for effect, answer in placed:
        log.info("answer.placed", ticket=effect.ticket, sender=answer.mailbox.sender, stem=answer.stem)
    for ticket in closed:
        log.info("submission.closed", ticket=ticket)


def _environment(inbox: str) -> Environment:
    return next(environment for environment in Environment if environment.inbox == inbox)
