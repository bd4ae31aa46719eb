"""Who may use his account no more, for a time or for good, and what of a quality that is closed?

An account is blocked, or deleted, with all the roles it has; so whoever does it manages each of them.  A loss is
reported by the person as well, and acts at once: what the person could prove himself by is good for nothing any more,
and new credentials are given on a written request only, by ``persons.give_password`` after the unblocking.
"""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.register import standing, technical
from gateway.register.actor import Actor, Operator, Refusal, Why, unknown_person, unknown_quality
from gateway.register.ending import close_without_role, end_role, void
from gateway.register.enterprises import Quality, State, quality
from gateway.register.history import record
from gateway.register.persons import BLOCKED, DELETED, LOST, Registered, find, set_state
from gateway.register.rights import Act, Role
from gateway.register.standing import ACTIVE, holdings
from spool.register_tables import qualities


def block(connection: Connection, actor: Actor, username: str, *, reason: str) -> Registered | Refusal:
    """Let a person do nothing; the roles stay."""
    known = _managed(connection, actor, username)
    if isinstance(known, Refusal):
        return known
    if known.state == ACTIVE:
        set_state(connection, actor, username, BLOCKED, reason)
    return find(connection, username) or unknown_person(username)


def unblock(connection: Connection, actor: Actor, username: str, *, reason: str) -> Registered | Refusal:
    """Let a person act again; one whose loss was reported needs a first password besides."""
    known = _managed(connection, actor, username)
    if isinstance(known, Refusal):
        return known
    set_state(connection, actor, username, ACTIVE, reason)
    return find(connection, username) or unknown_person(username)


def delete(connection: Connection, actor: Actor, username: str, *, reason: str) -> Registered | Refusal:
    """End every role of a person and his account; what he was and did stays in the register."""
    known = _managed(connection, actor, username)
    if isinstance(known, Refusal):
        return known
    held = holdings(connection, username=username)
    if any(item.role in {Role.RAE, Role.GL} for item in held):
        return Refusal(Why.CONFLICT, f"{username} is RAE or GL: name another one first")
    for item in held:
        end_role(connection, actor, item, reason)
    close_without_role(connection, actor, username, reason)
    return find(connection, username) or unknown_person(username)


def report_lost(connection: Connection, actor: Actor, username: str, *, reason: str) -> Registered | Refusal:
    """Make an account useless at once: one's own, or that of somebody whose roles the actor manages."""
    known = find(connection, username)
    if known is None or known.state == DELETED:
        return unknown_person(username)
    own = standing.refusal(connection, actor, Act.OWN, enterprise=known.enterprise, own=username)
    refused = own and standing.refusal_over(connection, actor, username)
    if refused is not None:
        return refused
    set_state(connection, actor, username, LOST, reason)
    void(connection, username)
    return find(connection, username) or unknown_person(username)


def close_quality(connection: Connection, actor: Actor, number: int, *, reason: str) -> Quality | Refusal:
    """Let nobody act in a quality any more: its roles and its technical user end; only an operator closes one."""
    known = quality(connection, number)
    if not isinstance(actor, Operator):
        mine = known is not None and standing.own_enterprise(connection, actor.username) == known.enterprise
        words = "only an operator of the gateway closes a quality"
        return Refusal(Why.NOT_ALLOWED, words) if mine else unknown_quality(number)
    if known is None:
        return unknown_quality(number)
    if known.state is State.CLOSED:
        return known
    held = holdings(connection, quality=number)
    for item in held:
        end_role(connection, actor, item, reason)
    for username in sorted({item.username for item in held}):
        close_without_role(connection, actor, username, reason)
    technical.end_all(connection, actor, number, reason)
    connection.execute(sa.update(qualities).where(qualities.c.number == number).values(state=State.CLOSED))
    states = {"state": known.state}, {"state": State.CLOSED}
    record(connection, actor, "quality.closed", f"quality:{number}", reason, *states)
    return quality(connection, number) or unknown_quality(number)


def _managed(connection: Connection, actor: Actor, username: str) -> Registered | Refusal:
    """The person, not deleted, about whose account the actor may decide."""
    known = find(connection, username)
    if known is None or known.state == DELETED:
        return unknown_person(username)
    return standing.refusal_over(connection, actor, username) or known
