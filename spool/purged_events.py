"""Are ticket, time and name of events whose facts are gone still what they were?

The digest of such an event is over what nobody has any more (:mod:`spool.chain`), so the chain holds whatever its
ticket, time and name were changed to, and whoever can write it can take the facts of any event away.  So every event
without facts has to be told of by one that tells of a purge (``evidence.purged``), which has its facts for good and in
them a digest over what is left of all that it has made bare.
"""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool.chain import Link
from spool.tables import events

EVIDENCE_PURGED: Final = "evidence.purged"

_BATCH: Final = 500
_FIELDS: Final = tuple(events.c[name] for name in ("number", "ticket", "at", "name", "facts", "content", "digest"))
_LEFT: Final = sa.or_(events.c.content.is_not(None), events.c.name == EVIDENCE_PURGED)


@dataclass(frozen=True, slots=True)
class Purge:
    """An event that tells of a purge: of one ticket's events, or of such that have none.

    It has made bare those with numbers from ``first`` to ``last`` that happened before a moment (``before``,
    microseconds); ``headers`` is the SHA-256 (hex) over what is left of them, empty from before there was one.
    """

    number: int
    ticket: str | None
    first: int
    last: int
    before: float
    headers: str

    def tells_of(self, link: Link) -> bool:
        """Whether it has made this event bare."""
        return link.ticket == self.ticket and self.first <= link.number <= self.last and link.at < self.before


def purge_in(link: Link) -> Purge:
    """What an event that tells of a purge says."""
    said = link.facts
    last, before = said.get("last", link.number), said.get("before", float("inf"))
    return Purge(link.number, link.ticket, said.get("first", 0), last, before, said.get("headers", ""))


def headers(links: Iterable[Link]) -> str:
    """The SHA-256 (hex) of what is left of bare events, a line of JSON for each."""
    digest = hashlib.sha256()
    for link in links:
        left = [link.number, link.ticket, link.at, link.name, link.content]
        digest.update(json.dumps(left, separators=(",", ":"), ensure_ascii=True).encode("ascii") + b"\n")
    return digest.hexdigest()


def is_of_a_purge(link: Link) -> bool:
    """Whether an event is bare, or tells of those that were made so."""
    return link.content is not None or link.name == EVIDENCE_PURGED


def fault_of(links: Sequence[Link]) -> str:
    """What is wrong with the bare ones among the events of a ticket, in words; empty if nothing is.

    Args:
        links: all of its events that are bare or tell of a purge, in order; of a chain that holds
    """
    bare = [link for link in links if link.content]
    purges = [purge_in(link) for link in links if link.name == EVIDENCE_PURGED and not link.content]
    for link in bare:
        if not any(purge.tells_of(link) for purge in purges):
            return _untold(link)
    for purge in purges:
        if purge.headers and purge.headers != headers(filter(purge.tells_of, bare)):
            return _changed(purge)
    return ""


def misfit(connection: Connection) -> str:
    """What is wrong with the bare events of a journal whose chain holds, the first such thing; empty if nothing is."""
    with closing(_of_tickets(connection)) as left:
        for _, links in groupby(left, attrgetter("ticket")):
            if wrong := fault_of(list(links)):
                return wrong
    return _fault_of_loose(connection)


def of_ticket(connection: Connection, ticket: str) -> list[Link]:
    """The bare events of a ticket."""
    query = sa.select(*_FIELDS).where(events.c.ticket == ticket, events.c.content.is_not(None))
    return [Link(*row) for row in connection.execute(query.order_by(events.c.number))]


def of_none(connection: Connection, first: int, last: int, before: float) -> list[Link]:
    """The bare events of no ticket with these numbers that happened before a moment (microseconds)."""
    query = sa.select(*_FIELDS).where(events.c.ticket.is_(None), events.c.content.is_not(None))
    query = query.where(events.c.number.between(first, last), events.c.at < before)
    return [Link(*row) for row in connection.execute(query.order_by(events.c.number))]


def _of_tickets(connection: Connection) -> Generator[Link]:
    """Every event of a ticket that is bare or tells of a purge, ticket by ticket, in order."""
    query = sa.select(*_FIELDS).where(_LEFT, events.c.ticket.is_not(None)).order_by(events.c.ticket, events.c.number)
    return _some_at_a_time(connection, query)


def _fault_of_loose(connection: Connection) -> str:
    purges = []
    with closing(_loose(connection, events.c.name == EVIDENCE_PURGED)) as telling:
        for link in telling:
            if link.content:
                return _untold(link)
            purges.append(purge_in(link))
    for purge in purges:
        if purge.headers and purge.headers != headers(of_none(connection, purge.first, purge.last, purge.before)):
            return _changed(purge)
    purges.sort(key=attrgetter("last"))
    with closing(_loose(connection, events.c.content.is_not(None))) as bare:
        for link in bare:
            # A purge has some hundred events in a row: the first that can tell of this one nearly always does.
            start = bisect_left(purges, link.number, key=attrgetter("last"))
            if not any(purges[at].tells_of(link) for at in range(start, len(purges))):
                return _untold(link)
    return ""


def _loose(connection: Connection, which: sa.ColumnElement[bool]) -> Generator[Link]:
    query = sa.select(*_FIELDS).where(which, events.c.ticket.is_(None)).order_by(events.c.number)
    return _some_at_a_time(connection, query)


def _some_at_a_time(connection: Connection, query: sa.Select[Any]) -> Generator[Link]:
    with connection.execute(query, execution_options={"yield_per": _BATCH}) as found:
        for row in found:
            yield Link(*row)


def _untold(link: Link) -> str:
    return f"event {link.number} has lost its facts, and no purge tells of it"


def _changed(purge: Purge) -> str:
    return f"an event whose facts were purged was changed, one of those that event {purge.number} tells of"
