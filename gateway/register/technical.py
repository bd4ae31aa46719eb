"""Who is the technical user of a quality: the name under which its structured messages are sent?

A quality has one at a time, who is no person but belongs to the quality; the name waits until the quality's first
channel gives a sender number.  Keys, channels and certificates are registered elsewhere.  What is blocked, deleted or
reported lost here is out of every door as soon as the doors look, which they do twice a second.
"""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.register import passwords
from gateway.register.actor import Actor, Refusal, Why
from gateway.register.enterprises import Quality, quality_for
from gateway.register.history import record
from gateway.register.passwords import FirstPassword
from gateway.register.persons import BLOCKED, DELETED, is_taken
from gateway.register.rights import Act
from gateway.register.standing import ACTIVE
from gateway.user_names import NAME_RULE, is_user_name
from spool.journal import now
from spool.tables import senders, ssh_keys, technical_users


@dataclass(frozen=True, slots=True)
class Technical:
    """A technical user; ``sender`` is None until the quality has its first channel."""

    username: str
    quality: int
    sender: str | None
    state: str


def of_quality(connection: Connection, number: int) -> list[Technical]:
    """The technical users of a quality who are not deleted, by name."""
    mine = (technical_users.c.quality == number) & (technical_users.c.state != DELETED)
    return [Technical(*row) for row in connection.execute(_USERS.where(mine).order_by(technical_users.c.username))]


def name(connection: Connection, actor: Actor, number: int, username: str, *, reason: str) -> Technical | Refusal:
    """Name the technical user of a quality, which has none."""
    place = quality_for(connection, actor, Act.NAME_TECHNICAL_USER, number)
    if isinstance(place, Refusal):
        return place
    present = of_quality(connection, number)
    if [username] == [item.username for item in present]:
        return present[0]
    refused = _naming_refusal(connection, username, bool(present))
    if refused is not None:
        return refused
    mine = sa.select(senders.c.number).where(senders.c.quality == number).order_by(senders.c.number).limit(1)
    values = {"sender": connection.execute(mine).scalar(), "quality": number, "state": ACTIVE}
    connection.execute(sa.insert(technical_users).values(username=username, created_at=now(), **values))
    record(connection, actor, "technical.named", f"technical:{username}", reason, None, values)
    return of_quality(connection, number)[0]


def block(connection: Connection, actor: Actor, username: str, *, reason: str) -> Technical | Refusal:
    """Let the technical user in at no door; open sessions end."""
    return _set_state(connection, actor, username, BLOCKED, reason)


def unblock(connection: Connection, actor: Actor, username: str, *, reason: str) -> Technical | Refusal:
    """Let the technical user in again, with the keys and the password it has."""
    return _set_state(connection, actor, username, ACTIVE, reason)


def delete(connection: Connection, actor: Actor, username: str, *, reason: str) -> Technical | Refusal:
    """Let the technical user be one no longer; the name is never given again, and what it sent stays its."""
    known = _mine(connection, actor, username)
    if isinstance(known, Refusal):
        return known
    _void(connection, username)
    return _write_state(connection, actor, known, DELETED, reason)


def report_lost(connection: Connection, actor: Actor, username: str, *, reason: str) -> Technical | Refusal:
    """Make everything that the technical user logs in with useless at once; it needs new keys and a new password."""
    known = _mine(connection, actor, username)
    if isinstance(known, Refusal):
        return known
    _void(connection, username)
    record(connection, actor, "technical.lost", f"technical:{username}", reason, None, None)
    return _write_state(connection, actor, known, BLOCKED, reason)


def give_password(
    connection: Connection, actor: Actor, username: str, first: FirstPassword, *, reason: str
) -> Technical | Refusal:
    """Give the technical user a first password, to be changed at its first use.  A blocked one gets none."""
    known = _mine(connection, actor, username)
    if isinstance(known, Refusal):
        return known
    if known.state != ACTIVE:
        return Refusal(Why.CONFLICT, f"{username} is blocked: unblock it first, on a written request")
    passwords.give(connection, username, first)
    record(connection, actor, "technical.password_given", f"technical:{username}", reason, None, None)
    return known


def end_all(connection: Connection, actor: Actor, number: int, reason: str) -> None:
    """Delete the technical users of a quality that is closed."""
    for known in of_quality(connection, number):
        _void(connection, known.username)
        _write_state(connection, actor, known, DELETED, reason)


# --- inside

_USERS: Final = sa.select(
    technical_users.c.username, technical_users.c.quality, technical_users.c.sender, technical_users.c.state
)


def _find(connection: Connection, username: str) -> Technical | None:
    named = technical_users.c.quality.is_not(None) & (technical_users.c.username == username)
    return next((Technical(*row) for row in connection.execute(_USERS.where(named))), None)


def _mine(connection: Connection, actor: Actor, username: str) -> Technical | Refusal:
    """The technical user, not deleted, of a quality in which the actor names it."""
    known = _find(connection, username)
    unknown = Refusal(Why.UNKNOWN, f"there is no technical user {username}")
    if known is None or known.state == DELETED:
        return unknown
    place: Quality | Refusal = quality_for(connection, actor, Act.NAME_TECHNICAL_USER, known.quality)
    if isinstance(place, Refusal):
        return unknown if place.why is Why.UNKNOWN else place
    return known


def _naming_refusal(connection: Connection, username: str, has_one: bool) -> Refusal | None:
    if has_one:
        return Refusal(Why.CONFLICT, "the quality has a technical user: delete it first")
    if not is_user_name(username):
        return Refusal(Why.INVALID, NAME_RULE)
    return Refusal(Why.CONFLICT, f"the user name {username} is taken") if is_taken(connection, username) else None


def _set_state(connection: Connection, actor: Actor, username: str, state: str, reason: str) -> Technical | Refusal:
    known = _mine(connection, actor, username)
    return known if isinstance(known, Refusal) else _write_state(connection, actor, known, state, reason)


def _write_state(connection: Connection, actor: Actor, known: Technical, state: str, reason: str) -> Technical:
    if known.state == state:
        return known
    this = technical_users.c.username == known.username
    connection.execute(sa.update(technical_users).where(this).values(state=state))
    act = "technical.unblocked" if state == ACTIVE else f"technical.{state}"
    record(connection, actor, act, f"technical:{known.username}", reason, {"state": known.state}, {"state": state})
    return Technical(known.username, known.quality, known.sender, state)


def _void(connection: Connection, username: str) -> None:
    passwords.void(connection, username)
    at = now()
    running = (ssh_keys.c.username == username) & (ssh_keys.c.valid_to.is_(None) | (ssh_keys.c.valid_to > at))
    connection.execute(sa.update(ssh_keys).where(running).values(valid_to=at))
