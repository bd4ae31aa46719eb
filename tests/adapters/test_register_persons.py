"""Persons of the register: how they are entered, found, changed, and how their passwords are judged."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from channels.ports import Answer, Attempt
from config.doors import Accounts
from config.errors import ConfigurationError
from gateway import accounts
from gateway.defender import LockRules
from gateway.openings import Channel, Opening
from gateway.passwords import Hashing, HashingLimits
from gateway.register import channels, inss, passwords, persons, roles, search, technical, withdrawal
from gateway.register.actor import Person, Refusal, Why
from gateway.register.passwords import Passwords
from gateway.register.persons import Candidate, Edits
from gateway.register.search import Criteria
from gateway.registrations import ALWAYS
from spool.journal import Journal, now
from spool.register_tables import api_tokens
from spool.register_tables import roles as roles_table
from tests.eid import national_number
from tests.enterprises_made import HELPDESK, Staff, candidate, granted, staffed

_WHY: Final = {"reason": "because"}
_INSS: Final = national_number("791103", "995")
_GOOD: Final = "Kaas-en-brood-24-smaakt"
_DAY: Final = 86_400 * 1_000_000


@pytest.fixture
def staff(journal: Journal) -> Staff:
    """One enterprise with its people, in the journal."""
    with journal.write() as connection:
        return staffed(connection)


@pytest.fixture
def hashing() -> Iterator[Hashing]:
    """Hashes that cost little."""
    made = Hashing(HashingLimits(memory_kib=8, passes=1))
    yield made
    made.close()


# --- entering


@pytest.mark.parametrize(
    "wrong",
    [
        {"username": "Short"},
        {"username": "with space"},
        {"last_name": "  "},
        {"first_name": "A" * 101},
        {"title": "x" * 21},
        {"language": "xx"},
        {"emails": ("nobody",)},
        {"emails": ("a@b.be\n",)},
        {"emails": tuple(f"a{number}@example.org" for number in range(6))},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_who_is_entered_has_to_be_described_well(journal: Journal, staff: Staff, wrong: dict[str, Any]) -> None:
    """Whatever is wrong is said at once, and nobody is entered."""
    who = replace(candidate("newcomer1"), **wrong)
    with journal.write() as connection:
        result = roles.add_user(connection, Person(staff.gl), staff.quality, who, (), **_WHY)
        assert isinstance(result, Refusal)
        assert Why.INVALID is result.why
        assert persons.find(connection, who.username) is None


def test_names_are_one_name_space(journal: Journal, staff: Staff) -> None:
    """The name of anybody who is or was is taken, whoever and wherever he is."""
    with journal.write() as connection:
        others = staffed(connection, 1)
        granted(withdrawal.delete(connection, HELPDESK, others.user, **_WHY))
        for name in (staff.user, others.gl, others.user):
            result = roles.add_user(connection, Person(staff.gl), staff.quality, candidate(name), (), **_WHY)
            assert Refusal(Why.CONFLICT, f"the user name {name} is taken") == result


def test_a_third_party_gets_no_role(journal: Journal, staff: Staff) -> None:
    """It is refused by the number of its enterprise, in the words for somebody who isn't there; operators too."""
    with journal.write() as connection:
        others = staffed(connection, 1)
        for actor in (Person(staff.rae), HELPDESK):
            for name in (others.user, "nobody01"):
                result = roles.name_gl(connection, actor, staff.quality, name, **_WHY)
                assert Refusal(Why.UNKNOWN, f"there is no person {name} in enterprise {staff.enterprise}") == result


def test_one_person_has_one_account_in_an_enterprise(journal: Journal, staff: Staff) -> None:
    """By the mark of the INSS; elsewhere the person may have another one."""
    mark = inss.mark(bytes(32), _INSS)
    with journal.write() as connection:
        others = staffed(connection, 1)
        marked = [replace(candidate(f"newcomer{number}"), inss_mark=mark) for number in (1, 2, 3)]
        granted(roles.add_user(connection, HELPDESK, staff.quality, marked[0], (), **_WHY))
        again = roles.add_user(connection, HELPDESK, staff.quality, marked[1], (), **_WHY)
        granted(roles.add_user(connection, HELPDESK, others.quality, marked[2], (), **_WHY))

    assert Refusal(Why.CONFLICT, "this person has a user name in the enterprise already") == again


def test_who_was_deleted_comes_back_by_a_role_and_without_a_password(
    journal: Journal, staff: Staff, hashing: Hashing
) -> None:
    """What there was stays: both roles stand in the register, the old one with its end."""
    checks = Passwords(journal, hashing, Accounts(), LockRules())
    with journal.write() as connection:
        first = passwords.draw(staff.user, hashing, Accounts(), now())
        granted(persons.give_password(connection, HELPDESK, staff.user, first, **_WHY))
        granted(roles.delete_user(connection, Person(staff.gl), staff.quality, staff.user, **_WHY))
        gone = persons.find(connection, staff.user)
        granted(roles.add_user(connection, Person(staff.gl), staff.quality, staff.user, (), **_WHY))
        back = persons.find(connection, staff.user)
        ends = sa.select(roles_table.c.ended_at).where(roles_table.c.username == staff.user)
        ended = [at is not None for at in connection.execute(ends.order_by(roles_table.c.number)).scalars()]

    assert gone is not None
    assert back is not None
    assert ["deleted", "active"] == [gone.state, back.state]
    assert [True, False] == ended
    assert Answer.WRONG is checks.check(Attempt(staff.user, "192.0.2.1", first.word)).answer


def test_the_database_itself_knows_of_one_rae_and_one_gl(journal: Journal, staff: Staff) -> None:
    """Whatever is written past the acts."""
    for role, quality in (("rae", None), ("gl", staff.quality)):
        values = {"username": staff.user, "role": role, "enterprise": staff.enterprise, "quality": quality}
        with journal.write() as connection, pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
            given = {"applications": [], "given_by": "nobody", "given_at": 0}
            connection.execute(sa.insert(roles_table).values(**values, **given))


# --- changing


def test_a_new_rae_takes_the_place_of_the_old(journal: Journal, staff: Staff) -> None:
    """Who was Co-RAE is it no longer, and whoever has no other role has no account."""
    with journal.write() as connection:
        granted(roles.name_rae(connection, HELPDESK, staff.enterprise, staff.co_rae, **_WHY))
        details = granted(search.see_enterprise(connection, Person(staff.co_rae), staff.enterprise))
        gone = persons.find(connection, staff.rae)

    assert [staff.co_rae] == [item.username for item in details.roles if item.quality is None]
    assert gone is not None
    assert "deleted" == gone.state


def test_a_narrower_gl_makes_all_narrower(journal: Journal, staff: Staff) -> None:
    """Each loses what is beyond, and the history says so of each; a wider one gives users nothing."""
    with journal.write() as connection:
        granted(roles.name_gl(connection, Person(staff.rae), staff.quality, staff.gl, ("DMFA",), **_WHY))
        narrow = granted(persons.see(connection, HELPDESK, staff.user))[1][0].applications
        like = granted(persons.see(connection, HELPDESK, staff.co_gl))[1][0].applications
        changed = [item.subject for item in granted(search.see_changes(connection, HELPDESK, staff.enterprise))[:3]]
        granted(roles.name_gl(connection, Person(staff.rae), staff.quality, staff.gl, ("*",), **_WHY))
        wide = granted(persons.see(connection, HELPDESK, staff.user))[1][0].applications

    assert (frozenset(), frozenset({"DMFA"}), frozenset()) == (narrow, like, wide)
    assert {f"person:{name}" for name in (staff.gl, staff.co_gl, staff.user)} == set(changed)


@pytest.mark.parametrize("giver", ["rae", "co-rae", "gl", "co-gl", "operator"])
def test_nobody_gives_more_than_the_gl_has(journal: Journal, staff: Staff, giver: str) -> None:
    """Whoever gives, an operator too; what is within it may be given."""
    actor = HELPDESK if giver == "operator" else Person(staff.by_role[giver])
    with journal.write() as connection:
        for wanted in (("DIMN", "WECH"), ("*",)):
            result = roles.set_applications(connection, actor, staff.quality, staff.user, wanted, **_WHY)
            assert Refusal(Why.NOT_ALLOWED, "an access cannot be wider than that of the quality's GL") == result
        granted(roles.set_applications(connection, actor, staff.quality, staff.user, ("DIMN", "DMFA"), **_WHY))


def test_names_are_changed_by_operators(journal: Journal, staff: Staff) -> None:
    """Language and e-mail by the person, with what it was before in the history."""
    with journal.write() as connection:
        mine = Edits(language="de", emails=("a@example.org",))
        granted(persons.edit(connection, Person(staff.user), staff.user, mine, **_WHY))
        refused = persons.edit(connection, Person(staff.user), staff.user, Edits(last_name="Anders"), **_WHY)
        changed = granted(persons.edit(connection, HELPDESK, staff.user, Edits(last_name="Anders"), **_WHY))
        newest, before = granted(search.see_changes(connection, HELPDESK, staff.enterprise))[:2]

    assert isinstance(refused, Refusal)
    assert ("Anders", "de", ("a@example.org",)) == (changed.last_name, changed.language, changed.emails)
    assert ({"last_name": "Verzonnen"}, {"last_name": "Anders"}) == (newest.before, newest.after)
    assert ({"language": "fr", "emails": []}, {"language": "de", "emails": ["a@example.org"]}) == (
        before.before,
        before.after,
    )


def test_a_gl_does_not_send_away_an_rae_who_is_a_user_too(journal: Journal, staff: Staff) -> None:
    """It may end the role in its quality, and nothing else of the account."""
    with journal.write() as connection:
        actor = Person(staff.gl)
        granted(roles.add_user(connection, actor, staff.quality, staff.rae, ("DIMN",), **_WHY))
        for act in (withdrawal.block, withdrawal.delete, withdrawal.report_lost):
            result = act(connection, actor, staff.rae, **_WHY)
            assert isinstance(result, Refusal)
            assert Why.NOT_ALLOWED is result.why
        assert isinstance(persons.edit(connection, actor, staff.rae, Edits(language="nl"), **_WHY), Refusal)
        granted(roles.delete_user(connection, actor, staff.quality, staff.rae, **_WHY))


# --- searching


def found(connection: Connection, actor: Any, **criteria: Any) -> list[str]:
    """The user names that a search finds."""
    return [item.person.username for item in granted(search.search(connection, actor, Criteria(**criteria)))]


def test_every_criterion_finds_its_person(journal: Journal, staff: Staff) -> None:
    """Names by a part and in any case, accents included; the others as they are."""
    who = Candidate(
        "elodie001", "Éphémère", "Élodie", "Dr.", "de", ("elodie@example.org",), inss.mark(bytes(32), _INSS)
    )
    with journal.write() as connection:
        granted(roles.add_user(connection, HELPDESK, staff.quality, who, ("DMFA",), **_WHY))
        granted(withdrawal.block(connection, HELPDESK, who.username, **_WHY))
        for criteria in (
            {"username": "elodie001"},
            {"last_name": "éphé"},
            {"first_name": "ÉLO"},
            {"title": "dr"},
            {"inss_mark": who.inss_mark},
            {"language": "de"},
            {"email": "ELODIE@"},
            {"state": "blocked"},
            {"quality": staff.quality, "application": "DMFA", "language": "de"},
        ):
            assert ["elodie001"] == found(connection, Person(staff.gl), **criteria), criteria
        assert [] == found(connection, HELPDESK, inss_mark=inss.mark(bytes(range(32)), _INSS))
        assert sorted(staff.by_role.values())[:0] == found(
            connection, Person(staff.gl), quality=staff.quality, email="%"
        )
        with_dimona = {"quality": staff.quality, "application": "DIMN"}
        assert sorted((staff.gl, staff.co_gl, staff.user)) == found(connection, Person(staff.rae), **with_dimona)
        assert isinstance(search.search(connection, HELPDESK, Criteria(application="DIMN")), Refusal)


def test_everybody_finds_his_own_people(journal: Journal, staff: Staff) -> None:
    """RAE and Co-RAE the enterprise's, GL and Co-GL the quality's; deleted ones when they are asked for."""
    with journal.write() as connection:
        others = staffed(connection, 1)
        in_quality = sorted((staff.gl, staff.co_gl, staff.user))
        for name in (staff.rae, staff.co_rae):
            assert sorted(staff.by_role.values()) == found(connection, Person(name))
        for name in (staff.gl, staff.co_gl):
            assert in_quality == found(connection, Person(name))
        assert 10 == len(found(connection, HELPDESK))
        assert [] == found(connection, Person(staff.rae), username=others.user)
        granted(roles.delete_user(connection, Person(staff.gl), staff.quality, staff.user, **_WHY))
        assert staff.user not in found(connection, Person(staff.gl))
        assert [staff.user] == found(connection, Person(staff.gl), state="deleted")


# --- passwords


def test_a_first_password_is_changed_at_its_first_use(journal: Journal, staff: Staff, hashing: Hashing) -> None:
    """It is good for nothing else; the chosen one is, and neither comes back."""
    checks = Passwords(journal, hashing, Accounts(), LockRules())
    first = passwords.draw(staff.user, hashing, Accounts(), now())
    with journal.write() as connection:
        granted(persons.give_password(connection, Person(staff.gl), staff.user, first, **_WHY))
    attempt = Attempt(staff.user, "192.0.2.1", first.word)

    assert Answer.CHANGE is checks.check(attempt).answer
    assert "15 characters" in checks.choose(attempt, "short").words
    assert "used before" in checks.choose(attempt, first.word).words
    kept = checks.choose(attempt, _GOOD).kept
    assert kept is not None
    with journal.write() as connection:
        granted(persons.change_password(connection, Person(staff.user), staff.user, kept))
    assert Answer.GOOD is checks.check(replace(attempt, password=_GOOD)).answer
    assert Answer.WRONG is checks.check(attempt).answer


def test_a_password_ends(journal: Journal, staff: Staff, hashing: Hashing) -> None:
    """A first one that was not used in its days is wrong; a chosen one that is old has to be changed."""
    checks = Passwords(journal, hashing, Accounts(), LockRules())
    first = passwords.draw(staff.user, hashing, Accounts(), now() - 31 * _DAY)
    with journal.write() as connection:
        passwords.give(connection, staff.user, first)
    assert Answer.WRONG is checks.check(Attempt(staff.user, "192.0.2.1", first.word)).answer
    with journal.write() as connection:
        passwords.choose(connection, staff.user, hashing.hash(_GOOD))
        connection.execute(sa.text("UPDATE passwords SET set_at = :at"), {"at": now() - 181 * _DAY})
    assert Answer.CHANGE is checks.check(Attempt(staff.user, "192.0.2.1", _GOOD)).answer


def test_failures_lock_here_as_they_do_at_the_doors(journal: Journal, hashing: Hashing) -> None:
    """For a name that nobody has as well; every look costs one hash."""
    checks = Passwords(journal, hashing, Accounts(), LockRules(user_tries=3))
    answers = [checks.check(Attempt("nobody01", "192.0.2.1", "wrong")).answer for _ in range(4)]
    assert [Answer.WRONG] * 3 + [Answer.LOCKED] == answers
    assert 3 == hashing.compared


def test_a_reported_loss_leaves_nothing_to_come_in_with(journal: Journal, staff: Staff, hashing: Hashing) -> None:
    """Neither password nor token; unblocking gives neither back, and a blocked account gets no new one."""
    checks = Passwords(journal, hashing, Accounts(), LockRules())
    token = {"mark": "m" * 64, "username": staff.gl, "label": "x", "created_at": 0, "valid_to": 10**18}
    first = passwords.draw(staff.gl, hashing, Accounts(), now())
    with journal.write() as connection:
        passwords.choose(connection, staff.gl, hashing.hash(_GOOD))
        connection.execute(sa.insert(api_tokens).values(**token))
    assert Answer.GOOD is checks.check(Attempt(staff.gl, "192.0.2.1", _GOOD)).answer
    with journal.write() as connection:
        granted(withdrawal.report_lost(connection, Person(staff.gl), staff.gl, reason="stolen bag"))
        revoked = connection.execute(sa.select(api_tokens.c.revoked_at)).scalar()
        early = persons.give_password(connection, Person(staff.rae), staff.gl, first, **_WHY)
        granted(withdrawal.unblock(connection, Person(staff.rae), staff.gl, reason="letter of today"))
    assert revoked is not None
    assert isinstance(early, Refusal)
    assert Answer.WRONG is checks.check(Attempt(staff.gl, "192.0.2.1", _GOOD)).answer
    with journal.write() as connection:
        granted(persons.give_password(connection, Person(staff.rae), staff.gl, first, reason="letter of today"))
    assert Answer.CHANGE is checks.check(Attempt(staff.gl, "192.0.2.1", first.word)).answer


# --- INSS


@pytest.mark.sqlite_only  # it reads the files of that
def test_an_inss_is_kept_nowhere(journal: Journal, staff: Staff, tmp_path: Path) -> None:
    """Nor is a password, in whichever of the journal's files."""
    mark = inss.mark(bytes(32), _INSS)
    with journal.write() as connection:
        who = replace(candidate("newcomer1"), inss_mark=mark)
        granted(roles.add_user(connection, HELPDESK, staff.quality, who, (), **_WHY))
    written = b"".join(path.read_bytes() for path in tmp_path.glob("journal.sqlite3*"))

    assert mark.encode() in written
    assert _INSS.encode() not in written


def test_the_key_is_made_once_and_missed_ever_after(journal: Journal, staff: Staff, tmp_path: Path) -> None:
    """With the first use; but not again while something was hashed with one that is gone."""
    path = tmp_path / "keys" / "inss.key"
    with journal.write() as connection:
        key = inss.key_of(connection, path)
        assert key == inss.key_of(connection, path)
        who = replace(candidate("newcomer1"), inss_mark=inss.mark(key, _INSS))
        granted(roles.add_user(connection, HELPDESK, staff.quality, who, (), **_WHY))
        assert 0o600 == path.stat().st_mode & 0o777
        path.unlink()
        with pytest.raises(ConfigurationError, match=r"inss\.key"):
            inss.key_of(connection, path)
        path.write_text("abc\n", encoding="ascii")
        with pytest.raises(ConfigurationError, match="is no key"):
            inss.key_of(connection, path)


@pytest.mark.parametrize(
    ("typed", "good"),
    [(_INSS, True), (f" {_INSS[:2]}.{_INSS[2:4]}.{_INSS[4:6]}-{_INSS[6:9]}.{_INSS[9:]} ", True), (_INSS[:-1], False)],
)
def test_an_inss_may_be_typed_as_it_is_printed(typed: str, good: bool) -> None:
    """With dots and a dash, or without; the check digits have to fit."""
    assert (_INSS if good else None) == inss.normal(typed)


# --- technical users


def test_a_lost_technical_user_is_out_of_every_door(journal: Journal, staff: Staff, hashing: Hashing) -> None:
    """At once; unblocked, it has neither the key nor the password of before."""
    line = f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'A' * 43}"
    actor = Person(staff.gl)
    with journal.write() as connection:
        granted(technical.name(connection, actor, staff.quality, "payroll01", **_WHY))
        assert {} == accounts.standing(connection, ["payroll01"], now())
        opening = Opening(Channel.SFTP, "R", ALWAYS)
        number = granted(channels.open_channel(connection, actor, staff.quality, opening, **_WHY))
        accounts.add_key(connection, "payroll01", line)
        passwords.choose(connection, "payroll01", hashing.hash(_GOOD))
        before = accounts.standing(connection, ["payroll01"], now())["payroll01"]
        granted(technical.report_lost(connection, actor, "payroll01", reason="a stolen laptop"))
        after = accounts.standing(connection, ["payroll01"], now())
        granted(technical.unblock(connection, actor, "payroll01", reason="letter of today"))
        again = accounts.standing(connection, ["payroll01"], now())["payroll01"]
        password = accounts.current_password(connection, "payroll01")

    assert (number, (line,)) == (before.sender, before.keys)
    assert {} == after
    assert () == again.keys
    assert password is not None
    assert not hashing.is_right(_GOOD, password.hash)
