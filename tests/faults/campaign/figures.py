"""What worlds have shown, kept from run to run as lines of JSON, and the page that is made of it."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from tests.faults.campaign.world import Outcome

PLACES: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


@dataclass(slots=True)
class Line:
    """A world: on which database, what was done to it and how often, and what became of it."""

    database: str
    kills: dict[str, int]
    faults: dict[str, int]
    outcome: Outcome
    seconds: float


@dataclass(slots=True)
class Sum:
    """Of several worlds."""

    worlds: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    numbers: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, line: Line) -> None:
        """One more."""
        self.worlds += 1
        self.kills.update(line.kills)
        self.faults.update(line.faults)
        self.seconds += line.seconds
        facts = asdict(line.outcome)
        self.numbers.update({name: value if isinstance(value, int) else len(value) for name, value in facts.items()})

    @property
    def closing(self) -> str:
        """The last line."""
        of = self.numbers
        return (
            f"{of['submissions']:,} submissions, {self.kills.total():,} kills, {self.faults.total():,} faults: "
            f"{of['lost'] + of['misfits']} lost, {of['repeated']} repeated, {of['unanswered']} unanswered"
        )


def keep(file: Path, line: Line) -> None:
    """Add a line."""
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(asdict(line)) + "\n")


def read(file: Path) -> list[Line]:
    """All lines so far."""
    if not file.exists():
        return []
    found = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    return [Line(**line | {"outcome": Outcome(**line["outcome"])}) for line in found]


def summed(lines: Iterable[Line], database: str = "") -> Sum:
    """All of them, or those on one database."""
    found = Sum()
    for line in lines:
        if database in ("", line.database):
            found.add(line)
    return found


_ROWS: Final = (
    ("submissions whose sender was told OK", "submissions"),
    ("- accepted", "accepted"),
    ("- rejected, as they had to be", "rejected"),
    ("times that a sender saw no OK and sent a set again", "again"),
    ("declarations at the broker", "messages"),
    ("- delivered again under the same message id", "delivered_again"),
    ("starts of a gateway", "starts"),
    ("reconciliations", "reconciliations"),
    ("lost", "lost"),
    ("repeated", "repeated"),
    ("unanswered", "unanswered"),
    ("other misfits that `gateway reconcile` names", "misfits"),
)


def tables(lines: list[Line]) -> str:
    """The figures, as Markdown."""
    sums = {name: summed(lines, key) for key, name in PLACES.items()}
    head = f"| | {' | '.join(sums)} |\n| --- |{' ---: |' * len(sums)}\n"
    totals = [("worlds, each with a site of its own", [f"{each.worlds:,}" for each in sums.values()])]
    totals += [("minutes", [f"{each.seconds / 60:,.1f}" for each in sums.values()])]
    totals += [("kills", [f"{each.kills.total():,}" for each in sums.values()])]
    totals += [("other faults", [f"{each.faults.total():,}" for each in sums.values()])]
    totals += [(words, [f"{each.numbers[name]:,}" for each in sums.values()]) for words, name in _ROWS]
    parts = [head + _rows(totals)]
    for words, which in (("SIGKILL", "kills"), ("Other fault", "faults")):
        counts: list[Counter[str]] = [getattr(each, which) for each in sums.values()]
        names = sorted({name for each in counts for name in each})
        rows = [(name.removeprefix("killed: "), [str(each[name]) for each in counts]) for name in names]
        parts.append(f"| {words} {head[2:]}" + _rows(rows))
    return "\n".join(parts)


def _rows(rows: Iterable[tuple[str, list[str]]]) -> str:
    return "".join(f"| {words} | {' | '.join(cells)} |\n" for words, cells in rows)
