"""Who may send: senders, their technical users, SSH keys and registered certificates, in the journal.

Every function takes the connection of a transaction; every change leaves an event.
"""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy.engine import Connection

from gateway.openings import Channel, Opening, openings_of, widen
from gateway.registrations import ALWAYS, EndedAlreadyError, Period, Registration
from schemas.wording import Language
from signing.evidence import Format
from signing.policy import Leniency
from spool.journal import now
from spool.prepared import Prepared
from spool.register_tables import persons
from spool.submissions import note
from spool.tables import certificates, senders, ssh_keys, technical_users


class SignatureProfile(StrEnum):
    """How a sender signs: in FS files beside the data, inside the FI, or by nothing but the login of its channel."""

    DETACHED = "detached"
    ENVELOPED = "enveloped"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True)
class Sender:
    """A sender; ``purposes`` holds purpose codes, or ``*`` for every one.

    ``formats`` are those it is held to, empty for all that the site accepts; ``leniencies`` what is tolerated of it
    besides what the site tolerates of everybody; ``language`` is that of the words in its answers.  ``quality`` is what
    it sends as; one with ``any_employer`` may send for every employer, whoever it is.  ``openings`` say by which
    channels it may send.
    """

    number: str
    signature: SignatureProfile
    environments: str
    purposes: tuple[str, ...]
    active: bool
    users: tuple[str, ...] = ()
    certificates: tuple[Registration, ...] = ()
    formats: frozenset[Format] = frozenset()
    leniencies: frozenset[Leniency] = frozenset()
    language: Language = Language.FR
    quality: int | None = None
    any_employer: bool = False
    openings: tuple[Opening, ...] = ()

    def may_send(self, purpose: str) -> bool:
        """Whether files of ``purpose`` are among this sender's rights."""
        return "*" in self.purposes or purpose in self.purposes


@dataclass(frozen=True, slots=True)
class RegisteredCertificate:
    """A registration with what an operator asks about it.

    ``not_after`` (microseconds) is when the certificate expires that was shown at the registration.  ``issuer`` is the
    name of who issued it, for a registration by holder; then the certificate itself, ``der``, is not kept.
    """

    sender: str
    registration: Registration
    not_after: int
    issuer: str | None
    der: bytes | None


class UnknownSenderError(LookupError):
    """There is no sender of this number."""


class UnknownCertificateError(LookupError):
    """The sender has no such certificate, or several."""


def find_sender(connection: Connection, number: str) -> Sender | None:
    """The sender of ``number`` with its users and certificates, or None."""
    row = _SENDER.first(connection, {"of": number})
    return None if row is None else _sender(connection, row)


def signature_of(connection: Connection, number: str) -> SignatureProfile | None:
    """How the sender of ``number`` signs, or None if there is none."""
    profile = _SIGNATURE.first(connection, {"of": number})
    return None if profile is None else SignatureProfile(profile[0])


def all_senders(connection: Connection) -> list[Sender]:
    """Every sender, by number."""
    rows = connection.execute(sa.select(*_SENDER_COLUMNS).order_by(senders.c.number)).all()
    return [_sender(connection, row) for row in rows]


def add_sender(connection: Connection, sender: Sender, channels: Sequence[Channel] | None = None) -> None:
    """Register a new sender, or give a known one other rights.

    In an environment that is new to it, it sends by ``channels``; without them by SFTP, or as it does elsewhere.
    """
    values = {
        "signature": sender.signature,
        "environments": sender.environments,
        "purposes": list(sender.purposes),
        "state": "active" if sender.active else "blocked",
        "formats": sorted(sender.formats),
        "leniencies": sorted(sender.leniencies),
        "language": sender.language,
        "quality": sender.quality,
        "any_employer": sender.any_employer,
    }
    known = connection.execute(sa.update(senders).where(senders.c.number == sender.number).values(**values)).rowcount
    if not known:
        connection.execute(sa.insert(senders).values(number=sender.number, created_at=now(), **values))
        channels = channels or (Channel.SFTP,)
    widen(connection, sender.number, sender.environments, channels or ())
    note(connection, None, "sender.changed" if known else "sender.added", sender=sender.number, **values)


def add_user(connection: Connection, sender: str, username: str, keys: Sequence[str]) -> None:
    """Name a technical user of ``sender`` and add public keys, each an OpenSSH line.

    The technical user is one of the quality that the sender sends as, if it has one.

    Raises:
        ValueError: the user belongs to another sender, or to a quality that waits for its own, or was deleted, or the
            name is a person's: user names are one name space.
    """
    known = connection.execute(
        sa.select(technical_users.c.sender, technical_users.c.state).where(technical_users.c.username == username)
    ).first()
    if known is None:
        if connection.execute(sa.select(persons.c.username).where(persons.c.username == username)).first() is not None:
            raise ValueError(f"the user name {username} is taken")
        quality = connection.execute(sa.select(senders.c.quality).where(senders.c.number == sender)).scalar()
        facts = {"username": username, "sender": sender, "quality": quality, "created_at": now()}
        connection.execute(sa.insert(technical_users).values(**facts))
    elif known.sender != sender:
        raise ValueError(f"technical user {username} belongs to another sender")
    elif known.state == "deleted":
        raise ValueError(f"technical user {username} was deleted, and its name is never given again")
    for line in keys:
        fingerprint = key_fingerprint(line)
        held = (ssh_keys.c.username == username) & (ssh_keys.c.fingerprint == fingerprint)
        if connection.execute(sa.select(ssh_keys.c.username).where(held)).first() is None:
            connection.execute(sa.insert(ssh_keys).values(username=username, fingerprint=fingerprint, line=line))
        note(connection, None, "sender.key_added", sender=sender, username=username, key=fingerprint)


def key_fingerprint(line: str) -> str:
    """What ``ssh-keygen -l`` calls the public key in the OpenSSH ``line``: ``SHA256:`` and 43 characters."""
    blob = base64.b64decode(line.split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def add_certificate(
    connection: Connection,
    sender: str,
    certificate: x509.Certificate,
    period: Period = ALWAYS,
    holder: str | None = None,
) -> str:
    """Register a signing certificate of ``sender``, or give a registered one another period; answers its SHA-256 (hex).

    With ``holder``, the keyed hash of its holder, it stands for every certificate that the holder has of its issuer.
    """
    der = certificate.public_bytes(Encoding.DER)
    fingerprint = fingerprint_of(der)
    values = {
        "valid_from": period.start,
        "valid_to": period.end,
        "not_after": microseconds(certificate.not_valid_after_utc),
        "holder": holder,
        "issuer": certificate.issuer.rfc4514_string()[:1024] if holder else None,
        "der": None if holder else der,
    }
    this = (certificates.c.sender == sender) & (certificates.c.fingerprint == fingerprint)
    before = connection.execute(sa.select(*(certificates.c[name] for name in values)).where(this)).first()
    if before is None:
        facts = {"sender": sender, "fingerprint": fingerprint, "registered_at": now()}
        connection.execute(sa.insert(certificates).values(**facts, **values))
    elif tuple(before) == tuple(values.values()):
        return fingerprint
    else:
        connection.execute(sa.update(certificates).where(this).values(**values))
    said = {"valid_from": period.start, "valid_to": period.end, "by_holder": holder is not None}
    event = "sender.certificate_added" if before is None else "sender.certificate_changed"
    note(connection, None, event, sender=sender, certificate=fingerprint, **said)
    return fingerprint


def end_certificate(connection: Connection, sender: str, prefix: str, at: int) -> str:
    """Let a registration end at ``at`` (microseconds); answers the certificate's SHA-256, of which ``prefix`` begins.

    Raises:
        UnknownCertificateError: none of the sender's begins so, or more than one does.
        EndedAlreadyError: its registration ends before that.
    """
    mine = (certificates.c.sender == sender) & certificates.c.fingerprint.startswith(prefix, autoescape=True)
    found = connection.execute(sa.select(certificates.c.fingerprint, certificates.c.valid_to).where(mine)).all()
    if len(found) != 1:
        raise UnknownCertificateError(prefix)
    fingerprint: str = found[0].fingerprint
    if found[0].valid_to is not None and found[0].valid_to < at:
        raise EndedAlreadyError(fingerprint)
    connection.execute(sa.update(certificates).where(mine).values(valid_to=at))
    note(connection, None, "sender.certificate_ended", sender=sender, certificate=fingerprint, valid_to=at)
    return fingerprint


def registered_certificates(connection: Connection, sender: str | None = None) -> Iterator[RegisteredCertificate]:
    """Every registered certificate, or those of one sender, by sender and in the order of their registration."""
    query = sa.select(
        certificates.c.sender,
        *_REGISTRATION_COLUMNS,
        certificates.c.not_after,
        certificates.c.issuer,
        certificates.c.der,
    ).order_by(certificates.c.sender, certificates.c.registered_at, certificates.c.fingerprint)
    if sender is not None:
        query = query.where(certificates.c.sender == sender)
    for number, fingerprint, start, end, holder, *rest in connection.execute(query):
        yield RegisteredCertificate(number, Registration(fingerprint, Period(start, end), holder), *rest)


def fingerprint_of(der: bytes) -> str:
    """What a certificate goes by: the SHA-256 of its DER, in hex."""
    return hashlib.sha256(der).hexdigest()


def microseconds(moment: datetime) -> int:
    """A moment as the journal writes it."""
    return int(moment.timestamp() * 1_000_000)


def set_active(connection: Connection, number: str, *, active: bool) -> None:
    """Block or unblock a sender.

    Raises:
        UnknownSenderError: there is no such sender.
    """
    state = "active" if active else "blocked"
    if not connection.execute(sa.update(senders).where(senders.c.number == number).values(state=state)).rowcount:
        raise UnknownSenderError(number)
    note(connection, None, "sender.unblocked" if active else "sender.blocked", sender=number)


_SENDER_COLUMNS = tuple(
    senders.c[name]
    for name in (
        "number", "signature", "environments", "purposes", "state", "formats", "leniencies", "language", "quality",
        "any_employer",
    )
)  # fmt: skip
_REGISTRATION_COLUMNS = tuple(certificates.c[name] for name in ("fingerprint", "valid_from", "valid_to", "holder"))
# Asked for every submission, and so put together only once.
_OF = sa.bindparam("of", type_=sa.String)
_SIGNATURE = Prepared(sa.select(senders.c.signature).where(senders.c.number == _OF))
_SENDER = Prepared(sa.select(*_SENDER_COLUMNS).where(senders.c.number == _OF))
_USERS = Prepared(
    sa.select(technical_users.c.username).where(technical_users.c.sender == _OF).order_by(technical_users.c.username)
)
_REGISTRATIONS = Prepared(sa.select(*_REGISTRATION_COLUMNS).where(certificates.c.sender == _OF))


def _sender(connection: Connection, row: Sequence[Any]) -> Sender:
    number, signature, environments, purposes, state, formats, leniencies, language, quality, any_employer = row
    users = _USERS.all(connection, {"of": number})
    held = _REGISTRATIONS.all(connection, {"of": number})
    return Sender(
        number=number,
        signature=SignatureProfile(signature),
        environments=environments,
        purposes=tuple(purposes),
        active=state == "active",
        users=tuple(name for (name,) in users),
        certificates=tuple(
            Registration(fingerprint, Period(start, end), holder) for fingerprint, start, end, holder in held
        ),
        formats=frozenset(map(Format, formats)),
        leniencies=frozenset(map(Leniency, leniencies)),
        language=Language(language),
        quality=quality,
        any_employer=any_employer,
        openings=openings_of(connection, number),
    )
