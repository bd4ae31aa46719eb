"""What kinds of record are there, what does one hold, and is what it says right by itself?  Pure.

A record names things as the network does, never by the register's own numbers: a quality is
``enterprise/kind/registration``, such as ``0123456749/employer/100006``, with nothing behind the last stroke where its
kind carries no number.  A column that is left out stays as it is, and has its default in a new record.  How a column is
read, ``values`` says.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from gateway.openings import Channel
from gateway.parties import SignatureProfile
from gateway.register import enterprises
from gateway.register.bulk import values
from gateway.register.mandates import Means
from gateway.register.persons import BLOCKED, LOST
from gateway.register.rights import Role
from gateway.register.standing import ACTIVE
from schemas.filename import Environment
from schemas.wording import Language
from signing.evidence import Format
from signing.policy import Leniency

Facts = dict[str, Any]


class Kind(StrEnum):
    """A kind of record, in the order in which they are written: none speaks of a later one but by its owner."""

    ENTERPRISES = "enterprises"
    QUALITIES = "qualities"
    PERSONS = "persons"
    ROLES = "roles"
    SENDERS = "senders"
    CHANNELS = "channels"
    MANDATES = "mandates"
    CHOICES = "choices"


class _Required:
    """Stands where a column has no default."""


REQUIRED: Final = _Required()


@dataclass(frozen=True, slots=True)
class Column:
    """One value of a record: ``read`` takes what a file says, and raises ValueError with what is wrong with it."""

    name: str
    read: Callable[[Any], Any]
    default: Any = REQUIRED


@dataclass(frozen=True, slots=True)
class Layout:
    """What a record of a kind holds.

    ``key`` are the columns that it goes by, ``owner`` answers what records are examined together with it, ``other``
    a second thing that it is looked up by; ``unseen`` are columns that are read and never written.
    """

    columns: tuple[Column, ...]
    key: tuple[str, ...]
    owner: Callable[[Mapping[str, Any]], str]
    other: Callable[[Mapping[str, Any]], str] = field(default=lambda _: "")
    unseen: frozenset[str] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its columns."""
        return tuple(column.name for column in self.columns)

    def key_of(self, facts: Mapping[str, Any]) -> str:
        """What a record goes by, as one text."""
        return " ".join("" if facts[name] is None else str(facts[name]) for name in self.key)


def read_record(kind: Kind, said: Mapping[str, Any]) -> tuple[Facts, list[str]]:
    """What a record says, and everything that is wrong with what it says by itself; ``said`` as the file has it."""
    layout = LAYOUTS[kind]
    facts: Facts = {}
    names = layout.names
    # What stands there instead of a name may be anything, a person's number too.
    unknown = sum(name not in names for name in said)
    faults = [f"has {unknown} values with names that are none of {', '.join(names)}"] if unknown else []
    for column in layout.columns:
        if column.name not in said:
            if column.default is REQUIRED:
                faults.append(f"{column.name}: is missing")
            elif column.name in layout.key:
                facts[column.name] = column.default
            continue
        try:
            facts[column.name] = column.read(said[column.name])
        except ValueError as fault:
            faults.append(f"{column.name}: {fault}")
    return facts, faults


def quality_kind(reference: str) -> enterprises.Kind:
    """The kind in the reference of a quality."""
    return enterprises.Kind(reference.split("/")[1])


# --- the kinds

_ENVIRONMENT: Final = values.among(*map(str, Environment))

LAYOUTS: Final[Mapping[Kind, Layout]] = {
    Kind.ENTERPRISES: Layout(
        (Column("number", values.enterprise), Column("name", values.name)),
        ("number",),
        lambda facts: str(facts["number"]),
    ),
    Kind.QUALITIES: Layout(
        (Column("quality", values.quality), Column("state", values.one_of(enterprises.State), ACTIVE)),
        ("quality",),
        lambda facts: facts["quality"][:10],
        lambda facts: facts["quality"][11:] if not facts["quality"].endswith("/") else "",
    ),
    Kind.PERSONS: Layout(
        (
            Column("username", values.user),
            Column("enterprise", values.enterprise),
            Column("last_name", values.text),
            Column("first_name", values.text),
            Column("title", values.text, ""),
            Column("language", values.one_of(Language), Language.FR.value),
            Column("emails", values.in_order, ()),
            Column("inss", values.text, None),
            Column("state", values.among(ACTIVE, BLOCKED, LOST), ACTIVE),
        ),
        ("username",),
        lambda facts: str(facts["username"]),
        lambda facts: facts.get("inss") or "",
        unseen=frozenset({"inss"}),
    ),
    Kind.ROLES: Layout(
        (
            Column("username", values.user),
            Column("place", values.place),
            Column("role", values.one_of(Role)),
            Column("applications", values.applications, ()),
        ),
        ("place", "username"),
        lambda facts: str(facts["place"]),
        lambda facts: str(facts["username"]),
    ),
    Kind.SENDERS: Layout(
        (
            Column("number", values.sender),
            Column("quality", values.quality_or_none, None),
            Column("any_employer", values.yes_or_no, False),
            Column("signature", values.one_of(SignatureProfile), SignatureProfile.DETACHED.value),
            Column("purposes", values.purposes, ("*",)),
            Column("formats", values.words_of(Format), ()),
            Column("leniencies", values.words_of(Leniency), ()),
            Column("language", values.one_of(Language), Language.FR.value),
            Column("state", values.among(ACTIVE, BLOCKED), ACTIVE),
        ),
        ("number",),
        lambda facts: str(facts["number"]),
        lambda facts: facts.get("quality") or "",
    ),
    Kind.CHANNELS: Layout(
        (
            Column("sender", values.sender),
            Column("channel", values.one_of(Channel)),
            Column("environment", _ENVIRONMENT),
            Column("valid_from", values.moment, None),
            Column("valid_to", values.moment, None),
        ),
        ("sender", "channel", "environment", "valid_from"),
        lambda facts: str(facts["sender"]),
    ),
    Kind.MANDATES: Layout(
        (
            Column("employer", values.quality),
            Column("provider", values.quality),
            Column("means", values.one_of(Means)),
            Column("valid_from", values.beginning),
            Column("valid_to", values.moment, None),
        ),
        ("employer", "provider", "means", "valid_from"),
        lambda facts: str(facts["employer"]),
    ),
    Kind.CHOICES: Layout(
        (
            Column("employer", values.quality),
            Column("purpose", values.purpose),
            Column("environment", _ENVIRONMENT),
            Column("recipient", values.quality),
            Column("channel", values.one_of(Channel)),
            Column("valid_from", values.beginning),
            Column("valid_to", values.moment, None),
        ),
        ("employer", "purpose", "environment", "valid_from"),
        lambda facts: str(facts["employer"]),
    ),
}

DEFAULTS: Final[Mapping[Kind, Facts]] = {
    kind: {column.name: column.default for column in layout.columns if column.default is not REQUIRED}
    for kind, layout in LAYOUTS.items()
}
"""What a new record has where nothing is said."""


def moments(kind: Kind) -> Iterator[str]:
    """The columns of a kind that hold moments."""
    return (column.name for column in LAYOUTS[kind].columns if column.read in {values.moment, values.beginning})
