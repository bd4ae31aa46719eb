"""How is a password kept and compared, without a storm of log-ins taking all the memory?

Argon2id (RFC 9106).  Every comparison costs its memory, so only some are made at once, some more may wait, and the rest
are refused; and the same work is done where there is no password to compare with, or the time would tell who exists.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from channels.ports import TooManyAtOnceError

T = TypeVar("T")

_LONGEST: Final = 1024


@dataclass(frozen=True, slots=True)
class HashingLimits:
    """``memory_kib`` and ``passes`` of one hash; how many are made at once and how many more may wait."""

    memory_kib: int = 19456
    passes: int = 2
    at_once: int = 2
    waiting: int = 30


class Hashing:
    """Makes and compares hashes."""

    def __init__(self, limits: HashingLimits) -> None:
        self.compared = 0
        self._hasher = PasswordHasher(time_cost=limits.passes, memory_cost=limits.memory_kib, parallelism=1)
        self._nobody = self._hasher.hash("nobody's")
        self._threads = ThreadPoolExecutor(limits.at_once, thread_name_prefix="password")
        self._places = limits.at_once + limits.waiting
        self._taken = 0

    async def run(self, work: Callable[[], T]) -> T:
        """What ``work``, which compares or makes hashes, answers from one of the threads for that.

        Raises:
            TooManyAtOnceError: too many wait already.
        """
        if self._taken >= self._places:
            raise TooManyAtOnceError("too many passwords at once")
        loop = asyncio.get_running_loop()
        self._taken += 1
        future = self._threads.submit(work)
        # Not when the caller goes away: the thread is still at it then.
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._give_back))
        return await asyncio.wrap_future(future)

    def _give_back(self) -> None:
        self._taken -= 1

    def hash(self, password: str) -> str:
        """What is kept of ``password``."""
        return self._hasher.hash(password)

    def is_right(self, password: str, kept: str | None) -> bool:
        """Whether ``password`` is the one of which ``kept`` was kept; without one never, after the same work."""
        self.compared += 1
        try:
            good = self._hasher.verify(kept or self._nobody, password[:_LONGEST])
        except (VerificationError, InvalidHashError):
            return False
        return good and kept is not None and len(password) <= _LONGEST

    def is_outdated(self, kept: str) -> bool:
        """Whether ``kept`` was made with other parameters than those of now."""
        return self._hasher.check_needs_rehash(kept)

    def close(self) -> None:
        """Let what is being made end; take no more."""
        self._threads.shutdown(cancel_futures=True)
