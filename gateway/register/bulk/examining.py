"""May these records be, in the register as it is and with all else that the file says?

A batch of records, those of one owner together, is laid over what the register holds; then the pure ``rules`` are
asked.  Nothing is changed here.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.register.bulk import stored
from gateway.register.bulk.kinds import DEFAULTS, Facts, Kind
from gateway.register.bulk.rules import (
    Fault,
    Member,
    Reference,
    choice_fault,
    faults_between,
    own_faults,
    reference_faults,
    references,
)
from gateway.register.bulk.staging import Staged, Staging
from gateway.register.bulk.stored import Stored
from gateway.register.bulk.writing import Change
from gateway.register.enterprises import State
from gateway.register.persons import DELETED
from spool.register_tables import persons
from spool.tables import technical_users


@dataclass(frozen=True, slots=True)
class Place:
    """The register, and the file that is laid over it."""

    connection: Connection
    staging: Staging


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found in a batch: what is wrong, and what would change if nothing is."""

    faults: list[Fault]
    changes: list[Change]


def examine(place: Place, kind: Kind, batch: Sequence[Staged]) -> Examined:
    """Examine records of one kind, all that the file has of their owners."""
    held = {record.key: record for record in stored.of_owners(place.connection, kind, {each.owner for each in batch})}
    named = [_member(kind, record, held.get(record.key)) for record in batch]
    owners: dict[str, list[Member]] = defaultdict(list)
    for record, member in zip(batch, named, strict=True):
        owners[record.owner].append(member)
    for key in held.keys() - {record.key for record in batch}:
        owners[held[key].owner].append(Member(None, key, held[key].facts))
    faults = [Fault(_line(member), words) for member in named for words in own_faults(kind, member)]
    # What is in the register is not held against rules that it met when it was entered.
    faults += _reference_faults(place, kind, [member for member in named if member.before != member.facts])
    for members in owners.values():
        if any(member.line is not None and member.before != member.facts for member in members):
            faults += faults_between(kind, members)
    for look in _LOOKS.get(kind, ()):
        faults += look(place, named)
    return Examined(faults, [change for member in named if (change := _change(kind, member, held)) is not None])


def _member(kind: Kind, record: Staged, before: Stored | None) -> Member:
    facts = (DEFAULTS[kind] if before is None else before.facts) | record.facts
    return Member(record.line, record.key, facts, None if before is None else before.facts)


def _change(kind: Kind, member: Member, held: Mapping[str, Stored]) -> Change | None:
    if member.before == member.facts:
        return None
    number = None if member.before is None else held[member.key].number
    return Change(kind, _line(member), member.key, member.before, member.facts, number)


def _line(member: Member) -> int:
    return member.line or 0


def _reference_faults(place: Place, kind: Kind, members: Iterable[Member]) -> Iterator[Fault]:
    wanted = {reference for member in members for reference in references(kind, member.facts)}
    known: dict[Reference, Facts] = {}
    for of in {reference.kind for reference in wanted}:
        keys = {reference.key for reference in wanted if reference.kind is of}
        for key, facts in _both(place, of, {key[:10] if of is Kind.QUALITIES else key for key in keys}):
            if facts.get("state") != DELETED:
                known[Reference(of, key)] = facts
    for member in members:
        for words in reference_faults(kind, member.facts, known):
            yield Fault(_line(member), words)


def _both(place: Place, kind: Kind, owners: Collection[str]) -> Iterator[tuple[str, Facts]]:
    """The records of these owners as they would be, those of the file after those of the register."""
    yield from _laid_over(kind, stored.of_owners(place.connection, kind, owners), place.staging.of_owners(kind, owners))


def _laid_over(kind: Kind, held: Iterable[Stored], named: Iterable[Staged]) -> Iterator[tuple[str, Facts]]:
    found = {record.key: record.facts for record in held}
    for record in named:
        found[record.key] = found.get(record.key, DEFAULTS[kind]) | record.facts
    yield from found.items()


# --- what one kind alone is asked


def _carried_once(place: Place, members: Sequence[Member]) -> Iterator[Fault]:
    """No two enterprises carry one number, unless the quality of one is closed."""
    numbers = {member.key[11:] for member in members if not member.key.endswith("/")}
    held, named = stored.carriers(place.connection, numbers), place.staging.of_others(Kind.QUALITIES, numbers)
    carriers: dict[str, set[str]] = defaultdict(set)
    for key, facts in _laid_over(Kind.QUALITIES, held, named):
        if facts["state"] != State.CLOSED:
            carriers[key[11:]].add(key)
    for member in members:
        if member.facts["state"] != State.CLOSED and carriers.get(member.key[11:], set()) - {member.key}:
            yield Fault(_line(member), f"another enterprise carries the number of {member.key}")


def _names_are_free(place: Place, members: Sequence[Member]) -> Iterator[Fault]:
    """User names of persons and of technical users are one name space."""
    fresh = {member.key: member for member in members if member.before is None}
    taken = sa.select(technical_users.c.username).where(technical_users.c.username.in_(fresh))
    for username in place.connection.execute(taken).scalars():
        yield Fault(_line(fresh[username]), "the user name is that of a technical user")


def _persons_once(place: Place, members: Sequence[Member]) -> Iterator[Fault]:
    """Nobody is in an enterprise twice."""
    marks = {member.facts["inss"] for member in members if member.facts["inss"] is not None}
    columns = (persons.c.username, persons.c.enterprise, persons.c.inss_mark)
    query = sa.select(*columns).where(persons.c.inss_mark.in_(marks), persons.c.state != DELETED)
    who: dict[tuple[str, str], set[str]] = defaultdict(set)
    for username, enterprise, mark in place.connection.execute(query):
        who[enterprise, mark].add(username)
    for record in place.staging.of_others(Kind.PERSONS, marks):
        who[record.facts["enterprise"], record.facts["inss"]].add(record.key)
    for member in members:
        if who.get((member.facts["enterprise"], member.facts["inss"]), set()) - {member.key}:
            yield Fault(_line(member), "this person has another user name in the enterprise")


def _persons_have_roles(place: Place, members: Sequence[Member]) -> Iterator[Fault]:
    """Nobody stands in the register without a role."""
    fresh = {member.key: member for member in members if member.before is None}
    with_role = {record.facts["username"] for record in place.staging.of_others(Kind.ROLES, set(fresh))}
    for username in fresh.keys() - with_role:
        yield Fault(_line(fresh[username]), "a new person needs a role")


def _choices_hold(place: Place, members: Sequence[Member]) -> Iterator[Fault]:
    """A choice needs a mandate and a channel."""
    chosen = [member for member in members if member.before != member.facts]
    mandates: dict[str, list[Facts]] = defaultdict(list)
    for _, facts in _both(place, Kind.MANDATES, {member.facts["employer"] for member in chosen}):
        mandates[facts["employer"]].append(facts)
    openings = _openings(place, {member.facts["recipient"] for member in chosen})
    for member in chosen:
        words = choice_fault(
            member.facts, mandates[member.facts["employer"]], openings.get(member.facts["recipient"], ())
        )
        if words is not None:
            yield Fault(_line(member), words)


def _openings(place: Place, recipients: Collection[str]) -> Mapping[str, list[Facts]]:
    """The channels of the senders that send as these qualities."""
    held, named = stored.senders_as(place.connection, recipients), place.staging.of_others(Kind.SENDERS, recipients)
    numbers = {key: facts["quality"] for key, facts in _laid_over(Kind.SENDERS, held, named)}
    found: dict[str, list[Facts]] = defaultdict(list)
    for _, facts in _both(place, Kind.CHANNELS, set(numbers)):
        found[numbers[facts["sender"]]].append(facts)
    return found


def _one_sender_each(place: Place, members: Sequence[Member]) -> Iterator[Fault]:
    """No quality has two sender numbers."""
    named = {member.facts["quality"] for member in members if member.facts["quality"] is not None}
    held, added = stored.senders_as(place.connection, named), place.staging.of_others(Kind.SENDERS, named)
    numbers: dict[str, set[str]] = defaultdict(set)
    for key, facts in _laid_over(Kind.SENDERS, held, added):
        numbers[facts["quality"]].add(key)
    for member in members:
        if member.before != member.facts and numbers.get(member.facts["quality"], set()) - {member.key}:
            yield Fault(_line(member), f"{member.facts['quality']} has another sender")


_Look = Callable[[Place, Sequence[Member]], Iterator[Fault]]
_LOOKS: Final[Mapping[Kind, tuple[_Look, ...]]] = {
    Kind.QUALITIES: (_carried_once,),
    Kind.PERSONS: (_names_are_free, _persons_once, _persons_have_roles),
    Kind.SENDERS: (_one_sender_each,),
    Kind.CHOICES: (_choices_hold,),
}
