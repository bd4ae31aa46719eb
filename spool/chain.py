"""Is every event of the journal still what was written, and where it was written?

Each event carries a digest over the digest of the one before it and over its own bytes (number, ticket, time, name and
facts, as canonical JSON). Who changes, removes, inserts or moves one breaks every digest from there on. Who writes them
all anew is found out by the checkpoints (:mod:`spool.checkpoints`), which are signed and lie elsewhere.

Those who write take turns (:mod:`spool.database`), so the digest of the last event is read in the very transaction that
writes the next one: one row, by the primary key. Content may go when its time is up; its digest stays, and the chain
with it.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from json.encoder import encode_basestring_ascii
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool import many_rows
from spool.prepared import Prepared
from spool.tables import events

BEGINNING: Final = "0" * 64
"""What stands before the first event."""

_BATCH: Final = 1000
_AS_GIVEN: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode
_WRITE: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode
_PLAIN: Final[Mapping[type, Callable[[Any], str]]] = {
    str: encode_basestring_ascii,
    int: int.__repr__,
    bool: {False: "false", True: "true"}.__getitem__,
    type(None): lambda _: "null",
}
"""How a value is written that most facts are made of; an encoder takes longer to begin than to write one."""
_FIELDS: Final = tuple(events.c[name] for name in ("number", "ticket", "at", "name", "facts", "content", "digest"))


@dataclass(frozen=True, slots=True)
class Link:
    """An event in the chain.

    ``at`` is microseconds since the epoch. ``content`` is the SHA-256 (hex) of the canonical bytes where they are gone
    and nothing but this is kept of them, else None; ``digest`` is the event's own in the chain (hex).
    """

    number: int
    ticket: str | None
    at: int
    name: str
    facts: Mapping[str, Any]
    content: str | None = None
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """How far the chain was followed: the number and the digest of the last event."""

    number: int = 0
    digest: str = BEGINNING


@dataclass(frozen=True, slots=True)
class Misfit:
    """The first event that does not fit, and what is wrong with it."""

    number: int
    words: str


def canonical(link: Link) -> bytes:
    """What of an event its digest covers: JSON with sorted keys, without spaces, in ASCII.

    Raises:
        ValueError: the facts cannot be written as JSON that reads the same everywhere.
    """
    return _bytes(link, _texts(link.facts)[1])


def _bytes(link: Link, facts: str) -> bytes:
    started = f"[{_text(link.number)},{_text(link.ticket)},{_text(link.at)},{_text(link.name)},"
    return f"{started}{facts}]".encode("ascii")


def _text(value: Any) -> str:
    return _PLAIN.get(type(value), _WRITE)(value)


def _texts(facts: Mapping[str, Any]) -> tuple[str, str]:
    """The facts as JSON: in the order in which they were given, and sorted."""
    try:
        plain = {name: f"{encode_basestring_ascii(name)}:{_PLAIN[type(value)](value)}" for name, value in facts.items()}
    except (KeyError, TypeError):
        given = _AS_GIVEN(facts)
        # There and back first: JSON has names of text only, and those are sorted otherwise than numbers.
        return given, _WRITE(json.loads(given))
    given = f"{{{','.join(plain.values())}}}"
    return given, given if len(plain) < 2 else f"{{{','.join([plain[name] for name in sorted(plain)])}}}"


def digest_of(previous: str, link: Link) -> str:
    """The digest (hex) of an event that comes after one with the digest ``previous``."""
    return _digest(previous, link.content or hashlib.sha256(canonical(link)).hexdigest())


def _digest(previous: str, content: str) -> str:
    return hashlib.sha256(bytes.fromhex(previous + content)).hexdigest()


def append(connection: Connection, happened: Sequence[tuple[str | None, int, str, Mapping[str, Any]]]) -> None:
    """Append events, each a ticket, a time (microseconds), a name and facts, in a transaction that may write."""
    place = end(connection)
    number, digest = place.number, place.digest
    rows = []
    for ticket, at, name, facts in happened:
        number += 1
        given, canonical_facts = _texts(facts)
        content = _bytes(Link(number, ticket, at, name, facts), canonical_facts)
        digest = _digest(digest, hashlib.sha256(content).hexdigest())
        rows.append((number, ticket, at, name, given, digest))
    many_rows.insert(connection, _APPENDED, rows)


def end(connection: Connection) -> Place:
    """The last event of the chain."""
    row = _LAST.first(connection)
    if row is None:
        return Place()
    number, digest = row
    # An event that nobody chained is followed all the same; verification names it.
    return Place(number, digest or BEGINNING)


def after(connection: Connection, number: int, limit: int) -> list[Link]:
    """The ``limit`` events that follow the one with ``number``, in their order."""
    query = sa.select(*_FIELDS).where(events.c.number > number).order_by(events.c.number).limit(limit)
    return [Link(*row) for row in connection.execute(query)]


def of_ticket(connection: Connection, ticket: str) -> list[tuple[str, Link]]:
    """Every event of ``ticket``, in order, each with the digest of the event before it."""
    links = connection.execute(sa.select(*_FIELDS).where(events.c.ticket == ticket).order_by(events.c.number))
    return [(_before(connection, link.number), link) for link in [Link(*row) for row in links]]


def misfit(place: Place, link: Link) -> Misfit | None:
    """What is wrong with an event that stands after ``place``, or None."""
    if not link.digest:
        return Misfit(link.number, f"event {link.number} was put in: it has no digest")
    if link.number <= place.number:
        return Misfit(link.number, f"event {link.number} stands behind event {place.number}")
    if link.content and link.facts:
        # Its digest would be right whatever they said.
        return Misfit(link.number, f"event {link.number} was changed: it has facts that no digest covers")
    if link.digest == digest_of(place.digest, link):
        return None
    if link.number > place.number + 1:
        return Misfit(link.number, f"event {link.number} does not follow event {place.number}: one between is missing")
    return Misfit(link.number, f"event {link.number} was changed, or is not where it was written")


def follow(links: Iterable[Link], place: Place) -> Place | Misfit:
    """Follow the chain from ``place`` through ``links``: where it ends, or the first event that does not fit."""
    for link in links:
        wrong = misfit(place, link)
        if wrong is not None:
            return wrong
        place = Place(link.number, link.digest)
    return place


def everything(connection: Connection, number: int = 0) -> Iterator[Link]:
    """Every event after the one with ``number``, in order; memory has room for a batch of them."""
    while batch := after(connection, number, _BATCH):
        yield from batch
        number = batch[-1].number


def verify(connection: Connection) -> Place | Misfit:
    """Follow the whole chain: its end, or the first event that does not fit."""
    return follow(everything(connection), Place())


def forget(connection: Connection, numbers: Sequence[int]) -> None:
    """Take away the facts of events and keep their digests, so that the chain still holds."""
    for start in range(0, len(numbers), _BATCH):
        named = numbers[start : start + _BATCH]
        query = sa.select(*_FIELDS).where(events.c.number.in_(named), events.c.content.is_(None))
        rows = [_without_facts(Link(*row)) for row in connection.execute(query)]
        if rows:
            connection.execute(_FORGET, rows)


def bare(connection: Connection, ticket: str) -> int:
    """How many events of ``ticket`` have lost their facts."""
    query = sa.select(sa.func.count()).where(events.c.ticket == ticket, events.c.content.is_not(None))
    return connection.execute(query).scalar_one()


def _without_facts(link: Link) -> dict[str, Any]:
    content = hashlib.sha256(canonical(replace(link, content=None))).hexdigest()
    return {"which": link.number, "content": content, "facts": {}}


def _before(connection: Connection, number: int) -> str:
    query = sa.select(events.c.digest).where(events.c.number < number).order_by(events.c.number.desc()).limit(1)
    return connection.execute(query).scalar() or BEGINNING


_APPENDED: Final = tuple(events.c[name] for name in ("number", "ticket", "at", "name", "facts", "digest"))
_LAST: Final = Prepared(sa.select(events.c.number, events.c.digest).order_by(events.c.number.desc()).limit(1))
_FORGET: Final = sa.update(events).where(events.c.number == sa.bindparam("which"))
