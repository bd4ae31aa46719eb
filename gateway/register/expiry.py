"""Which keys, certificates and mandates end soon, and which of their senders was not told yet?

Senders are warned 60, 30 and 7 days before an end, once each; of what is first seen later only by the nearest of these.
What another of the same kind follows without a gap is no end.  A warning is seen in the sender's status
(:mod:`spool.expiries`) and in the log, there by sender and kind, for a provider's mandates may end by the thousand.
Nothing ends here: what counts at a moment is asked where it is needed.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from spool import expiries
from spool.expiries import Ending, What
from spool.journal import Journal
from spool.register_tables import mandates
from spool.submissions import note
from spool.tables import certificates, senders, ssh_keys, technical_users

log = structlog.get_logger()

DAYS: Final = (7, 30, 60)
_DAY: Final = 86_400_000_000
_KEPT: Final = 365 * _DAY
_BATCH: Final = 1000
_NAMED: Final = 10


def due(endings: Iterable[Ending], given: Mapping[tuple[str, int], int], at: int) -> list[tuple[Ending, int]]:
    """Which of these ends to warn of at ``at`` (microseconds), and for how many days before.  Pure.

    ``given`` has, by subject and end, the fewest days that a warning was given for.
    """
    found = []
    for ending in endings:
        left = ending.expires_at - at
        days = next((mark for mark in DAYS if 0 < left <= mark * _DAY), None)
        if days is not None and days < given.get((ending.subject, ending.expires_at), DAYS[-1] + 1):
            found.append((ending, days))
    return found


def warn(journal: Journal, at: int) -> int:
    """Give every warning that is due at ``at`` (microseconds); answers how many.  Blocks on the journal.

    Raises:
        TemporaryError: the journal cannot be read or written now; what was given before that stays.
    """
    count = 0
    for batch in _batches(journal, at):
        with journal.write() as connection:
            warned = due(batch, expiries.given(connection, [ending.subject for ending in batch]), at)
            expiries.give(connection, warned, at)
            told = list(_told(warned))
            for facts in told:
                note(connection, None, "expiry.warned", **facts)
        for facts in told:
            log.warning("expiry.warned", **facts)
        count += len(warned)
    with journal.write() as connection:
        expiries.forget(connection, at - _KEPT)
    return count


def _told(warned: Iterable[tuple[Ending, int]]) -> Iterator[dict[str, Any]]:
    groups: dict[tuple[str, What, int], list[Ending]] = defaultdict(list)
    for ending, days in warned:
        groups[ending.sender, ending.what, days].append(ending)
    for (sender, what, days), endings in groups.items():
        first = min(ending.expires_at for ending in endings)
        keys = [ending.key for ending in endings[:_NAMED]]
        yield {
            "sender": sender,
            "what": what.value,
            "days": days,
            "count": len(endings),
            "first_end": first,
            "keys": keys,
        }


def _batches(journal: Journal, at: int) -> Iterator[list[Ending]]:
    """Every end in the time of the first warning; mandates in pages, each read after the one before was dealt with."""
    with journal.read() as connection:
        held = list(endings(connection, at))
    for start in range(0, len(held), _BATCH):
        yield held[start : start + _BATCH]
    last = 0
    while True:
        with journal.read() as connection:
            numbered = list(_mandates(connection, at, last))
        if not numbered:
            return
        last = numbered[-1][0]
        yield [ending for _, ending in numbered if ending is not None]


def endings(connection: Connection, at: int) -> Iterator[Ending]:
    """Every key and certificate of an active sender that ends in the time of the first warning, and nothing follows."""
    yield from _keys(connection, at)
    yield from _certificates(connection, at)


def _keys(connection: Connection, at: int) -> Iterator[Ending]:
    held, other = ssh_keys.c, ssh_keys.alias().c
    follows = (other.username == held.username) & _follows(other.valid_from, other.valid_to, held.valid_to)
    query = (
        sa.select(senders.c.number, held.username, held.fingerprint, held.valid_to)
        .join(technical_users, technical_users.c.username == held.username)
        .join(senders, senders.c.number == technical_users.c.sender)
        .where(senders.c.state == "active", technical_users.c.state == "active", _soon(held.valid_to, at))
        .where(~sa.exists().where(follows))
        .order_by(held.username, held.fingerprint)
    )
    for sender, username, fingerprint, end in connection.execute(query):
        yield Ending(sender, What.KEY, f"{username} {fingerprint}", end)


def _certificates(connection: Connection, at: int) -> Iterator[Ending]:
    held, other = certificates.c, certificates.alias().c
    ends, others = _end(held), _end(other)
    follows = (other.sender == held.sender) & _follows(other.valid_from, others, ends)
    query = (
        sa.select(held.sender, held.fingerprint, ends)
        .join(senders, senders.c.number == held.sender)
        .where(senders.c.state == "active", _soon(ends, at), ~sa.exists().where(follows))
        .order_by(held.sender, held.fingerprint)
    )
    for sender, fingerprint, end in connection.execute(query):
        yield Ending(sender, What.CERTIFICATE, fingerprint, end)


def _mandates(connection: Connection, at: int, after: int) -> Iterator[tuple[int, Ending | None]]:
    """The ends of the next mandates behind that number, for the senders of both sides."""
    held, other = mandates.c, mandates.alias().c
    same = (other.provider == held.provider) & (other.employer == held.employer) & (other.kind == held.kind)
    page = (
        sa.select(held.number, held.provider, held.employer, held.valid_to)
        .where(held.number > after, _soon(held.valid_to, at))
        .where(~sa.exists().where(same & _follows(other.valid_from, other.valid_to, held.valid_to)))
        .order_by(held.number)
        .limit(_BATCH)
        .subquery()
    )
    sides = senders.c.quality.in_((page.c.provider, page.c.employer)) & (senders.c.state == "active")
    query = sa.select(page.c.number, senders.c.number, page.c.valid_to).outerjoin_from(page, senders, sides)
    for number, sender, end in connection.execute(query.order_by(page.c.number, senders.c.number)):
        # A mandate of two who send nothing themselves has nobody to be told, and the page goes on behind it.
        yield number, None if sender is None else Ending(sender, What.MANDATE, str(number), end)


def _soon(end: sa.ColumnElement[Any], at: int) -> sa.ColumnElement[bool]:
    return (end > at) & (end <= at + DAYS[-1] * _DAY)


def _follows(
    start: sa.ColumnElement[Any], end: sa.ColumnElement[Any], before: sa.ColumnElement[Any]
) -> sa.ColumnElement[bool]:
    """Whether what lasts from ``start`` to ``end`` goes on where something else ends."""
    return (sa.func.coalesce(start, 0) <= before) & (end.is_(None) | (end > before))


def _end(held: Any) -> sa.ColumnElement[Any]:
    """When a registered certificate counts no more: with its registration, or when it expires."""
    return sa.case((held.valid_to < held.not_after, held.valid_to), else_=held.not_after)
