"""A line of the log: what does it say, is it one that was asked for, and how does it look on a terminal?

Lines come from files and pipes that anybody may have written to, so nothing of them is believed: what is no object of
JSON with an event is a foreign line, and of every text only what can be printed gets out; the rest, which could command
a terminal or turn the order of the letters round, is shown by its number.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, Final

LONGEST: Final = 65_536
"""More characters than this of one line are cut off: the gateway writes none that is longer."""

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_HEAD: Final = frozenset({"event", "level", "timestamp"})
_COLOURS: Final = {"debug": "2", "warning": "33", "error": "31", "critical": "31"}


@dataclass(frozen=True, slots=True)
class Line:
    """A line: what it was, and what it says; a foreign line says nothing."""

    text: str
    facts: Mapping[str, Any] | None

    @property
    def event(self) -> str:
        """The name of what happened; empty for a foreign line."""
        return "" if self.facts is None else str(self.facts["event"])

    @property
    def level(self) -> str:
        """The level; empty where it says none that there is."""
        level = None if self.facts is None else self.facts.get("level")
        return str(level) if level in LEVELS else ""

    @property
    def at(self) -> datetime | None:
        """When it was written; None where it does not say."""
        said = None if self.facts is None else self.facts.get("timestamp")
        try:
            at = datetime.fromisoformat(said) if isinstance(said, str) else None
        except ValueError:
            return None
        return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def parse(text: str) -> Line:
    """What a line says."""
    text = text.rstrip("\r\n")
    if len(text) > LONGEST:
        return Line(text[:LONGEST], None)
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):
        return Line(text, None)
    return Line(text, facts if isinstance(facts, dict) and isinstance(facts.get("event"), str) else None)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines are asked for; what is None, or empty, is not asked.  ``events`` and ``file`` may have ``*``."""

    ticket: str | None = None
    sender: str | None = None
    events: tuple[str, ...] = ()
    level: str | None = None
    since: datetime | None = None
    stage: str | None = None
    outcome: str | None = None
    file: str | None = None

    def fits(self, line: Line) -> bool:
        """Whether ``line`` is one.  A foreign line is, where nothing is asked but a time, which it doesn't tell."""
        if line.facts is None:
            return not (self.events or self.level or self.file or any(asked for _, asked in self._words()))
        return self._fits_facts(line, line.facts) and (self.since is None or line.at is None or line.at >= self.since)

    def _words(self) -> Iterator[tuple[str, str | None]]:
        """What a field has to say word for word."""
        yield from (("ticket", self.ticket), ("sender", self.sender), ("stage", self.stage), ("outcome", self.outcome))

    def _fits_facts(self, line: Line, facts: Mapping[str, Any]) -> bool:
        if any(asked is not None and facts.get(name) != asked for name, asked in self._words()):
            return False
        if self.file is not None and not fnmatchcase(str(facts.get("file", "")), self.file):
            return False
        if self.events and not any(fnmatchcase(line.event, event) for event in self.events):
            return False
        least = 0 if self.level is None else LEVELS.index(self.level)
        return not line.level or LEVELS.index(line.level) >= least


def as_json(line: Line) -> str:
    """The line as JSON in letters that no terminal takes for a command; a foreign one under ``foreign``."""
    return json.dumps({"foreign": line.text} if line.facts is None else line.facts).replace("\x7f", "\\u007f")


def as_words(line: Line, *, coloured: bool = False) -> str:
    """The line for people: when, level, event, and the rest as ``name=value``, on one line."""
    if line.facts is None:
        return _printable(line.text)
    at = line.at
    when = "-" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    rest = (f"{_printable(str(name))}={_value(value)}" for name, value in line.facts.items() if name not in _HEAD)
    level = f"{line.level or '-':<8}"
    if coloured and (colour := _COLOURS.get(line.level)):
        level = f"\x1b[{colour}m{level}\x1b[0m"
    return " ".join((when, level, _printable(line.event), *rest))


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    shown = _printable(text)
    return f'"{shown}"' if isinstance(value, str) and (not shown or " " in shown) else shown


def _printable(text: str) -> str:
    return "".join(_shown(text)) if not text.isprintable() else text


def _shown(text: Iterable[str]) -> Iterator[str]:
    for letter in text:
        number = ord(letter)
        if letter.isprintable():
            yield letter
        elif number <= 0xFF:
            yield f"\\x{number:02x}"
        else:
            yield f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
