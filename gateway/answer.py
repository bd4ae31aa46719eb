"""The one signed acknowledgement of a submission: what it says, under which name, and putting it where it is read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.engine import Connection

from config.errors import TemporaryError
from gateway.timestamping import Stamping
from schemas.acknowledgement import Acknowledgement, render
from schemas.codes import Finding
from schemas.filename import Environment
from signing.own.own_keys import OwnKeys
from signing.own.sign import Signature
from signing.own.timestamp_request import TimestampUnavailable
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
    """The ACRF of ``submission`` and our signature over it; it has no name yet.

    ``unstamped`` says why the signature has no timestamp although it should.
    """

    submission: Submission
    created: datetime
    data: bytes
    signature: Signature
    unstamped: str | None = None


def compose(
    submission: Submission, findings: tuple[Finding, ...], keys: OwnKeys, zone: ZoneInfo
) -> SignedAcknowledgement:
    """The acknowledgement of ``submission``: positive if there are no findings.

    Raises:
        TemporaryError: the key can't be reached now.
    """
    created = datetime.now(zone)
    data = render(
        Acknowledgement(file_name=submission.name, ticket=submission.ticket, created=created, findings=findings)
    )
    return SignedAcknowledgement(submission, created, data, keys.at(created).sign(data, created))


async def stamp(answer: SignedAcknowledgement, stamping: Stamping | None) -> SignedAcknowledgement:
    """The same answer with a timestamp over its signature, if the settings name an authority.

    Raises:
        TimestampUnavailable: there is none to be had, and the answer must not go out without.
    """
    if stamping is None:
        return answer
    try:
        token = await stamping.authority.stamp(answer.signature.value)
    except TimestampUnavailable as fault:
        if stamping.required:
            raise
        log.warning("answer.not_stamped", ticket=answer.submission.ticket, reason=str(fault))
        return replace(answer, unstamped=str(fault))
    return replace(answer, signature=answer.signature.stamped(token))


def promise(connection: Connection, answer: SignedAcknowledgement) -> None:
    """Name the answer, keep its bytes and plan to place it, all with the verdict's transaction."""
    ticket = answer.submission.ticket
    environment = _environment(answer.submission.directory)
    stem = answers.take_stem(connection, answer.created.strftime("%Y%m%d"), environment)
    mailbox = Mailbox(answer.submission.sender, environment.outbox)
    answers.store(connection, StoredAnswer(ticket, mailbox, stem, answer.data, answer.signature.text()))
    if answer.unstamped is not None:
        note(connection, ticket, "answer.not_stamped", reason=answer.unstamped)
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
