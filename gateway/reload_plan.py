"""What would a reload change, and what is different already?  In words, before anybody does it.

Compared are the settings that each process told it runs with (:mod:`gateway.in_force`) and those that the file says
now, with every fault that a start would find.  Authorities, types of message and the register count as they stand on
the disk and in the journal: of them it is said what has changed since the processes last read their settings.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from config.credential import NONE_HERE
from config.errors import ConfigurationError, TemporaryError
from config.settings import Settings, read_settings
from gateway import in_force
from gateway.in_force import InForce
from gateway.reloading import Counts, Difference, differences, seen
from gateway.site import check_site
from spool.journal import open_journal
from spool.processes import Process
from spool.register_tables import register_changes


@dataclass(frozen=True, slots=True)
class OfProcess:
    """What is different for one process; None where it doesn't tell what it runs with."""

    process: Process
    told: InForce | None
    differences: tuple[Difference, ...]

    @property
    def name(self) -> str:
        """Which it is, in words."""
        roles = ", ".join(sorted(self.process.roles))
        return f"process {self.process.pid} on {self.process.host} ({roles})"

    def counting(self, when: Counts) -> tuple[Difference, ...]:
        """The settings that would count then."""
        return tuple(one for one in self.differences if one.counts is when)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is to be said.

    Args:
        faults: of what the files say; with one of the settings nothing would be taken over.
        unseen: what could not be looked at from here.
        processes: those that run.
        already: what has changed and counts without a reload.
    """

    faults: tuple[str, ...]
    unseen: tuple[str, ...] = ()
    processes: tuple[OfProcess, ...] = ()
    already: tuple[str, ...] = ()

    @property
    def needs_restart(self) -> bool:
        """Whether a reload leaves something to a restart."""
        return any(one.told is None or one.counting(Counts.RESTART) for one in self.processes)


def plan(path: Path) -> Plan:
    """What a reload of the settings at ``path`` would do."""
    try:
        settings = read_settings(path)
    except ConfigurationError as fault:
        return Plan(fault.faults)
    faults, unseen = _faults(settings, path)
    processes = tuple(_of_process(settings, *one) for one in in_force.told(settings.spool.path))
    since = min((_since(one.told) for one in processes if one.told is not None), default=None)
    already = [] if since is None else [*_entries(settings, processes), *_register(settings, since)]
    return Plan(faults, unseen, processes, tuple(dict.fromkeys(already)))


def _faults(settings: Settings, path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    found: list[str] = []
    try:
        check_site(path)
    except ConfigurationError as fault:
        found.extend(fault.faults)
    except TemporaryError as fault:
        found.append(str(fault))
    unseen = tuple(line for line in found if line.endswith(NONE_HERE))
    return tuple(line for line in found if line not in unseen), unseen


def _of_process(settings: Settings, process: Process, told: InForce | None) -> OfProcess:
    if told is None:
        return OfProcess(process, None, ())
    return OfProcess(process, told, tuple(differences(told.settings, in_force.flat(settings, told.salt))))


def _since(told: InForce) -> int:
    return max(told.began_at, told.last.at)


def _entries(settings: Settings, processes: tuple[OfProcess, ...]) -> Iterator[str]:
    there = seen(settings)
    for one in processes:
        if one.told is not None:
            for kind, word in (("authorities", "authority"), ("types", "type of message")):
                yield from changes(word, one.told.seen.get(kind, {}), there[kind])


def changes(word: str, before: Mapping[str, int], after: Mapping[str, int]) -> Iterator[str]:
    """What was added, removed and changed, each in a sentence."""
    for name in sorted({*before, *after}):
        if name not in before:
            yield f"{word} {name} was added"
        elif name not in after:
            yield f"{word} {name} was removed"
        elif before[name] != after[name]:
            yield f"{word} {name} was changed"


def _register(settings: Settings, since: int) -> Iterator[str]:
    """How often each act was done in the register, and in which state senders are."""
    try:
        with open_journal(settings.journal.place).read() as connection:
            acts = connection.execute(sa.select(register_changes.c.act).where(register_changes.c.at > since)).scalars()
            found = Counter(acts)
    except (ConfigurationError, TemporaryError):
        return  # that is a fault above
    for act, count in sorted(found.items()):
        yield f"register: {act}" + (f", {count} times" if count > 1 else "")
