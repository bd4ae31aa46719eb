"""Statements that go to the driver itself answer and write what they do through SQLAlchemy."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway import openings, parties
from gateway.register import disclosures
from spool import answers, chain, closing, effects, holds, institutions, submissions, withdrawals
from spool.effects import Kind
from spool.journal import Journal, JournalError, open_journal
from spool.prepared import Prepared
from spool.submissions import Ruling, State, StoredFile, Submission
from spool.tables import submissions as received

ROOMS = (
    answers, chain, closing, disclosures, effects, holds, institutions, openings, parties, submissions, withdrawals,
)  # fmt: skip
STATEMENTS = {
    f"{room.__name__}.{name}": value
    for room in ROOMS
    for name, value in vars(room).items()
    if isinstance(value, Prepared)
}


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """One in a file; elsewhere SQLAlchemy does everything."""
    return open_journal(tmp_path / "journal", create=True)


def write(connection: Connection) -> None:
    """A submission that was accepted, with everything that is written of it."""
    files = (StoredFile("FI.1", 10, "a" * 64), StoredFile("GO.1", 0, "b" * 64))
    submission = Submission(
        "T000000000001", 5, "sftp", "123456", "u", "IN", "GO.1", "S", "c" * 64, State.RECEIVED, 0, files=files
    )
    submissions.add(connection, submission)
    submissions.settle(
        connection, submission.ticket, Ruling(State.ACCEPTED, (("129", "é"),), forms=3, facts={"a": [1]})
    )
    effects.plan(connection, submission.ticket, Kind.FORWARD, [{"x": None}, {"y": 1.5}])
    effects.plan(connection, submission.ticket, Kind.ANSWER, [{}, {}, {}])
    assert not effects.done(connection, effects.pending(connection, Kind.ANSWER, 9))
    answers.take_stem(connection, "ACRF", "20261121", "R")
    answers.take_stem(connection, "ACRF", "20261121", "R")


class Listened:
    """A listener that makes SQLAlchemy do everything, as it does where somebody looks on."""

    def __init__(self, connection: Connection) -> None:
        sa.event.listen(connection, "before_cursor_execute", lambda *_: None)


def rows(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """What is in the journal, but for when it was written and what depends on it."""
    unequal = {"at", "verdict_at", "done_at", "digest"}
    found = {}
    for name in ("submissions", "files", "events", "effects", "answer_numbers"):
        written = connection.execute(sa.text(f"SELECT * FROM {name}")).mappings()  # noqa: S608 - one of those above
        found[name] = [tuple((key, row[key]) for key in row if key not in unequal) for row in written]
    return found


def test_what_is_written_is_the_same(tmp_path: Path) -> None:
    """Row by row, the defaults of columns and JSON included."""
    found = []
    for name in ("driver", "library"):
        made = open_journal(tmp_path / name, create=True)
        with made.write() as connection:
            if name == "library":
                Listened(connection)
            write(connection)
        with made.read() as connection:
            found.append(rows(connection))
            assert isinstance(chain.verify(connection), chain.Place)

    assert found[0] == found[1]
    assert len(found[0]["events"]) == 2


@pytest.mark.parametrize("name", [name for name, each in STATEMENTS.items() if isinstance(each.statement, sa.Select)])
def test_what_is_read_is_the_same(journal: Journal, name: str) -> None:
    """Every statement that reads, with values that fit what is there."""
    prepared = STATEMENTS[name]
    facts = {
        "of": "123456" if name.startswith(("gateway", "spool.withdrawals")) or "NAMESAKE" in name else "T000000000001",
        "box": "IN", "shared": "S", "at": 9, "this": "T000000000009", "ticket": "T000000000001", "which": 1,
        "after": 0, "most": 5, "beyond": 0, "kind": "forward", "tickets": ["T000000000001", "T2", "T3"],
    }  # fmt: skip
    if name.startswith("spool.effects"):
        facts["of"] = "forward"
    with journal.write() as connection:
        write(connection)
    with journal.read() as connection:
        directly = prepared.all(connection, facts)
        first = prepared.first(connection, facts)
    with journal.read() as connection:
        Listened(connection)
        expected = [tuple(row) for row in prepared.all(connection, facts)]

    assert expected == directly
    assert (expected[0] if expected else None) == first


def test_a_fault_of_the_driver_is_one_of_the_journal(journal: Journal) -> None:
    """Two of one ticket; what the block wrote before is undone."""
    with pytest.raises(JournalError), journal.write() as connection:
        write(connection)
        write(connection)

    with journal.read() as connection:
        assert submissions.load(connection, "T000000000001") is None


def test_a_list_of_values_has_to_be_named(journal: Journal) -> None:
    """It has another text for each length; one without items has one of its own."""
    statement = sa.select(received.c.ticket).where(received.c.ticket.in_(sa.bindparam("named", expanding=True)))
    with journal.write() as connection:
        write(connection)
        named = Prepared(statement, each="named")
        for count in range(9):
            found = named.all(connection, {"named": ["T000000000001", *map(str, range(count))]})
            assert [("T000000000001",)] == found
        assert not named.all(connection, {"named": []})
        with pytest.raises(ValueError, match="a list of values"):
            Prepared(statement).all(connection, {"named": ["T000000000001"]})


def test_what_has_no_open_effect_is_closed_once(journal: Journal) -> None:
    """Through the driver too, whatever number of them is asked about."""
    with journal.write() as connection:
        write(connection)
        open_ones = effects.due(connection, Kind.FORWARD, 0, 9)
        assert not closing.close_done(connection, ["T000000000001"])
        closed = effects.done(connection, open_ones)
        assert ["T000000000001"] == [one.ticket for one in closed]
        assert not closing.close_done(connection, ["T0", "T000000000001", "T1"])
