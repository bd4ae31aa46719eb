"""What worker processes do with a sender's bytes: verify signatures, then validate, part by part.

These functions run in a limited process (:mod:`gateway.workers`); they take paths and settings, and answer values that
can be sent back.  Nothing here decides: faults become findings in :mod:`gateway.judge`.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO

from gateway import reliance
from gateway.worker_values import send_in_order
from schemas import catalogue
from schemas.catalogue import TypesUnusable
from schemas.codes import Code, Finding
from schemas.inspection import Employer, Inspected
from schemas.notification import Report
from schemas.original import originals
from schemas.refusal import MAX_ANOMALIES
from schemas.validate import Limits, Refused, Validated, validate
from signing.policy import Policy
from signing.trust.authorities import Authorities, current
from signing.verify import Evidence, Fault, Use, verify_detached, verify_enveloped
from spool import marks
from spool.declarations import DeclarationWriter, writing
from spool.marks import MarkWriter
from spool.submissions import StoredFile


@dataclass(frozen=True, slots=True)
class SignedPart:
    """One FI and, for a detached signature, its FS."""

    data: Path
    signature: Path | None


@dataclass(frozen=True, slots=True)
class TrustRules:
    """What signatures are judged by.

    ``authorities`` is the folder of those that are accepted, ``at`` the moment to judge at, ``policy`` what a
    signature may look like, ``environment`` (R, T, S) and ``purpose`` what the submission is for.  ``archive`` is where
    what was relied on is kept (:mod:`spool.relied`), None to keep nothing.
    """

    authorities: Path
    at: datetime
    policy: Policy
    environment: str | None = None
    purpose: str | None = None
    archive: Path | None = None


@dataclass(frozen=True, slots=True)
class Declaration:
    """Where one declaration lies in the file of declarations, and the part it came from (its place in the set).

    ``identification`` is what the form calls itself, as its schema takes it, empty where it doesn't; ``employers`` are
    those that it names.
    """

    part: int
    offset: int
    length: int
    identification: str = ""
    employers: tuple[Employer, ...] = ()


@dataclass(frozen=True, slots=True)
class Anomalies:
    """What is anomalous in the forms of a set, by part; ``untold`` counts what exceeds the most that is told."""

    reports: tuple[Report, ...] = ()
    untold: int = 0


@dataclass(frozen=True, slots=True)
class ValidatedSet:
    """Every declaration of a set, in order, what each part was, and what is only warned of.

    ``marks`` are those of the persons whom it names, None if they are so many that they are in a file.
    """

    parts: tuple[Validated, ...]
    declarations: tuple[Declaration, ...]
    anomalies: Anomalies = Anomalies()
    marks: bytes | None = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class RefusedSet:
    """Why a set is refused, and what is wrong with its forms at which place."""

    findings: tuple[Finding, ...]
    anomalies: Anomalies = Anomalies()


@dataclass(frozen=True, slots=True)
class Content:
    """What of one part is to be validated.

    ``name`` is what answers call the part, ``data`` its file or the bytes that its verification vouches for,
    ``verified`` the SHA-256 in hex of what was verified; None where nothing was signed. ``unsigned`` says that a
    signature is missing unless the type of message needs none.
    """

    name: str
    data: Path | bytes
    verified: str | None
    unsigned: bool = False


def contents_of(
    name: str, folder: Path, parts: Sequence[StoredFile], evidence: Sequence[Evidence | None], *, signs: bool
) -> tuple[Content, ...]:
    """What of each part is to be validated; of several, each goes by its own name, for lines are counted in each.

    Args:
        name: that of the set.
        folder: where its parts are.
        parts: the FI files, in their order.
        evidence: what the verification of each says; None for one that isn't signed.
        signs: whether the sender has to sign.
    """
    contents = []
    for file, verified in zip(parts, evidence, strict=True):
        called = file.name if len(parts) > 1 else name
        if verified is None:
            contents.append(Content(called, folder / file.name, None, unsigned=signs))
        elif verified.content is None:
            contents.append(Content(called, folder / file.name, verified.sha256))
        else:
            contents.append(Content(called, verified.content, None))
    return tuple(contents)


@dataclass(frozen=True, slots=True)
class ContentRules:
    """What content is judged by.

    ``purpose`` is the code in the set's name, known to the catalogue, ``limits`` what one part may hold, ``day`` that
    of receipt, which decides what versions of a schema count, ``types`` the folder with types of the site's own.
    ``mark`` turns an INSS into its keyed hash, and holds the key; without it nobody whom a form names is noted.
    """

    purpose: str
    limits: Limits
    day: date
    types: Path
    mark: Callable[[str], str] | None = field(default=None, repr=False)


# What comes with every task, or with the answer to it.
send_in_order(SignedPart, TrustRules, Policy, StoredFile, Content, ContentRules, Limits)
send_in_order(Evidence, Fault, ValidatedSet, Validated, Declaration, Employer, Anomalies, RefusedSet, Finding)


class NotWhatWasVerifiedError(Exception):
    """The bytes to validate are not those whose signature was verified."""


class _FaultFoundError(Exception):
    """Some part is refused, so nothing of the set is kept."""


def verify_part(part: SignedPart, rules: TrustRules) -> Evidence | Fault:
    """Whether the signature of one part is good, and whose it is.

    Raises:
        TrustUnavailable: that cannot be known just now.
        EvidenceNotKeptError: what it was judged with cannot be kept just now.
    """
    authorities = current(rules.authorities)
    found = _verified(part, rules, authorities)
    if rules.archive is not None:
        reliance.keep(rules.archive, found, authorities)
    return found


def _verified(part: SignedPart, rules: TrustRules, authorities: Authorities) -> Evidence | Fault:
    use = Use(rules.environment, rules.purpose)
    if part.signature is None:
        return verify_enveloped(part.data, authorities=authorities, at=rules.at, policy=rules.policy, use=use)
    signature = part.signature.read_bytes()
    return verify_detached(part.data, signature, authorities=authorities, at=rules.at, policy=rules.policy, use=use)


def validate_set(contents: Sequence[Content], rules: ContentRules, declarations: Path) -> ValidatedSet | RefusedSet:
    """Validate every part and write its declarations one after the other to ``declarations``.

    The marks of the persons whom they name are answered, or go to a file beside it (:mod:`spool.marks`), if ``rules``
    says how to make them.  A part that is refused is no reason not to look at the others: all that is wrong is told.

    Args:
        contents: the parts, in their order.
        rules: what they are judged by.
        declarations: where to write; nothing is left there if the set is refused.

    Raises:
        NotWhatWasVerifiedError: the file changed after its signature was verified.
        TypesUnusable: the types of message can't be read now.
    """
    examination = _Examination(rules, several=len(contents) > 1)
    try:
        with writing(declarations) as writer, marks.writing(marks.beside(declarations)) as marked:
            for number, content in enumerate(contents):
                examination.examine(number, content, writer, marked)
            examination.conclude()
    except _FaultFoundError:
        return RefusedSet(tuple(examination.findings), examination.anomalies)
    return ValidatedSet(tuple(examination.parts), tuple(examination.places), examination.anomalies, marked.few)


class _Examination:
    """One set while its parts are validated one after the other."""

    def __init__(self, rules: ContentRules, *, several: bool) -> None:
        self._kinds = catalogue.current(rules.types).of_purpose(rules.purpose)
        if not self._kinds:
            raise TypesUnusable("a purpose has left the catalogue since its name was checked")
        self._rules = rules
        self._several = several
        self._reports: list[Report] = []
        self._told = 0
        self._untold = 0
        self.findings: list[Finding] = []
        self.parts: list[Validated] = []
        self.places: list[Declaration] = []

    @property
    def anomalies(self) -> Anomalies:
        return Anomalies(tuple(self._reports), self._untold)

    def examine(self, number: int, content: Content, writer: DeclarationWriter, marked: MarkWriter) -> None:
        """Validate the part with this number, counted from 0, unless more is known to be wrong than is told."""
        if self.findings and self._told >= MAX_ANOMALIES:
            return
        known: list[tuple[str, tuple[Employer, ...]]] = []
        mark = self._rules.mark

        def notice(form: Inspected) -> None:
            known.append((form.identification or "", form.employers))
            if mark is not None:
                marked.append(map(mark, form.persons))

        with _opened(content.data) as file:
            result = validate(file, self._kinds, self._rules.limits, writer.append, self._rules.day, notice)
            self._report(content.name, result, file)
        if isinstance(result, Refused):
            where = f"part {number + 1}: " if self._several else ""
            self.findings += [replace(finding, detail=where + finding.detail) for finding in result.findings]
            return
        if content.verified is not None and result.sha256 != content.verified:
            raise NotWhatWasVerifiedError
        if content.unsigned and self._needs_signature(result):
            self.findings.append(Finding(Code.FS_COUNT, "a message of this type has to be signed"))
        # What is only warned of is in the report.
        self.parts.append(replace(result, anomalies=()))
        spans = writer.spans[len(self.places) :]
        self.places.extend(Declaration(number, *span, *of_form) for span, of_form in zip(spans, known, strict=True))

    def _needs_signature(self, part: Validated) -> bool:
        return any(kind.signature_required for kind in self._kinds if kind.root == part.root)

    def conclude(self) -> None:
        """Raise if any part was refused."""
        if self.findings:
            raise _FaultFoundError

    def _report(self, name: str, result: Validated | Refused, file: BinaryIO) -> None:
        told = result.anomalies[: MAX_ANOMALIES - self._told]
        self._told += len(told)
        total = result.total if isinstance(result, Refused) else result.warnings
        self._untold += total - len(told)
        if told:
            file.seek(0)
            places: dict[int, list[tuple[int, ...]]] = {}
            for anomaly in told:
                places.setdefault(anomaly.form, []).append(anomaly.place.position)
            self._reports.append(Report(name, told, originals(file, places)))


def _opened(content: Path | bytes) -> BinaryIO:
    return io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
