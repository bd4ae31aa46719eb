"""May this actor do this act there, as things stand in the register?

The table of ``rights`` is asked with the roles that the actor holds now.  An enterprise, quality or person that is not
the actor's is answered for as if there were none.  Nothing is changed here.
"""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.register.actor import Actor, Operator, Refusal, Why, unknown_enterprise, unknown_person, unknown_quality
from gateway.register.rights import MANAGED_BY, OF_ENTERPRISE, RIGHTS, Act, Role
from spool.register_tables import enterprises, persons, qualities, roles

ACTIVE: Final = "active"


@dataclass(frozen=True, slots=True)
class Holding:
    """A role that a person holds; ``quality`` is None for RAE and Co-RAE, ``given_by`` the label of who gave it."""

    number: int
    username: str
    role: Role
    enterprise: str
    quality: int | None
    applications: frozenset[str]
    given_by: str


def holdings(
    connection: Connection,
    *,
    username: str | None = None,
    quality: int | None = None,
    enterprise: str | None = None,
    role: Role | None = None,
) -> list[Holding]:
    """The roles that are held now, in order of their giving: by a person, in a quality, in an enterprise, of a kind."""
    query = sa.select(
        roles.c.number,
        roles.c.username,
        roles.c.role,
        roles.c.enterprise,
        roles.c.quality,
        roles.c.applications,
        roles.c.given_by,
    ).where(roles.c.ended_at.is_(None))
    wanted = {roles.c.username: username, roles.c.quality: quality, roles.c.enterprise: enterprise, roles.c.role: role}
    for column, value in wanted.items():
        if value is not None:
            query = query.where(column == value)
    return [
        Holding(number, name, Role(kind), of, place, frozenset(applications), given_by)
        for number, name, kind, of, place, applications, given_by in connection.execute(query.order_by(roles.c.number))
    ]


def refusal(
    connection: Connection,
    actor: Actor,
    act: Act,
    *,
    enterprise: str,
    quality: int | None = None,
    own: str | None = None,
) -> Refusal | None:
    """Why the actor may not do this act, or None if he may.  An operator always may.

    Args:
        connection: a transaction's.
        actor: who asks.
        act: the row of the table.
        enterprise: the number of the enterprise that the act concerns.
        quality: the number of its quality that the act concerns; None where the enterprise as a whole is meant.
        own: with ``Act.OWN``, the user name whose own data are meant.
    """
    if isinstance(actor, Operator):
        return None
    mine = own_enterprise(connection, actor.username)
    if mine is None or mine != enterprise:
        unknown = unknown_enterprise(enterprise) if own is None else unknown_person(own)
        return _no_longer(connection, actor.username) or unknown
    if own is not None and own != actor.username:
        return unknown_person(own)
    if quality is not None and not _has_quality(connection, enterprise, quality):
        return unknown_quality(quality)
    held = holdings(connection, username=actor.username)
    counting = {item.role for item in held if item.role in OF_ENTERPRISE or item.quality == quality or act is Act.OWN}
    return None if counting & RIGHTS[act] else Refusal(Why.NOT_ALLOWED, _REFUSED[act])


def own_enterprise(connection: Connection, username: str) -> str | None:
    """The enterprise of a person who may act at all: active, of an active enterprise; else None."""
    query = (
        sa.select(persons.c.enterprise)
        .join(enterprises, enterprises.c.number == persons.c.enterprise)
        .where(persons.c.username == username, persons.c.state == ACTIVE, enterprises.c.state == ACTIVE)
    )
    found: str | None = connection.execute(query).scalar()
    return found


def refusal_over(connection: Connection, actor: Actor, username: str) -> Refusal | None:
    """Why the actor may not decide about the account of a person, or None if he may.

    An account is blocked, deleted and given passwords as a whole; so who decides about it has to manage every role that
    is held with it: or a GL could send away an RAE who is a user too.
    """
    query = sa.select(persons.c.enterprise).where(persons.c.username == username)
    enterprise: str | None = connection.execute(query).scalar()
    if enterprise is None:
        return unknown_person(username)
    if isinstance(actor, Operator):
        return None
    if own_enterprise(connection, actor.username) != enterprise:
        return _no_longer(connection, actor.username) or unknown_person(username)
    held = holdings(connection, username=username)
    for item in held:
        managed_by = MANAGED_BY[item.role]
        if managed_by is None:
            return Refusal(Why.NOT_ALLOWED, "only an operator of the gateway manages the RAE")
        refused = refusal(connection, actor, managed_by, enterprise=enterprise, quality=item.quality)
        if refused is not None:
            return refused
    return None if held else unknown_person(username)


def _no_longer(connection: Connection, username: str) -> Refusal | None:
    """What a person is told whose account is blocked: he knows that there is one."""
    query = sa.select(persons.c.state).where(persons.c.username == username)
    blocked = connection.execute(query).scalar() not in {ACTIVE, None}
    return Refusal(Why.NOT_ALLOWED, f"the account {username} is blocked") if blocked else None


def _has_quality(connection: Connection, enterprise: str, quality: int) -> bool:
    mine = (qualities.c.number == quality) & (qualities.c.enterprise == enterprise) & (qualities.c.state == ACTIVE)
    return connection.execute(sa.select(qualities.c.number).where(mine)).first() is not None


_REFUSED = {
    Act.ACTIVATE_QUALITY: "only the RAE or a Co-RAE activates a quality",
    Act.NAME_GL: "only the RAE or a Co-RAE manages the GL of a quality",
    Act.MANAGE_CO_RAES: "only the RAE manages Co-RAEs",
    Act.MANAGE_CO_GLS: "only the RAE, a Co-RAE or the GL manages Co-GLs",
    Act.MANAGE_USERS: "only the RAE, a Co-RAE, the GL or a Co-GL manages users",
    Act.NAME_TECHNICAL_USER: "only the RAE, a Co-RAE, the GL or a Co-GL manages the technical user",
    Act.CHANGE_QUALITY: "only the RAE, a Co-RAE, the GL or a Co-GL changes the data of a quality",
    Act.SEE_ENTERPRISE: "only the RAE or a Co-RAE sees the enterprise's details",
    Act.CHOOSE_ROUTING: "only the GL or a Co-GL chooses recipients and channels",
    Act.OWN: "who holds no role has no data of his own",
}
