"""The signed answers to a submission: what they say, under which names, and putting them where they are read.

The first is the acknowledgement of the file. A notification goes beside it when something is anomalous in its forms,
also when that only warns. An answer that is too large goes out as a ZIP (CO); what is signed is what is sent, so that a
receiver verifies before it unpacks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.engine import Connection

from config.errors import TemporaryError
from gateway.examination import Anomalies
from gateway.timestamping import Stamping
from schemas import acknowledgement, notification
from schemas.acknowledgement import Acknowledgement
from schemas.codes import Finding
from schemas.filename import Environment
from schemas.notification import Notification
from schemas.wording import Language
from signing.own.own_keys import OwnKeys
from signing.own.sign import Signature
from signing.own.timestamp_request import TimestampUnavailable
from spool import answers, effects
from spool.answers import AnswerName, StoredAnswer
from spool.effects import Effect, Kind
from spool.journal import Journal
from spool.mailbox import Mailbox
from spool.outbox import Outbox, answer_files, compressed
from spool.submissions import Submission, note

log = structlog.get_logger()

COMPRESS_ABOVE_BYTES: Final = 50 * 1024**2
_ACKNOWLEDGEMENT: Final = "ACRF"
_NOTIFICATION: Final = "NOTI"


@dataclass(frozen=True, slots=True)
class Told:
    """What the answers to ``submission`` tell: without findings it is accepted, and its anomalies only warn."""

    submission: Submission
    findings: tuple[Finding, ...] = ()
    anomalies: Anomalies = field(default_factory=Anomalies)
    language: Language = Language.FR


@dataclass(frozen=True, slots=True)
class SignedAnswer:
    """An answer to ``submission`` and our signature over it.

    ``data`` is what is sent; a ZIP holds its own name and so has its ``stem`` already, any other has none yet.
    ``unstamped`` says why the signature has no timestamp although it should.
    """

    submission: Submission
    purpose: str
    created: datetime
    data: bytes
    signature: Signature
    stem: str | None = None
    unstamped: str | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """What answers are made with: our keys, the time zone they are dated in, and from which size on they are ZIPs."""

    keys: OwnKeys
    zone: ZoneInfo
    journal: Journal
    compress_above: int = COMPRESS_ABOVE_BYTES


def compose(told: Told, desk: Desk) -> tuple[SignedAnswer, ...]:
    """The answers, the acknowledgement first.  Blocks on the key, and for a ZIP on the journal.

    Raises:
        TemporaryError: the key or the journal can't be reached now.
    """
    created = datetime.now(desk.zone)
    texts = [(_ACKNOWLEDGEMENT, _acknowledgement(told, created))]
    if told.anomalies.reports:
        texts.append((_NOTIFICATION, _notification(told, created)))
    return tuple(_sign(told.submission, purpose, text, created, desk) for purpose, text in texts)


def _acknowledgement(told: Told, created: datetime) -> bytes:
    submission = told.submission
    return acknowledgement.render(Acknowledgement(submission.name, submission.ticket, created, told.findings))


def _notification(told: Told, created: datetime) -> bytes:
    submission = told.submission
    return notification.render(
        Notification(
            ticket=submission.ticket,
            sender=submission.sender,
            channel=submission.channel,
            received=datetime.fromtimestamp(submission.received_at / 1_000_000, created.tzinfo),
            created=created,
            reports=told.anomalies.reports,
            language=told.language,
            accepted=not told.findings,
            untold=told.anomalies.untold,
        )
    )


def _sign(submission: Submission, purpose: str, text: bytes, created: datetime, desk: Desk) -> SignedAnswer:
    stem, data = None, text
    if len(text) > desk.compress_above:
        # A number that no verdict follows upon is lost; it is never given again.
        with desk.journal.write() as connection:
            stem = _take_stem(connection, submission, purpose, created)
        data = compressed(f"FO.{stem}", text)
    return SignedAnswer(submission, purpose, created, data, desk.keys.at(created).sign(data, created), stem)


async def stamp(answer: SignedAnswer, stamping: Stamping | None) -> SignedAnswer:
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


def promise(connection: Connection, signed: Sequence[SignedAnswer]) -> None:
    """Name the answers to a submission, keep their bytes and plan to place them, all with the verdict's transaction."""
    for ordinal, answer in enumerate(signed, 1):
        submission = answer.submission
        stem = answer.stem or _take_stem(connection, submission, answer.purpose, answer.created)
        mailbox = Mailbox(submission.sender, _environment(submission.directory).outbox)
        prefix = "CO" if answer.stem else "FO"
        name = AnswerName(submission.ticket, ordinal, mailbox, prefix, stem)
        answers.store(connection, StoredAnswer(name, answer.data, answer.signature.text()))
        if answer.unstamped is not None:
            note(connection, submission.ticket, "answer.not_stamped", stem=stem, reason=answer.unstamped)
    for ticket in dict.fromkeys(answer.submission.ticket for answer in signed):
        promise_again(connection, ticket, ticket)


def promise_again(connection: Connection, ticket: str, first: str) -> None:
    """Plan to answer ``ticket`` with the answers that ``first`` got."""
    given = answers.names(connection, first)
    effects.plan(
        connection, ticket, Kind.ANSWER, [{"answer_of": name.ticket, "ordinal": name.ordinal} for name in given]
    )


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
        if not batch:
            break
        last = batch[-1].number
        tried = [(effect, _place(journal, outbox, effect)) for effect in batch]
        placed = [(effect, name) for effect, name in tried if name is not None]
        _record(journal, placed)
        count, failed = count + len(placed), failed + len(batch) - len(placed)
    if failed:
        raise NotPlacedError(f"{failed} answers could not be placed")
    return count


def _place(journal: Journal, outbox: Outbox, effect: Effect) -> AnswerName | None:
    """The name of the answer that an effect promises, now placed; None if the disk refused it."""
    with journal.read() as connection:
        # An effect that doesn't say which answer it places is of a time when there was one.
        answer = answers.load(connection, effect.facts["answer_of"], effect.facts.get("ordinal", 1))
    name = answer.name
    try:
        outbox.place(name.mailbox, answer_files(answer))
    except OSError as fault:
        log.error("answer.not_placed", ticket=effect.ticket, sender=name.mailbox.sender, errno=fault.errno)
        return None
    return name


def _record(journal: Journal, placed: Sequence[tuple[Effect, AnswerName]]) -> None:
    with journal.write() as connection:
        for effect, name in placed:
            note(connection, effect.ticket, "answer.placed", stem=name.stem)
        closed = effects.done(connection, [effect for effect, _ in placed])
    _report(placed, closed)


def _report(placed: Sequence[tuple[Effect, AnswerName]], closed: Sequence[str]) -> None:
    for effect, name in placed:
        log.info("answer.placed", ticket=effect.ticket, sender=name.mailbox.sender, stem=name.stem)
    for ticket in closed:
        log.info("submission.closed", ticket=ticket)


def _take_stem(connection: Connection, submission: Submission, purpose: str, created: datetime) -> str:
    return answers.take_stem(connection, purpose, created.strftime("%Y%m%d"), _environment(submission.directory))


def _environment(inbox: str) -> Environment:
    return next(environment for environment in Environment if environment.inbox == inbox)
