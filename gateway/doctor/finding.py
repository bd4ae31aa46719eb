"""What is an examination, and what does it find?

A finding is fine, trouble, or unknown, which is what whoever asks may not read.  It says in words what was seen, and
where it is trouble what to do; where an alert would fire for the same, it names the alert, whose runbook has more.
"""

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from config.credential import NONE_HERE
from config.settings import Settings


class Mark(StrEnum):
    """How it is."""

    FINE = "fine"
    TROUBLE = "trouble"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``alert`` is the name of a rule of docs/prometheus/alerts.yml."""

    mark: Mark
    words: str
    to_do: str = ""
    alert: str = ""

    @property
    def runbook(self) -> str:
        """Where more is said about it; empty where there is no alert."""
        return f"docs/runbooks.md#{self.alert.lower()}" if self.alert else ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined: a site's settings and their file, at a moment, by somebody with so many seconds for a part."""

    settings: Settings
    file: Path
    at: datetime
    seconds: float
    token: str | None = None


Examination = Callable[[Patient], Iterator[Finding]]


def fine(words: str) -> Finding:
    """It is as it should be."""
    return Finding(Mark.FINE, words)


def trouble(words: str, to_do: str, alert: str = "") -> Finding:
    """Somebody has to do something."""
    return Finding(Mark.TROUBLE, words, to_do, alert)


def unknown(words: str, to_do: str = "Ask again as root, or as the gateway's user.") -> Finding:
    """It could not be looked at."""
    return Finding(Mark.UNKNOWN, words, to_do)


def of_fault(line: str, to_do: str = "Correct it; `gateway check-config` says the same.") -> Finding:
    """A fault of the settings, unless it only says that who asks may not read something."""
    if line.endswith(NONE_HERE) or os.strerror(errno.EACCES) in line:
        return unknown(line)
    return trouble(line, to_do)


def lasting(length: timedelta) -> str:
    """A length in words for people, to the two largest units; negative ones as if they were not."""
    seconds = abs(int(length.total_seconds()))
    steps = ((seconds // 86_400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s"))
    words = [f"{count} {unit}" for count, unit in steps if count]
    return " ".join(words[:2]) or "0 s"


def size_in_words(count: int) -> str:
    """Bytes in words for people."""
    size, units = float(count), ("bytes", "KB", "MB", "GB", "TB")
    for unit in units[:-1]:
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} {units[-1]}"
