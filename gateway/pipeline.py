"""The path of a file, on one screen.

    arrive, gather, custody    gateway.reception    a set becomes a submission; the sender gets its OK
    sender, set, repeats       gateway.judge        may it be sent, is it whole, did it come before
    signature                  gateway.judge        in a limited worker
    scan                       gateway.scanning     the content scanner's word, where there is one
    validation                 gateway.judge        in a limited worker
    mandates                   gateway.judge        may its sender speak for the employers it names
    verdict                    gateway.verdict      accepted, rejected, or the same as before
    answer                     gateway.answer       one signed acknowledgement, placed in OUT; a notification beside it
    forward                    gateway.forward      one message for each declaration
    archive                    spool.effects        with the last effect done, the submission is closed

Everything between custody and verdict may be done again: it has no effect but its result.  The verdict, the answers'
bytes and every promised effect are one transaction.  What comes after it is harmless twice.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from config.errors import TemporaryError
from config.messages import Routing
from gateway import answer, forward, holding, repeats
from gateway.answer import COMPRESS_ABOVE_BYTES, Desk, SignedAnswer, Told
from gateway.cases import Case
from gateway.evidence import evidence_facts
from gateway.forward import Accepted
from gateway.judge import Judge, Verdict
from gateway.register import disclosures
from gateway.scanning import scan_facts
from gateway.timestamping import Stamping
from signing.own.own_keys import OwnKeys
from spool import answers, holds, marks, submissions
from spool.journal import Journal, now
from spool.outbox import Outbox
from spool.submissions import Ruling, State, Submission
from spool.withdrawals import is_withdrawn


class WithdrawnMeanwhileError(TemporaryError):
    """A TD came between the checks and the verdict; judged again, the submission is found withdrawn."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The stages after custody, with what they need."""

    journal: Journal
    judge: Judge
    keys: OwnKeys
    zone: ZoneInfo
    outbox: Outbox
    declarations: Path
    stamping: Stamping | None = None
    compress_above: int = COMPRESS_ABOVE_BYTES
    routing: Routing = field(default_factory=Routing)

    @property
    def desk(self) -> Desk:
        """What is made to go out is made with this."""
        return Desk(self.keys, self.zone, self.journal, self.compress_above)

    def open_plain(self, connection: Connection, tickets: Sequence[str]) -> dict[str, Case]:
        """The cases of those that nothing bears on but themselves, by ticket, for :meth:`settle`."""
        return self.judge.cases.open_plain(connection, tickets)

    async def settle(self, ticket: str, case: Case | None = None) -> Verdict | None:
        """Judge one submission and record what follows; None if it has a verdict already.

        Its ``case`` is opened, unless it was just now.

        Raises:
            TemporaryError, WorkerFailedError: no verdict can be made just now.
        """
        if case is None:
            case = await asyncio.to_thread(self.judge.cases.open, ticket)
        if case is None:
            return None
        if case.hold is not None:
            await asyncio.to_thread(holding.keep, self.journal, case.submission, case.hold)
            return None
        verdict = await self.judge.judge(case)
        if case.repeat is not None:
            await asyncio.to_thread(self._give_again, case.submission, case.repeat.ticket)
            return verdict
        told = Told(case.submission, verdict.findings, case.anomalies, case.sender.language)
        if self.stamping is None:
            await asyncio.to_thread(self._answer, verdict, told)
            return verdict
        signed = await asyncio.to_thread(answer.compose, told, self.desk)
        stamped = [await answer.stamp(each, self.stamping) for each in signed]
        await asyncio.to_thread(self._record, verdict, stamped)
        return verdict

    async def answer(self) -> int:
        """Place every answer that is promised; answers how many."""
        return await asyncio.to_thread(answer.place_all, self.journal, self.outbox)

    def _answer(self, verdict: Verdict, told: Told) -> None:
        self._record(verdict, answer.compose(told, self.desk))

    def _record(self, verdict: Verdict, signed: Sequence[SignedAnswer]) -> None:
        case, submission = verdict.case, verdict.case.submission
        # Made before the turn to write, for which others wait.
        ruling = _ruling(verdict)
        marked = marks.taking(marks.beside(case.declarations), case.validated.marks if case.validated else None)
        with marked as persons, self.journal.write() as connection:
            is_plain = holds.is_plain(connection, submission, now())
            if not is_plain:
                holding.check(connection, submission)
            is_alone = is_plain or holds.is_alone(connection, submission)
            if verdict.state is State.ACCEPTED:
                _check_unchanged(connection, case, is_alone=is_alone)
            if not submissions.settle(connection, submission.ticket, ruling):
                return
            if not is_alone:
                holds.let_follow(connection, submission)
            answer.promise(connection, signed)
            if verdict.state is State.ACCEPTED:
                forward.promise(connection, _accepted(case), self.routing)
                disclosures.record(connection, submission.ticket, persons, submission.received_at)

    def _give_again(self, submission: Submission, first: str) -> None:
        with self.journal.read() as connection:
            unsettled = answers.unsettled_stems(connection)
            placed = [name for name in answers.names(connection, first) if name.stem not in unsettled]
        for name in placed:
            self.outbox.forget_removal(name.mailbox, name.stem)
        ticket = submission.ticket
        with self.journal.write() as connection:
            holding.check(connection, submission)
            if submissions.settle(connection, ticket, Ruling(State.REPEATED, facts={"repeats": first})):
                holds.let_follow(connection, submission)
                answer.promise_again(connection, ticket, first)


def _check_unchanged(connection: Connection, case: Case, *, is_alone: bool) -> None:
    """See that no other submission of the name has come that the verdict has to take into account."""
    if not is_alone and not case.withdrawn and is_withdrawn(connection, case.submission):
        raise WithdrawnMeanwhileError("a TD came while it was judged")
    repeats.check_unchanged(case.namesake, None if is_alone else submissions.namesake(connection, case.submission))


def _accepted(case: Case) -> Accepted:
    return Accepted(
        case.submission, case.name, case.parts, case.declared, f"{case.folder.parent.name}/{case.folder.name}"
    )


def _ruling(verdict: Verdict) -> Ruling:
    case = verdict.case
    evidence = [item for item in case.evidence if item is not None]
    return Ruling(
        state=verdict.state,
        findings=tuple((finding.error_id, finding.detail) for finding in verdict.findings),
        certificate=evidence[0].fingerprint if evidence else None,
        schema_version=case.validated.parts[0].schema_version if case.validated else None,
        forms=len(case.validated.declarations) if case.validated else None,
        facts={"checks": list(verdict.took), "began_at": verdict.began_at, "took": dict(verdict.took)}
        | evidence_facts(case.sender.signature, case.evidence, case.fault)
        | scan_facts(case.scanned),
    )
