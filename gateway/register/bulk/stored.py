"""What does the register hold, as records of the kinds that files have?

Each kind is read by the owners of its records, in a few queries over many of them; a reader gives the number that the
register knows a record by, where it has one, and the record's facts.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.register.bulk.kinds import LAYOUTS, Facts, Kind
from gateway.register.enterprises import State
from spool.register_tables import enterprises, mandates, persons, qualities, roles, routing_choices, sender_channels
from spool.tables import senders

_CHUNK: Final = 500
_Row = sa.Row[Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """A record of the register; ``number`` is its own number where its table counts, else None."""

    owner: str
    key: str
    facts: Facts
    number: int | None = None


def of_owners(connection: Connection, kind: Kind, owners: Collection[str]) -> Iterator[Stored]:
    """The records of a kind that belong to these owners, in the order in which they were entered."""
    wanted = sorted(owners)
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        yield from (record for record in _READERS[kind](connection, chunk) if record.owner in owners)


def every(connection: Connection, kind: Kind) -> Iterator[Stored]:
    """All records of a kind but for what is over: deleted persons, ended roles, what concerns a closed quality."""
    return _READERS[kind](connection, None)


def numbers_of(connection: Connection, references: Collection[str]) -> Mapping[str, int]:
    """The numbers of qualities by their references."""
    found = of_owners(connection, Kind.QUALITIES, {reference[:10] for reference in references})
    return {record.key: record.number for record in found if record.number is not None and record.key in references}


def carriers(connection: Connection, numbers: Collection[str]) -> Iterator[Stored]:
    """The qualities of whatever enterprise that carry these, each as ``kind/registration``."""
    wanted = sorted({number.partition("/")[2] for number in numbers})
    for start in range(0, len(wanted), _CHUNK):
        chosen = qualities.c.registration.in_(wanted[start : start + _CHUNK])
        for record in _qualities(connection, None, chosen):
            if record.key[11:] in numbers:
                yield record


def senders_as(connection: Connection, references: Collection[str]) -> Iterator[Stored]:
    """The senders that send as these qualities."""
    numbers = sorted(numbers_of(connection, references).values())
    for start in range(0, len(numbers), _CHUNK):
        yield from _senders(connection, None, senders.c.quality.in_(numbers[start : start + _CHUNK]))


def roles_of(connection: Connection, usernames: Collection[str]) -> Iterator[Stored]:
    """The roles that these persons hold."""
    wanted = sorted(usernames)
    for start in range(0, len(wanted), _CHUNK):
        yield from _roles(connection, None, roles.c.username.in_(wanted[start : start + _CHUNK]))


def reference(quality: sa.FromClause) -> sa.ColumnElement[str]:
    """The reference of a quality, in a query."""
    return quality.c.enterprise + "/" + quality.c.kind + "/" + quality.c.registration


def _stored(kind: Kind, facts: Facts, number: int | None = None) -> Stored:
    layout = LAYOUTS[kind]
    return Stored(layout.owner(facts), layout.key_of(facts), facts, number)


def _enterprises(connection: Connection, owners: Sequence[str] | None) -> Iterator[Stored]:
    query = sa.select(enterprises.c.number, enterprises.c.name).order_by(enterprises.c.number)
    if owners is not None:
        query = query.where(enterprises.c.number.in_(owners))
    for number, name in connection.execute(query):
        yield _stored(Kind.ENTERPRISES, {"number": number, "name": name})


def _qualities(
    connection: Connection, owners: Sequence[str] | None, chosen: sa.ColumnElement[bool] | None = None
) -> Iterator[Stored]:
    query = sa.select(qualities.c.number, reference(qualities), qualities.c.state).order_by(qualities.c.number)
    if owners is not None:
        query = query.where(qualities.c.enterprise.in_(owners))
    if chosen is not None:
        query = query.where(chosen)
    for number, quality, state in connection.execute(query):
        yield _stored(Kind.QUALITIES, {"quality": quality, "state": state}, number)


def _persons(connection: Connection, owners: Sequence[str] | None) -> Iterator[Stored]:
    names = [name for name in LAYOUTS[Kind.PERSONS].names if name != "inss"]
    query = sa.select(*(persons.c[name] for name in names), persons.c.inss_mark).order_by(persons.c.username)
    query = query.where(persons.c.state != "deleted") if owners is None else query.where(persons.c.username.in_(owners))
    for *values, mark in connection.execute(query):
        yield _stored(Kind.PERSONS, dict(zip(names, values, strict=True)) | {"inss": mark})


def _roles(
    connection: Connection, owners: Sequence[str] | None, chosen: sa.ColumnElement[bool] | None = None
) -> Iterator[Stored]:
    place = sa.case((roles.c.quality.is_(None), roles.c.enterprise), else_=reference(qualities))
    query = (
        sa.select(roles.c.number, roles.c.username, place, roles.c.role, roles.c.applications)
        .outerjoin_from(roles, qualities, qualities.c.number == roles.c.quality)
        .where(roles.c.ended_at.is_(None))
        .order_by(roles.c.number)
    )
    if owners is not None:
        query = query.where(roles.c.enterprise.in_(sorted({owner[:10] for owner in owners})))
    if chosen is not None:
        query = query.where(chosen)
    for number, username, where, role, applications in connection.execute(query):
        facts = {"username": username, "place": where, "role": role, "applications": sorted(applications)}
        yield _stored(Kind.ROLES, facts, number)


def _senders(
    connection: Connection, owners: Sequence[str] | None, chosen: sa.ColumnElement[bool] | None = None
) -> Iterator[Stored]:
    names = [name for name in LAYOUTS[Kind.SENDERS].names if name != "quality"]
    quality = sa.case((senders.c.quality.is_(None), None), else_=reference(qualities))
    query = (
        sa.select(quality, *(senders.c[name] for name in names))
        .outerjoin_from(senders, qualities, qualities.c.number == senders.c.quality)
        .order_by(senders.c.number)
    )
    if owners is not None:
        query = query.where(senders.c.number.in_(owners))
    if chosen is not None:
        query = query.where(chosen)
    for named, *values in connection.execute(query):
        facts = {"quality": named} | dict(zip(names, values, strict=True))
        yield _stored(Kind.SENDERS, facts | {name: sorted(facts[name]) for name in _UNORDERED})


def _channels(connection: Connection, owners: Sequence[str] | None) -> Iterator[Stored]:
    names = LAYOUTS[Kind.CHANNELS].names
    query = sa.select(sender_channels.c.number, *(sender_channels.c[name] for name in names))
    query = query.where(_counts(sender_channels.c))
    if owners is not None:
        query = query.where(sender_channels.c.sender.in_(owners))
    for number, *values in connection.execute(query.order_by(sender_channels.c.number)):
        yield _stored(Kind.CHANNELS, dict(zip(names, values, strict=True)), number)


def _mandates(connection: Connection, owners: Sequence[str] | None) -> Iterator[Stored]:
    employer, provider = qualities.alias("employer"), qualities.alias("provider")
    table = mandates.c
    query = (
        sa.select(table.number, reference(employer), reference(provider), table.kind, table.valid_from, table.valid_to)
        .join_from(mandates, employer, employer.c.number == table.employer)
        .join(provider, provider.c.number == table.provider)
        .where(_counts(table))
    )
    if owners is None:
        query = query.where(employer.c.state != State.CLOSED, provider.c.state != State.CLOSED)
    else:
        query = query.where(employer.c.enterprise.in_(sorted({owner[:10] for owner in owners})))
    names = LAYOUTS[Kind.MANDATES].names
    for number, *values in connection.execute(query.order_by(table.number)):
        yield _stored(Kind.MANDATES, dict(zip(names, values, strict=True)), number)


def _choices(connection: Connection, owners: Sequence[str] | None) -> Iterator[Stored]:
    employer, recipient = qualities.alias("employer"), qualities.alias("recipient")
    table, newer = routing_choices.c, routing_choices.alias("newer").c
    same = (newer[name] == table[name] for name in ("employer", "purpose", "environment", "valid_from"))
    hidden = sa.exists().where(*same, newer.number > table.number, _counts(newer))
    query = (
        sa.select(
            table.number,
            reference(employer),
            table.purpose,
            table.environment,
            reference(recipient),
            table.channel,
            table.valid_from,
            table.valid_to,
        )
        .join_from(routing_choices, employer, employer.c.number == table.employer)
        .join(recipient, recipient.c.number == table.recipient)
        .where(_counts(table), ~hidden)
    )
    if owners is None:
        query = query.where(employer.c.state != State.CLOSED, recipient.c.state != State.CLOSED)
    else:
        query = query.where(employer.c.enterprise.in_(sorted({owner[:10] for owner in owners})))
    names = LAYOUTS[Kind.CHOICES].names
    for number, *values in connection.execute(query.order_by(table.number)):
        yield _stored(Kind.CHOICES, dict(zip(names, values, strict=True)), number)


def _counts(table: Any) -> sa.ColumnElement[bool]:
    """Whether a period has a moment: what was taken back before it began is left out, and may be given anew."""
    start, end = table.valid_from, table.valid_to
    ever: sa.ColumnElement[bool] = start.is_(None) | end.is_(None) | (start < end)
    return ever


_UNORDERED: Final = ("purposes", "formats", "leniencies")
_READERS: Final[Mapping[Kind, Callable[[Connection, Sequence[str] | None], Iterator[Stored]]]] = {
    Kind.ENTERPRISES: _enterprises,
    Kind.QUALITIES: _qualities,
    Kind.PERSONS: _persons,
    Kind.ROLES: _roles,
    Kind.SENDERS: _senders,
    Kind.CHANNELS: _channels,
    Kind.MANDATES: _mandates,
    Kind.CHOICES: _choices,
}
