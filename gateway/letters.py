"""What does an institution's message say of itself, and does that fit what it is about?  Pure.

The headers say the type (a purpose that travels outwards), the environment, and whom it is for: a sender, the ticket
that it answers, or an employer; the broker says who published it. What is wrong becomes words for whoever looks after
the dead-letter queue, with a code where annex 30 has one. Who gets it over which channel is
:mod:`gateway.register.choices`'s to say.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from channels.mq import amqp10
from schemas.codes import Code
from schemas.filename import Environment
from schemas.identifiers import Kind
from schemas.inspection import Employer

OURS: Final = "ACRF"
"""The purpose of what nobody but the gateway says."""

_LONGEST_PUBLISHER: Final = 64
_LONGEST_ID: Final = 255
_TICKET: Final = re.compile(r"[0-9A-Z]{13}")
_SENDER: Final = re.compile(r"[0-9]{1,6}")
_EMPLOYER: Final = re.compile(r"(?:(enterprise|onss|provisional_onss|ppl):)?0*([1-9][0-9]{0,9})")


@dataclass(frozen=True, slots=True)
class Letter:
    """A message of an institution by what its headers and properties say.

    ``message_id`` is the publisher's own, or one made of the content; ``sender`` has six digits.
    """

    publisher: str
    message_id: str
    purpose: str
    environment: Environment
    sender: str | None = None
    ticket: str | None = None
    employer: Employer | None = None


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a message can't be delivered, in words without anything of its content."""

    reason: str


@dataclass(frozen=True, slots=True)
class Published:
    """What came with a message: who published it, under which id, with which headers, and its SHA-256 in hex."""

    user_id: str
    message_id: str
    headers: Mapping[str, Any]
    sha256: str


def read_letter(published: Published) -> Letter | Unfit:
    """What the message says of itself, or everything that is wrong with that."""
    said = {name.lower(): _text(value) for name, value in published.headers.items()}
    faults = [*_publisher_faults(published), *_header_faults(said)]
    if faults:
        return Unfit("; ".join(faults))
    sender, employer = said.get("sender"), said.get("employer")
    return Letter(
        publisher=published.user_id,
        message_id=published.message_id or f"sha256:{published.sha256}",
        purpose=said["type"],
        environment=Environment(said["environment"]),
        sender=sender.zfill(6) if sender else None,
        ticket=said.get("ticket") or None,
        employer=_employer(employer) if employer else None,
    )


def _publisher_faults(published: Published) -> list[str]:
    faults = []
    if not 0 < len(published.user_id) <= _LONGEST_PUBLISHER:
        faults.append(f"{Code.SENDER_NOT_OWNER}: the message doesn't say by user_id who published it")
    if len(published.message_id) > _LONGEST_ID or not (published.user_id + published.message_id).isprintable():
        faults.append("the message_id, or the user_id, is too long or has characters that can't be printed")
    return faults


def _header_faults(said: Mapping[str, str]) -> list[str]:
    faults = []
    if not re.fullmatch("[A-Z]{4}", said.get("type", "")):
        faults.append(f"{Code.FORM_TYPE_MISMATCH}: the header Type isn't the purpose of a message")
    elif said["type"] == OURS:
        faults.append(f"{Code.PURPOSE_NOT_ALLOWED}: acknowledgements are given by the gateway alone")
    if said.get("environment") not in set(Environment):
        faults.append(f"{Code.ENVIRONMENT_INVALID}: the header Environment is none of R, T, S")
    if said.get("sender") and not _SENDER.fullmatch(said["sender"]):
        faults.append(f"{Code.SENDER_NOT_OWNER}: the header Sender isn't the number of a sender")
    if said.get("ticket") and not _TICKET.fullmatch(said["ticket"]):
        faults.append("the header Ticket isn't a ticket")
    if said.get("employer") and not _EMPLOYER.fullmatch(said["employer"]):
        faults.append("the header Employer isn't the number of an employer")
    return faults


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("ascii", errors="replace").strip()
    return str(value).strip() if isinstance(value, str | int) else ""


def _employer(text: str) -> Employer:
    match = _EMPLOYER.fullmatch(text)
    kind, number = match.groups() if match is not None else (None, text)
    return Employer(Kind(kind or Kind.ONSS), number)


@dataclass(frozen=True, slots=True)
class About:
    """The submission that a message answers: its ticket, sender, environment, channel and its sender's own id."""

    ticket: str
    sender: str
    environment: Environment
    channel: str
    message_id: str | None


def recipient_sender(letter: Letter, about: About | None) -> str | Unfit | None:
    """The sender that a message is for, None if it names none, or why what it names doesn't fit."""
    if letter.ticket is None:
        return letter.sender
    if about is None:
        return Unfit("there is no submission of this ticket")
    if about.environment is not letter.environment:
        return Unfit(f"{Code.ENVIRONMENT_INVALID}: the submission of this ticket is of another environment")
    if letter.sender not in {None, about.sender}:
        return Unfit(f"{Code.SENDER_NOT_OWNER}: the submission of this ticket is of another sender")
    return about.sender


def headers_of(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """The headers of a message, with those of a publisher by AMQP 1.0, which come as one."""
    section = said.get(amqp10.HEADER)
    if not isinstance(section, bytes):
        return said
    try:
        return {**said, **amqp10.decode(section)}
    except amqp10.NotHeadersError:
        return said
