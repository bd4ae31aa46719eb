"""How many submissions wait for a verdict, and whose, is found by an index."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.engine import Connection

from gateway import parties
from gateway.parties import Sender, SignatureProfile
from gateway.turnstile import open_turnstile
from spool import submissions, unjudged
from spool.journal import Journal, open_journal
from spool.submissions import State, Submission
from tests.adapters.test_effects import plan_of


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Two submissions of one sender received, one of another that is held, and one of a third with a verdict."""
    made = open_journal(tmp_path / "journal", create=True)
    with made.write() as connection:
        for number in ("100001", "100002", "100003"):
            parties.add_sender(connection, Sender(number, SignatureProfile.DETACHED, "R", ("*",), active=True))
        _add(connection, "A", "100001", State.RECEIVED)
        _add(connection, "B", "100001", State.RECEIVED)
        _add(connection, "C", "100002", State.HELD)
        _add(connection, "D", "100003", State.ACCEPTED)
    return made


def _add(connection: Connection, ticket: str, sender: str, state: State) -> None:
    name = f"GO.DIMN.{sender}.20261121.00001.R.1"
    submissions.add(connection, Submission(ticket, 1, "sftp", sender, "user", "IN", name, name[3:], "", state, 0))


def test_what_was_not_judged_yet_counts_and_what_is_held_does_not(journal: Journal) -> None:
    """And no more is counted than is asked for."""
    with journal.read() as connection:
        assert [unjudged.count(connection, most) for most in (1, 2, 3)] == [1, 2, 2]
        assert unjudged.among(connection, ["100001", "100002", "100003", "100004"]) == {"100001", "100002"}


def test_the_turnstile_lets_pass_who_has_nothing_waiting(journal: Journal) -> None:
    """Two wait, and one may."""
    found = open_turnstile(journal, 1, 5.0).look(("100001", "100003"))
    assert (found.count, found.senders) == (1, {"100001"})
    assert open_turnstile(journal, 9, 5.0).look(("100001", "100003")).count == 2


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("execute", "plan"),
    [
        (lambda connection: unjudged.count(connection, 40), "(state=?)"),
        (lambda connection: unjudged.among(connection, ["100001"]), "SEARCH submissions USING"),
    ],
)
def test_neither_reads_more_than_it_has_to(
    journal: Journal, execute: Callable[[Connection], object], plan: str
) -> None:
    """Also with a million submissions in the journal."""
    found = plan_of(journal, execute)
    assert plan in found
    assert "SCAN submissions" not in found
