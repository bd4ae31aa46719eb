"""Who has failed too often to log in, from where, and for how long may he not try again?

Failures are counted for a name at a source, for a source whatever the name, and (passwords only) for a name wherever it
is tried from.  From a number of failures on every further one locks, twice as long each time.  They are counted alike
for names that exist and names that don't, so that a lock tells nothing.  A try is counted as failed before it is looked
at and taken back if it was good: that many at once can't get past the limit, nor a gateway that is killed in between.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from channels.sources import counted_as
from spool.holds import Word
from spool.register_tables import persons
from spool.submissions import note
from spool.tables import failed_logins, technical_users

_SECOND: Final = 1_000_000
_DAY: Final = 86_400 * _SECOND


@dataclass(frozen=True, slots=True)
class LockRules:
    """From how many failures on there is a lock, how long the first and longest are (seconds), what is forgotten.

    ``user_tries`` counts a name at a source, ``source_tries`` a source, ``everywhere_tries`` a name from all sources.
    A lock of a name from everywhere does not hold at a source from which it has logged in by its password within
    ``known_days``: or anybody could lock anybody out.
    """

    user_tries: int = 5
    source_tries: int = 20
    everywhere_tries: int = 100
    first_seconds: float = 60.0
    user_ceiling_seconds: float = 86_400.0
    source_ceiling_seconds: float = 3_600.0
    forget_seconds: float = 86_400.0
    known_days: int = 90
    rows: int = 50_000


@dataclass(frozen=True, slots=True)
class Failures:
    """What is known of a name at a source; either may be empty, for any.  Times are microseconds, 0 for never."""

    username: str
    source: str
    failures: int = 0
    failed_at: int = 0
    locked_until: int = 0
    succeeded_at: int = 0

    def is_locked(self, at: int) -> bool:
        """Whether it may not be tried at ``at``."""
        return at < self.locked_until


@dataclass(frozen=True, slots=True)
class Charge:
    """A try that was counted as failed: what stood there before, and what then."""

    before: tuple[Failures, ...]
    after: tuple[Failures, ...]

    @property
    def locked(self) -> tuple[Failures, ...]:
        """What is locked by this."""
        return tuple(after for after in self.after if after.locked_until)


def lock_seconds(failures: int, tries: int, first: float, ceiling: float) -> float:
    """For how long the ``failures``-th failure locks; 0 if it does not yet."""
    if failures < tries:
        return 0.0
    return min(first * 2.0 ** min(failures - tries, 64), ceiling)


def failed_once_more(known: Failures, rules: LockRules, at: int) -> Failures:
    """``known`` after one more failure at ``at``; failures that are long past count no more."""
    fresh = max(known.failed_at, known.locked_until) + int(rules.forget_seconds * _SECOND) > at
    failures = known.failures + 1 if fresh else 1
    if not known.source:
        tries, ceiling = rules.everywhere_tries, rules.source_ceiling_seconds
    elif not known.username:
        tries, ceiling = rules.source_tries, rules.source_ceiling_seconds
    else:
        tries, ceiling = rules.user_tries, rules.user_ceiling_seconds
    lock = int(lock_seconds(failures, tries, rules.first_seconds, ceiling) * _SECOND)
    return replace(known, failures=failures, failed_at=at, locked_until=at + lock if lock else 0)


def holds(row: Failures, pair: Failures, rules: LockRules, at: int) -> bool:
    """Whether the lock of ``row`` keeps the name and source of ``pair`` from a password."""
    if not row.is_locked(at):
        return False
    return bool(row.source) or pair.succeeded_at + rules.known_days * _DAY <= at


def charge(connection: Connection, username: str, source: str, rules: LockRules, at: int) -> Charge | None:
    """Count a try with a password as failed, or None if it may not be made."""
    place = counted_as(source)
    rows = [_row(connection, *key) for key in ((username, place), ("", place), (username, ""))]
    if any(holds(row, rows[0], rules, at) for row in rows):
        return None
    after = [failed_once_more(row, rules, at) for row in rows]
    _write(connection, after)
    return Charge(tuple(rows), tuple(after))


def take_back(connection: Connection, charged: Charge, at: int) -> None:
    """The try was good after all: the name at this source starts anew, the others lose what this one had added."""
    pair, *others = zip(charged.before, charged.after, strict=True)
    connection.execute(_update(pair[1]).values(failures=0, locked_until=0, succeeded_at=at))
    for before, after in others:
        now = _row(connection, after.username, after.source)
        # A lock of somebody else's failure in between stands.
        lock = before.locked_until if now.locked_until == after.locked_until else now.locked_until
        connection.execute(_update(now).values(failures=max(now.failures - 1, 0), locked_until=lock))


def record_failure(connection: Connection, username: str, source: str, rules: LockRules, at: int) -> Charge | None:
    """Count a failure with keys; nobody guesses a key, so it does not count against the name from everywhere."""
    place = counted_as(source)
    rows = [_row(connection, username, place), _row(connection, "", place)]
    if any(row.is_locked(at) for row in rows):
        return None
    after = [failed_once_more(row, rules, at) for row in rows]
    _write(connection, after)
    return Charge(tuple(rows), tuple(after))


def note_locks(connection: Connection, charged: Charge) -> frozenset[str]:
    """Leave an event of every lock of a try that has failed indeed; answers the names in them that somebody has.

    Another is not written down: it may be a password, typed one line too early.
    """
    known = known_names(connection, {row.username for row in charged.locked})
    for row in charged.locked:
        who = {"username": row.username if row.username in known else "", "source": row.source}
        note(connection, None, "defender.locked", **who, failures=row.failures, until=row.locked_until)
    return known


def known_names(connection: Connection, typed: Collection[str]) -> frozenset[str]:
    """Those of the names that were ``typed`` which somebody has; another may be a password, and is not for showing."""
    queries = (sa.select(table.c.username).where(table.c.username.in_(typed)) for table in (technical_users, persons))
    return frozenset(name for query in queries for name in connection.execute(query).scalars())


def locks(connection: Connection, at: int) -> dict[tuple[str, str], int]:
    """Every name at a source, and every source, that is locked at ``at``, and until when."""
    query = sa.select(failed_logins.c.username, failed_logins.c.source, failed_logins.c.locked_until).where(
        failed_logins.c.locked_until > at, failed_logins.c.source != ""
    )
    return {(username, source): until for username, source, until in connection.execute(query)}


def all_failures(connection: Connection) -> Iterator[Failures]:
    """Everything that is counted, the latest first."""
    query = sa.select(*_COLUMNS).where(failed_logins.c.failures > 0).order_by(failed_logins.c.failed_at.desc())
    return (Failures(*row) for row in connection.execute(query))


def lift(connection: Connection, word: Word, username: str | None = None, source: str | None = None) -> int:
    """Forget the failures of a name, of a source, of a name at a source, or all; answers how many rows had any.

    Args:
        word: who wants it, and why
    """
    this = failed_logins.c.failures > 0
    if username is not None:
        this &= failed_logins.c.username == username
    if source is not None:
        this &= failed_logins.c.source == counted_as(source)
    lifted = connection.execute(sa.update(failed_logins).where(this).values(failures=0, locked_until=0)).rowcount
    who = username if username is None or username in known_names(connection, [username]) else ""
    facts = {"actor": word.actor, "reason": word.reason, "username": who, "source": source, "lifted": lifted}
    note(connection, None, "defender.lifted", **facts)
    return lifted


def forget(connection: Connection, rules: LockRules, at: int) -> int:
    """Drop what no longer counts, and the oldest of too many; answers how many."""
    remembered = int(rules.forget_seconds * _SECOND)
    past = (failed_logins.c.locked_until + remembered <= at) & (failed_logins.c.failed_at + remembered <= at)
    unknown = failed_logins.c.succeeded_at + rules.known_days * _DAY <= at
    dropped = connection.execute(sa.delete(failed_logins).where(past & unknown)).rowcount
    newest = sa.select(failed_logins.c.failed_at).order_by(failed_logins.c.failed_at.desc()).offset(rules.rows).limit(1)
    oldest_kept = connection.execute(newest).scalar()
    if oldest_kept is not None:
        dropped += connection.execute(
            sa.delete(failed_logins).where(failed_logins.c.failed_at <= oldest_kept, unknown)
        ).rowcount
    return dropped


_COLUMNS = tuple(failed_logins.c)


def _row(connection: Connection, username: str, source: str) -> Failures:
    query = sa.select(*_COLUMNS).where(failed_logins.c.username == username, failed_logins.c.source == source)
    row = connection.execute(query).first()
    return Failures(username, source) if row is None else Failures(*row)


def _update(row: Failures) -> sa.Update:
    return sa.update(failed_logins).where(
        failed_logins.c.username == row.username, failed_logins.c.source == row.source
    )


def _write(connection: Connection, after: Sequence[Failures]) -> None:
    for new in after:
        values = {"failures": new.failures, "failed_at": new.failed_at, "locked_until": new.locked_until}
        if not connection.execute(_update(new).values(**values)).rowcount:
            facts = {"username": new.username, "source": new.source, "succeeded_at": 0}
            connection.execute(sa.insert(failed_logins).values(**facts, **values))
