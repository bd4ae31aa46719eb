"""How long answers stay in OUT, and how they come back: a real outbox, a real journal, an age that is set."""

import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.answer import place_all
from spool import ebox, effects, submissions
from spool.effects import Kind
from spool.journal import Journal, JournalError, now
from spool.mailbox import Mailbox, MailboxRefusal, Trouble
from spool.outbox import Outbox
from spool.records import Records
from spool.retention import NotAnsweredError, Placed, Retention, expire, is_due, place_again
from spool.submissions import Ruling, State, timeline
from spool.tables import events
from tests.answers import ASKED
from tests.submissions_made import BRUSSELS, MINE, STEM, answer, receive

pytestmark = pytest.mark.every_database

DAY = 86_400.0
AGES = Retention(30 * DAY, 180 * DAY)
BOX = Mailbox(MINE, "OUT")
OTHER_STEM = "ACRF.999999.20261121.00002.R"
FILES = [f"FO.{STEM}", f"FS.{STEM}", f"GO.{STEM}"]


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    """An empty outbox."""
    return Outbox(tmp_path / "answers")


@pytest.fixture
def placed(journal: Journal, outbox: Outbox) -> float:
    """Two answers, placed just now; the moment."""
    for number, stem in enumerate((STEM, OTHER_STEM)):
        receive(journal, f"{number}" * 13, name=f"GO.DIMN.{MINE}.20261121.0000{number + 1}.R.1")
        answer(journal, f"{number}" * 13, stem)
    assert place_all(journal, outbox) == 2
    return (outbox.folder(BOX) / f"GO.{STEM}").stat().st_mtime


def names(outbox: Outbox) -> list[str]:
    """What the sender sees of the first answer."""
    return [entry.name for entry in outbox.entries(BOX) if entry.name.endswith(STEM)]


def seen(journal: Journal, ticket: str) -> list[str]:
    """The events of an answer's life, in order."""
    query = sa.select(events.c.name).where(events.c.ticket == ticket, events.c.name.startswith("answer."))
    with journal.read() as connection:
        return list(connection.execute(query.order_by(events.c.number)).scalars())


@pytest.mark.parametrize(
    ("fetched", "at", "due"),
    [
        (None, 179, False),
        (None, 180, True),
        (100, 129, False),
        (100, 130, True),
        (170, 180, False),
        (170, 200, True),
        (-10, 100, False),
    ],
)
def test_an_answer_is_due_so_long_after_it_was_fetched(fetched: int | None, at: int, due: bool) -> None:
    """30 days after the first whole download since it was placed, 180 after it was placed if there was none."""
    lies = Placed(BOX, STEM, tuple(FILES), 0.0)
    assert is_due(lies, None if fetched is None else fetched * DAY, AGES, at * DAY) is due


def test_answers_go_when_their_time_is_up(journal: Journal, outbox: Outbox, placed: float) -> None:
    """The fetched one after 30 days, with an event of its ticket; the other one stays."""
    Records(journal, BRUSSELS).fetched(BOX, FILES[0], placed)

    before = expire(journal, outbox, AGES, placed + 29 * DAY)
    count = expire(journal, outbox, AGES, placed + 31 * DAY)

    assert (0, 1, []) == (before, count, names(outbox))
    assert ["answer.placed", "answer.fetched", "answer.expired"] == seen(journal, "0" * 13)
    assert outbox.find(BOX, f"FO.{OTHER_STEM}") is not None


def test_a_fetched_signature_is_no_fetched_answer(journal: Journal, outbox: Outbox, placed: float) -> None:
    """What counts is FO."""
    Records(journal, BRUSSELS).fetched(BOX, FILES[1], placed)

    assert 0 == expire(journal, outbox, AGES, placed + 31 * DAY)


def test_one_answer_that_cannot_go_keeps_no_other(
    journal: Journal, outbox: Outbox, placed: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A purge does not stop at the first odd file; a file that is no answer is left alone."""
    (outbox.folder(BOX) / "README.txt").touch()
    os.utime(outbox.folder(BOX) / "README.txt", (0, 0))
    remove = Outbox.remove

    def stubborn(self: Outbox, mailbox: Mailbox, name: str) -> None:
        if name.endswith(STEM):
            raise OSError(13, "no")
        remove(self, mailbox, name)

    monkeypatch.setattr(Outbox, "remove", stubborn)

    assert 1 == expire(journal, outbox, AGES, placed + 181 * DAY)
    assert [*FILES, "README.txt"] == [entry.name for entry in outbox.entries(BOX)]


def test_a_deleted_answer_comes_back(journal: Journal, outbox: Outbox, placed: float) -> None:
    """The same bytes under the same names; its time begins anew."""
    for name in FILES:
        outbox.remove(BOX, name)
    with journal.write() as connection:
        given = place_again(connection, outbox, "0" * 13, ASKED)
    count = place_all(journal, outbox)

    assert ([FILES[0]], 1) == ([name.file_name for name in given], count)
    assert FILES == names(outbox)
    assert b"<ACRF/>" == (outbox.folder(BOX) / FILES[0]).read_bytes()
    assert ["answer.placed", "answer.asked_again", "answer.placed"] == seen(journal, "0" * 13)
    with journal.read() as connection:
        [asked] = [one.facts for one in timeline(connection, "0" * 13) if one.name == "answer.asked_again"]
    assert (ASKED.actor, ASKED.reason) == (asked["actor"], asked["reason"])


def test_what_was_fetched_before_it_came_back_does_not_count(journal: Journal, outbox: Outbox, placed: float) -> None:
    """Placed again, an answer stays as one that nobody has fetched."""
    Records(journal, BRUSSELS).fetched(BOX, FILES[0], placed)
    for name in FILES:
        outbox.remove(BOX, name)
    with journal.write() as connection:
        place_again(connection, outbox, "0" * 13, ASKED)
    place_all(journal, outbox)

    assert 0 == expire(journal, outbox, AGES, now() / 1_000_000 + 31 * DAY)


def test_a_repeat_brings_back_the_first_answer(journal: Journal, outbox: Outbox, placed: float) -> None:
    """Asked by the ticket of the repeat."""
    receive(journal, "R" * 13)
    with journal.write() as connection:
        submissions.settle(connection, "R" * 13, Ruling(State.REPEATED))
        effects.plan(connection, "R" * 13, Kind.ANSWER, [{"answer_of": "0" * 13, "ordinal": 1}])
    place_all(journal, outbox)
    outbox.remove(BOX, FILES[0])
    with journal.write() as connection:
        place_again(connection, outbox, "R" * 13, ASKED)
    place_all(journal, outbox)

    assert FILES == names(outbox)


@pytest.mark.parametrize("ticket", ["X" * 13, "N" * 13])
def test_what_was_not_answered_is_not_answered_again(journal: Journal, outbox: Outbox, ticket: str) -> None:
    """An unknown ticket, and one whose answer is still to be placed."""
    receive(journal, "N" * 13)
    answer(journal, "N" * 13)
    with pytest.raises(NotAnsweredError), journal.write() as connection:
        place_again(connection, outbox, ticket, ASKED)


def test_an_answer_that_was_removed_meanwhile_is_no_trouble(
    journal: Journal, outbox: Outbox, placed: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sender was faster."""

    def gone(_self: Outbox, _mailbox: Mailbox, _name: str) -> None:
        raise MailboxRefusal(Trouble.MISSING, "no such file")

    monkeypatch.setattr(Outbox, "remove", gone)
    assert 0 == expire(journal, outbox, AGES, placed + 181 * DAY)


def test_trouble_of_the_e_boxes_keeps_no_answer_in_out(
    journal: Journal, outbox: Outbox, placed: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor the other way round: each is guarded by itself."""

    def away(*_args: object) -> int:
        raise JournalError("the journal cannot be written")

    monkeypatch.setattr(ebox, "expire", away)
    assert 2 == expire(journal, outbox, AGES, placed + 181 * DAY)
