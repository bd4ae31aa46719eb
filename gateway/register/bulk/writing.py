"""How do changed records get into the register, many at a time?

Each change is also a line of the history, as a single act would write it: who, when, why, what it was and what it is.
Whether it may be was asked before.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.register import channels, inss
from gateway.register.actor import Actor, label
from gateway.register.bulk import stored
from gateway.register.bulk.kinds import LAYOUTS, Facts, Kind
from gateway.register.rights import OF_ENTERPRISE, Role
from gateway.register.standing import ACTIVE
from spool.register_tables import (
    enterprises,
    mandates,
    persons,
    qualities,
    register_changes,
    roles,
    routing_choices,
    sender_channels,
)
from spool.tables import senders

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """A record that is not as the register has it; ``before`` is None of a new one, ``after`` is all of it."""

    kind: Kind
    line: int
    key: str
    before: Facts | None
    after: Facts
    number: int | None = None

    @property
    def shown(self) -> tuple[Facts | None, Facts]:
        """What differs, before and after; of an INSS only that there is one."""
        names = [name for name in self.after if self.before is None or self.before[name] != self.after[name]]
        before = None if self.before is None else {name: self.before[name] for name in names}
        return before and _veiled(before), _veiled({name: self.after[name] for name in names})


@dataclass(frozen=True, slots=True)
class Author:
    """Who imports, why and when (microseconds)."""

    actor: Actor
    reason: str
    at: int

    @property
    def given_by(self) -> str:
        """As the register calls him."""
        return label(self.actor)[:80]


def write(connection: Connection, kind: Kind, changes: Sequence[Change], author: Author) -> None:
    """Carry out changes of one kind, and write them into the history."""
    numbers = _Numbers(connection, kind, changes)
    fresh = [change for change in changes if change.before is None or _is_renewed(change)]
    renewed = [change for change in fresh if change.before is not None]
    if kind is Kind.ROLES and renewed:
        over = [{"this": change.number, "ended_at": author.at} for change in renewed]
        connection.execute(_updating(roles, roles.c.number, ("ended_at",)), over)
    given = _insert(connection, kind, [_ROWS[kind](change.after, numbers, author) for change in fresh])
    changed = [change for change in changes if change.before is not None and not _is_renewed(change)]
    _update(connection, kind, changed, numbers, author)
    if kind is Kind.SENDERS:
        _name_senders(connection, changes, numbers)
    if kind is Kind.CHANNELS:
        _permit(connection, fresh)
    subjects = {change.key: number for change, number in zip(fresh, given, strict=True)}
    _record(connection, changes, subjects, author)


def _is_renewed(change: Change) -> bool:
    """Whether another row takes the place of the one before, which is the history of who was what."""
    if change.before is None:
        return False
    if change.kind is Kind.ROLES:
        return bool(change.before["role"] != change.after["role"])
    return change.kind is Kind.CHOICES and any(
        change.before[name] != change.after[name] for name in ("recipient", "channel")
    )


class _Numbers:
    """The numbers of the qualities that changes speak of."""

    def __init__(self, connection: Connection, kind: Kind, changes: Iterable[Change]) -> None:
        columns = _QUALITY_COLUMNS.get(kind, ())
        named = {change.after[column] for change in changes for column in columns}
        self._known = stored.numbers_of(connection, {name for name in named if name is not None and "/" in name})

    def __getitem__(self, reference: str) -> int:
        return self._known[reference]


def _insert(connection: Connection, kind: Kind, rows: Sequence[Row]) -> Sequence[object]:
    """Write new rows; answers the number or name of each, which the history calls it by."""
    if not rows:
        return []
    table, key = _TABLES[kind]
    if key is None:
        connection.execute(sa.insert(table), rows)
        return [next(iter(row.values())) for row in rows]
    query = sa.insert(table).returning(key, sort_by_parameter_order=True)
    return list(connection.execute(query, rows).scalars())


def _update(connection: Connection, kind: Kind, changes: Sequence[Change], numbers: _Numbers, author: Author) -> None:
    if not changes:
        return
    table, key = _TABLES[kind]
    by: sa.Column[Any] = next(iter(table.primary_key)) if key is None else key
    rows = []
    for change in changes:
        row = _ROWS[kind](change.after, numbers, author)
        this = change.key if key is None else change.number
        rows.append({"this": this} | {name: row[name] for name in _CHANGEABLE[kind]})
    connection.execute(_updating(table, by, _CHANGEABLE[kind]), rows)


def _updating(table: sa.Table, by: sa.Column[Any], names: Iterable[str]) -> sa.Update:
    return sa.update(table).where(by == sa.bindparam("this")).values({name: sa.bindparam(name) for name in names})


def _record(connection: Connection, changes: Sequence[Change], subjects: Mapping[str, object], author: Author) -> None:
    rows = []
    for change in changes:
        before, after = change.shown
        of = subjects.get(change.key, change.key if change.number is None else change.number)
        if change.kind in {Kind.ROLES, Kind.CHANNELS}:
            of = change.after["username" if change.kind is Kind.ROLES else "sender"]
        rows.append(
            {
                "at": author.at,
                "actor": author.given_by,
                "act": f"{_CALLED[change.kind]}.imported",
                "subject": f"{_SUBJECTS[change.kind]}:{of}",
                "reason": inss.veiled(author.reason)[:500],
                "before": before,
                "after": after,
            }
        )
    if rows:
        connection.execute(sa.insert(register_changes), rows)


def _name_senders(connection: Connection, changes: Iterable[Change], numbers: _Numbers) -> None:
    """Let technical users of a quality and of the sender that is its from now on be the same."""
    for change in changes:
        quality = change.after["quality"]
        if quality is not None and (change.before is None or change.before["quality"] is None):
            channels.take_over(connection, change.after["number"], numbers[quality])


def _permit(connection: Connection, fresh: Iterable[Change]) -> None:
    """Let senders into the environments where they have a channel."""
    wanted: dict[str, set[str]] = {}
    for change in fresh:
        wanted.setdefault(change.after["sender"], set()).add(change.after["environment"])
    known = sa.select(senders.c.number, senders.c.environments).where(senders.c.number.in_(wanted))
    rows = [
        {"this": number, "environments": "".join(letter for letter in "RTS" if letter in {*has, *wanted[number]})}
        for number, has in connection.execute(known)
    ]
    if rows:
        connection.execute(_updating(senders, senders.c.number, ("environments",)), rows)


def _veiled(facts: Facts) -> Facts:
    shown = {name: value for name, value in facts.items() if name != "inss"}
    return shown | ({"has_inss": facts["inss"] is not None} if "inss" in facts else {})


# --- rows


def _enterprise(facts: Facts, _numbers: _Numbers, author: Author) -> Row:
    return {"number": facts["number"], "name": facts["name"], "state": ACTIVE, "created_at": author.at}


def _quality(facts: Facts, _numbers: _Numbers, author: Author) -> Row:
    enterprise, kind, registration = facts["quality"].split("/")
    row = {"enterprise": enterprise, "kind": kind, "registration": registration}
    return row | {"state": facts["state"], "created_at": author.at}


def _person(facts: Facts, _numbers: _Numbers, author: Author) -> Row:
    row = {name: facts[name] for name in LAYOUTS[Kind.PERSONS].names if name != "inss"}
    return row | {"emails": list(facts["emails"]), "inss_mark": facts["inss"], "created_at": author.at}


def _role(facts: Facts, numbers: _Numbers, author: Author) -> Row:
    place = facts["place"]
    of = {"enterprise": place[:10], "quality": None if Role(facts["role"]) in OF_ENTERPRISE else numbers[place]}
    given = {"applications": list(facts["applications"]), "given_by": author.given_by, "given_at": author.at}
    return {"username": facts["username"], "role": facts["role"]} | of | given


def _sender(facts: Facts, numbers: _Numbers, author: Author) -> Row:
    row = {name: facts[name] for name in ("number", "any_employer", "signature", "language", "state")}
    lists = {name: list(facts[name]) for name in ("purposes", "formats", "leniencies")}
    quality = None if facts["quality"] is None else numbers[facts["quality"]]
    return row | lists | {"quality": quality, "environments": "", "created_at": author.at}


def _channel(facts: Facts, _numbers: _Numbers, _author: Author) -> Row:
    return {name: facts[name] for name in LAYOUTS[Kind.CHANNELS].names}


def _mandate(facts: Facts, numbers: _Numbers, author: Author) -> Row:
    of = {"employer": numbers[facts["employer"]], "provider": numbers[facts["provider"]], "kind": facts["means"]}
    period = {"valid_from": facts["valid_from"], "valid_to": facts["valid_to"]}
    return of | period | {"given_by": author.given_by, "created_at": author.at}


def _choice(facts: Facts, numbers: _Numbers, author: Author) -> Row:
    of = {"employer": numbers[facts["employer"]], "recipient": numbers[facts["recipient"]]}
    what = {name: facts[name] for name in ("purpose", "environment", "channel", "valid_from", "valid_to")}
    return of | what | {"given_by": author.given_by, "created_at": author.at}


_ROWS: Final[Mapping[Kind, Callable[[Facts, _Numbers, Author], Row]]] = {
    Kind.ENTERPRISES: _enterprise,
    Kind.QUALITIES: _quality,
    Kind.PERSONS: _person,
    Kind.ROLES: _role,
    Kind.SENDERS: _sender,
    Kind.CHANNELS: _channel,
    Kind.MANDATES: _mandate,
    Kind.CHOICES: _choice,
}
_TABLES: Final[Mapping[Kind, tuple[sa.Table, sa.Column[Any] | None]]] = {
    Kind.ENTERPRISES: (enterprises, None),
    Kind.QUALITIES: (qualities, qualities.c.number),
    Kind.PERSONS: (persons, None),
    Kind.ROLES: (roles, roles.c.number),
    Kind.SENDERS: (senders, None),
    Kind.CHANNELS: (sender_channels, sender_channels.c.number),
    Kind.MANDATES: (mandates, mandates.c.number),
    Kind.CHOICES: (routing_choices, routing_choices.c.number),
}
_CHANGEABLE: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.ENTERPRISES: ("name",),
    Kind.QUALITIES: ("state",),
    Kind.PERSONS: ("last_name", "first_name", "title", "language", "emails", "inss_mark", "state"),
    Kind.ROLES: ("applications", "given_by"),
    Kind.SENDERS: ("quality", "any_employer", "signature", "purposes", "formats", "leniencies", "language", "state"),
    Kind.CHANNELS: ("valid_to",),
    Kind.MANDATES: ("valid_to",),
    Kind.CHOICES: ("valid_to",),
}
"""What of a row may change."""

_QUALITY_COLUMNS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.ROLES: ("place",),
    Kind.SENDERS: ("quality",),
    Kind.MANDATES: ("employer", "provider"),
    Kind.CHOICES: ("employer", "recipient"),
}
_CALLED: Final[Mapping[Kind, str]] = {
    Kind.ENTERPRISES: "enterprise",
    Kind.QUALITIES: "quality",
    Kind.PERSONS: "person",
    Kind.ROLES: "role",
    Kind.SENDERS: "sender",
    Kind.CHANNELS: "channel",
    Kind.MANDATES: "mandate",
    Kind.CHOICES: "routing",
}
_SUBJECTS: Final = {**_CALLED, Kind.ROLES: "person", Kind.CHANNELS: "sender"}
