"""Who becomes RAE, Co-RAE, GL, Co-GL or user, with access to which applications, and who is one no longer?

An enterprise has one RAE and a quality one GL; whoever is named takes the place of the one before.  No access is wider
than that of the quality's GL: a Co-GL has just the GL's, users have a part of it, and when the GL's becomes narrower,
so do theirs.  Nobody holds two roles in one place: the higher replaces the lower.  A person whose last role ends has no
account any more.  Every act looks first and writes then, so that a refusal has changed nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.register import channels, standing
from gateway.register.actor import Actor, Operator, Refusal, Why, label, unknown_enterprise
from gateway.register.ending import close_without_role, end_role, facts
from gateway.register.enterprises import enterprise, quality_for
from gateway.register.history import record
from gateway.register.persons import Candidate, enter, entry_refusal
from gateway.register.rights import EVERYTHING, MANAGED_BY, Act, Role, narrowed, read_applications, within
from gateway.register.standing import Holding, holdings
from spool.journal import now
from spool.register_tables import roles

_RANKS: Final = (Role.USER, Role.CO_GL, Role.GL, Role.CO_RAE, Role.RAE)
_INVALID: Final = Refusal(Why.INVALID, "applications are named by 2 to 40 letters, digits, dots and dashes, or by *")


@dataclass(frozen=True, slots=True)
class _Place:
    """A role to be given: in an enterprise, or in one quality of it."""

    role: Role
    enterprise: str
    quality: int | None = None
    applications: frozenset[str] = frozenset()


# --- of an enterprise


def name_rae(
    connection: Connection, actor: Actor, number: str, who: str | Candidate, *, reason: str
) -> Holding | Refusal:
    """Name the RAE of an enterprise, instead of the one before; an operator does, whom the enterprise's head asked."""
    if not isinstance(actor, Operator):
        refused = standing.refusal(connection, actor, Act.OWN, enterprise=number)
        return refused or Refusal(Why.NOT_ALLOWED, "a new RAE is named through the contact centre, by an operator")
    if enterprise(connection, number) is None:
        return unknown_enterprise(number)
    return _name(connection, actor, _Place(Role.RAE, number), who, reason)


def add_co_rae(
    connection: Connection, actor: Actor, number: str, who: str | Candidate, *, reason: str
) -> Holding | Refusal:
    """Make somebody a Co-RAE."""
    refused = standing.refusal(connection, actor, Act.MANAGE_CO_RAES, enterprise=number)
    if refused is not None:
        return refused
    if not holdings(connection, enterprise=number, role=Role.RAE):
        known = enterprise(connection, number) is not None
        return Refusal(Why.CONFLICT, "the enterprise has no RAE yet") if known else unknown_enterprise(number)
    return _add(connection, actor, _Place(Role.CO_RAE, number), who, reason)


def delete_co_rae(
    connection: Connection, actor: Actor, number: str, username: str, *, reason: str
) -> Holding | Refusal:
    """Let somebody be Co-RAE no longer."""
    refused = standing.refusal(connection, actor, Act.MANAGE_CO_RAES, enterprise=number)
    return refused or _delete(connection, actor, _Place(Role.CO_RAE, number), username, reason)


# --- of a quality


def name_gl(
    connection: Connection,
    actor: Actor,
    number: int,
    who: str | Candidate,
    applications: Iterable[str] = (EVERYTHING,),
    *,
    reason: str,
) -> Holding | Refusal:
    """Name the GL of a quality instead of the one before, or give the present one another access.

    What Co-GLs, users and the sender have beyond the access of the GL they lose.
    """
    place = quality_for(connection, actor, Act.NAME_GL, number)
    if isinstance(place, Refusal):
        return place
    access = read_applications(applications)
    if access is None:
        return _INVALID
    named = _name(connection, actor, _Place(Role.GL, place.enterprise, number, access), who, reason)
    if isinstance(named, Holding):
        _fit(connection, actor, named, reason)
    return named


def add_co_gl(
    connection: Connection, actor: Actor, number: int, who: str | Candidate, *, reason: str
) -> Holding | Refusal:
    """Make somebody a Co-GL of a quality, with the GL's access."""
    place = quality_for(connection, actor, Act.MANAGE_CO_GLS, number)
    if isinstance(place, Refusal):
        return place
    bound = _bound(connection, number)
    if isinstance(bound, Refusal):
        return bound
    return _add(connection, actor, _Place(Role.CO_GL, place.enterprise, number, bound), who, reason)


def add_user(
    connection: Connection,
    actor: Actor,
    number: int,
    who: str | Candidate,
    applications: Iterable[str],
    *,
    reason: str,
) -> Holding | Refusal:
    """Make somebody a user of a quality, with just these applications; none is possible too."""
    place = quality_for(connection, actor, Act.MANAGE_USERS, number)
    if isinstance(place, Refusal):
        return place
    access = _granted(connection, number, applications)
    if isinstance(access, Refusal):
        return access
    return _add(connection, actor, _Place(Role.USER, place.enterprise, number, access), who, reason)


def set_applications(
    connection: Connection, actor: Actor, number: int, username: str, applications: Iterable[str], *, reason: str
) -> Holding | Refusal:
    """Give a user of a quality just these applications; a GL gets others by being named again."""
    place = quality_for(connection, actor, Act.MANAGE_USERS, number)
    if isinstance(place, Refusal):
        return place
    held = holdings(connection, username=username, quality=number, role=Role.USER)
    if not held:
        return _nobody(username, _Place(Role.USER, place.enterprise, number))
    access = _granted(connection, number, applications)
    return access if isinstance(access, Refusal) else _change(connection, actor, held[0], access, reason)


def delete_co_gl(connection: Connection, actor: Actor, number: int, username: str, *, reason: str) -> Holding | Refusal:
    """Let somebody be Co-GL of a quality no longer."""
    return _delete_in(connection, actor, number, Role.CO_GL, username, reason=reason)


def delete_user(connection: Connection, actor: Actor, number: int, username: str, *, reason: str) -> Holding | Refusal:
    """Let somebody be a user of a quality no longer."""
    return _delete_in(connection, actor, number, Role.USER, username, reason=reason)


# --- inside


def _name(connection: Connection, actor: Actor, place: _Place, who: str | Candidate, reason: str) -> Holding | Refusal:
    """Give a role that one person holds at a time."""
    present = next(iter(_holding(connection, place)), None)
    if present is not None and present.username == who:
        return _change(connection, actor, present, place.applications, reason)
    refused = entry_refusal(connection, place.enterprise, who)
    if refused is not None:
        return refused
    if present is not None:
        end_role(connection, actor, present, reason)
    given = _give(connection, actor, place, enter(connection, actor, place.enterprise, who, reason), reason)
    if present is not None:
        close_without_role(connection, actor, present.username, reason)
    return given


def _add(connection: Connection, actor: Actor, place: _Place, who: str | Candidate, reason: str) -> Holding | Refusal:
    """Give a role that many may hold, to somebody who holds none as high in that place."""
    refused = entry_refusal(connection, place.enterprise, who)
    if refused is not None:
        return refused
    held = [item.role for item in _there(connection, place, who)] if isinstance(who, str) else []
    if any(_RANKS.index(role) >= _RANKS.index(place.role) for role in held):
        return Refusal(Why.CONFLICT, f"{who} is {', '.join(map(_called, held))} there already")
    return _give(connection, actor, place, enter(connection, actor, place.enterprise, who, reason), reason)


def _give(connection: Connection, actor: Actor, place: _Place, username: str, reason: str) -> Holding:
    """Write a role down, which replaces whatever the person holds in that place."""
    for lower in _there(connection, place, username):
        end_role(connection, actor, lower, reason)
    values = {"role": place.role, "enterprise": place.enterprise, "quality": place.quality}
    given = {"applications": sorted(place.applications), "given_by": label(actor), "given_at": now()}
    connection.execute(sa.insert(roles).values(username=username, **values, **given))
    [held] = _there(connection, place, username)
    record(connection, actor, "role.given", f"person:{username}", reason, None, facts(held))
    return held


def _change(connection: Connection, actor: Actor, held: Holding, access: frozenset[str], reason: str) -> Holding:
    if held.applications == access:
        return held
    changed = replace(held, applications=access, given_by=label(actor))
    values = {"applications": sorted(access), "given_by": changed.given_by}
    connection.execute(sa.update(roles).where(roles.c.number == held.number).values(**values))
    record(connection, actor, "role.changed", f"person:{held.username}", reason, facts(held), facts(changed))
    return changed


def _fit(connection: Connection, actor: Actor, named: Holding, reason: str) -> None:
    """Let nobody in the quality have more than its GL, nor its sender send more."""
    for held in holdings(connection, quality=named.quality):
        if held.role is Role.CO_GL:
            _change(connection, actor, held, named.applications, reason)
        elif held.role is Role.USER:
            _change(connection, actor, held, narrowed(held.applications, named.applications), reason)
    if named.quality is not None:
        channels.narrow(connection, actor, named.quality, named.applications, reason)


def _delete_in(
    connection: Connection, actor: Actor, number: int, role: Role, username: str, *, reason: str
) -> Holding | Refusal:
    right = MANAGED_BY[role] or Act.NAME_GL
    place = quality_for(connection, actor, right, number)
    if isinstance(place, Refusal):
        return place
    return _delete(connection, actor, _Place(role, place.enterprise, number), username, reason)


def _delete(connection: Connection, actor: Actor, place: _Place, username: str, reason: str) -> Holding | Refusal:
    held = [item for item in _there(connection, place, username) if item.role is place.role]
    if not held:
        return _nobody(username, place)
    end_role(connection, actor, held[0], reason)
    close_without_role(connection, actor, username, reason)
    return held[0]


def _bound(connection: Connection, number: int) -> frozenset[str] | Refusal:
    """The access of a quality's GL, which nobody's there may be wider than."""
    named = holdings(connection, quality=number, role=Role.GL)
    return named[0].applications if named else Refusal(Why.CONFLICT, "the quality has no GL yet")


def _granted(connection: Connection, number: int, applications: Iterable[str]) -> frozenset[str] | Refusal:
    bound, access = _bound(connection, number), read_applications(applications)
    if isinstance(bound, Refusal):
        return bound
    if access is None:
        return _INVALID
    wider = Refusal(Why.NOT_ALLOWED, "an access cannot be wider than that of the quality's GL")
    return access if within(access, bound) else wider


def _holding(connection: Connection, place: _Place) -> list[Holding]:
    held = holdings(connection, enterprise=place.enterprise, quality=place.quality, role=place.role)
    return [item for item in held if item.quality == place.quality]


def _there(connection: Connection, place: _Place, username: str) -> list[Holding]:
    held = holdings(connection, username=username, enterprise=place.enterprise)
    return [item for item in held if item.quality == place.quality]


def _nobody(username: str, place: _Place) -> Refusal:
    where = f"enterprise {place.enterprise}" if place.quality is None else f"quality {place.quality}"
    return Refusal(Why.UNKNOWN, f"there is no {_called(place.role)} {username} in {where}")


def _called(role: Role) -> str:
    return role.replace("rae", "RAE").replace("gl", "GL").replace("co-", "Co-")
