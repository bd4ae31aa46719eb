"""What must hold between the records of one owner, and between a record and those that it speaks of?  Pure.

The same rules as those of single acts, held against what the register would be afterwards.  What would take others
along with it is no record's to say: an account that is lost, a quality that is closed.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from gateway.openings import Channel
from gateway.register.bulk.kinds import Facts, Kind, quality_kind
from gateway.register.enterprises import EMPLOYERS, State
from gateway.register.mandates import HOLDERS, Means, is_empty, overlap
from gateway.register.persons import DELETED, LOST, Candidate, faults_of
from gateway.register.rights import OF_ENTERPRISE, Role, within
from gateway.registrations import Period


@dataclass(frozen=True, slots=True)
class Member:
    """A record as it would be: ``line`` of the file that says so, None where it only stands in the register."""

    line: int | None
    key: str
    facts: Facts
    before: Facts | None = None


class Fault(NamedTuple):
    """What is wrong, and in which line of its file."""

    line: int
    words: str


class Reference(NamedTuple):
    """A record that another speaks of."""

    kind: Kind
    key: str


def references(kind: Kind, facts: Mapping[str, Any]) -> Iterator[Reference]:
    """The records that have to be there for this one."""
    if kind is Kind.QUALITIES:
        yield Reference(Kind.ENTERPRISES, facts["quality"][:10])
    for column, of in _REFERENCES.get(kind, ()):
        value = facts[column]
        if value is not None:
            yield Reference(Kind.QUALITIES if "/" in value else of, value)


def reference_faults(
    kind: Kind, facts: Mapping[str, Any], known: Mapping[Reference, Mapping[str, Any]]
) -> Iterator[str]:
    """What is wrong with the records that this one speaks of, ``known`` being those that there are."""
    for of in references(kind, facts):
        if of not in known:
            yield f"there is no {_CALLED[of.kind]} {of.key}"
        elif of.kind is Kind.QUALITIES and known[of]["state"] == State.CLOSED and kind is not Kind.SENDERS:
            yield f"quality {of.key} is closed"
    if kind is Kind.ROLES:
        person = known.get(Reference(Kind.PERSONS, facts["username"]))
        if person is not None and person["enterprise"] != facts["place"][:10]:
            yield f"{facts['username']} is a person of another enterprise"


def own_faults(kind: Kind, member: Member) -> Iterator[str]:
    """What is wrong with a whole record, and with what it was before becoming that."""
    facts, before = member.facts, member.before
    if "valid_to" in facts:
        if is_empty(period(facts)) and (before is None or before["valid_to"] != facts["valid_to"]):
            yield "it ends before it begins"
        if before is not None and _is_put_off(before["valid_to"], facts["valid_to"]):
            yield "an end is not put off: begin a new one"
    judge = _OWN.get(kind)
    if judge is not None:
        yield from judge(facts, before)


def faults_between(kind: Kind, members: Iterable[Member]) -> Iterator[Fault]:
    """What is wrong between the records of one owner, all of them given."""
    judge = _BETWEEN.get(kind)
    if judge is not None:
        yield from judge(list(members))


def period(facts: Mapping[str, Any]) -> Period:
    """When a record counts."""
    return Period(facts["valid_from"], facts["valid_to"])


def _is_put_off(before: int | None, after: int | None) -> bool:
    return before is not None and (after is None or after > before)


# --- of one record


def _person(facts: Facts, before: Facts | None) -> Iterator[str]:
    names = ("username", "last_name", "first_name", "title", "language")
    yield from faults_of(Candidate(**{name: facts[name] for name in names}, emails=tuple(facts["emails"])))
    if before is not None and before["state"] == DELETED:
        yield "this user name was somebody's, and is never given again"
    elif before is not None and before["enterprise"] != facts["enterprise"]:
        yield "a person stays with the enterprise"
    elif before is not None and before["state"] != facts["state"] == LOST:
        yield "a loss has consequences: report it by itself"


def _role(facts: Facts, _before: Facts | None) -> Iterator[str]:
    if (Role(facts["role"]) in OF_ENTERPRISE) is ("/" in facts["place"]):
        yield f"a {facts['role']} is named for {'an enterprise' if '/' in facts['place'] else 'a quality'}"
    if Role(facts["role"]) in OF_ENTERPRISE and facts["applications"]:
        yield "an RAE and a Co-RAE have no applications"


def _sender(facts: Facts, before: Facts | None) -> Iterator[str]:
    if before is not None and before["quality"] not in {None, facts["quality"]}:
        yield "a sender stays with its quality"


def _quality(facts: Facts, before: Facts | None) -> Iterator[str]:
    if before is not None and before["state"] != facts["state"] == State.ANNOUNCED:
        yield "a quality that was activated is not announced again"
    if before is not None and before["state"] != facts["state"] == State.CLOSED:
        yield "to close a quality has consequences: close it by itself"


def _mandate(facts: Facts, _before: Facts | None) -> Iterator[str]:
    if quality_kind(facts["employer"]) not in EMPLOYERS:
        yield "only an employer gives a mandate"
    if quality_kind(facts["provider"]) not in HOLDERS[Means(facts["means"])]:
        yield f"{facts['provider']} is of a kind that has no mandate by {facts['means']}"


def _choice(facts: Facts, _before: Facts | None) -> Iterator[str]:
    if quality_kind(facts["employer"]) not in EMPLOYERS:
        yield "only for an employer it is chosen where messages go"


# --- between records


def _one_each(members: list[Member]) -> Iterator[Fault]:
    """One RAE in an enterprise, one GL in a quality; nobody without them there, nor with a wider access than the GL."""
    anywhere = min((member.line for member in members if member.line is not None), default=None)
    if anywhere is None:
        return
    for role in (Role.RAE, Role.GL):
        holders = [member for member in members if member.facts["role"] == role]
        for member in holders:
            if len(holders) > 1 and member.line is not None:
                yield Fault(member.line, f"{member.facts['place']} has another {role}")
    heads = {member.facts["role"]: frozenset(member.facts["applications"]) for member in members}
    for member in members:
        line = anywhere if member.line is None else member.line
        yield from (Fault(line, words) for words in _under(member.facts, heads))


def _under(facts: Facts, heads: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """What a role lacks of those above it; ``heads`` are the accesses of the roles in its place."""
    if facts["role"] == Role.CO_RAE and Role.RAE not in heads:
        yield f"enterprise {facts['place']} would have no RAE"
    elif facts["role"] in {Role.USER, Role.CO_GL} and Role.GL not in heads:
        yield f"quality {facts['place']} would have no GL"
    elif facts["role"] in {Role.USER, Role.CO_GL} and not within(frozenset(facts["applications"]), heads[Role.GL]):
        yield f"the access of {facts['username']} would be wider than that of the quality's GL"


def _apart(columns: tuple[str, ...], words: str) -> Callable[[list[Member]], Iterator[Fault]]:
    """Of those that have the same in ``columns`` no two at a time."""

    def judge(members: list[Member]) -> Iterator[Fault]:
        groups: dict[tuple[Any, ...], list[Member]] = defaultdict(list)
        for member in members:
            groups[tuple(member.facts[name] for name in columns)].append(member)
        for group in groups.values():
            group.sort(key=lambda member: member.facts["valid_from"] or 0)
            longest: Member | None = None
            for member in (each for each in group if not is_empty(period(each.facts))):
                if longest is not None and overlap(period(longest.facts), period(member.facts)):
                    line = longest.line if member.line is None else member.line
                    if line is not None:
                        yield Fault(line, words)
                if longest is None or _is_put_off(longest.facts["valid_to"], member.facts["valid_to"]):
                    longest = member

    return judge


def choice_fault(facts: Mapping[str, Any], mandates: Iterable[Facts], openings: Iterable[Facts]) -> str | None:
    """Why a choice cannot be made, or None.

    Args:
        facts: the choice
        mandates: those that its employer has given
        openings: those of the senders that send as its recipient
    """
    at, recipient = facts["valid_from"], facts["recipient"]
    if recipient != facts["employer"] and not any(
        mandate["provider"] == recipient and at in period(mandate) for mandate in mandates
    ):
        return f"{recipient} has no mandate of the employer then"
    by = (facts["channel"], facts["environment"])
    if facts["channel"] != Channel.EBOX and not any(
        (opening["channel"], opening["environment"]) == by and at in period(opening) for opening in openings
    ):
        return f"{recipient} has no channel {facts['channel']} open there then"
    return None


_CALLED: Final = {
    Kind.ENTERPRISES: "enterprise",
    Kind.QUALITIES: "quality",
    Kind.PERSONS: "person",
    Kind.SENDERS: "sender",
}
_REFERENCES: Final[Mapping[Kind, tuple[tuple[str, Kind], ...]]] = {
    Kind.PERSONS: (("enterprise", Kind.ENTERPRISES),),
    Kind.ROLES: (("username", Kind.PERSONS), ("place", Kind.ENTERPRISES)),
    Kind.SENDERS: (("quality", Kind.QUALITIES),),
    Kind.CHANNELS: (("sender", Kind.SENDERS),),
    Kind.MANDATES: (("employer", Kind.QUALITIES), ("provider", Kind.QUALITIES)),
    Kind.CHOICES: (("employer", Kind.QUALITIES), ("recipient", Kind.QUALITIES)),
}
_OWN: Final[Mapping[Kind, Callable[[Facts, Facts | None], Iterator[str]]]] = {
    Kind.QUALITIES: _quality,
    Kind.PERSONS: _person,
    Kind.ROLES: _role,
    Kind.SENDERS: _sender,
    Kind.MANDATES: _mandate,
    Kind.CHOICES: _choice,
}
_BETWEEN: Final[Mapping[Kind, Callable[[list[Member]], Iterator[Fault]]]] = {
    Kind.ROLES: _one_each,
    Kind.CHANNELS: _apart(("channel", "environment"), "the channel is open there for a part of that time already"),
    Kind.MANDATES: _apart(("means",), "the employer has another mandate by these means for a part of that time"),
}
