"""Which events of the log are written: from which level on, and which of them only now and then?

The settings name events, or all below a word (``sftp.*``); of several rules that fit the longest counts.  Of an event
that is sampled one in so many is written, and says how many were left out before it.  What warns is never sampled.
Deciding costs a look into a dictionary; what is counted by metrics is counted before.
"""

import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, TypeVar

from config.logs import Logging

T = TypeVar("T")

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "exception": logging.ERROR,
    "critical": logging.CRITICAL,
}
"""The number of a level, or of the method of a logger."""

_ALL_BELOW: Final = ".*"


@dataclass(frozen=True, slots=True)
class Gate:
    """Lets events through, from any thread; made anew when the settings change."""

    rules: Logging
    _thresholds: dict[str, int] = field(default_factory=dict)
    _left_out: dict[str, int] = field(default_factory=dict)
    _counting: Lock = field(default_factory=Lock)

    def admits(self, event: str, level: int) -> int | None:
        """None if ``event`` is not written this time, else how many of them were left out since the last."""
        threshold = self._thresholds.get(event)
        if threshold is None:
            threshold = self._thresholds[event] = LEVELS[_fitting(self.rules.levels, event, self.rules.level)]
        if level < threshold:
            return None
        if level >= logging.WARNING or not self.rules.sampled:
            return 0
        return self._sampled(event, _fitting(self.rules.sampled, event, 1))

    def _sampled(self, event: str, one_in: int) -> int | None:
        if one_in == 1:
            return 0
        with self._counting:
            # The first is written, so that an operator sees that there are such events.
            left_out = self._left_out.get(event)
            if left_out is None or left_out == one_in - 1:
                self._left_out[event] = 0
                return left_out or 0
            self._left_out[event] = left_out + 1
            return None


def faults_of(rules: Logging, known: Collection[str]) -> Iterator[str]:
    """Every rule that fits none of the ``known`` events: one that is misspelt would let pass what it should keep."""
    for key in ("levels", "sampled"):
        named: Mapping[str, object] = getattr(rules, key)
        yield from (f"logging.{key}: there is no event {name}" for name in named if not _knows(name, known))


def _knows(rule: str, known: Collection[str]) -> bool:
    return rule in known or (rule.endswith(_ALL_BELOW) and any(name.startswith(rule[:-1]) for name in known))


def _fitting(rules: Mapping[str, T], event: str, default: T) -> T:
    found = rules.get(event)
    if found is not None:
        return found
    words = event.split(".")
    for count in range(len(words) - 1, 0, -1):
        found = rules.get(".".join(words[:count]) + _ALL_BELOW)
        if found is not None:
            return found
    return default
