"""Are ticket, time and name of events whose facts are gone still what they were?

The digest of such an event is over what nobody has any more (:mod:`spool.chain`), so nothing would be wrong with it
whatever its ticket, time and name were changed to.  The event that tells of the purge has a digest over these of all
that it has made bare, and is itself in the chain, with its facts, for good.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool.tables import events

EVIDENCE_PURGED: Final = "evidence.purged"

Which = sa.ColumnElement[bool]


def of_ticket(ticket: str, last: int) -> Which:
    """The events of ``ticket`` up to the one with the number ``last``."""
    return sa.and_(events.c.ticket == ticket, events.c.number <= last)


def of_none(first: int, last: int, before: int) -> Which:
    """The events of no ticket with these numbers that happened before a moment (microseconds)."""
    return sa.and_(events.c.ticket.is_(None), events.c.number.between(first, last), events.c.at < before)


def headers(connection: Connection, which: Which) -> str:
    """The SHA-256 (hex) of what is left of the bare ones among these events, a line of JSON for each."""
    digest, left = hashlib.sha256(), events.c
    query = sa.select(left.number, left.ticket, left.at, left.name, left.content).where(
        which, left.content.is_not(None)
    )
    for row in connection.execute(query.order_by(left.number)):
        digest.update(json.dumps(list(row), separators=(",", ":"), ensure_ascii=True).encode("ascii") + b"\n")
    return digest.hexdigest()


def misfit(connection: Connection) -> str:
    """What is wrong with the events that were made bare, the first such thing in words; empty if nothing is.

    To be asked of a journal whose chain holds, and so what the events say that tell of purges.
    """
    told = sa.select(events.c.number, events.c.ticket, events.c.facts).where(events.c.name == EVIDENCE_PURGED)
    for number, ticket, facts in connection.execute(told.order_by(events.c.number)):
        which = _told_of(ticket, facts)
        if which is not None and headers(connection, which) != facts["headers"]:
            return f"an event whose facts were purged was changed, one of those that event {number} tells of"
    return ""


def _told_of(ticket: str | None, facts: Mapping[str, Any]) -> Which | None:
    """The events of a purge; None if it is from before there was a digest over them."""
    if "headers" not in facts:
        return None
    if ticket is not None:
        return of_ticket(ticket, facts["last"])
    return of_none(facts["first"], facts["last"], facts["before"])
