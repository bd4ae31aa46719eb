"""What would a gateway say of these files?  Off line, without a site.

Names, sets, repeats within the lot, signatures and content are judged by what a gateway judges them by, with the limits
of settings that nobody changed. A gateway stops at the first check that finds something; here a sender is told of all
of them at once. What nobody can know without a site is left out: the directory, the rights and certificates of the
sender, and what was sent before.

Source: as `gateway.senders`, `spool.gather`, `signing.verify` and `schemas.validate`, which do the same for a gateway.
"""

import io
import resource
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO, Final

from gateway.lot import Batch, Repeats, digest
from gateway.report import Found, Notice, Remark, Report, Signature, Trust, is_blocking
from schemas.catalogue import Catalogue, MessageType
from schemas.codes import Code, Finding
from schemas.filename import Environment, FileName, Prefix, check_date, parse
from schemas.validate import Limits, Validated, validate
from signing.evidence import Fault, Format
from spool.gather import SignatureFiles, closing_name, set_findings

_ADDRESS_SPACE: Final = Path("/proc/self/statm")
_NAME_NOT_CHECKED: Final = (Remark(Notice.NAME_NOT_CHECKED),)


@dataclass(frozen=True, slots=True)
class Rules:
    """What files are judged by.

    Args:
        catalogue: the types of message
        limits: what one file may hold
        day: of receipt, where the network is
        at: the moment of receipt
        max_age_days: the oldest day that a name may carry
        max_parts: the most parts of a set
        purpose: of files whose name doesn't say it
        enveloped: whether the signatures are inside the FI files
        authorities: the folder of accepted authorities; None to ask none
        opened: opens a file for reading
    """

    catalogue: Catalogue
    limits: Limits
    day: date
    at: datetime
    max_age_days: int
    max_parts: int
    purpose: str | None = None
    enveloped: bool = False
    authorities: Path | None = None
    opened: Callable[[Path], AbstractContextManager[BinaryIO]] = lambda path: path.open("rb")


def check(batches: Iterable[Batch], rules: Rules) -> Iterator[Report]:
    """A report for each FI file, and for each set without one; those of a batch come together.

    Raises:
        ConfigurationError: the folder of authorities is not right
        OSError: a file can't be read
    """
    repeats = Repeats()
    for batch in batches:
        yield from _check_batch(batch, rules, repeats)


@contextmanager
def bounded_memory(most: int) -> Iterator[None]:
    """Bound what the block may take besides what is in use, in bytes; no core dumps, which would hold declarations.

    A worker of a gateway is bounded likewise (`gateway.workers`). It is a process of its own, for it has other people's
    files to protect; here a file is its sender's own trouble.
    """
    in_use = int(_ADDRESS_SPACE.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    with _soft_limit(resource.RLIMIT_AS, in_use + most), _soft_limit(resource.RLIMIT_CORE, 0):
        yield


@contextmanager
def _soft_limit(of: int, most: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(of)
    least = min([most, *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY)])
    resource.setrlimit(of, (least, hard))
    try:
        yield
    finally:
        resource.setrlimit(of, (soft, hard))


def _check_batch(batch: Batch, rules: Rules, repeats: Repeats) -> Iterator[Report]:
    digests = [digest(file) for file in batch.data]
    of_batch = (*_of_set(batch, rules), *repeats.of_name(batch, digests))
    reports = [
        _of_part(file, batch, rules, (*of_batch, *repeats.of_content(batch, file, content)))
        for file, content in zip(batch.data, digests, strict=True)
    ] or [Report(_naming(batch), of_batch, accepted=False)]
    accepted = not any(is_blocking(found) for report in reports for found in report.findings)
    if accepted:
        repeats.note(batch, digests)
    for report in reports:
        yield replace(report, accepted=accepted)


def _naming(batch: Batch) -> Path:
    """The file that a set without data goes by."""
    name = closing_name(batch.names)
    return next((file for file in batch.files if file.name == name), batch.files[0])


def _of_set(batch: Batch, rules: Rules) -> tuple[Found, ...]:
    """What is wrong with the set as a set, or with the name that closes it."""
    if not batch.is_set:
        return ()
    closing = closing_name(batch.names)
    if closing is not None and (findings := _of_name(closing, rules)):
        return findings
    return set_findings(batch.names, SignatureFiles.NONE if rules.enveloped else SignatureFiles.OPTIONAL)


def _of_name(text: str, rules: Rules) -> tuple[Finding, ...]:
    name = parse(text, max_parts=rules.max_parts)
    if not isinstance(name, FileName):
        return name
    if name.prefix in {Prefix.FO, Prefix.CO}:
        return (Finding(Code.PREFIX_INVALID, "FO and CO are files the gateway sends"),)
    findings = check_date(name.date, today=rules.day, max_age_days=rules.max_age_days)
    if not any(name.environment in kind.environments for kind in rules.catalogue.of_purpose(name.purpose)):
        findings += (Finding(Code.PURPOSE_NOT_ALLOWED, "nobody may send files of this purpose in this environment"),)
    return findings


def _says_something(name: str, rules: Rules) -> bool:
    """Whether a name is meant for the gateway; of another one somebody has to say what the file is."""
    return rules.purpose is None or name.partition(".")[0] in set(Prefix)


def _of_part(file: Path, batch: Batch, rules: Rules, of_batch: Sequence[Found]) -> Report:
    """The report on one FI; whether it is accepted depends on the others."""
    named = (*of_batch, *(_of_name(file.name, rules) if _says_something(file.name, rules) else _NAME_NOT_CHECKED))
    try:
        report = _of_content(file, batch, rules)
    except MemoryError:
        report = Report(file, (Remark(Notice.NOT_ENOUGH_MEMORY),), accepted=False)
    return replace(report, findings=tuple(dict.fromkeys((*named, *report.findings))))


def _of_content(file: Path, batch: Batch, rules: Rules) -> Report:
    kinds = _kinds(file.name, rules)
    beside = batch.signature_of(file)
    if beside is None and not rules.enveloped:
        return _validated(file, kinds, rules, None, _unsigned(file.name, batch, kinds))
    signature = _signature(file, beside, kinds, rules)
    if not isinstance(signature, Fault):
        return _validated(file, kinds, rules, signature, _remarks(signature, rules))
    refused = Finding(Code.SIGNATURE_INVALID, f"{signature.reason}: {signature.detail}")
    if rules.enveloped:
        # What of the document would have been signed is not known.
        return Report(file, (refused,), accepted=False)
    return _validated(file, kinds, rules, None, (refused,))


def _kinds(name: str, rules: Rules) -> tuple[MessageType, ...]:
    """The types that a file may be of: those its name says, even if there is something else wrong with it."""
    purposes = [*name.split(".")[1:2], rules.purpose or ""]
    known = (rules.catalogue.of_purpose(purpose) for purpose in purposes)
    return next((kinds for kinds in known if kinds), ())


def _unsigned(name: str, batch: Batch, kinds: Sequence[MessageType]) -> tuple[Remark, ...]:
    """A set without FS is right for senders who sign otherwise only, and for simulation."""
    simulated = batch.key.endswith(f".{Environment.SIMULATION}")
    needed = any(kind.signature_required for kind in kinds) and not simulated
    return (Remark(Notice.NOT_SIGNED, f"FS.{name.removeprefix('FI.')}"),) if batch.is_set and needed else ()


def _signature(file: Path, beside: Path | None, kinds: Sequence[MessageType], rules: Rules) -> Signature | Fault:
    from gateway.signature_check import Question, check_signature  # noqa: PLC0415 - takes half a second to load

    name = parse(file.name)
    named = [kind.signature_formats for kind in kinds]
    question = Question(
        authorities=rules.authorities,
        at=rules.at,
        formats=frozenset(Format(word) for words in named for word in words) if all(named) else frozenset(),
        environment=str(name.environment) if isinstance(name, FileName) else None,
        purpose=name.purpose if isinstance(name, FileName) else None,
    )
    return check_signature(file, beside, question)


def _remarks(signature: Signature, rules: Rules) -> tuple[Remark, ...]:
    if signature.trust is Trust.UNKNOWN:
        return (Remark(Notice.REVOCATION_UNKNOWN),)
    if not signature.not_before <= rules.at <= signature.not_after:
        return (Remark(Notice.SIGNER_NOT_VALID, rules.at.isoformat(timespec="seconds")),)
    return ()


def _validated(
    file: Path, kinds: Sequence[MessageType], rules: Rules, signature: Signature | None, found: Sequence[Found]
) -> Report:
    """The report once the content was judged as well."""
    if not kinds:
        return Report(file, (*found, Remark(Notice.TYPE_UNKNOWN)), accepted=False, signature=signature)
    signed = signature.content if signature is not None else None
    with rules.opened(file) if signed is None else io.BytesIO(signed) as content:
        result = validate(content, kinds, rules.limits, _drop, rules.day)
    if isinstance(result, Validated):
        untold = result.warnings - len(result.anomalies)
        return Report(file, (*found, *result.anomalies), True, signature, result, untold)
    # A code that is told with its place need not be told without it.
    placed = {anomaly.broken.code for anomaly in result.anomalies}
    findings = tuple(finding for finding in result.findings if finding.code not in placed)
    untold = result.total - len(result.anomalies)
    return Report(file, (*found, *findings, *result.anomalies), False, signature, untold=untold)


def _drop(_declaration: bytes) -> None:
    """Nothing is forwarded."""
