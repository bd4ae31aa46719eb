"""How do threads that would only get into each other's way go one after the other, and nobody waits for a slow one?

Python runs one thread at a time.  Ten that take custody at once change places at each call that the system does for
them, some sixty a set, and each change costs more than most of the calls.  One after the other they take less time in
all.  But a disk may be slow, or a mailbox be held by another host: who has waited for a moment goes beside.
"""

import threading
from collections.abc import Callable
from typing import Final, TypeVar

_Answer = TypeVar("_Answer")
Leave = Callable[[], None]

_PATIENCE: Final = 0.1


class Lane:
    """Lets one go after the other; safe from any thread.

    Args:
        patience: the seconds that somebody waits at most for those before.
    """

    def __init__(self, patience: float = _PATIENCE) -> None:
        self._patience = patience
        self._taken = threading.Lock()

    def go(self, work: Callable[[Leave], _Answer]) -> _Answer:
        """What ``work`` answers, or raises, when those before are out, or it has waited long enough for them.

        It is given what to call once it is in nobody's way any more; calling that again is harmless.
        """
        is_in = self._taken.acquire(timeout=self._patience)

        def leave() -> None:
            nonlocal is_in
            if is_in:
                is_in = False
                self._taken.release()

        try:
            return work(leave)
        finally:
            leave()
