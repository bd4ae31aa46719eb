"""How do files of records get into the register: read whole, examined whole, and only then written?

The file may be larger than memory, and the gateway works on meanwhile: reading and examining hold up nobody; what
changes is written in transactions of some thousand records, each examined again in its own.  An import that is killed
has written some of them; made again, it writes the rest, and one that was finished changes nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from config.errors import TemporaryError
from gateway.register import history, inss
from gateway.register.actor import Actor
from gateway.register.bulk.examining import Place, examine
from gateway.register.bulk.files import BadFile, Record
from gateway.register.bulk.kinds import Facts, Kind, read_record
from gateway.register.bulk.staging import Staged, Staging
from gateway.register.bulk.writing import Author, Change, write
from spool.journal import Journal, now

MOST_FAULTS: Final = 1000
"""So many faults are told; of the others their number."""


class ChangedMeanwhileError(TemporaryError):
    """The register was changed while an import went on, so that something in the file may be no longer."""


@dataclass(frozen=True, slots=True, order=True)
class Told:
    """What is wrong in which line of which file; line 0 is the file as a whole."""

    source: str
    line: int
    words: str


@dataclass(slots=True)
class Faults:
    """What is wrong with an import; ``total`` counts also what is not told."""

    told: list[Told] = field(default_factory=list)
    total: int = 0

    def add(self, source: str, line: int, words: str) -> None:
        """Take one more."""
        self.total += 1
        if len(self.told) < MOST_FAULTS:
            self.told.append(Told(source, line, words))

    def __bool__(self) -> bool:
        return self.total > 0


@dataclass(slots=True)
class Counts:
    """How many records of a kind are new, changed, or as the register has them."""

    new: int = 0
    changed: int = 0
    same: int = 0

    @property
    def facts(self) -> dict[str, int]:
        """As the history writes it."""
        return asdict(self)


@dataclass(slots=True)
class Import:
    """One import: read it with :meth:`read`, look with :meth:`examine`, write with :meth:`carry_out`."""

    journal: Journal
    staging: Staging
    faults: Faults = field(default_factory=Faults)
    counts: dict[Kind, Counts] = field(default_factory=dict)
    _sources: dict[Kind, str] = field(default_factory=dict)

    def read(self, records: Iterable[Record | BadFile], mark: Callable[[str], str] | None) -> None:
        """Take in every record that is right by itself.

        Args:
            records: from ``files``
            mark: what turns an INSS into its mark; without it a record must name none
        """
        for record in records:
            if isinstance(record, BadFile):
                self.faults.add(record.source, record.line, record.words)
                continue
            self._sources[record.kind] = record.source
            facts, words = read_record(record.kind, record.values)
            words += _hide_inss(facts, mark) if record.kind is Kind.PERSONS else []
            for each in words:
                self.faults.add(record.source, record.line, each)
            if not words:
                other = self.staging.add(record.kind, record.line, facts)
                if other is not None:
                    self.faults.add(record.source, record.line, f"says the same again as line {other}")

    def examine(self) -> None:
        """Hold every record against the rules, the register and the others, and count what would change."""
        with self.journal.read() as connection:
            place = Place(connection, self.staging)
            for kind in Kind:
                counts = self.counts.setdefault(kind, Counts())
                for batch in self.staging.batches(kind):
                    found = examine(place, kind, batch)
                    for line, words in found.faults:
                        self.faults.add(self._sources[kind], line, words)
                    new = sum(change.before is None for change in found.changes)
                    counts.new += new
                    counts.changed += len(found.changes) - new
                    counts.same += len(batch) - len(found.changes)
                    self.staging.mark(kind, _changing(batch, found.changes))
        self.faults.told.sort()

    @property
    def changes_something(self) -> bool:
        """Whether the register would be another afterwards."""
        return any(counts.new or counts.changed for counts in self.counts.values())

    def differences(self) -> Iterator[Change]:
        """What would change, kind by kind."""
        with self.journal.read() as connection:
            place = Place(connection, self.staging)
            for kind in Kind:
                for batch in self.staging.changing(kind):
                    yield from examine(place, kind, batch).changes

    def carry_out(self, actor: Actor, reason: str, source: str) -> None:
        """Write what changes, and that it was imported.

        Raises:
            ChangedMeanwhileError: something that was right isn't any more; what is written by then stays.
            TypeError: there are faults.
        """
        if self.faults:
            raise TypeError("an import with faults is not carried out")
        if not self.changes_something:
            return
        author = Author(actor, reason, now())
        for kind in Kind:
            for batch in self.staging.changing(kind):
                with self.journal.write() as connection:
                    found = examine(Place(connection, self.staging), kind, batch)
                    if found.faults:
                        raise ChangedMeanwhileError("the register was changed meanwhile: import the file again")
                    write(connection, kind, found.changes, author)
        told = {kind.value: counts.facts for kind, counts in self.counts.items() if counts.new or counts.changed}
        with self.journal.write() as connection:
            history.record(connection, actor, "register.imported", f"import:{source}"[:80], reason, None, told)


def _changing(batch: Iterable[Staged], changes: Iterable[Change]) -> list[Staged]:
    keys = {change.key for change in changes}
    return [record for record in batch if record.key in keys]


def _hide_inss(facts: Facts, mark: Callable[[str], str] | None) -> list[str]:
    """Put the mark in the place of an INSS; where none is said, what is known of it stays."""
    said: Any = facts.pop("inss", "")
    if not said:
        return []
    number = inss.normal(said)
    if number is None or mark is None:
        return ["inss: is no INSS" if mark is not None else "inss: cannot be kept here"]
    facts["inss"] = mark(number)
    return []
