"""What worker processes do with a sender's bytes: verify signatures, then validate, part by part.

These functions run in a limited process (:mod:`gateway.workers`); they take paths and settings, and answer values that
can be sent back.  Nothing here decides: faults become findings in :mod:`gateway.judge`.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from schemas import catalogue
from schemas.catalogue import MessageType
from schemas.codes import Finding
from schemas.validate import Limits, Validated, validate
from signing.policy import Policy
from signing.trust.authorities import current
from signing.verify import Evidence, Fault, Use, verify_detached, verify_enveloped
from spool.declarations import DeclarationWriter, writing


@dataclass(frozen=True, slots=True)
class SignedPart:
    """One FI and, for a detached signature, its FS."""

    data: Path
    signature: Path | None


@dataclass(frozen=True, slots=True)
class TrustRules:
    """What signatures are judged by.

    ``authorities`` is the folder of those that are accepted, ``at`` the moment to judge at, ``policy`` what a
    signature may look like, ``environment`` (R, T, S) and ``purpose`` what the submission is for.
    """

    authorities: Path
    at: datetime
    policy: Policy
    environment: str | None = None
    purpose: str | None = None


@dataclass(frozen=True, slots=True)
class Declaration:
    """Where one declaration lies in the file of declarations, and the part it came from (its place in the set)."""

    part: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class ValidatedSet:
    """Every declaration of a set, in order, and what each part was."""

    parts: tuple[Validated, ...]
    declarations: tuple[Declaration, ...]


class NotWhatWasVerifiedError(Exception):
    """The bytes to validate are not those whose signature was verified."""


class _FaultFoundError(Exception):
    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__()
        self.findings = findings


def verify_part(part: SignedPart, rules: TrustRules) -> Evidence | Fault:
    """Whether the signature of one part is good, and whose it is.

    Raises:
        TrustUnavailable: that cannot be known just now.
    """
    authorities = current(rules.authorities)
    use = Use(rules.environment, rules.purpose)
    if part.signature is None:
        return verify_enveloped(part.data, authorities=authorities, at=rules.at, policy=rules.policy, use=use)
    signature = part.signature.read_bytes()
    return verify_detached(part.data, signature, authorities=authorities, at=rules.at, policy=rules.policy, use=use)


def validate_set(
    contents: tuple[Path | bytes, ...],
    verified: tuple[str | None, ...],
    purpose: str,
    limits: Limits,
    declarations: Path,
    day: date,
) -> ValidatedSet | tuple[Finding, ...]:
    """Validate every part and write its declarations one after the other to ``declarations``.

    Args:
        contents: for each part the file, or the bytes that its verification vouches for.
        verified: for each part the SHA-256 in hex of what was verified; None where nothing was signed.
        purpose: the purpose code in the set's name, known to the catalogue.
        limits: what one part may hold.
        declarations: where to write; nothing is left there if there are findings.
        day: of receipt, which decides what versions of a schema count.

    Raises:
        NotWhatWasVerifiedError: the file changed after its signature was verified.
    """
    kinds = [kind for kind in _catalogue().of_purpose(purpose) if kind.versions]
    if not kinds:
        raise LookupError("the purpose is not in the catalogue")
    parts: list[Validated] = []
    places: list[Declaration] = []
    try:
        with writing(declarations) as writer:
            for number, (content, digest) in enumerate(zip(contents, verified, strict=True)):
                with _opened(content) as file:
                    parts.append(_validate_part(file, digest, _Rules(kinds, limits, day), writer))
                spans = writer.spans[len(places) :]
                places.extend(Declaration(number, offset, length) for offset, length in spans)
    except _FaultFoundError as fault:
        return fault.findings
    return ValidatedSet(tuple(parts), tuple(places))


@dataclass(frozen=True, slots=True)
class _Rules:
    kinds: Sequence[MessageType]
    limits: Limits
    day: date


def _validate_part(file: BinaryIO, digest: str | None, rules: _Rules, writer: DeclarationWriter) -> Validated:
    result = validate(file, rules.kinds, rules.limits, writer.append, rules.day)
    if not isinstance(result, Validated):
        raise _FaultFoundError(result.findings)
    if digest is not None and result.sha256 != digest:
        raise NotWhatWasVerifiedError
    return result


def _opened(content: Path | bytes) -> BinaryIO:
    return io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")


@lru_cache(maxsize=1)
def _catalogue() -> catalogue.Catalogue:
    return catalogue.load()
