"""Who may send: senders, their technical users, SSH keys and registered certificates, in the journal.

Every function takes the connection of a transaction; every change leaves an event.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy.engine import Connection

from spool.journal import now
from spool.submissions import note
from spool.tables import certificates, senders, ssh_keys, technical_users


class SignatureProfile(StrEnum):
    """How a sender signs: in FS files beside the data, or inside the FI."""

    DETACHED = "detached"
    ENVELOPED = "enveloped"


@dataclass(frozen=True, slots=True)
class Sender:
    """A sender; ``purposes`` holds purpose codes, or ``*`` for every one; ``certificates`` SHA-256 in hex."""

    number: str
    signature: SignatureProfile
    environments: str
    purposes: tuple[str, ...]
    active: bool
    users: tuple[str, ...] = ()
    certificates: frozenset[str] = frozenset()

    def may_send(self, purpose: str) -> bool:
        """Whether files of ``purpose`` are among this sender's rights."""
        return "*" in self.purposes or purpose in self.purposes


class UnknownSenderError(LookupError):
    """There is no sender of this number."""


def find_sender(connection: Connection, number: str) -> Sender | None:
    """The sender of ``number`` with its users and certificates, or None."""
    row = connection.execute(sa.select(*_SENDER_COLUMNS).where(senders.c.number == number)).first()
    return None if row is None else _sender(connection, row)


def all_senders(connection: Connection) -> list[Sender]:
    """Every sender, by number."""
    rows = connection.execute(sa.select(*_SENDER_COLUMNS).order_by(senders.c.number)).all()
    return [_sender(connection, row) for row in rows]


def find_login(connection: Connection, username: str) -> tuple[str, tuple[str, ...]] | None:
    """The active sender that ``username`` acts for and the public keys it may log in with, or None."""
    query = (
        sa.select(technical_users.c.sender)
        .join(senders, senders.c.number == technical_users.c.sender)
        .where(technical_users.c.username == username, senders.c.state == "active")
    )
    number = connection.execute(query).scalar()
    if number is None:
        return None
    keys = connection.execute(sa.select(ssh_keys.c.line).where(ssh_keys.c.username == username)).scalars()
    return number, tuple(keys)


def add_sender(connection: Connection, sender: Sender) -> None:
    """Register a new sender, or give a known one other rights."""
    values = {
        "signature": sender.signature,
        "environments": sender.environments,
        "purposes": list(sender.purposes),
        "state": "active" if sender.active else "blocked",
    }
    known = connection.execute(sa.update(senders).where(senders.c.number == sender.number).values(**values)).rowcount
    if not known:
        connection.execute(sa.insert(senders).values(number=sender.number, created_at=now(), **values))
    note(connection, None, "sender.changed" if known else "sender.added", sender=sender.number, **values)


def add_user(connection: Connection, sender: str, username: str, keys: Sequence[str]) -> None:
    """Name a technical user of ``sender`` and add public keys, each an OpenSSH line.

    Raises:
        ValueError: the user belongs to another sender.
    """
    owner = connection.execute(
        sa.select(technical_users.c.sender).where(technical_users.c.username == username)
    ).scalar()
    if owner is None:
        connection.execute(sa.insert(technical_users).values(username=username, sender=sender, created_at=now()))
    elif owner != sender:
        raise ValueError(f"technical user {username} belongs to another sender")
    for line in keys:
        fingerprint = key_fingerprint(line)
        known = (ssh_keys.c.username == username) & (ssh_keys.c.fingerprint == fingerprint)
        if connection.execute(sa.select(ssh_keys.c.username).where(known)).first() is None:
            connection.execute(sa.insert(ssh_keys).values(username=username, fingerprint=fingerprint, line=line))
        note(connection, None, "sender.key_added", sender=sender, username=username, key=fingerprint)


def key_fingerprint(line: str) -> str:
    """What ``ssh-keygen -l`` calls the public key in the OpenSSH ``line``: ``SHA256:`` and 43 characters."""
    blob = base64.b64decode(line.split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def add_certificate(connection: Connection, sender: str, certificate: x509.Certificate) -> str:
    """Register a signing certificate of ``sender``; answers its SHA-256 in hex."""
    der = certificate.public_bytes(Encoding.DER)
    fingerprint = hashlib.sha256(der).hexdigest()
    known = (certificates.c.sender == sender) & (certificates.c.fingerprint == fingerprint)
    if connection.execute(sa.select(certificates.c.sender).where(known)).first() is None:
        connection.execute(
            sa.insert(certificates).values(sender=sender, fingerprint=fingerprint, der=der, registered_at=now())
        )
        note(connection, None, "sender.certificate_added", sender=sender, certificate=fingerprint)
    return fingerprint


def set_active(connection: Connection, number: str, *, active: bool) -> None:
    """Block or unblock a sender.

    Raises:
        UnknownSenderError: there is no such sender.
    """
    state = "active" if active else "blocked"
    if not connection.execute(sa.update(senders).where(senders.c.number == number).values(state=state)).rowcount:
        raise UnknownSenderError(number)
    note(connection, None, "sender.unblocked" if active else "sender.blocked", sender=number)


_SENDER_COLUMNS = (
    senders.c.number,
    senders.c.signature,
    senders.c.environments,
    senders.c.purposes,
    senders.c.state,
)


def _sender(connection: Connection, row: sa.Row[*tuple[Any, ...]]) -> Sender:
    number, signature, environments, purposes, state = row
    users = connection.execute(
        sa.select(technical_users.c.username)
        .where(technical_users.c.sender == number)
        .order_by(technical_users.c.username)
    ).scalars()
    held = connection.execute(sa.select(certificates.c.fingerprint).where(certificates.c.sender == number)).scalars()
    return Sender(
        number=number,
        signature=SignatureProfile(signature),
        environments=environments,
        purposes=tuple(purposes),
        active=state == "active",
        users=tuple(users),
        certificates=frozenset(held),
    )
