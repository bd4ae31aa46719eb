"""May this sender send a file of this name here?  (annex 30: 103, 108, 111, 117-119, 126, 154, 168, 249, 257)  Pure.

The grammar of the name is :mod:`schemas.filename`'s; here its words are held against the login, the directory, the
sender's rights and channels, and the catalogue. A purpose whose structure isn't known passes: that is for the
validation to say.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol

from gateway.openings import is_open
from gateway.parties import Sender
from schemas.catalogue import Catalogue
from schemas.codes import Code, Finding
from schemas.filename import Environment, FileName, Prefix, check_date, parse

_WRONG_DIRECTORY: Final = {
    Environment.PRODUCTION: Code.PRODUCTION_ELSEWHERE,
    Environment.TEST: Code.TEST_ELSEWHERE,
    Environment.SIMULATION: Code.SIMULATION_ELSEWHERE,
}


@dataclass(frozen=True, slots=True)
class NameRules:
    """``today`` in the network's time zone, the oldest day a name may carry, and the most parts of a set."""

    today: date
    max_age_days: int
    max_parts: int


class Sent(Protocol):
    """What was sent, or is about to be; the moment in microseconds since the epoch."""

    @property
    def name(self) -> str:
        """The name it goes by."""

    @property
    def sender(self) -> str:
        """Who has logged in."""

    @property
    def directory(self) -> str:
        """Where it was put."""

    @property
    def channel(self) -> str:
        """How it came: ``sftp`` or ``mq``."""

    @property
    def received_at(self) -> int:
        """When."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that is about to be uploaded."""

    name: str
    sender: str
    directory: str
    received_at: int
    channel: str = "sftp"


def in_words(findings: Iterable[Finding]) -> str:
    """What an upload is refused with: every fault of its name with its code; empty if there is none."""
    faults = ", and ".join(f"{finding.detail} ({finding.code})" for finding in findings)
    return faults and f"{faults}; give the file its right name, and send it again"


def check_sender(submission: Sent, sender: Sender, rules: NameRules, catalogue: Catalogue) -> tuple[Finding, ...]:
    """Everything that is wrong with the name, or with this sender sending it to this directory; empty if nothing is."""
    name = parse(submission.name, max_parts=rules.max_parts)
    if not isinstance(name, FileName):
        return name
    if name.prefix in {Prefix.FO, Prefix.CO}:
        return (Finding(Code.PREFIX_INVALID, "FO and CO are files the gateway sends"),)
    findings = check_date(name.date, today=rules.today, max_age_days=rules.max_age_days)
    if name.sender != submission.sender:
        findings += (Finding(Code.SENDER_NOT_OWNER, "the sender in the name is not the one who logged in"),)
    if name.environment.inbox != submission.directory:
        detail = f"a file of environment {name.environment} belongs in {name.environment.inbox}"
        findings += (Finding(_WRONG_DIRECTORY[name.environment], detail),)
    if not sender.active or name.environment not in sender.environments:
        findings += (Finding(Code.SENDER_NOT_AUTHORISED, "this sender may not send in this environment"),)
    if not sender.may_send(name.purpose) or not _travels(name, catalogue):
        findings += (Finding(Code.PURPOSE_NOT_ALLOWED, "this sender may not send files of this purpose"),)
    return findings + _check_channel(submission, sender, name.environment)


def _check_channel(submission: Sent, sender: Sender, environment: Environment) -> tuple[Finding, ...]:
    """Whether it came over a channel that was open for this sender at the time of receipt."""
    if is_open(sender.openings, submission.channel, environment, submission.received_at):
        return ()
    if any(one.is_for(submission.channel, environment) for one in sender.openings):
        return (Finding(Code.ACCESS_MODE_NOT_ALLOWED, "this channel was not open for this sender at that time"),)
    detail = f"this sender has no channel {submission.channel} in environment {environment}"
    return (Finding(Code.CHANNEL_MISMATCH, detail),)


def _travels(name: FileName, catalogue: Catalogue) -> bool:
    """Whether anybody may send files of this purpose in this environment, with a schema known or without."""
    return any(name.environment in kind.environments for kind in catalogue.of_purpose(name.purpose))
