"""Does this person know the password, and which one does he choose next?

The rules are those of technical users: a first password drawn by chance, shown once, to be changed at its first use and
within some days; expiry; no return to one of the latest; and the same count of failures, in the same table.
"""

from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from channels.ports import Answer, Attempt
from config.doors import Accounts
from gateway import accounts, defender
from gateway.accounts import StoredPassword
from gateway.defender import LockRules
from gateway.password_rules import RULES, faults, first_password
from gateway.passwords import Hashing
from gateway.register.standing import own_enterprise
from spool import tables
from spool.journal import Journal, now

_DAY: Final = 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class FirstPassword:
    """A first password: the word itself, to be shown once; what is kept of it; until when it is good (microseconds)."""

    word: str = field(repr=False)
    kept: str = field(repr=False)
    usable_until: int


def draw(username: str, hashing: Hashing, settings: Accounts, at: int) -> FirstPassword:
    """A first password for ``username``.  It costs a hash: draw it before the transaction."""
    word = first_password(username, RULES[settings.password_rules])
    return FirstPassword(word, hashing.hash(word), at + settings.first_password_days * _DAY)


def give(connection: Connection, username: str, first: FirstPassword) -> None:
    """Let a first password be the password of ``username``."""
    _add(connection, username, first.kept, first.usable_until)


def choose(connection: Connection, username: str, kept: str) -> None:
    """Let a chosen password be the password of ``username``."""
    _add(connection, username, kept, None)


def void(connection: Connection, username: str) -> None:
    """Let ``username`` have no password any more; the old ones are still not taken again."""
    if accounts.current_password(connection, username) is not None:
        _add(connection, username, "", 0)


def _add(connection: Connection, username: str, kept: str, usable_until: int | None) -> None:
    values = {"hash": kept, "set_at": now(), "must_change": usable_until is not None, "usable_until": usable_until}
    connection.execute(sa.insert(tables.passwords).values(username=username, **values))


@dataclass(frozen=True, slots=True)
class Checked:
    """What there is to say to a password; ``words`` come with ``Answer.CHANGE``."""

    answer: Answer
    words: str = ""
    kept: str | None = field(default=None, repr=False)


class Passwords:
    """Compares the passwords of persons; every method costs a hash, and belongs in a thread."""

    def __init__(self, journal: Journal, hashing: Hashing, settings: Accounts, locks: LockRules) -> None:
        self._journal = journal
        self._hashing = hashing
        self._settings = settings
        self._locks = locks

    def check(self, attempt: Attempt) -> Checked:
        """Whether the password is that of an active person; ``CHANGE`` if it is, but has to be changed first."""
        at = now()
        password = self._right(attempt, at)
        if isinstance(password, Answer):
            return Checked(password)
        stale = password.must_change or at - password.set_at >= self._settings.password_days * _DAY
        return Checked(Answer.CHANGE, "the password has to be changed") if stale else Checked(Answer.GOOD)

    def choose(self, attempt: Attempt, new: str) -> Checked:
        """Whether the person of a right password may have ``new`` instead; then ``kept`` is what to keep of it."""
        password = self._right(attempt, now())
        if isinstance(password, Answer):
            return Checked(password)
        wrong = faults(new, attempt.username, RULES[self._settings.password_rules])
        wrong = wrong or self._used(attempt.username, new)
        if wrong:
            return Checked(Answer.CHANGE, f"not changed: {'; '.join(wrong)}")
        return Checked(Answer.GOOD, kept=self._hashing.hash(new))

    def _right(self, attempt: Attempt, at: int) -> StoredPassword | Answer:
        """The password, if it is the right one; exactly one hash is compared whoever it is."""
        username = attempt.username[:64]
        with self._journal.write() as connection:
            charged = defender.charge(connection, username, attempt.source, self._locks, at)
            stands = own_enterprise(connection, username) is not None
            password = accounts.current_password(connection, username)
        if charged is None:
            return Answer.LOCKED
        usable = password is not None and (password.usable_until is None or at < password.usable_until)
        kept = password.hash if stands and usable and password is not None else None
        right = self._hashing.is_right(attempt.password, kept)
        with self._journal.write() as connection:
            if right:
                defender.take_back(connection, charged, now())
            else:
                defender.note_locks(connection, charged)
        return password if right and password is not None else Answer.WRONG

    def _used(self, username: str, new: str) -> tuple[str, ...]:
        with self._journal.read() as connection:
            earlier = accounts.latest_passwords(connection, username, self._settings.password_history)
        used = any(self._hashing.is_right(new, password.hash or None) for password in earlier)
        return ("it was used before",) if used else ()
