"""Which enterprises are there, and in which qualities?

An enterprise goes by its number in the Crossroads Bank for Enterprises.  A quality brings the right to a set of
services, and an employer's carries the number that declarations name it by; so a quality that carries a number, or that
needs an approval, is announced by an operator from the network's registers before the enterprise activates it: or
anybody could be any employer.  Who holds which role in them stands in ``roles``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.register import standing
from gateway.register.actor import Actor, Operator, Person, Refusal, Why, unknown_enterprise, unknown_quality
from gateway.register.history import record
from gateway.register.rights import Act
from gateway.register.standing import ACTIVE
from schemas import identifiers
from spool.journal import now
from spool.register_tables import enterprises, qualities

_LONGEST_NAME: Final = 200


class Kind(StrEnum):
    """A field of activity in which an enterprise is registered."""

    EMPLOYER = "employer"
    EMPLOYER_LOCAL = "employer-local"
    SOCIAL_SECRETARIAT = "social-secretariat"
    FULL_SERVICE_SECRETARIAT = "full-service-secretariat"
    PROVIDER_LEGAL = "provider-legal"
    PROVIDER_NATURAL = "provider-natural"
    MANDATARY = "mandatary"
    CURATOR = "curator"
    HOSPITAL = "hospital"
    TELEPHONE_OPERATOR = "telephone-operator"


EMPLOYERS: Final = frozenset({Kind.EMPLOYER, Kind.EMPLOYER_LOCAL})
"""The kinds of those that declare for themselves, or have somebody declare for them."""

PROVIDERS: Final = frozenset(
    {
        Kind.SOCIAL_SECRETARIAT,
        Kind.FULL_SERVICE_SECRETARIAT,
        Kind.PROVIDER_LEGAL,
        Kind.PROVIDER_NATURAL,
        Kind.MANDATARY,
        Kind.CURATOR,
    }
)
"""The kinds of those that may be mandated by employers."""

NUMBERS: Final[Mapping[Kind, tuple[identifiers.Kind, ...]]] = {
    Kind.EMPLOYER: (identifiers.Kind.ONSS, identifiers.Kind.PROVISIONAL_ONSS),
    Kind.EMPLOYER_LOCAL: (identifiers.Kind.PPL,),
}
"""Which numbers a quality of a kind carries, one of these; the others carry none."""

ANNOUNCED: Final = frozenset(NUMBERS) | {Kind.SOCIAL_SECRETARIAT, Kind.FULL_SERVICE_SECRETARIAT}
"""The kinds that an operator announces before the enterprise can activate them."""


class State(StrEnum):
    """Whether a quality is announced and nobody's yet, in use, or over."""

    ANNOUNCED = "known"
    ACTIVE = ACTIVE
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Enterprise:
    """An enterprise by its number of ten digits."""

    number: str
    name: str
    active: bool
    created_at: int


@dataclass(frozen=True, slots=True)
class Quality:
    """A quality of an enterprise.

    ``registration`` is the number that declarations name it by, without zeros before it; empty where its kind has none.
    """

    number: int
    enterprise: str
    kind: Kind
    registration: str
    state: State
    created_at: int

    @property
    def active(self) -> bool:
        """Whether anybody may act in it."""
        return self.state is State.ACTIVE


# --- numbers


def enterprise_number(text: str) -> str | None:
    """The ten digits of an enterprise number as it may be typed (``BE 0123.456.749``), or None if it is none."""
    digits = text.strip().upper().removeprefix("BE").translate(str.maketrans("", "", " .")).zfill(10)
    good = digits != "0" * 10 and not identifiers.check(identifiers.Kind.ENTERPRISE, digits)
    return digits if good else None


def registration_number(kind: Kind, text: str) -> str | None:
    """How the number of a quality of this kind is kept, or None if the kind has no such number.

    Without zeros before it, as a declaration may write it either way; empty for a kind without numbers.
    """
    if kind not in NUMBERS:
        return None if text else ""
    digits = text.strip().replace("-", "").lstrip("0")
    return digits if digits and any(not identifiers.check(known, digits) for known in NUMBERS[kind]) else None


# --- who is there


def enterprise(connection: Connection, number: str) -> Enterprise | None:
    """The enterprise of this number, or None."""
    columns = (enterprises.c.number, enterprises.c.name, enterprises.c.state, enterprises.c.created_at)
    row = connection.execute(sa.select(*columns).where(enterprises.c.number == number)).first()
    return None if row is None else Enterprise(row.number, row.name, row.state == ACTIVE, row.created_at)


def all_enterprises(connection: Connection, *, after: str = "", limit: int | None = None) -> Iterator[Enterprise]:
    """Every enterprise, by number; or those behind the number ``after``, ``limit`` at most, to be read page by page."""
    columns = (enterprises.c.number, enterprises.c.name, enterprises.c.state, enterprises.c.created_at)
    query = sa.select(*columns).where(enterprises.c.number > after).order_by(enterprises.c.number).limit(limit)
    for number, name, state, created_at in connection.execute(query):
        yield Enterprise(number, name, state == ACTIVE, created_at)


def quality(connection: Connection, number: int) -> Quality | None:
    """The quality of this number, or None."""
    row = connection.execute(_QUALITIES.where(qualities.c.number == number)).first()
    return None if row is None else _quality(row)


def qualities_of(connection: Connection, number: str) -> list[Quality]:
    """All qualities of an enterprise, those announced and those closed included, in order of their registration."""
    query = _QUALITIES.where(qualities.c.enterprise == number).order_by(qualities.c.number)
    return [_quality(row) for row in connection.execute(query)]


def by_registration(connection: Connection, kind: Kind, registration: str) -> Quality | None:
    """The active quality of a kind that carries this number (as it is kept), or None."""
    mine = (qualities.c.kind == kind) & (qualities.c.registration == registration) & (qualities.c.state == ACTIVE)
    row = connection.execute(_QUALITIES.where(mine)).first()
    return None if row is None else _quality(row)


def quality_for(connection: Connection, actor: Actor, act: Act, number: int) -> Quality | Refusal:
    """The active quality of this number if the actor may do this act in it, else why not."""
    found = quality(connection, number)
    if found is None or not found.active:
        return unknown_quality(number)
    refused = standing.refusal(connection, actor, act, enterprise=found.enterprise, quality=number)
    if refused is None:
        return found
    return unknown_quality(number) if refused.why is Why.UNKNOWN else refused


# --- acts


def register_enterprise(
    connection: Connection, actor: Actor, number: str, name: str, *, reason: str
) -> Enterprise | Refusal:
    """Enter an enterprise, or give a known one its new name; only an operator does."""
    if not isinstance(actor, Operator):
        return Refusal(Why.NOT_ALLOWED, "only an operator of the gateway enters enterprises")
    digits, said = enterprise_number(number), name.strip()
    if digits is None:
        return Refusal(Why.INVALID, f"{number} is no enterprise number")
    if not 0 < len(said) <= _LONGEST_NAME or not said.isprintable():
        return Refusal(Why.INVALID, f"the name of an enterprise has 1 to {_LONGEST_NAME} characters")
    before = enterprise(connection, digits)
    if before is not None and before.name == said:
        return before
    if before is None:
        values = {"number": digits, "name": said, "state": ACTIVE, "created_at": now()}
        connection.execute(sa.insert(enterprises).values(**values))
    else:
        connection.execute(sa.update(enterprises).where(enterprises.c.number == digits).values(name=said))
    was = None if before is None else {"name": before.name}
    act = "enterprise.registered" if before is None else "enterprise.renamed"
    record(connection, actor, act, f"enterprise:{digits}", reason, was, {"name": said})
    return enterprise(connection, digits) or unknown_enterprise(digits)


def announce_quality(
    connection: Connection, actor: Actor, number: str, kind: Kind, registration: str = "", *, reason: str
) -> Quality | Refusal:
    """Enter a quality that the network's registers give an enterprise; only an operator does."""
    if not isinstance(actor, Operator):
        return Refusal(Why.NOT_ALLOWED, "only an operator of the gateway announces a quality")
    return _enter_quality(connection, actor, _Wanted(number, kind, registration), State.ANNOUNCED, reason)


def activate_quality(
    connection: Connection, actor: Actor, number: str, kind: Kind, registration: str = "", *, reason: str
) -> Quality | Refusal:
    """Let an enterprise act in a quality; a person can only if it was announced, or is of a kind that needs it not."""
    refused = standing.refusal(connection, actor, Act.ACTIVATE_QUALITY, enterprise=number)
    if refused is not None:
        return refused
    kept = registration_number(kind, registration)
    known = None if kept is None else _known(connection, number, kind, kept)
    if isinstance(actor, Person) and kind in ANNOUNCED and (known is None or known.state is State.CLOSED):
        return Refusal(Why.CONFLICT, "the network's registers give the enterprise no such quality: ask an operator")
    if isinstance(actor, Person) and known is not None and known.state is State.CLOSED:
        return Refusal(Why.CONFLICT, "this quality was closed: ask an operator")
    return _enter_quality(connection, actor, _Wanted(number, kind, registration), State.ACTIVE, reason)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A quality by what an actor says of it."""

    enterprise: str
    kind: Kind
    registration: str


def _enter_quality(
    connection: Connection, actor: Actor, wanted: _Wanted, state: State, reason: str
) -> Quality | Refusal:
    kept = registration_number(wanted.kind, wanted.registration)
    if enterprise(connection, wanted.enterprise) is None:
        return unknown_enterprise(wanted.enterprise)
    if kept is None:
        return Refusal(
            Why.INVALID,
            f"{wanted.registration or 'nothing'} is no number of a quality {wanted.kind}; look for a typing error",
        )
    before = _known(connection, wanted.enterprise, wanted.kind, kept)
    if before is not None and before.state in {state, State.ACTIVE}:
        return before
    if kept and _is_carried_by_another(connection, wanted, kept):
        return Refusal(Why.CONFLICT, f"another enterprise carries the number {wanted.registration}")
    if before is None:
        of = {"enterprise": wanted.enterprise, "kind": wanted.kind, "registration": kept}
        connection.execute(sa.insert(qualities).values(**of, state=state, created_at=now()))
    else:
        connection.execute(sa.update(qualities).where(qualities.c.number == before.number).values(state=state))
    after = _known(connection, wanted.enterprise, wanted.kind, kept)
    if after is None:
        return unknown_enterprise(wanted.enterprise)
    facts = {"enterprise": after.enterprise, "kind": after.kind, "registration": kept, "state": after.state}
    was = None if before is None else {"state": before.state}
    act = "quality.activated" if state is State.ACTIVE else "quality.announced"
    record(connection, actor, act, f"quality:{after.number}", reason, was, facts)
    return after


def _known(connection: Connection, number: str, kind: Kind, registration: str) -> Quality | None:
    of = (qualities.c.enterprise == number) & (qualities.c.kind == kind) & (qualities.c.registration == registration)
    row = connection.execute(_QUALITIES.where(of)).first()
    return None if row is None else _quality(row)


def _is_carried_by_another(connection: Connection, wanted: _Wanted, registration: str) -> bool:
    others = (
        (qualities.c.registration == registration)
        & (qualities.c.kind == wanted.kind)
        & (qualities.c.enterprise != wanted.enterprise)
        & (qualities.c.state != State.CLOSED)
    )
    return connection.execute(sa.select(qualities.c.number).where(others)).first() is not None


_QUALITIES = sa.select(
    qualities.c.number,
    qualities.c.enterprise,
    qualities.c.kind,
    qualities.c.registration,
    qualities.c.state,
    qualities.c.created_at,
)


def _quality(row: sa.Row[*tuple[Any, ...]]) -> Quality:
    number, owner, kind, registration, state, created_at = row
    return Quality(number, owner, Kind(kind), registration, State(state), created_at)
