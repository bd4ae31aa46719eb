"""Messages of institutions, from the broker's way back to where their recipients get them.

What a message says of itself is read (:mod:`gateway.letters`), its body is held against the schema of its type in a
limited worker, it is sealed like an answer, and then one transaction has everything: who published it, its name and
bytes, where it is put, whom it names, and what is still to be done. The broker's ack follows that commit; a message
that comes again after it is known by its publisher and id, or by its bytes. One that can't be delivered goes back as
dead, with the reason, and leaves nothing here but the number of a ZIP.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy.engine import Connection

from channels.mq import consumer
from channels.mq.addresses import brokers_of
from channels.mq.consumer import TAKEN, How, Settled
from channels.mq.delivery import Delivery
from channels.mq.publisher import Publisher
from channels.mq.staging import Staging, StagingLimits
from config.errors import ConfigurationError
from config.settings import Settings
from gateway import answer, parties
from gateway.answer import Desk, Naming, Sealed
from gateway.letters import About, Letter, Published, Unfit, headers_of, read_letter, recipient_sender
from gateway.openings import Channel
from gateway.register import choices, disclosures, speaking
from gateway.register.choices import Recipient, SentBy
from gateway.scanning import UNSCANNED, ContentScanner, Scanned, Subject, scan_facts
from gateway.timestamping import Stamping
from gateway.vetting import Vetted, VettingRules, vet
from gateway.workers import Workers
from schemas.codes import Code
from schemas.filename import Environment
from schemas.identifiers import Kind
from schemas.inspection import Employer
from schemas.validate import Limits
from spool import answers, ebox, institutions, submissions
from spool.answers import AnswerName, StoredAnswer, Way
from spool.institutions import InstitutionMessage, State
from spool.journal import Journal, now
from spool.mailbox import Mailbox
from spool.submissions import note
from spool.tickets import new_ticket

log = structlog.get_logger()

_MOST_FINDINGS: Final = 5
_AT_ONCE: Final = 2
_LARGEST_TOGETHER: Final = 4


@dataclass(frozen=True, slots=True)
class Office:
    """What messages are taken with.

    ``types`` is the folder with types of the site's own, ``marker`` answers what turns an INSS into its keyed hash,
    ``promised`` is called when there is something to deliver, ``scanner`` is asked before the content is parsed.
    """

    journal: Journal
    workers: Workers
    desk: Desk
    stamping: Stamping | None
    limits: Limits
    types: Path
    marker: Callable[[], Callable[[str], str]]
    promised: Callable[[], None]
    scanner: ContentScanner = UNSCANNED


@dataclass(frozen=True, slots=True)
class _Taken:
    """A message that was looked at, and what there is to record of it."""

    letter: Letter
    sha256: str
    ticket: str
    received_at: int
    naming: Naming
    vetted: Vetted
    sealed: Sealed
    scanned: Sequence[Scanned]


class Institutions:
    """Takes messages of institutions, one call for each delivery."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def take(self, delivery: Delivery) -> Settled:
        """What becomes of one delivery; TAKEN means that it is recorded.

        Raises:
            TemporaryError: nothing can be said of it now.
            WorkerFailedError: the check failed for a reason of ours.
        """
        if delivery.body.is_too_large:
            return _dead(f"{Code.FILE_TOO_LARGE}: more than {self._office.limits.max_bytes} bytes")
        digest = delivery.body.sha256
        headers = headers_of(delivery.headers)
        letter = read_letter(Published(delivery.user_id, delivery.message_id, headers, digest))
        if isinstance(letter, Unfit):
            return _dead(letter.reason)
        async with self._slots:
            return await self._take(delivery, letter, digest)

    async def _take(self, delivery: Delivery, letter: Letter, digest: str) -> Settled:
        office = self._office
        early = await asyncio.to_thread(self._known, letter, digest)
        if early is not None:
            return early
        naming = Naming(letter.purpose, letter.environment, datetime.now(office.desk.zone))
        data = await asyncio.to_thread(delivery.body.read)
        scanned: list[Scanned] = []
        if found := await office.scanner.check(letter.environment, [Subject("a message", data, digest)], scanned):
            return _dead(f"{found[0].code}: {found[0].detail}")
        mark = await asyncio.to_thread(office.marker)
        rules = VettingRules(letter.purpose, office.limits, naming.created.date(), office.types, mark)
        vetted = await office.workers.run(vet, data, rules)
        if not isinstance(vetted, Vetted):
            return _dead("; ".join(f"{found.code}: {found.detail}" for found in vetted[:_MOST_FINDINGS]))
        ticket = new_ticket()
        try:
            sealed = await asyncio.to_thread(answer.seal, data, naming, office.desk)
            sealed = await answer.stamp_sealed(sealed, office.stamping, ticket)
            taken = _Taken(letter, digest, ticket, now(), naming, vetted, sealed, scanned)
            settled = await asyncio.to_thread(self._record, taken)
        except OverflowError:
            return Settled(How.AGAIN, "no number is left for a name of today")
        office.promised()
        return settled

    def _known(self, letter: Letter, digest: str) -> Settled | None:
        """What can be said before the body is read, if anything."""
        with self._office.journal.read() as connection:
            repeat = _repeat(connection, letter, digest)
            if repeat is not None:
                return repeat
            sender = recipient_sender(letter, _about(connection, letter))
        return _dead(sender.reason) if isinstance(sender, Unfit) else None

    def _record(self, taken: _Taken) -> Settled:
        letter, ticket = taken.letter, taken.ticket
        with self._office.journal.write() as connection:
            repeat = _repeat(connection, letter, taken.sha256)
            if repeat is not None:
                return repeat
            about = _about(connection, letter)
            target = _recipient(connection, taken, about)
            if isinstance(target, Unfit):
                return _dead(target.reason)
            boxed = target.channel is Channel.EBOX
            message = InstitutionMessage(
                ticket=ticket,
                publisher=letter.publisher,
                message_id=letter.message_id,
                received_at=taken.received_at,
                purpose=letter.purpose,
                environment=letter.environment,
                sender=target.sender,
                about=letter.ticket,
                sha256=taken.sha256,
                state=State.DELIVERED if boxed else State.PROMISED,
                channel=target.channel.value,
            )
            if institutions.twin(connection, message, target.quality if boxed else None) is not None:
                log.info("institution.repeated", publisher=letter.publisher, message_id=letter.message_id)
                return TAKEN
            institutions.add(connection, message)
            answers_it = about is not None and about.sender == target.sender
            way = Way(message.channel, about.message_id if about is not None and answers_it else None)
            self._deliver(connection, taken, _named(connection, taken, message, way), target.quality)
            disclosures.record(connection, ticket, taken.vetted.marks, taken.received_at)
        log.info("institution.taken", ticket=ticket, purpose=letter.purpose, sender=target.sender, channel=way.channel)
        return TAKEN

    def _deliver(self, connection: Connection, taken: _Taken, name: AnswerName, quality: int | None) -> None:
        stored = StoredAnswer(name, taken.sealed.data, taken.sealed.signature.text())
        facts = {"publisher": taken.letter.publisher, "about": taken.letter.ticket, "forms": taken.vetted.forms}
        facts |= scan_facts(taken.scanned)
        note(connection, taken.ticket, "institution.taken", stem=name.stem, channel=name.channel, **facts)
        if taken.sealed.unstamped is not None:
            note(connection, taken.ticket, "answer.not_stamped", stem=name.stem, reason=taken.sealed.unstamped)
        if name.channel == "ebox" and quality is not None:
            ebox.put(connection, quality, taken.letter.environment, stored)
        else:
            answers.store(connection, stored)
            answer.promise_by(connection, taken.ticket, Way(name.channel, name.correlation), [name])


def _about(connection: Connection, letter: Letter) -> About | None:
    """The submission that a message says it answers, if there is one."""
    found = None if letter.ticket is None else submissions.load(connection, letter.ticket)
    if found is None:
        return None
    environment = next(each for each in Environment if each.inbox == found.directory)
    return About(found.ticket, found.sender, environment, found.channel, found.message_id)


def _recipient(connection: Connection, taken: _Taken, about: About | None) -> Recipient | Unfit:
    """Who gets a message over which channel, as things stand now."""
    letter = taken.letter
    sender = recipient_sender(letter, about)
    if isinstance(sender, Unfit):
        return sender
    if sender is not None and parties.find_sender(connection, sender) is None:
        return Unfit(f"{Code.SENDER_NOT_AUTHORISED}: there is no such sender")
    sent_by = None if sender is None else SentBy(sender, Channel.SFTP if about is None else about.channel)
    named = taken.vetted.employers if letter.employer is None else {letter.employer}
    employer = _one_employer(connection, named)
    if employer is None and sent_by is None:
        return Unfit("it says neither which sender nor which one employer it is for, as far as they are known here")
    return choices.recipient_of(connection, employer, letter.purpose, letter.environment, taken.received_at, sent_by)


def _one_employer(connection: Connection, named: Collection[Employer]) -> int | None:
    """The quality of the only employer that is named; a number of its own says more than that of its enterprise."""
    own = [one for one in named if one.kind is not Kind.ENTERPRISE]
    for group in (own, [one for one in named if one.kind is Kind.ENTERPRISE]):
        qualities = speaking.employer_qualities(connection, group)
        if qualities:
            return qualities.pop() if len(qualities) == 1 else None
    return None


def _repeat(connection: Connection, letter: Letter, digest: str) -> Settled | None:
    """What there is to say of a message whose publisher has used its id before."""
    known = institutions.find(connection, letter.publisher, letter.message_id)
    if known is None:
        return None
    if known.sha256 != digest:
        return _dead(f"{Code.ALREADY_SENT}: this message_id was that of another message")
    log.info("institution.repeated", ticket=known.ticket, publisher=letter.publisher, message_id=letter.message_id)
    return TAKEN


def _named(connection: Connection, taken: _Taken, message: InstitutionMessage, way: Way) -> AnswerName:
    sealed, outbox = taken.sealed, taken.letter.environment.outbox
    stem = sealed.stem or answer.take_stem(connection, taken.naming)
    mailbox = Mailbox(message.sender or "", outbox)
    return AnswerName(taken.ticket, 1, mailbox, "CO" if sealed.stem else "FO", stem, way.channel, way.correlation)


def _dead(reason: str) -> Settled:
    log.warning("institution.refused", reason=reason)
    return Settled(How.DEAD, reason)


@dataclass(frozen=True, slots=True)
class WayBack:
    """What of a daemon the way back needs; ``promised`` is called in the loop, ``folder`` is this process's alone."""

    journal: Journal
    desk: Desk
    stamping: Stamping | None
    workers: Workers
    publisher: Publisher | None
    promised: Callable[[], None]
    folder: Path


def take_back(settings: Settings, way: WayBack) -> Coroutine[Any, Any, None]:
    """What takes messages of institutions for ever; ends by cancellation, with what is in hand settled.

    Raises:
        ConfigurationError: there is no broker, or its addresses or files cannot be used.
    """
    rules, spool = settings.back, settings.spool
    if way.publisher is None:
        raise ConfigurationError(["back.enabled: broker.urls names no broker"])
    brokers = brokers_of(settings.broker)
    office = Office(
        journal=way.journal,
        workers=way.workers,
        desk=way.desk,
        stamping=way.stamping,
        limits=Limits(rules.max_message_bytes, settings.judging.max_forms),
        types=settings.schemas.folder,
        marker=partial(disclosures.marker, settings, way.journal),
        promised=way.promised,
        scanner=ContentScanner(settings.scanner),
    )
    bounds = StagingLimits(rules.max_message_bytes, _LARGEST_TOGETHER * rules.max_message_bytes, spool.reserve)
    staging = Staging(way.folder, bounds)
    desk = consumer.Desk(Institutions(office).take, way.publisher.publish, staging, consumer.Limits(rules.prefetch))
    return consumer.consume(brokers, rules.queue, desk)
