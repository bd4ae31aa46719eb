"""Placing answers from a real journal to a real disk."""

from pathlib import Path

import pytest

from gateway.answer import NotPlacedError, place_all
from spool import answers, effects, submissions
from spool.answers import StoredAnswer
from spool.effects import Kind
from spool.journal import Journal
from spool.mailbox import Mailbox
from spool.outbox import Outbox
from spool.submissions import Ruling, State, Submission


def promise(journal: Journal, ticket: str, sender: str) -> None:
    """A rejected submission whose answer is still to be placed."""
    with journal.write() as connection:
        name = f"GO.DIMN.{sender}.20261121.00001.R.1"
        submissions.add(
            connection, Submission(ticket, 1, "sftp", sender, "u", "IN", name, name[3:-2], "c", State.RECEIVED, 0)
        )
        submissions.settle(connection, ticket, Ruling(State.REJECTED))
        stem = answers.take_stem(connection, "20261121", "R")
        answers.store(connection, StoredAnswer(ticket, Mailbox(sender, "OUT"), stem, b"<ACRF/>", b"sig"))
        effects.plan(connection, ticket, Kind.ANSWER, [{"answer_of": ticket}])


def test_one_answer_that_cannot_be_placed_does_not_hold_up_the_others(journal: Journal, tmp_path: Path) -> None:
    """It is tried again later; everybody else has theirs."""
    outbox = Outbox(tmp_path / "answers")
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "111111").write_text("a file where a folder should be")
    for ticket, sender in (("A", "111111"), ("B", "222222"), ("C", "333333")):
        promise(journal, ticket, sender)

    with pytest.raises(NotPlacedError):
        place_all(journal, outbox, batch_size=1)
    assert [3, 3] == [len(outbox.entries(Mailbox(sender, "OUT"))) for sender in ("222222", "333333")]
    (tmp_path / "answers" / "111111").unlink()

    assert 1 == place_all(journal, outbox)
    assert 3 == len(outbox.entries(Mailbox("111111", "OUT")))
    assert 0 == place_all(journal, outbox)


def test_an_idle_turn_writes_nothing(journal: Journal, tmp_path: Path) -> None:
    """Without anything to place there is no transaction that writes."""
    before = journal_size(tmp_path)

    assert 0 == place_all(journal, Outbox(tmp_path / "answers"))
    assert before == journal_size(tmp_path)


def journal_size(folder: Path) -> int:
    """The bytes of the journal and its log."""
    return sum(path.stat().st_size for path in folder.glob("journal.sqlite3*"))
