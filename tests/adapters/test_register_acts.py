"""Every act of the register, by everybody: the table of rights cell by cell, on a real journal."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.openings import Channel, Opening
from gateway.register import (
    channels,
    choices,
    enterprises,
    mandates,
    persons,
    roles,
    search,
    standing,
    technical,
    withdrawal,
)
from gateway.register.actor import Actor, Operator, Person, Refusal, Why
from gateway.register.choices import Route
from gateway.register.enterprises import Kind
from gateway.register.passwords import FirstPassword
from gateway.register.persons import Edits
from gateway.register.rights import Act
from gateway.register.search import Criteria
from gateway.registrations import ALWAYS, Period
from spool.journal import Journal, now, open_journal
from spool.register_tables import register_changes
from spool.register_tables import roles as roles_table
from tests.enterprises_made import ENTERPRISES, HELPDESK, Staff, candidate, granted, staffed, undone
from tests.rights_table import COLUMNS, TABLE

Doing = Callable[[Connection, Actor, Staff], Any]

_WHY: Final = {"reason": "because"}
_FIRST: Final = FirstPassword("not-this-one-77", "kept", 10**18)
_EDITS: Final = Edits(language="nl", emails=("annemie@example.org",))
_TECHNICAL: Final = "payroll01"
_PROVIDER: Final = 3
_OPENING: Final = Opening(Channel.SFTP, "R", ALWAYS)


def _allowed(act: Act) -> Doing:
    """What other parts of the register ask before an act of theirs."""
    return lambda connection, actor, staff: standing.refusal(
        connection, actor, act, enterprise=staff.enterprise, quality=staff.quality
    )


def _named(doing: Doing) -> Doing:
    """Something done to a technical user, whom an operator has named."""

    def named(connection: Connection, actor: Actor, staff: Staff) -> Any:
        granted(technical.name(connection, HELPDESK, staff.quality, _TECHNICAL, **_WHY))
        return doing(connection, actor, staff)

    return named


def _over(whom: Callable[[Staff], str]) -> dict[str, Doing]:
    """What is done to the account of somebody."""
    return {
        "block": lambda c, actor, staff: withdrawal.block(c, actor, whom(staff), **_WHY),
        "unblock": lambda c, actor, staff: withdrawal.unblock(c, actor, whom(staff), **_WHY),
        "delete": lambda c, actor, staff: withdrawal.delete(c, actor, whom(staff), **_WHY),
        "password": lambda c, actor, staff: persons.give_password(c, actor, whom(staff), _FIRST, **_WHY),
    }


def _own(doing: Callable[[Connection, Actor, str], Any]) -> Doing:
    """Something that the actor does to himself; an operator does it to the user."""
    return lambda c, actor, staff: doing(c, actor, actor.username if isinstance(actor, Person) else staff.user)


PRIVATE: Final[Mapping[str, Callable[[Connection, Actor, str], Any]]] = {
    "see": persons.see,
    "edit": lambda c, actor, whom: persons.edit(c, actor, whom, _EDITS, **_WHY),
    "lost": lambda c, actor, whom: withdrawal.report_lost(c, actor, whom, **_WHY),
    "password": lambda c, actor, whom: persons.change_password(c, actor, whom, "kept"),
}

ACTS: Final[Mapping[str, Mapping[str, Doing]]] = {
    "activate-quality": {
        "activate": lambda c, actor, staff: enterprises.activate_quality(
            c, actor, staff.enterprise, Kind.MANDATARY, **_WHY
        ),
    },
    "name-gl": {
        "name": lambda c, actor, staff: roles.name_gl(c, actor, staff.quality, candidate("nextone1"), **_WHY),
        "change": lambda c, actor, staff: roles.name_gl(c, actor, staff.quality, staff.gl, ("DIMN",), **_WHY),
        "block": _over(lambda staff: staff.gl)["block"],
        "unblock": _over(lambda staff: staff.gl)["unblock"],
    },
    "manage-co-raes": {
        "add": lambda c, actor, staff: roles.add_co_rae(c, actor, staff.enterprise, candidate("nextone1"), **_WHY),
        "end": lambda c, actor, staff: roles.delete_co_rae(c, actor, staff.enterprise, staff.co_rae, **_WHY),
        **_over(lambda staff: staff.co_rae),
    },
    "manage-co-gls": {
        "add": lambda c, actor, staff: roles.add_co_gl(c, actor, staff.quality, candidate("nextone1"), **_WHY),
        "end": lambda c, actor, staff: roles.delete_co_gl(c, actor, staff.quality, staff.co_gl, **_WHY),
        **_over(lambda staff: staff.co_gl),
    },
    "manage-users": {
        "register": lambda c, actor, staff: roles.add_user(
            c, actor, staff.quality, candidate("nextone1"), ("DMFA",), **_WHY
        ),
        "search": lambda c, actor, staff: search.search(c, actor, Criteria(quality=staff.quality)),
        "applications": lambda c, actor, staff: roles.set_applications(
            c, actor, staff.quality, staff.user, ("DMFA",), **_WHY
        ),
        "end": lambda c, actor, staff: roles.delete_user(c, actor, staff.quality, staff.user, **_WHY),
        **_over(lambda staff: staff.user),
    },
    "name-technical-user": {
        "name": lambda c, actor, staff: technical.name(c, actor, staff.quality, _TECHNICAL, **_WHY),
        "block": _named(lambda c, actor, _: technical.block(c, actor, _TECHNICAL, **_WHY)),
        "unblock": _named(lambda c, actor, _: technical.unblock(c, actor, _TECHNICAL, **_WHY)),
        "lost": _named(lambda c, actor, _: technical.report_lost(c, actor, _TECHNICAL, **_WHY)),
        "password": _named(lambda c, actor, _: technical.give_password(c, actor, _TECHNICAL, _FIRST, **_WHY)),
        "delete": _named(lambda c, actor, _: technical.delete(c, actor, _TECHNICAL, **_WHY)),
    },
    "change-quality": {
        "ask": _allowed(Act.CHANGE_QUALITY),
        "open": lambda c, actor, staff: channels.open_channel(c, actor, staff.quality, _OPENING, **_WHY),
        "mandate": lambda c, actor, staff: mandates.notify_mandate(c, actor, staff.quality, _PROVIDER, ALWAYS, **_WHY),
    },
    "see-enterprise": {
        "see": lambda c, actor, staff: search.see_enterprise(c, actor, staff.enterprise),
        "history": lambda c, actor, staff: search.see_changes(c, actor, staff.enterprise),
    },
    "choose-routing": {
        "ask": _allowed(Act.CHOOSE_ROUTING),
        "choose": lambda c, actor, staff: choices.choose(
            c, actor, Route(staff.quality, staff.quality, "NOTI", "R", Channel.EBOX, ALWAYS), **_WHY
        ),
    },
    "own": {name: _own(doing) for name, doing in PRIVATE.items()},
}
"""The acts of each row of the table; each may be done with the staff as it was made."""

EACH: Final = [(row, name) for row, acts in ACTS.items() for name in acts]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Journal, Staff, Staff]]:
    """A journal with two enterprises."""
    journal = open_journal(tmp_path_factory.mktemp("register") / "journal.sqlite3", create=True)
    with journal.write() as connection:
        staffs = staffed(connection), staffed(connection, 1)
        act = enterprises.activate_quality
        assert _PROVIDER == granted(act(connection, HELPDESK, ENTERPRISES[1], Kind.PROVIDER_LEGAL, **_WHY)).number
    yield journal, *staffs
    journal.close()


@pytest.fixture
def connection(made: tuple[Journal, Staff, Staff]) -> Iterator[Connection]:
    """A transaction of which nothing stays."""
    with undone(made[0]) as opened:
        yield opened


@pytest.fixture
def staff(made: tuple[Journal, Staff, Staff]) -> Staff:
    """The people of the first enterprise."""
    return made[1]


@pytest.fixture
def others(made: tuple[Journal, Staff, Staff]) -> Staff:
    """The people of the second enterprise."""
    return made[2]


def written(connection: Connection) -> tuple[int, int]:
    """How many changes are written down, and how many roles."""
    changes = connection.execute(sa.select(sa.func.count()).select_from(register_changes)).scalar_one()
    return changes, connection.execute(sa.select(sa.func.count()).select_from(roles_table)).scalar_one()


def test_there_are_acts_for_each_row() -> None:
    """No row of the table is left out."""
    assert set(TABLE) == set(ACTS)


@pytest.mark.parametrize("role", COLUMNS)
@pytest.mark.parametrize(("row", "name"), EACH)
def test_a_cell(connection: Connection, staff: Staff, row: str, name: str, role: str) -> None:
    """With a yes the act is done; without one it is refused as not allowed, and nothing is written."""
    before = None if row == "name-technical-user" else written(connection)
    result = ACTS[row][name](connection, Person(staff.by_role[role]), staff)

    assert TABLE[row][role] == (not isinstance(result, Refusal)), result
    if isinstance(result, Refusal):
        assert Why.NOT_ALLOWED is result.why
        assert before in {None, written(connection)}


@pytest.mark.parametrize(("row", "name"), EACH)
def test_a_third_party_learns_nothing(connection: Connection, staff: Staff, others: Staff, row: str, name: str) -> None:
    """Whatever role somebody has elsewhere, he is told what he would be told if there were nothing of the kind."""
    if row == "own" or name == "search":
        return
    for username in (*others.by_role.values(), "nobody01"):
        with connection.begin_nested() as step:
            result = ACTS[row][name](connection, Person(username), staff)
            step.rollback()
        assert isinstance(result, Refusal)
        assert Why.UNKNOWN is result.why
        assert result.words.startswith("there is no ")


@pytest.mark.parametrize(("row", "name"), EACH)
def test_an_operator_stands_above_the_table(connection: Connection, staff: Staff, row: str, name: str) -> None:
    """Every act is his, but for the password that a person chooses alone."""
    result = ACTS[row][name](connection, HELPDESK, staff)
    assert ((row, name) == ("own", "password")) == isinstance(result, Refusal)


@pytest.mark.parametrize(("row", "name"), EACH)
def test_who_is_blocked_does_nothing(connection: Connection, staff: Staff, row: str, name: str) -> None:
    """Not even to himself."""
    granted(withdrawal.block(connection, HELPDESK, staff.rae, **_WHY))
    result = ACTS[row][name](connection, Person(staff.rae), staff)
    assert isinstance(result, Refusal)
    assert Why.NOT_ALLOWED is result.why


@pytest.mark.parametrize("doing", PRIVATE)
def test_nobody_reaches_the_data_of_another(connection: Connection, staff: Staff, others: Staff, doing: str) -> None:
    """A user has his own alone; who is not for him to know of isn't there."""
    actor = Person(staff.user)
    assert isinstance(PRIVATE[doing](connection, actor, staff.gl), Refusal)
    for whom in (others.user, "nobody01"):
        assert Refusal(Why.UNKNOWN, f"there is no person {whom}") == PRIVATE[doing](connection, actor, whom)


def test_only_an_operator_is_asked_for_what_the_contact_centre_does(connection: Connection, staff: Staff) -> None:
    """A new RAE, an enterprise, an announcement and a closing are nobody's else."""
    for username in staff.by_role.values():
        actor = Person(username)
        results = (
            roles.name_rae(connection, actor, staff.enterprise, staff.co_rae, **_WHY),
            enterprises.register_enterprise(connection, actor, "0234567873", "Another", **_WHY),
            enterprises.announce_quality(connection, actor, staff.enterprise, Kind.HOSPITAL, **_WHY),
            withdrawal.close_quality(connection, actor, staff.quality, **_WHY),
            withdrawal.block(connection, actor, staff.rae, **_WHY),
        )
        assert {Why.NOT_ALLOWED} == {result.why for result in results if isinstance(result, Refusal)}
        assert not any(not isinstance(result, Refusal) for result in results)


def test_operators_are_known_by_their_names(connection: Connection, staff: Staff) -> None:
    """Each change says which of them it was."""
    granted(withdrawal.block(connection, Operator("jef"), staff.user, reason="a call"))
    newest = granted(search.see_changes(connection, HELPDESK, staff.enterprise))[0]
    facts = (newest.actor, newest.act, newest.subject, newest.reason, newest.before, newest.after)
    blocked = ({"state": "active"}, {"state": "blocked"})
    assert ("operator:jef", "person.blocked", f"person:{staff.user}", "a call", *blocked) == facts


def test_the_other_side_of_a_mandate_is_no_person(connection: Connection, staff: Staff, others: Staff) -> None:
    """Whoever ended it there, his name is not for here; operators are named, and one's own people."""
    given = granted(
        mandates.notify_mandate(connection, Person(staff.gl), staff.quality, _PROVIDER, Period(1, None), **_WHY)
    )
    granted(mandates.end_mandate(connection, Person(others.rae), given.number, now(), reason="no more"))
    told = {}
    for side in (staff, others):
        found = granted(search.see_changes(connection, Person(side.rae), side.enterprise))
        told[side.enterprise] = [item.actor for item in found if item.act.startswith("mandate.")]

    assert ["the other party", staff.gl] == told[staff.enterprise]
    assert [others.rae, "the other party"] == told[others.enterprise]
