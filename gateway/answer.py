"""The signed answers to a submission: what they say, under which names, and putting them where they are read.

The first is the acknowledgement of the file. A notification goes beside it when something is anomalous in its forms,
also when that only warns. An answer that is too large goes out as a ZIP (CO); what is signed is what is sent, so that a
receiver verifies before it unpacks. Who sent by SFTP is answered in OUT, from here; who sent by message is answered by
message (:mod:`gateway.delivery`). Messages of institutions are signed and named in the same way.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.engine import Connection

from config.errors import TemporaryError
from gateway.examination import Anomalies
from gateway.log_of_submissions import report_closed
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
from spool import answers, chain, effects, institutions
from spool.answers import AnswerName, StoredAnswer, Way
from spool.closing import Closed
from spool.effects import Effect, Kind
from spool.journal import Journal, now
from spool.mailbox import Mailbox
from spool.outbox import Outbox, answer_files, compressed
from spool.submissions import Submission, note
from spool.tickets import seconds_since

log = structlog.get_logger()

COMPRESS_ABOVE_BYTES: Final = 50 * 1024**2
_LARGER: Final = {"FINO": 3}
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
class Naming:
    """What the name of something that goes out says: its purpose, its environment (R, T, S) and its day."""

    purpose: str
    environment: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Sealed:
    """What is sent, and our signature over it; ``stem`` and ``unstamped`` are those of :class:`SignedAnswer`."""

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
    sealed = seal(text, Naming(purpose, _environment(submission.directory), created), desk)
    return SignedAnswer(submission, purpose, created, sealed.data, sealed.signature, sealed.stem)


def seal(text: bytes, naming: Naming, desk: Desk) -> Sealed:
    """What goes out for ``text``, a ZIP of it where it is large, signed.  Blocks as :func:`compose` does.

    Raises:
        TemporaryError: the key or the journal can't be reached now.
    """
    stem, data = None, text
    if len(text) > desk.compress_above * _LARGER.get(naming.purpose, 1):
        # A number that no verdict follows upon is lost; it is never given again.
        with desk.journal.write() as connection:
            stem = take_stem(connection, naming)
        data = compressed(f"FO.{stem}", text)
    return Sealed(data, desk.keys.at(naming.created).sign(data, naming.created), stem)


async def stamp(answer: SignedAnswer, stamping: Stamping | None) -> SignedAnswer:
    """The same answer with a timestamp over its signature, if the settings name an authority.

    Raises:
        TimestampUnavailable: there is none to be had, and the answer must not go out without.
    """
    sealed = Sealed(answer.data, answer.signature)
    stamped = await stamp_sealed(sealed, stamping, answer.submission.ticket)
    return replace(answer, signature=stamped.signature, unstamped=stamped.unstamped)


async def stamp_sealed(sealed: Sealed, stamping: Stamping | None, ticket: str) -> Sealed:
    """The same with a timestamp over its signature; what goes out is of ``ticket``.

    Raises:
        TimestampUnavailable: as in :func:`stamp`.
    """
    if stamping is None:
        return sealed
    try:
        token = await stamping.authority.stamp(sealed.signature.value)
    except TimestampUnavailable as fault:
        if stamping.required:
            raise
        log.warning("answer.not_stamped", ticket=ticket, reason=str(fault))
        return replace(sealed, unstamped=str(fault))
    return replace(sealed, signature=sealed.signature.stamped(token))


def promise(connection: Connection, signed: Sequence[SignedAnswer]) -> None:
    """Name the answers to a submission, keep their bytes and plan to give them, all in its verdict's transaction."""
    given = [_name(connection, ordinal, answer) for ordinal, answer in enumerate(signed, 1)]
    if given:
        promise_by(connection, given[0].ticket, Way(given[0].channel, given[0].correlation), given)


def _name(connection: Connection, ordinal: int, answer: SignedAnswer) -> AnswerName:
    submission = answer.submission
    environment = _environment(submission.directory)
    stem = answer.stem or take_stem(connection, Naming(answer.purpose, environment, answer.created))
    mailbox = Mailbox(submission.sender, environment.outbox)
    prefix = "CO" if answer.stem else "FO"
    name = AnswerName(submission.ticket, ordinal, mailbox, prefix, stem, submission.channel, submission.message_id)
    answers.store(connection, StoredAnswer(name, answer.data, answer.signature.text()))
    if answer.unstamped is not None:
        note(connection, submission.ticket, "answer.not_stamped", stem=stem, reason=answer.unstamped)
    return name


def promise_again(connection: Connection, ticket: str, first: str) -> None:
    """Plan to answer ``ticket``, by the channel it came by, with the answers that ``first`` got."""
    way = answers.way_of(connection, ticket)
    promise_by(connection, ticket, way, answers.names(connection, first))


def promise_by(connection: Connection, ticket: str, way: Way, given: Sequence[AnswerName]) -> None:
    """Plan to give answers that are kept, for ``ticket`` and on that way."""
    if way.channel == "mq":
        kind, facts = Kind.PUBLISH, {"correlation": way.correlation}
    else:
        kind, facts = Kind.ANSWER, {}
    effects.plan(
        connection, ticket, kind, [{"answer_of": name.ticket, "ordinal": name.ordinal} | facts for name in given]
    )


_STALE_SECONDS: Final = 10.0


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
            read_at = time.monotonic()
            tried = [
                (effect, _place(connection, outbox, effect))
                for effect in batch
                # Whoever was stopped meanwhile reads anew: others may have placed it, and its sender deleted it.
                if time.monotonic() - read_at < _STALE_SECONDS
            ]
        last = tried[-1][0].number if tried else last
        placed = [(effect, name) for effect, name in tried if name is not None]
        if placed:
            _record(journal, placed)
        count, failed = count + len(placed), failed + len(tried) - len(placed)
        if len(tried) < batch_size and len(tried) == len(batch):
            break  # who promises more of them rings
    if failed:
        raise NotPlacedError(f"{failed} answers could not be placed")
    return count


def _place(connection: Connection, outbox: Outbox, effect: Effect) -> AnswerName | None:
    """The name of the answer that an effect promises, now placed; None if the disk refused it."""
    # An effect that doesn't say which answer it places is of a time when there was one.
    answer = answers.load(connection, effect.facts["answer_of"], effect.facts.get("ordinal", 1))
    name = answer.name
    try:
        outbox.place(name.mailbox, answer_files(answer))
    except OSError as fault:
        facts = {"sender": name.mailbox.sender, "file": name.file_name}
        log.error("answer.not_placed", ticket=effect.ticket, errno=fault.errno, **facts)
        return None
    return name


def _record(journal: Journal, placed: Sequence[tuple[Effect, AnswerName]]) -> None:
    with journal.write() as connection:
        at = now()
        chain.append(connection, [(effect.ticket, at, "answer.placed", {"stem": name.stem}) for effect, name in placed])
        closed = effects.done(connection, [effect for effect, _ in placed])
        institutions.delivered(connection, {effect.ticket for effect, _ in placed})
    _report(placed, closed)


def _report(placed: Sequence[tuple[Effect, AnswerName]], closed: Sequence[Closed]) -> None:
    at = now()
    for effect, name in placed:
        facts = {"sender": name.mailbox.sender, "stem": name.stem, "file": name.file_name}
        log.info("answer.placed", ticket=effect.ticket, seconds=seconds_since(effect.ticket, at), **facts)
    report_closed(closed)


def take_stem(connection: Connection, naming: Naming) -> str:
    """The name, but for its prefix, of something that goes out; nothing else ever has it."""
    return answers.take_stem(connection, naming.purpose, naming.created.strftime("%Y%m%d"), naming.environment)


def _environment(inbox: str) -> Environment:
    return next(environment for environment in Environment if environment.inbox == inbox)
