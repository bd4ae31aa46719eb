"""Cases that are opened together are those that nothing bears on, and are what each is when it is opened alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from config.settings import SchemaFolder, Settings
from gateway import parties
from gateway.cases import Cases
from gateway.parties import Sender, SignatureProfile
from schemas import catalogue
from schemas.catalogue import TypesUnusable
from spool import holds, submissions, tables
from spool.custody import Custody
from spool.holds import Selection, Word
from spool.journal import Journal
from spool.submissions import State, Submission

pytestmark = pytest.mark.every_database

SENDERS, ALL = tables.senders.c, tables.submissions.c
STEM = "DIMN.123456.20261121.0000{}.R"
TICKETS = tuple("ABCDE")


@pytest.fixture
def cases(journal: Journal, tmp_path: Path) -> Cases:
    """Five submissions of one sender, each of its own name."""
    settings = Settings(schemas=SchemaFolder(folder=tmp_path))
    sender = Sender("123456", SignatureProfile.DETACHED, "RTS", ("*",), active=True)
    with journal.write() as connection:
        parties.add_sender(connection, sender)
        for number, ticket in enumerate(TICKETS, 1):
            submissions.add(connection, submission(ticket, number))
    return Cases(settings, journal, Custody(settings.spool.path / "custody", journal))


def submission(ticket: str, number: int) -> Submission:
    """One that has just come."""
    stem = STEM.format(number)
    return Submission(ticket, 1000, "sftp", "123456", "u", "IN", f"GO.{stem}.1", stem, "c", State.RECEIVED, 0)


def opened(cases: Cases, journal: Journal) -> dict[str, Any]:
    """Those that are opened together."""
    with journal.read() as connection:
        return cast("dict[str, Any]", cases.open_plain(connection, [*TICKETS, "nobody"]))


def test_together_they_are_what_each_is_alone(cases: Cases, journal: Journal) -> None:
    """All of them, and none that there isn't."""
    assert {ticket: cases.open(ticket) for ticket in TICKETS} == opened(cases, journal)


def test_what_something_bears_on_is_opened_alone(cases: Cases, journal: Journal) -> None:
    """One that has its verdict, those that share a name, and one of another sender, which is not registered."""
    with journal.write() as connection:
        submissions.settle(connection, "A", submissions.Ruling(State.REJECTED))
        submissions.add(connection, submission("F", 2))
        submissions.add(connection, replace(submission("nobody", 9), sender="654321"))

    assert {"C", "D", "E"} == opened(cases, journal).keys()
    assert cases.open("A") is None
    assert cases.open("B") is not None


def test_where_something_is_held_each_is_opened_alone(cases: Cases, journal: Journal) -> None:
    """Whoever is held is found out one by one."""
    with journal.write() as connection:
        holds.place(connection, Selection(sender="123456"), Word("anna", "payroll asked"), 0, None)

    assert {} == opened(cases, journal)


def test_types_that_cannot_be_read_are_told_of_each(
    cases: Cases, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened together they are none, and the fault is that of each."""

    def unusable(_folder: object) -> None:
        raise TypesUnusable("a type cannot be read")

    monkeypatch.setattr(catalogue, "current", unusable)
    assert {} == opened(cases, journal)
    with pytest.raises(TypesUnusable):
        cases.open("A")


def test_what_makes_no_sense_is_nobody_elses_trouble(cases: Cases, journal: Journal) -> None:
    """The journal says of one submission, and of one sender, what nobody has ever written."""
    with journal.write() as connection:
        parties.add_sender(connection, Sender("654321", SignatureProfile.DETACHED, "RTS", ("*",), active=True))
        submissions.add(connection, replace(submission("nobody", 9), sender="654321"))
        connection.execute(sa.update(tables.senders).where(SENDERS.number == "654321").values(signature="none such"))
        connection.execute(sa.update(tables.submissions).where(ALL.ticket == "C").values(state="none such"))

    assert {"A", "B", "D", "E"} == opened(cases, journal).keys()
    for ticket in ("C", "nobody"):
        with pytest.raises(ValueError, match="none such"):
            cases.open(ticket)
