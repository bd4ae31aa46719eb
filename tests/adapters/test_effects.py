"""Answers' names, effects and the embedded queue in a real journal."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from spool import answers, claims, closing, declarations, effects, holds, routing_queue, submissions
from spool.answers import AnswerName, StoredAnswer, sequence_text, take_stem
from spool.effects import Failure, Kind
from spool.journal import Journal, JournalError
from spool.mailbox import Mailbox
from spool.routing import RoutingMessage
from spool.submissions import Ruling, State, Submission

pytestmark = pytest.mark.every_database


def submission(ticket: str, received_at: int = 1) -> Submission:
    """A submission as custody records it."""
    name = "GO.DIMN.123456.20261121.00001.R.1"
    return Submission(ticket, received_at, "sftp", "123456", "u", "IN", name, name[3:-2], "c", State.RECEIVED, 0)


def test_answer_numbers_are_digits_first_and_then_letters() -> None:
    """00001 to 99999, then A0000 to ZZZZZ, each once, and then no more."""
    assert [sequence_text(number) for number in (1, 99_999, 100_000, 100_001, 100_035, 100_036, 100_000 + 36**4)] == [
        "00001",
        "99999",
        "A0000",
        "A0001",
        "A000Z",
        "A0010",
        "B0000",
    ]
    last = 99_999 + 26 * 36**4
    assert "ZZZZZ" == sequence_text(last)
    with pytest.raises(OverflowError):
        sequence_text(last + 1)


def test_each_day_and_environment_counts_for_itself(journal: Journal) -> None:
    """A stem is never given twice."""
    with journal.write() as connection:
        stems = [take_stem(connection, "ACRF", day, letter) for day in ("20261121", "20261122") for letter in "RRT"]

    assert stems == [
        "ACRF.999999.20261121.00001.R",
        "ACRF.999999.20261121.00002.R",
        "ACRF.999999.20261121.00001.T",
        "ACRF.999999.20261122.00001.R",
        "ACRF.999999.20261122.00002.R",
        "ACRF.999999.20261122.00001.T",
    ]


def test_a_rolled_back_verdict_gives_its_number_back(journal: Journal) -> None:
    """The number is taken in the verdict's transaction, so no gap is left and no number is used twice."""
    with pytest.raises(ZeroDivisionError), journal.write() as connection:
        take_stem(connection, "ACRF", "20261121", "R")
        _ = 1 // 0
    with journal.write() as connection:
        assert "ACRF.999999.20261121.00001.R" == take_stem(connection, "ACRF", "20261121", "R")


def test_a_submission_is_closed_with_its_last_effect(journal: Journal) -> None:
    """Not before, and not without a verdict."""
    with journal.write() as connection:
        submissions.add(connection, submission("A"))
        effects.plan(connection, "A", Kind.ANSWER, [{"answer_of": "A"}])
        effects.plan(connection, "A", Kind.FORWARD, [{}, {}])
        assert submissions.settle(connection, "A", Ruling(State.ACCEPTED))
        first, second = effects.pending(connection, Kind.FORWARD, 10)
        assert effects.done(connection, [first]) == []
        assert effects.done(connection, effects.pending(connection, Kind.ANSWER, 10)) == []
        assert {"A"} == effects.tickets_with_pending(connection, Kind.FORWARD, among=("A", "B"))
        assert ["A"] == [one.ticket for one in effects.done(connection, [second])]
        assert effects.done(connection, [second]) == []
        closed = submissions.load(connection, "A")

    assert closed is not None
    assert closed.closed_at is not None


def test_a_verdict_is_made_once(journal: Journal) -> None:
    """The second of two judgements finds that there is a verdict, and nothing may follow from it."""
    with journal.write() as connection:
        submissions.add(connection, submission("A"))

        assert submissions.settle(connection, "A", Ruling(State.ACCEPTED))
        assert not submissions.settle(connection, "A", Ruling(State.REJECTED))


def test_an_effect_cannot_be_planned_twice(journal: Journal) -> None:
    """Ticket, kind and ordinal are unique."""
    with pytest.raises(JournalError), journal.write() as connection:
        submissions.add(connection, submission("A"))
        effects.plan(connection, "A", Kind.ANSWER, [{}])
        effects.plan(connection, "A", Kind.ANSWER, [{}])


def test_answers_of_every_purpose_share_one_sequence(journal: Journal) -> None:
    """No number of a day and environment stands for two answers."""
    with journal.write() as connection:
        stems = [take_stem(connection, purpose, "20261121", "R") for purpose in ("ACRF", "NOTI", "ACRF")]

    assert stems == ["ACRF.999999.20261121.00001.R", "NOTI.999999.20261121.00002.R", "ACRF.999999.20261121.00003.R"]


def answer(ordinal: int, purpose: str) -> StoredAnswer:
    """An answer of submission A."""
    stem = f"{purpose}.999999.20261121.0000{ordinal}.R"
    return StoredAnswer(AnswerName("A", ordinal, Mailbox("123456", "OUT"), "FO", stem), purpose.encode(), b"sig")


def test_an_answer_is_kept_as_it_was_given(journal: Journal) -> None:
    """Its bytes come back, and it is unsettled until its own effect is done."""
    acknowledgement, notification = answer(1, "ACRF"), answer(2, "NOTI")
    with journal.write() as connection:
        submissions.add(connection, submission("A"))
        for each in (notification, acknowledgement):
            answers.store(connection, each)
        effects.plan(connection, "A", Kind.ANSWER, [{"answer_of": "A", "ordinal": ordinal} for ordinal in (1, 2)])
        assert {acknowledgement.name.stem, notification.name.stem} == answers.unsettled_stems(connection)
        effects.done(connection, effects.pending(connection, Kind.ANSWER, 1))

        assert {notification.name.stem} == answers.unsettled_stems(connection)
        assert [acknowledgement.name, notification.name] == answers.names(connection, "A")
        assert notification == answers.load(connection, "A", 2)
        assert answers.names(connection, "B") == []
        with pytest.raises(LookupError):
            answers.load(connection, "A", 3)


def test_an_effect_of_the_time_of_one_answer_means_the_first(journal: Journal) -> None:
    """What an earlier version planned and didn't carry out is still to do."""
    with journal.write() as connection:
        submissions.add(connection, submission("A"))
        for each in (answer(1, "ACRF"), answer(2, "NOTI")):
            answers.store(connection, each)
        effects.plan(connection, "A", Kind.ANSWER, [{"answer_of": "A"}])

        assert {"ACRF.999999.20261121.00001.R"} == answers.unsettled_stems(connection)


def test_the_embedded_queue_has_each_message_once_and_gives_it_once(journal: Journal) -> None:
    """A message id that is known is left out; what was taken is gone."""
    messages = [RoutingMessage(f"A-00000{n}", "R.DIMN", {"form": n}, b"<x/>") for n in (1, 2)]
    with journal.write() as connection:
        routing_queue.put(connection, messages)
        routing_queue.put(connection, messages)
        taken = routing_queue.waiting(connection, 1)
        routing_queue.take(connection, taken)
        rest = routing_queue.waiting(connection, 10)
        routing_queue.take(connection, rest)

        assert [messages[0]] == [item.message for item in taken]
        assert [messages[1]] == [item.message for item in rest]
        assert routing_queue.waiting(connection, 10) == []


def test_waiting_is_oldest_first_and_due_by_time(journal: Journal) -> None:
    """What is held for later is not due before, and comes after what is new; what is released is due at once."""
    with journal.write() as connection:
        for ticket, received_at in (("B", 2), ("A", 1), ("C", 3)):
            submissions.add(connection, submission(ticket, received_at))
        submissions.hold(connection, "A", state=State.HELD, attempts=0, next_attempt_at=100, reason="r")
        submissions.hold(connection, "C", state=State.QUARANTINED, attempts=9, next_attempt_at=0, reason="r")

        assert [one.ticket for one in claims.due(connection, at=99, limit=10)] == ["B"]
        assert [one.ticket for one in claims.due(connection, at=100, limit=10)] == ["B", "A"]
        assert holds.free(connection, "C", State.QUARANTINED)
        assert not holds.free(connection, "B", State.HELD, State.QUARANTINED)
        assert [one.ticket for one in claims.due(connection, at=100, limit=10)] == ["B", "C", "A"]


def test_declarations_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """What was appended is read back by its span; a failure leaves no file."""
    path = tmp_path / "declarations" / "A"
    with declarations.writing(path) as writer:
        writer.append(b"first")
        writer.append(b"second")

    assert [declarations.read(path, *span) for span in writer.spans] == [b"first", b"second"]
    with pytest.raises(ZeroDivisionError), declarations.writing(tmp_path / "declarations" / "B") as writer:
        writer.append(b"third")
        _ = 1 // 0
    assert [item.name for item in path.parent.iterdir()] == ["A"]
    (path.parent / "B").write_bytes(b"nobody needs it")
    declarations.sweep(path.parent, needed=lambda names: {name for name in names if name == "A"})
    assert [item.name for item in path.parent.iterdir()] == ["A"]


def test_what_bears_on_a_name_is_what_was_accepted_or_came_before(journal: Journal) -> None:
    """An accepted namesake counts whenever it came, an undecided one only if it came first, a rejected one never."""
    with journal.write() as connection:
        for ticket, received_at in (("A", 1), ("B", 2), ("C", 3)):
            submissions.add(connection, submission(ticket, received_at))
        middle = submission("B", 2)
        before = submissions.namesake(connection, middle)
        submissions.settle(connection, "A", Ruling(State.REJECTED))
        none = submissions.namesake(connection, middle)
        submissions.settle(connection, "C", Ruling(State.ACCEPTED))
        later = submissions.namesake(connection, middle)

    assert ["A", None, "C"] == [None if item is None else item.ticket for item in (before, none, later)]


def plan_of(journal: Journal, execute: Callable[[sa.Connection], object]) -> str:
    """How SQLite carries out what ``execute`` asks."""
    asked: list[tuple[str, Any]] = []
    with journal.read() as connection:
        sa.event.listen(connection, "before_cursor_execute", lambda *event: asked.append((event[2], event[3])))
        execute(connection)
        statement, parameters = next(each for each in asked if not each[0].startswith("BEGIN"))
        return "; ".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters))


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("execute", "index"),
    [
        (lambda c: effects.due(c, Kind.FORWARD, 1, 10), "(state=? AND kind=? AND next_attempt_at<?)"),
        (lambda c: effects.next_due(c, Kind.FORWARD), "(state=? AND kind=?)"),
        (lambda c: effects.due_beyond(c, Kind.FORWARD, 1), "(state=? AND kind=? AND next_attempt_at>?)"),
        (lambda c: effects.parked(c, Kind.FORWARD, 10, after=5), "(state=? AND kind=? AND number>?)"),
        (lambda c: effects.tickets_with_pending(c, Kind.FORWARD, among=["A"]), "(ticket=? AND"),
        (lambda c: list(effects.standings(c, Kind.FORWARD, "A")), "(ticket=? AND kind=?)"),
        (lambda c: closing.close_done(c, ["A"]), "SEARCH effects USING COVERING INDEX"),
    ],
)
def test_what_is_asked_of_effects_is_answered_by_an_index(
    journal: Journal, execute: Callable[[sa.Connection], object], index: str
) -> None:
    """However many wait at the broker, nothing reads all of them, and nothing sorts them."""
    plan = plan_of(journal, execute)

    assert index in plan
    assert "B-TREE" not in plan.replace("USE TEMP B-TREE FOR DISTINCT", "")
    assert "SCAN" not in plan


def test_an_attempt_that_failed_is_put_off_and_comes_after_those_never_tried(journal: Journal) -> None:
    """It is due again at its time, with its attempts; done, it has no reason any more."""
    with journal.write() as connection:
        submissions.add(connection, submission("A"))
        effects.plan(connection, "A", Kind.FORWARD, [{}, {}, {}], [1, 5, 9])
        first, second, third = effects.due(connection, Kind.FORWARD, 100, 10)
        effects.failed(connection, [Failure(first, 1, "no queue" * 100, 200), Failure(second, 4, "too large", None)])
        before = effects.due(connection, Kind.FORWARD, 199, 10)
        after = effects.due(connection, Kind.FORWARD, 200, 10)
        effects.done(connection, after)
        standings = list(effects.standings(connection, Kind.FORWARD, "A"))
        [parked] = effects.parked(connection, Kind.FORWARD, 10)
        closed = closing.close_done(connection, ["A"])

    assert [1, 5, 9] == [each.ordinal for each in (first, second, third)]
    assert [third] == before
    assert [third, replace(first, attempts=1)] == after
    assert ["done", "parked", "done"] == [each.state for each in standings]
    assert [None, "too large", None] == [each.reason for each in standings]
    assert standings[1] == parked
    assert not closed
