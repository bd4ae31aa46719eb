"""When may something that failed be tried again, and when does trouble concern the broker as a whole?  Pure.

One message that fails waits by itself, longer each time, and is parked in the end.  Trouble with the broker counts
against no message: the breaker opens, and while it is open one message at a time is tried.  Times are in seconds; who
asks says what time it is, and brings the chance that spreads the tries of several gateways.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_MOST_DOUBLINGS: Final = 30


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait: ``first`` seconds, doubling to ``ceiling``, and the ``attempts`` after which one gives up."""

    first: float
    ceiling: float
    attempts: int

    def pause(self, failures: int, chance: float) -> float:
        """Seconds to wait after so many failures, 1 at least; ``chance``, 0 to 1, takes up to half of them away."""
        doubled = self.first * 2.0 ** min(failures - 1, _MOST_DOUBLINGS)
        return min(self.ceiling, doubled) * (1 - chance / 2)

    def is_exhausted(self, failures: int) -> bool:
        """Whether there were so many failures that a person has to look."""
        return failures >= self.attempts


class Breaker:
    """Whether the broker takes messages; closed, which is good, at first."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._failures = 0
        self._next = 0.0

    @property
    def is_open(self) -> bool:
        """Whether only one message at a time may be tried."""
        return self._failures > 0

    def wait(self, at: float) -> float:
        """Seconds until the next try."""
        return max(0.0, self._next - at)

    def failed(self, at: float, chance: float) -> None:
        """The broker did not take what it was given; after the first failure a single message is tried at once."""
        pause = self._patience.pause(self._failures, chance) if self._failures else 0.0
        self._failures += 1
        self._next = at + pause

    def succeeded(self) -> None:
        """The broker took something."""
        self._failures = 0
        self._next = 0.0


Target = tuple[str, str]
"""An exchange and a routing key."""


class Stuck:
    """Where nothing is confirmed although the broker is there: such as to a queue that has lost its majority.

    What goes there waits, longer each time, for all that follows would be held up by it: nobody knows of a message that
    it is not confirmed before the time for that is over.
    """

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._failures: dict[Target, int] = {}
        self._next: dict[Target, float] = {}

    def wait(self, target: Target, at: float) -> float:
        """Seconds until something may be sent there."""
        return max(0.0, self._next.get(target, 0.0) - at)

    def failed(self, target: Target, at: float, chance: float) -> None:
        """Nothing that was sent was confirmed; this waits longer than the trial that shows whose fault it is."""
        self._failures[target] = self._failures.get(target, 0) + 1
        self._next[target] = at + self._patience.pause(self._failures[target] + 2, chance)

    def succeeded(self, targets: Iterable[Target]) -> None:
        """Something was confirmed there."""
        if self._failures:
            for target in targets:
                self._failures.pop(target, None)
                self._next.pop(target, None)
