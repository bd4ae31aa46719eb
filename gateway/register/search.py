"""Which persons fit these words, and what may this actor see of them?

RAE and Co-RAE find everybody of their enterprise, GL and Co-GL those who hold a role in their qualities, an operator
everybody; a user finds nobody.  Of what the actor may not see nothing is found, as if it weren't there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.register import standing, technical
from gateway.register.actor import Actor, Operator, Refusal, Why, unknown_enterprise, unknown_quality
from gateway.register.enterprises import Enterprise, Quality, enterprise, qualities_of, quality
from gateway.register.history import Change, changes
from gateway.register.persons import DELETED, PERSONS, Registered, registered
from gateway.register.rights import EVERYTHING, OF_ENTERPRISE, RIGHTS, Act
from gateway.register.standing import Holding, holdings
from gateway.register.technical import Technical
from spool.register_tables import enterprises, mandates, persons, qualities, roles, routing_choices
from spool.tables import senders, technical_users

MOST: Final = 500
_AT_ONCE: Final = 200
_OTHER_SIDE: Final = "the other party"


@dataclass(frozen=True, slots=True)
class Criteria:
    """What is looked for; None is everything.

    Names, title and e-mail fit by what they contain, in capitals or not; the others have to be the same.
    ``application`` goes with a ``quality``; ``inss_mark`` is that of :func:`gateway.register.inss.mark`.  Deleted
    persons are found by their ``state`` only.
    """

    quality: int | None = None
    username: str | None = None
    last_name: str | None = None
    first_name: str | None = None
    title: str | None = None
    inss_mark: str | None = None
    language: str | None = None
    email: str | None = None
    state: str | None = None
    application: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A person with those of his roles that the actor may see."""

    person: Registered
    roles: tuple[Holding, ...]


@dataclass(frozen=True, slots=True)
class Details:
    """An enterprise with its qualities, who holds which role in it, and the technical users of its qualities."""

    enterprise: Enterprise
    qualities: tuple[Quality, ...]
    roles: tuple[Holding, ...]
    technical: tuple[Technical, ...]


def search(connection: Connection, actor: Actor, criteria: Criteria, limit: int = MOST) -> list[Found] | Refusal:
    """The persons that fit, by user name, ``limit`` at most."""
    if criteria.application is not None and criteria.quality is None:
        return Refusal(Why.INVALID, "an application is looked for in a quality")
    scope = _scope(connection, actor)
    if isinstance(scope, Refusal):
        return scope
    if criteria.quality is not None and not _covers(connection, scope, criteria.quality):
        return unknown_quality(criteria.quality)
    found = []
    # Some at a time: else PostgreSQL would hand over everybody there is before the first is looked at.
    with connection.execute(_query(scope, criteria).execution_options(yield_per=_AT_ONCE)) as rows:
        for person in map(registered, rows):
            if not _contains(person, criteria):
                continue
            visible = tuple(item for item in holdings(connection, username=person.username) if scope.shows(item))
            if criteria.application is None or any(_gives(item, criteria) for item in visible):
                found.append(Found(person, visible))
            if len(found) >= limit:
                break
    return found


def see_enterprise(connection: Connection, actor: Actor, number: str) -> Details | Refusal:
    """The details of an enterprise."""
    refused = standing.refusal(connection, actor, Act.SEE_ENTERPRISE, enterprise=number)
    known = enterprise(connection, number)
    if refused is not None or known is None:
        return refused or unknown_enterprise(number)
    its = qualities_of(connection, number)
    named = tuple(user for item in its for user in technical.of_quality(connection, item.number))
    return Details(known, tuple(its), tuple(holdings(connection, enterprise=number)), named)


def see_changes(connection: Connection, actor: Actor, number: str, limit: int = MOST) -> list[Change] | Refusal:
    """What was changed of an enterprise, its qualities, people, senders, mandates and routes; the newest first."""
    seen = see_enterprise(connection, actor, number)
    if isinstance(seen, Refusal):
        return seen
    own = set(connection.execute(sa.select(persons.c.username).where(persons.c.enterprise == number)).scalars())
    found = changes(connection, subjects=_subjects(number), limit=limit)
    # The other side of a mandate is an enterprise, not one of its people.
    return [item if item.actor in own or ":" in item.actor else replace(item, actor=_OTHER_SIDE) for item in found]


def _subjects(number: str) -> sa.CompoundSelect[tuple[str]]:
    """What an enterprise's changes are about, as the history calls it."""
    its = sa.select(qualities.c.number).where(qualities.c.enterprise == number)
    given = mandates.c.employer.in_(its) | mandates.c.provider.in_(its)
    named: tuple[tuple[str, sa.ColumnElement[Any], sa.ColumnElement[bool]], ...] = (
        ("enterprise", enterprises.c.number, enterprises.c.number == number),
        ("person", persons.c.username, persons.c.enterprise == number),
        ("quality", qualities.c.number, qualities.c.enterprise == number),
        ("technical", technical_users.c.username, technical_users.c.quality.in_(its)),
        ("sender", senders.c.number, senders.c.quality.in_(its)),
        ("mandate", mandates.c.number, given),
        ("routing", routing_choices.c.number, routing_choices.c.employer.in_(its)),
    )
    texts = (sa.select(sa.literal(f"{kind}:") + sa.cast(key, sa.String)).where(mine) for kind, key, mine in named)
    return sa.union_all(*texts)


# --- inside


@dataclass(frozen=True, slots=True)
class _Scope:
    """Whom an actor may find: everybody, an enterprise's, or those in some of its qualities."""

    enterprise: str | None = None
    qualities: frozenset[int] | None = None

    def shows(self, held: Holding) -> bool:
        """Whether a role of somebody who was found is the actor's to see."""
        return self.qualities is None or held.quality in self.qualities


def _scope(connection: Connection, actor: Actor) -> _Scope | Refusal:
    if isinstance(actor, Operator):
        return _Scope()
    mine = standing.own_enterprise(connection, actor.username)
    held = holdings(connection, username=actor.username)
    if mine is not None and any(item.role in OF_ENTERPRISE for item in held):
        return _Scope(mine)
    managed = {item.quality for item in held if item.role in RIGHTS[Act.MANAGE_USERS] and item.quality is not None}
    if mine is None or not managed:
        return Refusal(Why.NOT_ALLOWED, "only the RAE, a Co-RAE, the GL or a Co-GL searches")
    return _Scope(mine, frozenset(managed))


def _covers(connection: Connection, scope: _Scope, number: int) -> bool:
    if scope.qualities is not None:
        return number in scope.qualities
    known = quality(connection, number)
    return known is not None and scope.enterprise in {None, known.enterprise}


def _query(scope: _Scope, criteria: Criteria) -> sa.Select[*tuple[object, ...]]:
    """What the database can tell by itself, whatever it thinks of capitals."""
    query = PERSONS.order_by(persons.c.username)
    same = {
        persons.c.enterprise: scope.enterprise,
        persons.c.username: criteria.username,
        persons.c.inss_mark: criteria.inss_mark,
        persons.c.language: criteria.language,
        persons.c.state: criteria.state,
    }
    for column, value in same.items():
        if value is not None:
            query = query.where(column == value)
    if criteria.state is None:
        query = query.where(persons.c.state != DELETED)
    wanted = scope.qualities if criteria.quality is None else frozenset({criteria.quality})
    if wanted is not None:
        held = sa.select(roles.c.username).where(roles.c.quality.in_(sorted(wanted)))
        # Of somebody who is deleted the roles have ended; he is found where he held them.
        running = held if criteria.state == DELETED else held.where(roles.c.ended_at.is_(None))
        query = query.where(persons.c.username.in_(running))
    return query


def _contains(person: Registered, criteria: Criteria) -> bool:
    words: Iterator[tuple[str | None, tuple[str, ...]]] = iter(
        (
            (criteria.last_name, (person.last_name,)),
            (criteria.first_name, (person.first_name,)),
            (criteria.title, (person.title,)),
            (criteria.email, person.emails),
        )
    )
    return all(word is None or any(word.casefold() in text.casefold() for text in texts) for word, texts in words)


def _gives(held: Holding, criteria: Criteria) -> bool:
    """Whether a role gives access to the application in the quality that is looked for."""
    return held.quality == criteria.quality and bool(held.applications & {criteria.application, EVERYTHING})
