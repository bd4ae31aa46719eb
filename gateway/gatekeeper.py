"""What are the doors told about who may come in?

Accounts are read from the journal, passwords compared in threads of their own, failures counted before a password is
looked at.  What locks there are is kept in memory too, since every connection asks for it; whoever asks who is still
standing, as a door does twice a second, brings it up to date, so that a lock that an operator lifts is lifted then.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import structlog

from channels.ports import Account, Answer, Attempt, Authentication, Verdict
from channels.sources import counted_as, is_within
from config.doors import Accounts
from gateway import accounts, defender
from gateway.accounts import StoredPassword
from gateway.defender import Charge, LockRules
from gateway.password_rules import RULES, PasswordRules, faults
from gateway.passwords import Hashing, HashingLimits
from spool.journal import Journal, now

log = structlog.get_logger()

_DAY: Final = 86_400 * 1_000_000
_FORGET_EVERY: Final = 3_600 * 1_000_000
# No user has a longer name, and a longer one fits in no column.
_LONGEST_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class LoginPolicy:
    """The rules for passwords and locks.

    ``password_days`` is how long a password may be used, ``history`` how many of the latest may not be chosen again.
    """

    rules: PasswordRules
    locks: LockRules
    password_days: float
    history: int


@dataclass(frozen=True, slots=True)
class _Right:
    account: Account
    password: StoredPassword


class Gatekeeper:
    """The accounts of the journal, as the doors ask for them."""

    def __init__(self, journal: Journal, hashing: Hashing, policy: LoginPolicy) -> None:
        self.policy = policy
        self._journal = journal
        self._hashing = hashing
        self._locks: dict[tuple[str, str], int] = {}
        self._forgotten_at = 0

    @property
    def compared(self) -> int:
        """How many passwords have been compared, each of which cost a hash."""
        return self._hashing.compared

    async def find(self, username: str) -> Account | None:
        """The account of ``username`` if it may log in now, else None."""
        return (await asyncio.to_thread(self._standing, (username,))).get(username)

    async def standing(self, usernames: Collection[str]) -> dict[str, Account]:
        """Those of ``usernames`` that may still log in."""
        return await asyncio.to_thread(self._look_round, tuple(usernames))

    async def check_password(self, attempt: Attempt) -> Verdict:
        """Whether the password is right.

        Raises:
            TooManyAtOnceError: not now.
        """
        return await self._hashing.run(lambda: self._check(attempt))

    async def change_password(self, attempt: Attempt, new: str) -> Verdict:
        """Give the user the password ``new`` if that of ``attempt`` is right and the rules allow it.

        Raises:
            TooManyAtOnceError: not now.
        """
        return await self._hashing.run(lambda: self._change(attempt, new))

    def is_locked(self, username: str, source: str) -> bool:
        """Whether nobody at ``source`` may try now to be ``username``; an empty one stands for anybody."""
        return self._locks.get((username, counted_as(source)), 0) > now()

    async def failed(self, username: str, source: str) -> None:
        """Somebody at ``source`` has failed to prove by a key to be ``username``."""
        await asyncio.to_thread(self._failed, username[:_LONGEST_NAME], source)

    def close(self) -> None:
        """Look at no more passwords."""
        self._hashing.close()

    # --- in threads

    def _standing(self, usernames: Collection[str]) -> dict[str, Account]:
        with self._journal.read() as connection:
            return accounts.standing(connection, usernames, now())

    def _look_round(self, usernames: Collection[str]) -> dict[str, Account]:
        at = now()
        with self._journal.read() as connection:
            found = accounts.standing(connection, usernames, at)
            self._locks = defender.locks(connection, at)
        if at >= self._forgotten_at + _FORGET_EVERY:
            self._forgotten_at = at
            with self._journal.write() as connection:
                defender.forget(connection, self.policy.locks, at)
        return found

    def _failed(self, username: str, source: str) -> None:
        with self._journal.write() as connection:
            charged = defender.record_failure(connection, username, source, self.policy.locks, now())
        if charged is not None:
            self._heed(charged)

    def _heed(self, charged: Charge) -> None:
        """It was a failure indeed: whatever is locked by it is."""
        if not charged.locked:
            return
        with self._journal.write() as connection:
            known = defender.note_locks(connection, charged)
        for row in charged.locked:
            if row.source:
                self._locks = self._locks | {(row.username, row.source): row.locked_until}
            seconds = (row.locked_until - row.failed_at) // 1_000_000
            facts = {"username": row.username if row.username in known else "", "source": row.source}
            log.warning("defender.locked", **facts, failures=row.failures, seconds=seconds)

    def _check(self, attempt: Attempt) -> Verdict:
        right = self._right(attempt)
        if isinstance(right, Answer):
            return Verdict(right)
        if self._is_stale(right.password, now()):
            return Verdict(Answer.CHANGE, words=self._words("The password has to be changed"))
        return Verdict(Answer.GOOD, right.account)

    def _change(self, attempt: Attempt, new: str) -> Verdict:
        right = self._right(attempt)
        if isinstance(right, Answer):
            return Verdict(right)
        wrong = faults(new, attempt.username, self.policy.rules) or self._history_fault(attempt.username, new)
        if wrong:
            return Verdict(Answer.CHANGE, words=self._words(f"Not changed: {'; '.join(wrong)}"))
        kept = self._hashing.hash(new)
        with self._journal.write() as connection:
            accounts.change_password(connection, attempt.username, kept)
        log.info("user.password_changed", username=attempt.username)
        return Verdict(Answer.GOOD, right.account)

    def _right(self, attempt: Attempt) -> _Right | Answer:
        """Whose password it is, if it is one; exactly one hash is compared whoever it is."""
        username, at = attempt.username[:_LONGEST_NAME], now()
        with self._journal.write() as connection:
            charged = defender.charge(connection, username, attempt.source, self.policy.locks, at)
            account = accounts.standing(connection, (username,), at).get(username)
            password = accounts.current_password(connection, username)
        if charged is None:
            return Answer.LOCKED
        counts = account is not None and password is not None and self._may_say(account, password, attempt, at)
        kept = password.hash if counts and password is not None else None
        if not self._hashing.is_right(attempt.password, kept) or account is None or password is None:
            self._heed(charged)
            return Answer.WRONG
        self._take_back(charged, attempt, password)
        return _Right(account, password)

    def _may_say(self, account: Account, password: StoredPassword, attempt: Attempt, at: int) -> bool:
        wanted = Authentication.BOTH if attempt.after_key else Authentication.PASSWORD
        placed = attempt.place_later or not account.sources or is_within(attempt.source, account.sources)
        if account.authentication is not wanted or not placed:
            return False
        return password.usable_until is None or at < password.usable_until

    def _take_back(self, charged: Charge, attempt: Attempt, password: StoredPassword) -> None:
        renewed = self._hashing.hash(attempt.password) if self._hashing.is_outdated(password.hash) else None
        with self._journal.write() as connection:
            defender.take_back(connection, charged, now())
            if renewed:
                accounts.rehash(connection, password.number, renewed)

    def _is_stale(self, password: StoredPassword, at: int) -> bool:
        return password.must_change or at - password.set_at >= self.policy.password_days * _DAY

    def _history_fault(self, username: str, new: str) -> tuple[str, ...]:
        with self._journal.read() as connection:
            earlier = accounts.latest_passwords(connection, username, self.policy.history)
        used = any(self._hashing.is_right(new, password.hash) for password in earlier)
        return ("it was used before",) if used else ()

    def _words(self, what: str) -> str:
        rules = self.policy.rules
        return (
            f"{what}. A password has {rules.shortest} to {rules.longest} characters, at least two of them digits or "
            "special characters, no space and nothing with an accent."
        )


def login_policy(settings: Accounts) -> LoginPolicy:
    """What the settings say of passwords and locks."""
    return LoginPolicy(
        rules=RULES[settings.password_rules],
        locks=LockRules(
            user_tries=settings.user_tries,
            source_tries=settings.source_tries,
            everywhere_tries=settings.everywhere_tries,
            first_seconds=settings.lock_seconds,
            user_ceiling_seconds=settings.user_lock_ceiling_seconds,
            source_ceiling_seconds=settings.source_lock_ceiling_seconds,
        ),
        password_days=settings.password_days,
        history=settings.password_history,
    )


def hashing_limits(settings: Accounts) -> HashingLimits:
    """What the settings say of hashes."""
    return HashingLimits(
        memory_kib=settings.hash_memory_kib,
        passes=settings.hash_passes,
        at_once=settings.hashes_at_once,
        waiting=settings.hashes_waiting,
    )


def open_gatekeeper(settings: Accounts, journal: Journal) -> Gatekeeper:
    """The gatekeeper of a journal; close it when no door asks it any more."""
    return Gatekeeper(journal, Hashing(hashing_limits(settings)), login_policy(settings))
