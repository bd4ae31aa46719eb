"""The chain of events on real databases: whatever is done to one is found, and named."""

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from hypothesis import given
from hypothesis import strategies as st

import spool
from spool import chain
from spool.chain import Link, Misfit, Place
from spool.journal import Journal
from spool.submissions import note
from spool.tables import events

pytestmark = pytest.mark.every_database


def fill(journal: Journal, count: int = 6) -> None:
    """Events of two tickets and of none, one in each transaction and some in one."""
    for number in range(1, count - 1):
        with journal.write() as connection:
            note(connection, "AB"[number % 2], "something.happened", number=number, words="é\x01\U0001f600", half=0.1)
    with journal.write() as connection:
        note(connection, None, "nobody's", codes=["101", None], deep={"2": {"1": True}, "10": ()})
        note(connection, "A", "the.last")


def verified(journal: Journal) -> Place | Misfit:
    """What verification says."""
    with journal.read() as connection:
        return chain.verify(connection)


def test_what_was_written_is_what_is_there(journal: Journal) -> None:
    """Every kind of fact comes back from the database as the chain has it."""
    fill(journal)

    with journal.read() as connection:
        assert chain.verify(connection) == chain.end(connection)
        assert 6 == chain.end(connection).number


def test_an_empty_journal_fits(journal: Journal) -> None:
    """Nothing happened, and nothing is wrong."""
    assert Place() == verified(journal)


@pytest.mark.parametrize(
    ("change", "number", "words"),
    [
        ({"facts": {"number": 9}}, 3, "was changed"),
        ({"name": "something.else"}, 3, "was changed"),
        ({"ticket": "Z"}, 3, "was changed"),
        ({"ticket": None}, 3, "was changed"),
        ({"at": 1}, 3, "was changed"),
        ({"content": "0" * 64}, 3, "was changed"),
        ({"digest": "0" * 64}, 3, "was changed"),
        ({"number": 99}, 4, "one between is missing"),
    ],
    ids=str,
)
def test_an_event_that_was_changed_is_named(journal: Journal, change: dict[str, Any], number: int, words: str) -> None:
    """Whatever of it was changed."""
    fill(journal)
    with journal.write() as connection:
        connection.execute(sa.update(events).where(events.c.number == 3).values(**change))

    found = verified(journal)
    assert isinstance(found, Misfit)
    assert number == found.number
    assert words in found.words


def test_an_event_that_was_removed_is_missed(journal: Journal) -> None:
    """The next one is named, and between which two something is missing."""
    fill(journal)
    with journal.write() as connection:
        connection.execute(sa.delete(events).where(events.c.number.in_((1, 3))))
    assert Misfit(2, "event 2 does not follow event 0: one between is missing") == verified(journal)


def test_an_event_that_was_put_in_is_named(journal: Journal) -> None:
    """With no digest, and, where somebody gave it one that fits, by the event after it."""
    fill(journal)
    forged = {"ticket": "A", "at": 1, "name": "answer.fetched", "facts": {}}
    with journal.write() as connection:
        connection.execute(sa.insert(events).values(number=7, **forged))
    assert Misfit(7, "event 7 was put in: it has no digest") == verified(journal)

    with journal.write() as connection:
        connection.execute(sa.delete(events).where(events.c.number >= 3))
        note(connection, "A", "answer.fetched")
        connection.execute(sa.update(events).where(events.c.number == 3).values(number=30))
        note(connection, "A", "the.last")
    found = verified(journal)
    assert isinstance(found, Misfit)
    assert 30 == found.number


def test_events_that_changed_places_are_named(journal: Journal) -> None:
    """Two events under each other's number."""
    fill(journal)
    with journal.write() as connection:
        for old, new in ((3, 99), (4, 3), (99, 4)):
            connection.execute(sa.update(events).where(events.c.number == old).values(number=new))

    found = verified(journal)
    assert isinstance(found, Misfit)
    assert 3 == found.number


def test_what_is_rolled_back_leaves_no_gap(journal: Journal) -> None:
    """The next event takes its number and its place."""
    fill(journal)
    with pytest.raises(ZeroDivisionError), journal.write() as connection:
        note(connection, None, "never")
        raise ZeroDivisionError
    with journal.write() as connection:
        note(connection, None, "after it")

    end = verified(journal)
    assert isinstance(end, Place)
    assert 7 == end.number


def test_content_may_go_and_the_chain_still_holds(journal: Journal) -> None:
    """Only the digest of it stays; twice is once, and what is then put in its place is found."""
    fill(journal)
    before = verified(journal)
    for _ in range(2):
        with journal.write() as connection:
            chain.forget(connection, [2, 3, 4711])
    with journal.read() as connection:
        assert {} == chain.after(connection, 1, 1)[0].facts

    assert before == verified(journal)


def test_events_of_before_are_chained_by_the_upgrade(journal: Journal) -> None:
    """More than a batch of them, with gaps in their numbers, and the chain goes on from there."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(spool.__file__).with_name("migrations")))
    settings.set_main_option("path_separator", "os")
    rows = [
        {"number": 2 * number, "ticket": "A", "at": number, "name": "n", "facts": {"n": number, "é": [0.1, None]}}
        for number in range(1, 1203)
    ]
    old = sa.table("events", *(events.c[name]._copy() for name in rows[0]))
    with journal.write() as connection:
        settings.attributes["connection"] = connection
        command.downgrade(settings, "0006")
        connection.execute(sa.insert(old), rows)
        command.upgrade(settings, "head")
    with journal.write() as connection:
        note(connection, None, "afterwards")

    end = verified(journal)
    assert isinstance(end, Place)
    assert 2405 == end.number


facts = st.dictionaries(
    st.text(max_size=5) | st.integers(0, 20),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.tuples(inner),
        max_leaves=5,
    ),
    max_size=4,
)


@pytest.mark.sqlite_only
@given(facts)
def test_facts_mean_the_same_before_and_after_a_journal_kept_them(given_facts: dict[Any, Any]) -> None:
    """Numbers as names, tuples, and all that JSON writes otherwise than it was given."""
    kept = json.loads(json.dumps(given_facts))
    assert chain.canonical(Link(1, None, 1, "n", given_facts)) == chain.canonical(Link(1, None, 1, "n", kept))
