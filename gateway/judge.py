"""The checks of one submission, in their order, each a short function from what is known to findings.

The checks run here; what they mean together is :mod:`gateway.verdict`'s.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from config.errors import ConfigurationError, TemporaryError
from config.settings import Settings
from gateway import message_profiles, parties, registrations, repeats
from gateway.examination import (
    Anomalies,
    Content,
    ContentRules,
    SignedPart,
    TrustRules,
    ValidatedSet,
    validate_set,
    verify_part,
)
from gateway.parties import Sender, SignatureProfile
from gateway.register import disclosures, speaking
from gateway.repeats import Repeat
from gateway.senders import NameRules, check_sender
from gateway.signature_rules import sender_policy, signature_files, signature_policy, type_formats
from gateway.verdict import Check, UnfinishedJudgementError, decide
from gateway.workers import Workers
from schemas import catalogue
from schemas.catalogue import Catalogue
from schemas.codes import Code, Finding
from schemas.filename import FileName, parse
from schemas.inspection import Employer
from schemas.validate import Limits
from signing.holder import read_key
from signing.verify import Evidence, Fault
from spool import holds, submissions
from spool.custody import Custody
from spool.gather import SignatureFiles, set_findings
from spool.holds import Hold
from spool.journal import Journal, now
from spool.relied import EVIDENCE
from spool.submissions import State, StoredFile, Submission
from spool.withdrawals import is_withdrawn

log = structlog.get_logger()


@dataclass(slots=True)
class Case:
    """What is known of one submission while it is judged; each check adds what it found out."""

    submission: Submission
    sender: Sender
    namesake: Submission | None
    folder: Path
    declarations: Path
    types: Catalogue
    withdrawn: bool = False
    hold: Hold | None = None
    dropped: bool = False
    repeat: Repeat | None = None
    evidence: list[Evidence | None] = field(default_factory=list)
    fault: Fault | None = None
    validated: ValidatedSet | None = None
    anomalies: Anomalies = field(default_factory=Anomalies)

    @property
    def received_at(self) -> datetime:
        """The moment that everything is judged at, however long the judgement had to wait."""
        return datetime.fromtimestamp(self.submission.received_at / 1_000_000, tz=UTC)

    @property
    def name(self) -> FileName:
        """The name the set goes by; asked for only after it was found to be well formed."""
        name = parse(self.submission.name)
        if not isinstance(name, FileName):
            raise TypeError("the name was not checked")
        return name

    @property
    def declared(self) -> ValidatedSet:
        """What the validation found; asked for only after it found nothing wrong."""
        if self.validated is None:
            raise UnfinishedJudgementError("nothing was validated")
        return self.validated

    @property
    def parts(self) -> list[StoredFile]:
        """The FI files, in the order of their part numbers."""
        return [file for file in self.submission.files if file.name.startswith("FI.")]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided about a case, and why."""

    case: Case
    state: State
    findings: tuple[Finding, ...]
    checks: tuple[Check, ...]


class HolderKeyUnusableError(TemporaryError):
    """Certificates are registered by their holder, and the key that holders are hashed with cannot be read."""


class Judge:
    """Judges submissions with the settings and the register as they are at the moment of judging."""

    def __init__(self, settings: Settings, journal: Journal, custody: Custody, workers: Workers) -> None:
        self._settings = settings
        self._journal = journal
        self._custody = custody
        self._workers = workers
        self._checks: dict[Check, Callable[[Case], Awaitable[tuple[Finding, ...]]]] = {
            Check.SENDER: self._sender,
            Check.SET: self._set,
            Check.REPEATS: self._repeats,
            Check.SIGNATURE: self._signature,
            Check.VALIDATION: self._validation,
            Check.MANDATES: self._mandates,
        }

    def open_case(self, ticket: str) -> Case | None:
        """The case of ``ticket``, or None if it has a verdict already.  Blocks on journal and disk.

        Raises:
            TypesUnusable: the site's own types of message can't be read now.
        """
        with self._journal.read() as connection:
            submission = submissions.load(connection, ticket)
            if submission is None or submission.state not in submissions.OPEN_STATES:
                return None
            sender = parties.find_sender(connection, submission.sender)
            namesake, withdrawn = submissions.namesake(connection, submission), is_withdrawn(connection, submission)
            hold, dropped = holds.standing_on(connection, submission, now()), holds.dropped(connection, ticket)
        if sender is None:
            raise LookupError("the sender of a submission is not registered")
        sender = message_profiles.as_user(sender, submission, self._settings.mq.profiles)
        folder = self._custody.folder(ticket, submission.received_at)
        declarations = self._settings.spool.path / "declarations" / ticket
        types = catalogue.current(self._settings.schemas.folder)
        case = Case(submission, sender, namesake, folder, declarations, types, withdrawn=withdrawn)
        case.hold, case.dropped = hold, dropped is not None
        return case

    async def judge(self, case: Case) -> Verdict:
        """Run the checks until one finds something, and decide.

        Raises:
            TemporaryError, WorkerFailedError: no verdict can be made just now.
        """
        reports: dict[Check, tuple[Finding, ...]] = {}
        for check, run in self._checks.items():
            reports[check] = await run(case)
            log.debug("check.reported", check=check, codes=[finding.code for finding in reports[check]])
            if case.repeat is not None:
                return Verdict(case, State.REPEATED, (), tuple(reports))
            if reports[check]:
                break
        state, findings = decide(reports)
        told = message_profiles.in_words_of_channel(findings, case.submission, self._settings.mq.profiles)
        return Verdict(case, state, told, tuple(reports))

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
        if looks_back and (repeated := repeats.check_repeats(case.submission, case.namesake)):
            return () if isinstance(repeated, Repeat) else repeated
        kinds = case.types.of_purpose(case.name.purpose)
        signatures = signature_files(case.sender, case.submission.directory, kinds)
        names = [file.name for file in case.submission.files]
        return set_findings(names, signatures, started=case.submission.channel != "mq")

    async def _repeats(self, case: Case) -> tuple[Finding, ...]:
        result = repeats.check_repeats(case.submission, case.namesake)
        if isinstance(result, Repeat):
            case.repeat = result
            return ()
        return result

    async def _signature(self, case: Case) -> tuple[Finding, ...]:
        trust = self._settings.trust
        name = case.name
        rules = TrustRules(
            trust.authorities,
            case.received_at,
            sender_policy(signature_policy(trust), case.sender, type_formats(case.types.of_purpose(name.purpose))),
            environment=str(name.environment),
            purpose=name.purpose,
            archive=self._settings.spool.path / EVIDENCE,
        )
        if not case.parts:
            raise UnfinishedJudgementError("there is nothing whose signature could be verified")
        for file in case.parts:
            part = self._signed_part(case, file)
            if part is None:
                case.evidence.append(None)
                continue
            result = await self._workers.run(verify_part, part, rules)
            if isinstance(result, Fault):
                case.fault = result
                return (Finding(Code.SIGNATURE_INVALID, f"{result.reason}: {result.detail}"),)
            case.evidence.append(result)
            if refused := self._not_the_senders(case, result):
                return (Finding(Code.CERTIFICATE_NOT_OWNERS, refused),)
        return ()

    def _not_the_senders(self, case: Case, evidence: Evidence) -> str:
        registered, at = case.sender.certificates, case.submission.received_at
        refused = registrations.refusal(registered, evidence, at, None)
        if not refused or not registrations.by_holder(registered, at):
            return refused
        try:
            key = read_key(registrations.holder_key_file(self._settings))
        except ConfigurationError as fault:
            raise HolderKeyUnusableError("; ".join(fault.faults)) from fault
        return registrations.refusal(registered, evidence, at, key)

    def _signed_part(self, case: Case, file: StoredFile) -> SignedPart | None:
        """What of one FI is to be verified; None if nothing is."""
        data = case.folder / file.name
        if case.sender.signature is SignatureProfile.CHANNEL:
            return None
        if case.sender.signature is SignatureProfile.ENVELOPED:
            return SignedPart(data, None)
        signature = case.folder / f"FS.{file.name.removeprefix('FI.')}"
        # Without FS only simulation, and types that may need none, get this far: the check of the set refused others.
        return SignedPart(data, signature) if signature.exists() else None

    async def _validation(self, case: Case) -> tuple[Finding, ...]:
        limits = Limits(max_bytes=self._settings.intake.max_file_bytes, max_forms=self._settings.judging.max_forms)
        mark = await asyncio.to_thread(disclosures.marker, self._settings, self._journal)
        rules = ContentRules(case.name.purpose, limits, self._day_of(case), self._settings.schemas.folder, mark)
        result = await self._workers.run(validate_set, _contents(case), rules, case.declarations)
        case.anomalies = result.anomalies
        if not isinstance(result, ValidatedSet):
            return result.findings
        case.validated = result
        return ()

    async def _mandates(self, case: Case) -> tuple[Finding, ...]:
        findings = await asyncio.to_thread(self._not_the_senders_employers, case)
        if findings:
            # Nobody will ask for what was validated.
            case.declarations.unlink(missing_ok=True)
        return findings

    def _not_the_senders_employers(self, case: Case) -> tuple[Finding, ...]:
        employers = frozenset[Employer]().union(*(part.employers for part in case.declared.parts))
        if case.sender.any_employer or not employers:
            return ()
        with self._journal.read() as connection:
            return speaking.check(connection, case.sender.quality, employers, case.submission.received_at)


def _contents(case: Case) -> tuple[Content, ...]:
    """What of each part is to be validated; of several, each goes by its own name, for lines are counted in each."""
    contents = []
    signs = signature_files(case.sender, case.submission.directory) is SignatureFiles.REQUIRED
    for file, evidence in zip(case.parts, case.evidence, strict=True):
        name = file.name if len(case.parts) > 1 else case.submission.name
        if evidence is None:
            contents.append(Content(name, case.folder / file.name, None, unsigned=signs))
        elif evidence.content is None:
            contents.append(Content(name, case.folder / file.name, evidence.sha256))
        else:
            contents.append(Content(name, evidence.content, None))
    return tuple(contents)
