"""Technical users: how they log in, with which keys and passwords, from where, and who of them may.

Every function takes the connection of a transaction; every change leaves an event.  Times are microseconds.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from channels.ports import SSH_RSA, Account, Authentication
from gateway.parties import UnknownSenderError, key_fingerprint
from gateway.registrations import ALWAYS, EndedAlreadyError, Period
from spool.journal import now
from spool.prepared import Prepared
from spool.submissions import note
from spool.tables import passwords, senders, ssh_keys, technical_users

LOGIN_LENIENCIES: Final = (SSH_RSA,)
_ACTIVE: Final = "active"
_BLOCKED: Final = "blocked"
DELETED: Final = "deleted"


@dataclass(frozen=True, slots=True)
class SshKey:
    """A registered public key as an OpenSSH line, and when it is taken."""

    username: str
    fingerprint: str
    line: str
    period: Period


@dataclass(frozen=True, slots=True)
class User:
    """A technical user as an operator sees it.

    ``sender`` is None until its quality has its first channel, ``password_set_at`` without a password.
    """

    username: str
    sender: str | None
    active: bool
    authentication: Authentication
    keys: tuple[SshKey, ...]
    password_set_at: int | None
    must_change: bool


@dataclass(frozen=True, slots=True)
class StoredPassword:
    """What is kept of a password, since when, and whether it has to be changed before anything else.

    One that was given is of no use from ``usable_until`` on.
    """

    number: int
    hash: str
    set_at: int
    must_change: bool
    usable_until: int | None = None


class UnknownUserError(LookupError):
    """There is no technical user of this name."""


class UnknownKeyError(LookupError):
    """The user has no such key, or several."""


# --- for the doors


def standing(connection: Connection, usernames: Collection[str], at: int) -> dict[str, Account]:
    """Those of ``usernames`` that may log in at ``at``, with the keys that are taken then."""
    keys: dict[str, list[str]] = {}
    asked = {"usernames": list(usernames)}
    for username, line in _KEYS.all(connection, asked | {"at": at, "after": at + 1}):
        keys.setdefault(username, []).append(line)
    return {
        username: Account(
            username,
            sender,
            tuple(keys.get(username, ())),
            Authentication(authentication),
            tuple(sources),
            frozenset(leniencies),
        )
        for username, sender, authentication, sources, leniencies in _STANDING.all(connection, asked)
    }


_ASKED: Final[sa.BindParameter[str]] = sa.bindparam("usernames", expanding=True)
_AT: Final = sa.bindparam("at", type_=sa.BigInteger)
_KEYS: Final = Prepared(
    sa.select(ssh_keys.c.username, ssh_keys.c.line).where(
        ssh_keys.c.username.in_(_ASKED),
        sa.func.coalesce(ssh_keys.c.valid_from, 0) <= _AT,
        sa.func.coalesce(ssh_keys.c.valid_to, sa.bindparam("after", type_=sa.BigInteger)) > _AT,
    ),
    each="usernames",
)
_STANDING: Final = Prepared(
    sa.select(*technical_users.c["username", "sender", "authentication"], *senders.c["sources", "login_leniencies"])
    .join(senders, senders.c.number == technical_users.c.sender)
    .where(technical_users.c.username.in_(_ASKED), technical_users.c.state == _ACTIVE, senders.c.state == _ACTIVE),
    each="usernames",
)


def current_password(connection: Connection, username: str) -> StoredPassword | None:
    """The password of ``username``, or None."""
    return next(iter(latest_passwords(connection, username, 1)), None)


def latest_passwords(connection: Connection, username: str, count: int) -> list[StoredPassword]:
    """The latest ``count`` passwords of ``username``, the current one first."""
    columns = (passwords.c.number, passwords.c.hash, passwords.c.set_at, passwords.c.must_change)
    query = (
        sa.select(*columns, passwords.c.usable_until)
        .where(passwords.c.username == username)
        .order_by(passwords.c.number.desc())
        .limit(count)
    )
    return [StoredPassword(*row) for row in connection.execute(query)]


# --- for operators


def users(connection: Connection, sender: str | None = None) -> Iterator[User]:
    """Every technical user that wasn't deleted, or those of one sender, by name."""
    columns = (
        technical_users.c.username,
        technical_users.c.sender,
        technical_users.c.state,
        technical_users.c.authentication,
    )
    query = sa.select(*columns).where(technical_users.c.state != DELETED).order_by(technical_users.c.username)
    if sender is not None:
        query = query.where(technical_users.c.sender == sender)
    for username, number, state, authentication in connection.execute(query).all():
        password = current_password(connection, username)
        yield User(
            username,
            number,
            active=state == _ACTIVE,
            authentication=Authentication(authentication),
            keys=tuple(keys_of(connection, username)),
            password_set_at=None if password is None else password.set_at,
            must_change=password is not None and password.must_change,
        )


def owner(connection: Connection, username: str) -> str | None:
    """The sender that ``username`` acts for, None while its quality has none.

    Raises:
        UnknownUserError: there is no such user, or none any more.
    """
    mine = (technical_users.c.username == username) & (technical_users.c.state != DELETED)
    row = connection.execute(sa.select(technical_users.c.sender).where(mine)).first()
    if row is None:
        raise UnknownUserError(username)
    sender: str | None = row[0]
    return sender


def set_active(connection: Connection, username: str, *, active: bool) -> None:
    """Block or unblock a user; a blocked one is sent away within a second."""
    sender = owner(connection, username)
    values = {"state": _ACTIVE if active else _BLOCKED}
    connection.execute(_user(username).values(**values))
    note(connection, None, "user.unblocked" if active else "user.blocked", sender=sender, username=username)


def set_authentication(connection: Connection, username: str, authentication: Authentication) -> None:
    """Say what a user has to prove."""
    sender = owner(connection, username)
    connection.execute(_user(username).values(authentication=authentication))
    facts = {"sender": sender, "username": username, "authentication": authentication}
    note(connection, None, "user.authentication_changed", **facts)


def keys_of(connection: Connection, username: str) -> Iterator[SshKey]:
    """Every key of ``username``, those of yesterday and tomorrow included."""
    query = (
        sa.select(ssh_keys.c.fingerprint, ssh_keys.c.line, ssh_keys.c.valid_from, ssh_keys.c.valid_to)
        .where(ssh_keys.c.username == username)
        .order_by(ssh_keys.c.valid_from, ssh_keys.c.fingerprint)
    )
    for fingerprint, line, start, end in connection.execute(query).all():
        yield SshKey(username, fingerprint, line, Period(start, end))


def add_key(connection: Connection, username: str, line: str, period: Period = ALWAYS) -> str:
    """Give a user a public key for a time, or one it has another time; answers its fingerprint."""
    sender = owner(connection, username)
    fingerprint = key_fingerprint(line)
    values = {"line": line, "valid_from": period.start, "valid_to": period.end}
    this = (ssh_keys.c.username == username) & (ssh_keys.c.fingerprint == fingerprint)
    if not connection.execute(sa.update(ssh_keys).where(this).values(**values)).rowcount:
        connection.execute(sa.insert(ssh_keys).values(username=username, fingerprint=fingerprint, **values))
    facts = {"username": username, "key": fingerprint, "valid_from": period.start, "valid_to": period.end}
    note(connection, None, "user.key_added", sender=sender, **facts)
    return fingerprint


def end_key(connection: Connection, username: str, prefix: str, at: int) -> str:
    """Let a key be taken no more from ``at`` on; answers its fingerprint, of which ``prefix`` begins.

    Raises:
        UnknownUserError: there is no such user.
        UnknownKeyError: none of its keys begins so, or several do.
        EndedAlreadyError: it ends before that.
    """
    sender = owner(connection, username)
    found = [key for key in keys_of(connection, username) if _is_short_for(prefix, key.fingerprint)]
    if len(found) != 1:
        raise UnknownKeyError(prefix)
    fingerprint, end = found[0].fingerprint, found[0].period.end
    if end is not None and end < at:
        raise EndedAlreadyError(fingerprint)
    this = (ssh_keys.c.username == username) & (ssh_keys.c.fingerprint == fingerprint)
    connection.execute(sa.update(ssh_keys).where(this).values(valid_to=at))
    note(connection, None, "user.key_ended", sender=sender, username=username, key=fingerprint, valid_to=at)
    return fingerprint


def give_password(connection: Connection, username: str, kept: str, usable_until: int) -> None:
    """Give a user a first password, of which ``kept`` is kept; it has to be changed before ``usable_until``."""
    _add_password(connection, "user.password_given", username, kept, usable_until)


def change_password(connection: Connection, username: str, kept: str) -> None:
    """A user has chosen a password, of which ``kept`` is kept."""
    _add_password(connection, "user.password_changed", username, kept, None)


def _add_password(connection: Connection, event: str, username: str, kept: str, usable_until: int | None) -> None:
    sender = owner(connection, username)
    facts = {"must_change": usable_until is not None, "usable_until": usable_until}
    connection.execute(sa.insert(passwords).values(username=username, hash=kept, set_at=now(), **facts))
    note(connection, None, event, sender=sender, username=username)


def rehash(connection: Connection, number: int, kept: str) -> None:
    """Keep another hash of the same password."""
    connection.execute(sa.update(passwords).where(passwords.c.number == number).values(hash=kept))


def expire_password(connection: Connection, username: str) -> bool:
    """Let a user change its password at its next log-in; answers whether it has one."""
    sender = owner(connection, username)
    password = current_password(connection, username)
    if password is None:
        return False
    connection.execute(sa.update(passwords).where(passwords.c.number == password.number).values(must_change=True))
    note(connection, None, "user.password_expired", sender=sender, username=username)
    return True


def set_sources(connection: Connection, sender: str, networks: Collection[str]) -> None:
    """Say from which networks (CIDR) a sender may come; none means all.

    Raises:
        UnknownSenderError: there is no such sender.
    """
    _change_sender(connection, sender, "sources", list(networks))


def set_login_leniencies(connection: Connection, sender: str, leniencies: Collection[str]) -> None:
    """Say what is tolerated of the log-ins of a sender, of ``LOGIN_LENIENCIES``.

    Raises:
        UnknownSenderError: there is no such sender.
    """
    _change_sender(connection, sender, "login_leniencies", sorted(leniencies))


def _change_sender(connection: Connection, sender: str, column: str, value: list[str]) -> None:
    this = senders.c.number == sender
    if not connection.execute(sa.update(senders).where(this).values(**{column: value})).rowcount:
        raise UnknownSenderError(sender)
    note(connection, None, f"sender.{column}_changed", sender=sender, **{column: value})


def _user(username: str) -> sa.Update:
    return sa.update(technical_users).where(technical_users.c.username == username)


def _is_short_for(prefix: str, fingerprint: str) -> bool:
    return fingerprint.startswith(prefix) or fingerprint.removeprefix("SHA256:").startswith(prefix)
