"""For which of the employers that a file names may its sender speak, at the moment of receipt?

Looked up in the register by a few queries, each over many employers and each by an index, so that a file of thousands
costs milliseconds however many mandates there are.  What follows is :mod:`gateway.employers`'.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.employers import SendsAs, Standing, check_employers
from gateway.register import enterprises
from gateway.register.enterprises import EMPLOYERS, PROVIDERS, Kind, State
from gateway.registrations import Period
from schemas import identifiers
from schemas.codes import Finding
from schemas.inspection import Employer
from spool.register_tables import mandates, qualities

T = TypeVar("T")

_CHUNK: Final = 500
_ENTERPRISE_DIGITS: Final = 10
_CARRIED_BY: Final = {
    identifiers.Kind.ONSS: Kind.EMPLOYER,
    identifiers.Kind.PROVISIONAL_ONSS: Kind.EMPLOYER,
    identifiers.Kind.PPL: Kind.EMPLOYER_LOCAL,
}


def check(connection: Connection, quality: int | None, employers: Collection[Employer], at: int) -> tuple[Finding, ...]:
    """What is wrong with naming these employers in this quality at ``at`` (microseconds); empty if nothing is."""
    role = sends_as(connection, quality)
    if quality is None or role is SendsAs.NOBODY:
        return check_employers(SendsAs.NOBODY, dict.fromkeys(employers, Standing.NEVER))
    return check_employers(role, mandated(connection, quality, employers, at))


def sends_as(connection: Connection, quality: int | None) -> SendsAs:
    """What somebody who sends in this quality is; nobody without one, or with one that nobody may act in any more."""
    found = None if quality is None else enterprises.quality(connection, quality)
    owner = None if found is None else enterprises.enterprise(connection, found.enterprise)
    if found is None or owner is None or not (found.active and owner.active):
        return SendsAs.NOBODY
    if found.kind in EMPLOYERS:
        return SendsAs.EMPLOYER
    return SendsAs.PROVIDER if found.kind in PROVIDERS else SendsAs.NOBODY


def mandated(
    connection: Connection, provider: int, employers: Collection[Employer], at: int
) -> Mapping[Employer, Standing]:
    """How a quality stands to each of these employers at ``at`` (microseconds).

    An enterprise number stands for every employer that the enterprise is; one mandate of them is enough.  The queries
    are few, and each finds its rows by an index, however many mandates there are.
    """
    named = _named(connection, employers)
    running = {number for numbers in named.values() for number, open_ in numbers if open_}
    known = {number for numbers in named.values() for number, _ in numbers}
    periods = _periods(connection, provider, known)

    def standing(numbers: Collection[tuple[int, bool]]) -> Standing:
        here = {number for number, _ in numbers}
        if provider in here & running:
            return Standing.ITSELF
        if any(at in period for number in here & running for period in periods[number]):
            return Standing.MANDATED
        return Standing.LAPSED if any(periods[number] for number in here) else Standing.NEVER

    return {employer: standing(named[employer]) for employer in employers}


def employer_qualities(connection: Connection, employers: Collection[Employer]) -> set[int]:
    """The qualities that employers are by numbers of them, one at most for each: of several of an enterprise the first.

    A few queries for however many employers.
    """
    named = (numbers for numbers in _named(connection, employers).values())
    found = {min((number for number, open_ in numbers if open_), default=None) for numbers in named}
    return {number for number in found if number is not None}


def _named(connection: Connection, employers: Collection[Employer]) -> Mapping[Employer, list[tuple[int, bool]]]:
    """The qualities that each of these employers is, by number, and whether the quality isn't over."""
    found: dict[Employer, list[tuple[int, bool]]] = defaultdict(list)
    by_enterprise = {
        one.number.zfill(_ENTERPRISE_DIGITS): one for one in employers if one.kind is identifiers.Kind.ENTERPRISE
    }
    for row in _qualities(connection, qualities.c.enterprise, by_enterprise):
        if Kind(row.kind) in EMPLOYERS:
            found[by_enterprise[row.enterprise]].append((row.number, row.state != State.CLOSED))
    by_number = {(_CARRIED_BY[one.kind], one.number): one for one in employers if one.kind in _CARRIED_BY}
    for row in _qualities(connection, qualities.c.registration, {number for _, number in by_number}):
        one = by_number.get((Kind(row.kind), row.registration))
        if one is not None:
            found[one].append((row.number, row.state != State.CLOSED))
    return found


def _qualities(
    connection: Connection, column: sa.Column[Any], values: Collection[str]
) -> Iterator[sa.Row[*tuple[Any, ...]]]:
    columns = (
        qualities.c.number,
        qualities.c.kind,
        qualities.c.state,
        qualities.c.enterprise,
        qualities.c.registration,
    )
    for chunk in _chunks(sorted(values)):
        yield from connection.execute(sa.select(*columns).where(column.in_(chunk)))


def _periods(connection: Connection, provider: int, employers: Collection[int]) -> Mapping[int, list[Period]]:
    found: dict[int, list[Period]] = defaultdict(list)
    columns = (mandates.c.employer, mandates.c.valid_from, mandates.c.valid_to)
    for chunk in _chunks(sorted(employers)):
        query = sa.select(*columns).where(mandates.c.provider == provider, mandates.c.employer.in_(chunk))
        for employer, start, end in connection.execute(query):
            found[employer].append(Period(start, end))
    return found


def _chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
