"""Technical users in a real journal: what a door is told of them, and what every change leaves behind."""

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from channels.ports import Account, Authentication
from gateway import accounts, parties
from gateway.accounts import UnknownKeyError, UnknownUserError
from gateway.parties import UnknownSenderError
from gateway.registrations import Period
from spool.journal import Journal, now
from spool.tables import events
from tests.adapters.gatehouse import add_sender
from tests.adapters.sftp_door import SENDER

pytestmark = pytest.mark.every_database

# Three keys of nobody; only what they are called differs.
LINES = tuple(f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{letter * 43}" for letter in "ABC")
USER = "payroll01"


@pytest.fixture
def users(journal: Journal) -> Journal:
    """A journal with one sender and one user without anything."""
    add_sender(journal)
    with journal.write() as connection:
        parties.add_user(connection, SENDER, USER, ())
    return journal


def noted(connection: Connection) -> list[str]:
    """The names of the events since the user was there."""
    query = sa.select(events.c.name).where(events.c.name != "sender.added").order_by(events.c.number)
    return list(connection.execute(query).scalars())


def test_a_new_user_logs_in_by_key_from_anywhere(users: Journal) -> None:
    """As every user did before there was a choice; who is not there is not there."""
    with users.read() as connection:
        found = accounts.standing(connection, [USER, "nobody01"], at=0)
    assert {USER: Account(USER, SENDER, (), Authentication.KEY, (), frozenset())} == found


@pytest.mark.parametrize(("at", "taken"), [(4, 0), (5, 1), (6, 2), (7, 3), (8, 2), (9, 1), (10, 0)])
def test_keys_are_taken_in_their_time(users: Journal, at: int, taken: int) -> None:
    """From the first moment on, and before the last; they may overlap."""
    with users.write() as connection:
        for line, period in zip(LINES, (Period(5, 8), Period(6, 9), Period(7, 10)), strict=True):
            accounts.add_key(connection, USER, line, period)
        assert taken == len(accounts.standing(connection, [USER], at)[USER].keys)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_of_several_users_each_has_its_own_keys(users: Journal, count: int) -> None:
    """However many are asked for, at a moment as the clock has it."""
    names = [f"payroll{number:02}" for number in range(1, count + 1)]
    with users.write() as connection:
        for name in names[1:]:
            parties.add_user(connection, SENDER, name, ())
        for name, line in zip(names, LINES, strict=False):
            accounts.add_key(connection, name, line, Period(0, 2 * now()))
        found = accounts.standing(connection, {*names, "nobody01"}, now())

    assert {name: [line] for name, line in zip(names, LINES, strict=False)} == {
        name: list(account.keys) for name, account in found.items() if account.keys
    }
    assert {*names} == {*found}


def test_nobody_stands_when_nobody_is_asked_for(users: Journal) -> None:
    """An empty list is no fault."""
    with users.read() as connection:
        assert accounts.standing(connection, (), now()) == {}


def test_a_key_that_is_added_again_gets_other_dates(users: Journal) -> None:
    """It stays one key; it is ended by what its fingerprint begins with, with or without the name of the hash."""
    with users.write() as connection:
        first = accounts.add_key(connection, USER, LINES[0])
        assert first == accounts.add_key(connection, USER, LINES[0], Period(5, 8))
        assert [Period(5, 8)] == [key.period for key in accounts.keys_of(connection, USER)]
        other = accounts.add_key(connection, USER, LINES[1])
        assert first == accounts.end_key(connection, USER, first.removeprefix("SHA256:")[:8], 6)
        assert other == accounts.end_key(connection, USER, other[:15], 7)
        assert {first: 6, other: 7} == {key.fingerprint: key.period.end for key in accounts.keys_of(connection, USER)}
        for prefix in ("SHA256:", "", "nothing"):
            with pytest.raises(UnknownKeyError):
                accounts.end_key(connection, USER, prefix, 6)


def test_the_last_password_counts(users: Journal) -> None:
    """The latest come first; one that was given has to be changed in time, one that was chosen need not."""
    with users.write() as connection:
        assert accounts.current_password(connection, USER) is None
        assert not accounts.expire_password(connection, USER)
        accounts.give_password(connection, USER, "first", usable_until=5)
        given = accounts.current_password(connection, USER)
        accounts.change_password(connection, USER, "second")
        chosen = accounts.current_password(connection, USER)
        assert accounts.expire_password(connection, USER)
        expired = accounts.current_password(connection, USER)
        assert ["second", "first"] == [item.hash for item in accounts.latest_passwords(connection, USER, 5)]
    assert given is not None
    assert chosen is not None
    assert expired is not None
    assert [(True, 5), (False, None), (True, None)] == [
        (item.must_change, item.usable_until) for item in (given, chosen, expired)
    ]


def test_every_change_leaves_an_event_and_nothing_secret_in_it(users: Journal) -> None:
    """Who, what, when; of a password only that there is one."""
    with users.write() as connection:
        fingerprint = accounts.add_key(connection, USER, LINES[0])
        accounts.end_key(connection, USER, fingerprint, 6)
        accounts.set_authentication(connection, USER, Authentication.BOTH)
        accounts.give_password(connection, USER, "kept-of-it", usable_until=5)
        accounts.change_password(connection, USER, "kept-of-it")
        accounts.expire_password(connection, USER)
        accounts.set_active(connection, USER, active=False)
        accounts.set_active(connection, USER, active=True)
        accounts.set_sources(connection, SENDER, ["192.0.2.0/24"])
        accounts.set_login_leniencies(connection, SENDER, ["ssh-rsa"])
        assert [
            "user.key_added",
            "user.key_ended",
            "user.authentication_changed",
            "user.password_given",
            "user.password_changed",
            "user.password_expired",
            "user.blocked",
            "user.unblocked",
            "sender.sources_changed",
            "sender.login_leniencies_changed",
        ] == noted(connection)
        facts = str(list(connection.execute(sa.select(events.c.facts)).scalars()))
        assert "kept-of-it" not in facts
        found = accounts.standing(connection, [USER], 0)[USER]
    assert (("192.0.2.0/24",), frozenset({"ssh-rsa"})) == (found.sources, found.login_leniencies)


def test_who_is_not_there_cannot_be_changed(users: Journal) -> None:
    """Neither users nor senders; nothing is left of the try."""
    with users.write() as connection:
        for change in (
            lambda: accounts.set_active(connection, "nobody01", active=False),
            lambda: accounts.set_authentication(connection, "nobody01", Authentication.BOTH),
            lambda: accounts.add_key(connection, "nobody01", LINES[0]),
            lambda: accounts.give_password(connection, "nobody01", "kept", 5),
            lambda: accounts.expire_password(connection, "nobody01"),
        ):
            with pytest.raises(UnknownUserError):
                change()
        with pytest.raises(UnknownSenderError):
            accounts.set_sources(connection, "654321", [])
        assert [] == noted(connection)


def test_operators_see_users_with_everything_they_have(users: Journal) -> None:
    """Those of one sender if they ask for it."""
    add_sender(users, "654321")
    with users.write() as connection:
        parties.add_user(connection, "654321", "neighbour01", ())
        accounts.add_key(connection, USER, LINES[0])
        accounts.give_password(connection, USER, "kept", usable_until=5)
        accounts.set_active(connection, USER, active=False)
        every = list(accounts.users(connection))
        [mine] = accounts.users(connection, SENDER)
    assert ["neighbour01", USER] == [item.username for item in every]
    assert (USER, SENDER, False, 1, True) == (
        mine.username,
        mine.sender,
        mine.active,
        len(mine.keys),
        mine.must_change,
    )
