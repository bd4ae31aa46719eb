"""With which keys does a technical user log in, and with which certificates does a sender sign, in whose name?

What :mod:`gateway.accounts` and :mod:`gateway.parties` write, done by an actor: who may name the technical user of a
quality gives it keys, who may change the data of a quality registers its certificates.  Of a sender that belongs to no
quality only an operator does.  Periods may overlap, so that a new key or certificate follows an old one without a gap.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from cryptography import x509
from sqlalchemy.engine import Connection

from gateway import accounts, parties
from gateway.accounts import UnknownKeyError
from gateway.parties import UnknownCertificateError
from gateway.register.actor import Actor, Operator, Refusal, Why
from gateway.register.enterprises import quality_for
from gateway.register.history import record
from gateway.register.mandates import is_empty
from gateway.register.rights import Act
from gateway.registrations import EndedAlreadyError, Period
from spool.register_tables import register_changes
from spool.tables import senders, ssh_keys, technical_users


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate that is registered for a time; with ``holder``, a keyed hash, it stands for all its holder has."""

    certificate: x509.Certificate
    period: Period
    holder: str | None = None


def add_key(
    connection: Connection, actor: Actor, username: str, line: str, period: Period, *, reason: str
) -> str | Refusal:
    """Give a technical user a public key (an OpenSSH line) for a time; answers its fingerprint."""
    refused = user_refusal(connection, actor, username)
    if refused is not None:
        return refused
    if is_empty(period):
        return Refusal(Why.INVALID, "a key ends after it began")
    if _was_lost(connection, username, parties.key_fingerprint(line)):
        return Refusal(Why.CONFLICT, f"{username} needs a new key: this one was its when a loss was reported")
    fingerprint = accounts.add_key(connection, username, line, period)
    record(connection, actor, "key.added", f"technical:{username}", reason, None, _told("key", fingerprint, period))
    return fingerprint


def end_key(connection: Connection, actor: Actor, username: str, prefix: str, at: int, *, reason: str) -> str | Refusal:
    """Let the key whose fingerprint begins so be taken no more from ``at`` (microseconds) on."""
    refused = user_refusal(connection, actor, username)
    if refused is not None:
        return refused
    try:
        fingerprint = accounts.end_key(connection, username, prefix, at)
    except UnknownKeyError:
        return Refusal(Why.UNKNOWN, f"user {username} has not exactly one key {prefix}")
    except EndedAlreadyError as fault:
        return Refusal(Why.CONFLICT, f"key {fault} ends before that already")
    told = {"key": fingerprint, "valid_to": at}
    record(connection, actor, "key.ended", f"technical:{username}", reason, None, told)
    return fingerprint


def add_certificate(connection: Connection, actor: Actor, sender: str, shown: Shown, *, reason: str) -> str | Refusal:
    """Register a certificate of a sender, or give a registered one another period; answers its SHA-256 (hex)."""
    refused = sender_refusal(connection, actor, sender)
    if refused is not None:
        return refused
    if is_empty(shown.period):
        return Refusal(Why.INVALID, "a registration ends after it began")
    fingerprint = parties.add_certificate(connection, sender, shown.certificate, shown.period, shown.holder)
    told = {**_told("certificate", fingerprint, shown.period), "by_holder": shown.holder is not None}
    record(connection, actor, "certificate.added", f"sender:{sender}", reason, None, told)
    return fingerprint


def end_certificate(
    connection: Connection, actor: Actor, sender: str, prefix: str, at: int, *, reason: str
) -> str | Refusal:
    """Let the registration whose fingerprint begins so end at ``at`` (microseconds)."""
    refused = sender_refusal(connection, actor, sender)
    if refused is not None:
        return refused
    try:
        fingerprint = parties.end_certificate(connection, sender, prefix, at)
    except UnknownCertificateError:
        return Refusal(Why.UNKNOWN, f"sender {sender} has not exactly one certificate {prefix}")
    except EndedAlreadyError as fault:
        return Refusal(Why.CONFLICT, f"the registration of {fault} ends before that already")
    told = {"certificate": fingerprint, "valid_to": at}
    record(connection, actor, "certificate.ended", f"sender:{sender}", reason, None, told)
    return fingerprint


def user_refusal(connection: Connection, actor: Actor, username: str) -> Refusal | None:
    """Why the actor may not see or give the keys of this technical user, or None if he may."""
    mine = (technical_users.c.username == username) & (technical_users.c.state != accounts.DELETED)
    row = connection.execute(sa.select(technical_users.c.quality).where(mine)).first()
    unknown = Refusal(Why.UNKNOWN, f"there is no user {username}")
    return unknown if row is None else _refusal(connection, actor, Act.NAME_TECHNICAL_USER, row[0], unknown)


def sender_refusal(connection: Connection, actor: Actor, sender: str) -> Refusal | None:
    """Why the actor may not see or register the certificates of this sender, or None if he may."""
    row = connection.execute(sa.select(senders.c.quality).where(senders.c.number == sender)).first()
    unknown = Refusal(Why.UNKNOWN, f"there is no sender {sender}")
    return unknown if row is None else _refusal(connection, actor, Act.CHANGE_QUALITY, row[0], unknown)


def _refusal(connection: Connection, actor: Actor, act: Act, quality: int | None, unknown: Refusal) -> Refusal | None:
    if isinstance(actor, Operator):
        return None
    found = unknown if quality is None else quality_for(connection, actor, act, quality)
    if not isinstance(found, Refusal):
        return None
    return unknown if found.why is Why.UNKNOWN else found


def _was_lost(connection: Connection, username: str, fingerprint: str) -> bool:
    """Whether the user had this key when, or before, a loss of what it logs in with was reported."""
    of = (register_changes.c.subject == f"technical:{username}") & (register_changes.c.act == "technical.lost")
    lost_at = connection.execute(sa.select(sa.func.max(register_changes.c.at)).where(of)).scalar()
    this = (ssh_keys.c.username == username) & (ssh_keys.c.fingerprint == fingerprint)
    ended_at = connection.execute(sa.select(ssh_keys.c.valid_to).where(this)).scalar()
    return lost_at is not None and ended_at is not None and bool(ended_at <= lost_at)


def _told(what: str, fingerprint: str, period: Period) -> Mapping[str, Any]:
    return {what: fingerprint, "valid_from": period.start, "valid_to": period.end}
