"""What of a site is kept no longer, by its settings, and is it safe to take away?

A pass goes through the tickets in their order, a step of some tickets at a time: first what an earlier process had
begun, then payloads, answers and the facts of events whose time is up. A payload or an answer goes only when every
event of its ticket is sealed by a checkpoint that is there, and in the second place if there is one; when what the
verdict relied on is in the archive of :mod:`spool.relied`; and when the proof of the ticket stands in the archive that
the settings name, or they say that there is to be none. One that is odd is told and passed over. What takes away is
:mod:`spool.purging`.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Final

import structlog
from sqlalchemy.engine import Connection

from config.errors import TemporaryError
from config.retention import NOT_SETTLED
from config.settings import Settings
from gateway.evidence import relied_on
from gateway.exporting import Exporter
from gateway.sealing import UnsealableError
from gateway.sealing_copies import open_copies
from signing.own.own_keys import OwnKeys
from spool import chain, checkpoints, purges, purging, relied, submissions
from spool.checkpoints import CHECKPOINTS, Checkpoints
from spool.forgetting import OddError
from spool.journal import Journal, now
from spool.purge_lock import purging as purging_alone
from spool.purges import Due, Kind, Plan, Rules, Spans
from spool.purging import Odd, Purging
from spool.relied import EVIDENCE, DamagedError, Relied

log = structlog.get_logger()

_PAUSE: Final = 0.5
_PASS: Final = 3600.0
_AT_ONCE: Final = 50
_SECONDS_AT_ONCE: Final = 2.0
_MOST_TOLD: Final = 10_000


class UnarchivedError(TemporaryError):
    """Nothing is purged now, for the place where it must be kept before cannot be reached."""


class Source(StrEnum):
    """Where a stage of a pass looks: what was begun, submissions, institutions' messages, events of no ticket."""

    BEGUN = "begun"
    SUBMISSIONS = "submissions"
    MESSAGES = "messages"
    LOOSE = "loose"


STAGES: Final = (
    *((Source.BEGUN, kind) for kind in Kind),
    (Source.SUBMISSIONS, Kind.PAYLOAD),
    (Source.SUBMISSIONS, Kind.ANSWERS),
    (Source.MESSAGES, Kind.ANSWERS),
    (Source.SUBMISSIONS, Kind.EVIDENCE),
    (Source.MESSAGES, Kind.EVIDENCE),
    (Source.LOOSE, Kind.EVIDENCE),
)
_AFTER: Final = dict(pairwise(STAGES))


@dataclass(frozen=True, slots=True)
class Position:
    """How far a pass is: in which stage, and after which ticket."""

    stage: tuple[Source, Kind] = STAGES[0]
    after: str = ""

    def moved(self, after: str | None) -> "Position | None":
        """After that ticket, or, without one, at the beginning of the next stage; None at the end of the pass."""
        if after is not None:
            return Position(self.stage, after)
        following = _AFTER.get(self.stage)
        return None if following is None else Position(following)


@dataclass(frozen=True, slots=True)
class Step:
    """What a step has done: where the next one begins, what is gone, of which ``loose`` events, and what was odd."""

    position: Position | None
    gone: tuple[tuple[Kind, Plan], ...] = ()
    odd: tuple[Odd, ...] = ()
    loose: int = 0


def rules_of(settings: Settings) -> Rules:
    """How long each kind is kept, of each type.

    An answer is kept for as long as its name may come again, for the repeat gets it, and for as long as it may lie in
    OUT; evidence for as long as anything else.
    """
    kept = settings.retention
    least = max(settings.intake.max_age_days + 1, settings.answers.fetched_days, settings.answers.unfetched_days)

    def spans(purpose: str) -> Spans:
        payload, answer, evidence = kept.spans(purpose)
        answer = answer and max(answer, math.ceil(least))
        evidence = max(evidence, payload, answer) if payload and answer and evidence else 0
        return Spans(payload * purges.DAY, answer * purges.DAY, evidence * purges.DAY)

    return Rules(spans(""), {each.type: spans(each.type) for each in kept.types})


@dataclass(slots=True)
class Purger:
    """Purges one site; ``keys`` sign the proofs that go into the archive."""

    settings: Settings
    journal: Journal
    keys: OwnKeys
    _position: Position | None = field(default_factory=Position)
    _told: set[Odd] = field(default_factory=set)
    _archived: set[str] = field(default_factory=set)

    async def turn(self) -> float:
        """Do a step of a pass, where the gateway purges by itself; answers after how many seconds to do the next.

        Raises:
            TemporaryError: nothing can be purged now.
        """
        kept = self.settings.retention
        if not kept.by_itself or kept.waits_for_a_choice:
            return _PASS
        step = await asyncio.to_thread(self.step, self._position or Position(), now())
        if step is None:
            return _PASS  # another host purges
        self._position = step.position
        self._tell(step)
        return _PASS if step.position is None else _PAUSE

    def everything(self, at: int) -> Iterator[Step]:
        """A whole pass, step by step; ends at once if somebody else is purging."""
        position: Position | None = Position()
        while position is not None:
            step = self.step(position, at)
            if step is None:
                return
            yield step
            position = step.position

    def step(self, position: Position, at: int) -> Step | None:
        """Purge some of what is due after ``position``; None if somebody else is purging.  Blocks on journal and disk.

        Raises:
            TemporaryError: nothing can be purged now.
        """
        with purging_alone(self.settings.spool.path) as alone:
            if not alone:
                return None
            return self._step(position, at)

    def _step(self, position: Position, at: int) -> Step:
        source, kind = position.stage
        work = Purging(self.journal, self.settings.spool.path)
        if source is Source.LOOSE:
            span = rules_of(self.settings).general.evidence
            count = work.forget_loose(at - span) if span else 0
            return Step(position if count else position.moved(None), loose=count)
        if source is Source.BEGUN:
            with self.journal.read() as connection:
                begun = purges.unfinished(connection, kind, position.after, _AT_ONCE)
            gone, odd = work.carry_out(kind, work.resumable(kind, begun, at), at)
            after = begun[-1].ticket if begun else None
        else:
            found, after = self._due(position, at)
            plans, odd = self._plans(work, source, kind, found)
            gone, more = work.carry_out(kind, work.plan(kind, found, plans, at), at)
            odd = [*odd, *more]
        return Step(position.moved(after), tuple((kind, plan) for plan in gone), tuple(odd))

    def _due(self, position: Position, at: int) -> tuple[list[Due], str | None]:
        """The next that may go; so much of the pass is looked through as takes a moment."""
        source, kind = position.stage
        look = purges.due if source is Source.SUBMISSIONS else purges.due_messages
        rules, begun, after = rules_of(self.settings), time.monotonic(), position.after
        while True:
            with self.journal.read() as connection:
                found, onwards = look(connection, kind, rules, at, after, _AT_ONCE)
                found = purging.free(connection, kind, found, at)
            if found or onwards is None or time.monotonic() - begun > _SECONDS_AT_ONCE:
                return found, onwards
            after = onwards

    def _plans(self, work: Purging, source: Source, kind: Kind, found: Sequence[Due]) -> tuple[list[Plan], list[Odd]]:
        plans, odd = work.sizes(kind, found)
        if source is Source.MESSAGES or kind is Kind.EVIDENCE:
            return plans, odd
        kept: list[Plan] = []
        for plan in plans:
            try:
                self._archive(plan.ticket)
            except (OddError, UnsealableError) as fault:
                odd.append(Odd(plan.ticket, kind, str(fault)))
            else:
                kept.append(plan)
        return kept, odd

    def _archive(self, ticket: str) -> None:
        """See to it that what proves what became of ``ticket`` is where it stays.

        Raises:
            OddError, UnsealableError: something is missing for good.
            TemporaryError: it cannot be seen to now.
        """
        with self.journal.read() as connection:
            submission = submissions.load(connection, ticket)
            timeline = submissions.timeline(connection, ticket)
            ordinals = _ordinals(connection, ticket)
        for kind in relied.Kind:
            for digest in {digest for event in timeline for said in relied_on(event.facts) for digest in said[kind]}:
                self._check_relied(kind, digest)
        if not self.settings.retention.is_archive_settled:
            raise UnarchivedError(NOT_SETTLED)
        try:
            self._check_sealed(ordinals)
            if submission is not None and self.settings.retention.archive is not None:
                Exporter(self.settings, self.journal, self.keys).archive(submission, self.settings.retention.archive)
        except OSError as fault:
            raise UnarchivedError(f"the archive, or the copies of checkpoints: {fault.strerror}") from fault

    def _check_relied(self, kind: relied.Kind, digest: str) -> None:
        if digest in self._archived:
            return
        try:
            found = Relied(self.settings.spool.path / EVIDENCE).load(kind, digest)
        except (DamagedError, OSError):
            found = None
        if found is None:
            raise OddError(f"{kind}/{digest}, which its verdict relied on, is not kept whole")
        self._archived.add(digest)

    def _check_sealed(self, ordinals: Sequence[int]) -> None:
        files, copies = Checkpoints(self.settings.spool.path / CHECKPOINTS), open_copies(self.settings.evidence)
        for ordinal in ordinals:
            if not files.path(ordinal).exists():
                raise OddError(f"checkpoint {ordinal} is missing")
            if copies is not None and not copies.has(ordinal):
                raise UnarchivedError(f"checkpoint {ordinal} has no copy yet")

    def _tell(self, step: Step) -> None:
        for kind in Kind:
            plans = [plan for each, plan in step.gone if each is kind]
            if plans:
                log.info("data.purged", kind=kind, count=len(plans), bytes=sum(plan.size for plan in plans))
        for odd in step.odd:
            if odd not in self._told and len(self._told) < _MOST_TOLD:
                self._told.add(odd)
                log.error("data.not_purged", ticket=odd.ticket, kind=odd.kind, reason=odd.reason)


def _ordinals(connection: Connection, ticket: str) -> list[int]:
    """The checkpoints that the events of a ticket are under."""
    sealing = (checkpoints.sealing(connection, link.number) for _, link in chain.of_ticket(connection, ticket))
    return sorted({one.ordinal for one in sealing if one is not None})


@dataclass(frozen=True, slots=True)
class Preview:
    """What a pass would do about one kind: what would go, and what is odd about some."""

    kind: Kind
    going: tuple[tuple[Due, Plan], ...]
    odd: tuple[Odd, ...]


def preview(settings: Settings, journal: Journal, at: int) -> Iterator[Preview]:
    """What would go ``at`` a moment, page by page.  Nothing is changed, and whether it is archived is not asked.

    Raises:
        JournalError: the journal cannot be read.
    """
    work, rules = Purging(journal, settings.spool.path), rules_of(settings)
    looks: dict[Source, _Look] = {Source.SUBMISSIONS: purges.due, Source.MESSAGES: purges.due_messages}
    for source, kind in STAGES:
        after: str | None = "" if source in looks else None
        while after is not None:
            with journal.read() as connection:
                found, after = looks[source](connection, kind, rules, at, after, purges.WINDOW)
                found = purging.free(connection, kind, found, at)
            plans, odd = work.sizes(kind, found)
            by_ticket = {one.ticket: one for one in found}
            yield Preview(kind, tuple((by_ticket[plan.ticket], plan) for plan in plans), tuple(odd))


_Look = Callable[[Connection, Kind, Rules, int, str, int], tuple[list[Due], str | None]]
