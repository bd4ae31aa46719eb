"""The checks of one submission, in their order, each a short function from what is known to findings.

The checks run here; what they mean together is :mod:`gateway.verdict`'s.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from zoneinfo import ZoneInfo

import structlog

from config.settings import Settings
from gateway import holders, message_profiles, repeats
from gateway.assignments import content_rules, signed_part, trust_rules
from gateway.cases import Case, Cases
from gateway.examination import (
    Content,
    ContentRules,
    RefusedSet,
    SignedPart,
    TrustRules,
    ValidatedSet,
    contents_of,
    validate_set,
    verify_part,
)
from gateway.one_trip import Owner, verify_and_validate
from gateway.register import disclosures, speaking
from gateway.repeats import Repeat
from gateway.scanning import ContentScanner, subjects_of
from gateway.senders import NameRules, check_sender
from gateway.signature_rules import signature_files
from gateway.verdict import Check, UnfinishedJudgementError, decide
from gateway.workers import Trip, Workers
from schemas.codes import Code, Finding
from schemas.inspection import Employer
from signing.verify import Evidence, Fault
from spool.custody import Custody
from spool.gather import SignatureFiles, set_findings
from spool.journal import Journal, now
from spool.submissions import State

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided about a case, and why; how long each check took, and when the first began (microseconds)."""

    case: Case
    state: State
    findings: tuple[Finding, ...]
    took: Mapping[Check, int]
    began_at: int


class Judge:
    """Judges submissions with the settings and the register as they are at the moment of judging."""

    def __init__(self, settings: Settings, journal: Journal, custody: Custody, workers: Workers) -> None:
        self.cases = Cases(settings, journal, custody)
        self._settings = settings
        self._journal = journal
        self._workers = workers
        self._scanner = ContentScanner(settings.scanner)
        self._checks: dict[Check, Callable[[Case], Awaitable[tuple[Finding, ...]]]] = {
            Check.SENDER: self._sender,
            Check.SET: self._set,
            Check.REPEATS: self._repeats,
            Check.SIGNATURE: self._signature,
            Check.SCAN: self._scan,
            Check.VALIDATION: self._validation,
            Check.MANDATES: self._mandates,
        }

    async def judge(self, case: Case) -> Verdict:
        """Run the checks until one finds something, and decide.

        Raises:
            TemporaryError, WorkerFailedError: no verdict can be made just now.
        """
        try:
            return await self._judge(case)
        finally:
            if case.trip is not None:
                case.trip.give_up()

    async def _judge(self, case: Case) -> Verdict:
        reports: dict[Check, tuple[Finding, ...]] = {}
        began_at, took = now(), dict[Check, int]()
        for check, run in self._checks.items():
            begun = time.monotonic_ns()
            reports[check] = await run(case)
            took[check] = (time.monotonic_ns() - begun) // 1000
            log.debug("check.reported", check=check, codes=[finding.code for finding in reports[check]])
            if case.repeat is not None:
                return Verdict(case, State.REPEATED, (), took, began_at)
            if reports[check]:
                break
        state, findings = decide(reports)
        told = message_profiles.in_words_of_channel(findings, case.submission, self._settings.mq.profiles)
        return Verdict(case, state, told, took, began_at)

    async def _sender(self, case: Case) -> tuple[Finding, ...]:
        if case.dropped:
            return (Finding(Code.CANCELLED, "the gateway could not judge it, and its operators dropped it"),)
        if found := message_profiles.found_at_the_door(case.submission):
            return found
        intake = self._settings.intake
        rules = NameRules(self._day_of(case), intake.max_age_days, intake.max_parts)
        return check_sender(case.submission, case.sender, rules, case.types)

    def _day_of(self, case: Case) -> date:
        """The day of receipt where the network is."""
        return case.received_at.astimezone(ZoneInfo(self._settings.intake.time_zone)).date()

    async def _set(self, case: Case) -> tuple[Finding, ...]:
        if case.withdrawn:
            return (Finding(Code.CANCELLED, "withdrawn by a TD file that came after it"),)
        # A GO without data, and every TD, may speak of a set that came before.
        looks_back = not case.submission.content or case.submission.name.startswith("TD.")
        if looks_back and (repeated := self._repeated(case)):
            return () if isinstance(repeated, Repeat) else repeated
        kinds = case.types.of_purpose(case.name.purpose)
        signatures = signature_files(case.sender.signature, case.submission.directory, kinds)
        names = [file.name for file in case.submission.files]
        return set_findings(names, signatures, started=case.submission.channel != "mq")

    @staticmethod
    def _repeated(case: Case) -> Repeat | tuple[Finding, ...]:
        return repeats.check_repeats(case.submission, case.namesake, answered=case.answered)

    async def _repeats(self, case: Case) -> tuple[Finding, ...]:
        result = self._repeated(case)
        if isinstance(result, Repeat):
            case.repeat = result
            return ()
        return result

    async def _signature(self, case: Case) -> tuple[Finding, ...]:
        kinds = case.types.of_purpose(case.name.purpose)
        rules = trust_rules(self._settings, case.sender, case.name, kinds, case.received_at)
        if not case.parts:
            raise UnfinishedJudgementError("there is nothing whose signature could be verified")
        signed = [signed_part(case.folder, file, case.sender.signature) for file in case.parts]
        case.trip = await self._one_trip(case, signed, rules)
        for part in signed:
            if part is None:
                case.evidence.append(None)
                continue
            if case.trip is not None and not case.trip.is_over:
                result = await case.trip.next()
            else:
                result = await self._workers.run(verify_part, part, rules)
            if isinstance(result, Fault):
                case.fault = result
                return (Finding(Code.SIGNATURE_INVALID, f"{result.reason}: {result.detail}"),)
            case.evidence.append(result)
            if refused := holders.refusal(self._settings, case.sender, result, case.submission.received_at):
                return (Finding(Code.CERTIFICATE_NOT_OWNERS, refused),)
        return ()

    async def _one_trip(self, case: Case, signed: list[SignedPart | None], trust: TrustRules) -> Trip | None:
        """A worker that verifies, and goes on to validate if it may; None where something has to stand between."""
        mark = disclosures.marker_at_hand(self._settings)
        if mark is None or not any(signed) or self._scanner.looks_at(str(case.name.environment)):
            return None
        owner = Owner(case.sender.certificates, case.submission.received_at)
        contents, rules = self._contents(case), self._content_rules(case, mark)
        return await self._workers.begin(verify_and_validate, signed, trust, owner, contents, rules, case.declarations)

    async def _scan(self, case: Case) -> tuple[Finding, ...]:
        subjects = subjects_of(case.folder, case.parts, case.evidence)
        return await self._scanner.check(str(case.name.environment), subjects, case.scanned)

    def _content_rules(self, case: Case, mark: Callable[[str], str]) -> ContentRules:
        return content_rules(self._settings, case.name.purpose, case.parts, self._day_of(case), mark)

    @staticmethod
    def _contents(case: Case) -> Callable[[Sequence[Evidence | None]], tuple[Content, ...]]:
        """What of the set is to be validated, once it is known what was verified."""
        signs = signature_files(case.sender.signature, case.submission.directory) is SignatureFiles.REQUIRED
        return partial(contents_of, case.submission.name, case.folder, case.parts, signs=signs)

    async def _validation(self, case: Case) -> tuple[Finding, ...]:
        result = await self._validated(case) if case.trip is None or case.trip.is_over else await case.trip.next()
        case.anomalies = result.anomalies
        if not isinstance(result, ValidatedSet):
            return result.findings
        case.validated = result
        return ()

    async def _validated(self, case: Case) -> ValidatedSet | RefusedSet:
        mark = disclosures.marker_at_hand(self._settings)
        if mark is None:
            mark = await asyncio.to_thread(disclosures.marker, self._settings, self._journal)
        contents = self._contents(case)(case.evidence)
        return await self._workers.run(validate_set, contents, self._content_rules(case, mark), case.declarations)

    async def _mandates(self, case: Case) -> tuple[Finding, ...]:
        employers = frozenset[Employer]().union(*(part.employers for part in case.declared.parts))
        if case.sender.any_employer or not employers:
            return ()
        findings = await asyncio.to_thread(self._about_employers, case, employers)
        if findings:
            # Nobody will ask for what was validated.
            case.declarations.unlink(missing_ok=True)
        return findings

    def _about_employers(self, case: Case, employers: frozenset[Employer]) -> tuple[Finding, ...]:
        with self._journal.read() as connection:
            return speaking.check(connection, case.sender.quality, employers, case.submission.received_at)
