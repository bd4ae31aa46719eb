"""What does a check off line say of one file?

Values only. A finding of the channel and an anomaly of a form are the gateway's own; a remark is what only a check off
line has to say: what it could not judge, and what is allowed but probably not meant.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from schemas.anomaly import Anomaly, Severity
from schemas.codes import Finding
from schemas.validate import Validated
from signing.evidence import Format


class Notice(StrEnum):
    """What a remark is about."""

    TYPE_UNKNOWN = "type-unknown"
    NAME_NOT_CHECKED = "name-not-checked"
    NOT_SIGNED = "not-signed"
    SIGNER_NOT_VALID = "signer-not-valid"
    REVOCATION_UNKNOWN = "revocation-unknown"
    SAME_NAME = "same-name"
    SAME_CONTENT = "same-content"
    NOT_ENOUGH_MEMORY = "not-enough-memory"


# Nothing was judged then, so nothing can be called accepted.
_WITHOUT_JUDGEMENT = frozenset({Notice.NOT_ENOUGH_MEMORY, Notice.TYPE_UNKNOWN})


@dataclass(frozen=True, slots=True)
class Remark:
    """A notice, and what it concerns: a file, or a moment."""

    notice: Notice
    detail: str = ""

    @property
    def severity(self) -> Severity:
        """A warning, unless it says that the file was not judged."""
        return Severity.BLOCKING if self.notice in _WITHOUT_JUDGEMENT else Severity.WARNING


Found = Finding | Anomaly | Remark


class Trust(StrEnum):
    """Whether an accepted authority stands behind the signer."""

    NOT_ASKED = "not-asked"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that covers its file.

    Of the signer there is only the SHA-256 (hex) of the certificate, and its bounds in UTC: a subject may be a person.
    ``content`` is what was signed where that is not the file as it stands.
    """

    format: Format
    fingerprint: str
    not_before: datetime
    not_after: datetime
    trust: Trust = Trust.NOT_ASKED
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What was found about one file.

    ``accepted`` is about the set: a file in which nothing is wrong is refused along with a part that isn't right.
    ``untold`` counts the anomalies that are not told one by one.
    """

    file: Path
    findings: tuple[Found, ...]
    accepted: bool
    signature: Signature | None = None
    document: Validated | None = None
    untold: int = 0


def is_blocking(found: Found) -> bool:
    """Whether this alone refuses the file."""
    match found:
        case Finding():
            return True
        case Anomaly():
            return found.broken.severity is Severity.BLOCKING
        case Remark():
            return found.severity is Severity.BLOCKING
