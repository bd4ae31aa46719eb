"""Who may act for which employer, and since when until when?

An employer's approved social secretariat is mandated by the affiliation; beside it at most one other provider is, at a
time, by notification.  A mandate counts from its first moment to just before its last; an end that is notified holds
from its date.  Nothing is deleted: a mandate that was revoked before it began keeps its line, with a period that is
empty.  Source: the network's rules on mandates; where they are silent, ``docs/decisions/0021-mandates.md``.

What follows for a file is looked up by :mod:`gateway.register.speaking`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.register import enterprises
from gateway.register.actor import Actor, Refusal, Why, label
from gateway.register.enterprises import EMPLOYERS, PROVIDERS, Kind, Quality, quality_for
from gateway.register.history import record
from gateway.register.rights import Act
from gateway.registrations import Period
from spool.journal import now
from spool.register_tables import mandates, qualities


class Means(StrEnum):
    """How a mandate came about: by affiliation to a social secretariat, or as a provider's notified by form."""

    SECRETARIAT = "secretariat"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Mandate:
    """The right of a provider to act for an employer, both by the numbers of their qualities, for a time."""

    number: int
    employer: int
    provider: int
    means: Means
    period: Period


# --- what is there


def mandate(connection: Connection, number: int) -> Mandate | None:
    """The mandate of this number, or None."""
    return next(_found(connection, mandates.c.number == number), None)


def mandates_of(
    connection: Connection, quality: int, *, at: int | None = None, after: int = 0, limit: int | None = None
) -> Iterator[Mandate]:
    """The mandates that a quality has given or holds, in the order in which they were entered.

    Args:
        connection: a transaction's.
        quality: the number of an employer or of a provider.
        at: only those that count then, in microseconds; else all there ever were.
        after: only those entered after the mandate of this number; for reading page by page.
        limit: so many at most.
    """
    mine = (mandates.c.employer == quality) | (mandates.c.provider == quality)
    if at is not None:
        mine &= (mandates.c.valid_from <= at) & (sa.func.coalesce(mandates.c.valid_to, at + 1) > at)
    yield from _found(connection, mine & (mandates.c.number > after), limit)


def _found(connection: Connection, wanted: sa.ColumnElement[bool], limit: int | None = None) -> Iterator[Mandate]:
    columns = (mandates.c.number, mandates.c.employer, mandates.c.provider, mandates.c.kind)
    query = sa.select(*columns, mandates.c.valid_from, mandates.c.valid_to).where(wanted).order_by(mandates.c.number)
    for number, employer, provider, kind, start, end in connection.execute(query.limit(limit)):
        yield Mandate(number, employer, provider, Means(kind), Period(start, end))


def clash(standing: Iterable[Mandate], means: Means, period: Period) -> Mandate | None:
    """The mandate of an employer that leaves no room for another of these means in this period; None if there is room.

    Pure.  At any moment an employer has one social secretariat at most, and one other provider at most.
    """
    return next((one for one in standing if one.means is means and overlap(one.period, period)), None)


def overlap(one: Period, other: Period) -> bool:
    """Whether two periods have a moment in common; an empty one has none with any."""
    start = max((period.start for period in (one, other) if period.start is not None), default=None)
    end = min((period.end for period in (one, other) if period.end is not None), default=None)
    return start is None or end is None or start < end


def is_empty(period: Period) -> bool:
    """Whether no moment is in a period."""
    return period.start is not None and period.end is not None and period.end <= period.start


# --- acts


def notify_mandate(
    connection: Connection, actor: Actor, employer: int, provider: int, period: Period, *, reason: str
) -> Mandate | Refusal:
    """An employer names a provider that acts for it.

    Args:
        connection: the transaction in which it is done.
        actor: who asks; of persons only the employer's, who may change the data of the quality.
        employer: the number of the employer's quality.
        provider: the number of the provider's quality; not an approved social secretariat's.
        period: when it counts; without a beginning from now on.
        reason: why, for the history.
    """
    return _give(connection, actor, _Wanted(Means.PROVIDER, employer, provider, period), reason)


def affiliate(
    connection: Connection, actor: Actor, employer: int, secretariat: int, period: Period, *, reason: str
) -> Mandate | Refusal:
    """An employer is affiliated to an approved social secretariat, which thereby has its mandate.

    As :func:`notify_mandate`; a secretariat cannot affiliate anybody by itself.
    """
    return _give(connection, actor, _Wanted(Means.SECRETARIAT, employer, secretariat, period), reason)


def end_mandate(connection: Connection, actor: Actor, number: int, at: int, *, reason: str) -> Mandate | Refusal:
    """A mandate ends at ``at`` (microseconds), which may be past: what was received since is not judged again.

    Both the employer's and the provider's people may end one; neither may put the end off.
    """
    found = mandate(connection, number)
    if found is None:
        return _unknown(number)
    sides = [quality_for(connection, actor, Act.CHANGE_QUALITY, side) for side in (found.employer, found.provider)]
    if not any(isinstance(side, Quality) for side in sides):
        denied = [side for side in sides if isinstance(side, Refusal) and side.why is not Why.UNKNOWN]
        return denied[0] if denied else _unknown(number)
    if found.period.end is not None and found.period.end <= at:
        return Refusal(Why.CONFLICT, f"mandate {number} ends before that already, and no end is put off")
    end = max(at, found.period.start or at)
    connection.execute(sa.update(mandates).where(mandates.c.number == number).values(valid_to=end))
    ended = Mandate(number, found.employer, found.provider, found.means, Period(found.period.start, end))
    record(connection, actor, "mandate.ended", f"mandate:{number}", reason, facts_of(found), facts_of(ended))
    return ended


@dataclass(frozen=True, slots=True)
class _Wanted:
    means: Means
    employer: int
    provider: int
    period: Period


def _give(connection: Connection, actor: Actor, wanted: _Wanted, reason: str) -> Mandate | Refusal:
    giver = quality_for(connection, actor, Act.CHANGE_QUALITY, wanted.employer)
    if isinstance(giver, Refusal):
        return giver
    period = Period(now() if wanted.period.start is None else wanted.period.start, wanted.period.end)
    if giver.kind not in EMPLOYERS:
        return Refusal(Why.INVALID, "only an employer gives a mandate")
    if is_empty(period):
        return Refusal(Why.INVALID, "a mandate ends after it began")
    called = _CALLED[wanted.means]
    holder = enterprises.quality(connection, wanted.provider)
    if holder is None or not holder.active or holder.kind not in HOLDERS[wanted.means]:
        # Whether another enterprise has a quality of another kind is nobody's business.
        return Refusal(Why.UNKNOWN, f"there is no {called} {wanted.provider}; {_HOW}")
    # Two that give at the same moment wait for each other here, where the database doesn't see to that by itself.
    connection.execute(sa.select(qualities.c.number).where(qualities.c.number == giver.number).with_for_update())
    theirs = (mandates.c.employer == giver.number) & (mandates.c.kind == wanted.means)
    if (before := clash(_found(connection, theirs), wanted.means, period)) is not None:
        return Refusal(Why.CONFLICT, f"mandate {before.number} leaves no room: one {called} at a time")
    row = {"employer": giver.number, "provider": holder.number, "kind": wanted.means}
    row |= {"valid_from": period.start, "valid_to": period.end, "given_by": label(actor), "created_at": now()}
    query = sa.insert(mandates).values(**row).returning(mandates.c.number)
    number: int = connection.execute(query).scalar_one()
    given = Mandate(number, giver.number, holder.number, wanted.means, period)
    record(connection, actor, "mandate.given", f"mandate:{number}", reason, None, facts_of(given))
    return given


HOLDERS: Final = {
    Means.SECRETARIAT: frozenset({Kind.SOCIAL_SECRETARIAT}),
    Means.PROVIDER: PROVIDERS - {Kind.SOCIAL_SECRETARIAT},
}
"""The kinds of quality that may have a mandate of these means."""

_HOW: Final = "an approved social secretariat is joined by an affiliation, another provider is named by a form"
_CALLED: Final = {Means.SECRETARIAT: "approved social secretariat", Means.PROVIDER: "provider"}


def facts_of(given: Mandate) -> dict[str, Any]:
    """What the history and listings say of a mandate; times in microseconds."""
    return {
        "employer": given.employer,
        "provider": given.provider,
        "means": given.means.value,
        "valid_from": given.period.start,
        "valid_to": given.period.end,
    }


def _unknown(number: int) -> Refusal:
    return Refusal(Why.UNKNOWN, f"there is no mandate {number}")
