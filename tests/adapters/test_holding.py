"""What an operator holds, releases, returns and drops, in a real journal."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from gateway import holding
from gateway.cases import Case
from gateway.cli.why import explain, look
from gateway.judge import Verdict
from gateway.parties import Sender, SignatureProfile
from gateway.pipeline import Pipeline
from gateway.register.actor import Operator, Refusal
from gateway.register.history import changes
from gateway.repeats import EarlierUndecidedError, check_repeats
from spool import claims, holds, submissions
from spool.holds import Hold, Selection
from spool.journal import Journal, now
from spool.submissions import Ruling, State, Submission
from tests.submissions_made import BRUSSELS, MINE, OTHER, receive

pytestmark = pytest.mark.every_database

WHO = Operator("anna")
FIRST, SECOND, THIRD = "A" * 13, "B" * 13, "C" * 13
HOUR = 3_600 * 1_000_000
NOTHING = cast("Any", None)


def loaded(journal: Journal, ticket: str) -> Submission:
    """The submission as the journal has it."""
    with journal.read() as connection:
        found = submissions.load(connection, ticket)
    assert found is not None
    return found


def steps(journal: Journal, ticket: str) -> list[str]:
    """The names of its events."""
    with journal.read() as connection:
        return [event.name for event in submissions.timeline(connection, ticket)]


def due(journal: Journal, at: int | None = None) -> list[str]:
    """What is to be judged now, or then."""
    with journal.read() as connection:
        return [one.ticket for one in claims.due(connection, now() if at is None else at, 10)]


def held(journal: Journal, selection: Selection, ends_at: int | None = None) -> Hold:
    """A hold that was placed."""
    with journal.write() as connection:
        placed = holding.hold(connection, WHO, selection, "payroll asked", ends_at)
    assert isinstance(placed, Hold)
    return placed


def quarantined(journal: Journal, ticket: str) -> None:
    """A submission that failed too often."""
    receive(journal, ticket)
    with journal.write() as connection:
        submissions.hold(connection, ticket, state=State.QUARANTINED, attempts=10, next_attempt_at=0, reason="KeyError")


def look_at(journal: Journal, ticket: str) -> None:
    """The daemon's turn: what a hold covers is kept."""
    submission = loaded(journal, ticket)
    with journal.read() as connection:
        hold = holds.standing_on(connection, submission, now())
    assert hold is not None
    holding.keep(journal, submission, hold)


def test_a_held_ticket_waits_until_it_is_released(journal: Journal) -> None:
    """Held twice is held once; released, it is due at once; each act stands in the timeline and in the history."""
    receive(journal, FIRST)
    placed = held(journal, Selection(FIRST))
    again = held(journal, Selection(FIRST))
    waits = loaded(journal, FIRST).state, due(journal, now() + 1000 * HOUR)
    with journal.write() as connection:
        released = holding.release_ticket(connection, WHO, FIRST, "payroll is done")
        repeated = holding.release_ticket(connection, WHO, FIRST, "payroll is done")
    with journal.read() as connection:
        history = [(one.act, one.actor, one.reason) for one in changes(connection)]

    assert (placed, (State.HELD, [])) == (again, waits)
    assert (None, Refusal) == (released, type(repeated))
    assert [FIRST] == due(journal)
    assert ["custody.taken", "hold.placed", "submission.held", "submission.released"] == steps(journal, FIRST)
    assert ("hold.placed", "operator:anna", "payroll asked") in history
    assert {"hold.placed", "hold.released", "submission.released"} == {act for act, _, _ in history}


@pytest.mark.parametrize(
    ("selection", "covers"),
    [
        (Selection(sender=MINE), True),
        (Selection(sender=OTHER), False),
        (Selection(purpose="DIMN"), True),
        (Selection(purpose="DMFA"), False),
        (Selection(sender=MINE, purpose="DIMN", environment="R"), True),
        (Selection(sender=MINE, environment="T"), False),
    ],
)
def test_a_hold_covers_what_it_names(journal: Journal, selection: Selection, covers: bool) -> None:
    """A sender, a type, both, and of them an environment."""
    submission = receive(journal, FIRST)
    placed = held(journal, selection)
    with journal.read() as connection:
        found = holds.standing_on(connection, submission, now())

    assert (placed if covers else None) == found


def test_a_hold_of_a_sender_ends_by_itself_or_by_hand(journal: Journal) -> None:
    """What it keeps is due when it ends; looked at however often there is one event; released, all are due at once."""
    receive(journal, FIRST)
    receive(journal, SECOND, name=f"GO.DIMN.{MINE}.20261121.00002.R.1")
    ends_at = now() + HOUR
    placed = held(journal, Selection(sender=MINE), ends_at)
    for ticket in (FIRST, SECOND, FIRST):
        look_at(journal, ticket)
    before, then = due(journal), due(journal, ends_at)
    with journal.read() as connection:
        over = holds.standing_on(connection, loaded(journal, FIRST), ends_at)
    with journal.write() as connection:
        alone = holding.release_ticket(connection, WHO, FIRST, "only this one")
        count = holding.release_hold(connection, WHO, placed.number, "all is well")
        again = holding.release_hold(connection, WHO, placed.number, "all is well")

    assert ([], [FIRST, SECOND], None) == (before, then, over)
    assert isinstance(alone, Refusal)
    assert f"--hold {placed.number}" in alone.words
    assert 2 == count
    assert isinstance(again, Refusal)
    assert [FIRST, SECOND] == due(journal)
    assert 1 == steps(journal, FIRST).count("submission.held")


def test_another_end_takes_the_place_of_the_first(journal: Journal) -> None:
    """What waited for the old end is looked at again, and waits for the new one."""
    receive(journal, FIRST)
    held(journal, Selection(sender=MINE))
    look_at(journal, FIRST)
    held(journal, Selection(sender=MINE), now() + HOUR)
    woken = due(journal)
    look_at(journal, FIRST)
    with journal.read() as connection:
        in_force = len(holds.in_force(connection, now()))

    assert ([FIRST], [], 1) == (woken, due(journal), in_force)


def test_no_verdict_is_written_over_a_hold_that_came_meanwhile(journal: Journal) -> None:
    """The submission stays without a verdict, whether it would be a verdict of its own or an earlier one's."""
    submission = receive(journal, FIRST)
    sender = Sender(MINE, SignatureProfile.DETACHED, "RTS", ("*",), active=True)
    case = Case(submission, sender, None, Path(), Path("declarations"), NOTHING)
    pipeline = Pipeline(journal, NOTHING, NOTHING, BRUSSELS, NOTHING, Path())
    held(journal, Selection(FIRST))

    with pytest.raises(holding.HeldMeanwhileError):
        pipeline._record(Verdict(case, State.REJECTED, (), {}, 0), [])
    with pytest.raises(holding.HeldMeanwhileError):
        pipeline._give_again(submission, SECOND)

    assert State.HELD is loaded(journal, FIRST).state


def test_what_has_a_verdict_is_not_held(journal: Journal) -> None:
    """Nor what waits for a person already, nor what isn't there."""
    receive(journal, FIRST)
    quarantined(journal, SECOND)
    with journal.write() as connection:
        submissions.settle(connection, FIRST, Ruling(State.ACCEPTED))
        refusals = [holding.hold(connection, WHO, Selection(one), "why", None) for one in (FIRST, SECOND, THIRD)]

    assert [Refusal] * 3 == [type(refusal) for refusal in refusals]


def test_who_loses_the_race_for_a_verdict_notes_nothing(journal: Journal) -> None:
    """A submission with a verdict is not held any more, and no event says so."""
    receive(journal, FIRST)
    with journal.write() as connection:
        submissions.settle(connection, FIRST, Ruling(State.ACCEPTED))
        submissions.hold(connection, FIRST, state=State.HELD, attempts=0, next_attempt_at=0, reason="late")

    assert ["custody.taken", "verdict.accepted"] == steps(journal, FIRST)


def test_a_later_one_waits_behind_the_quarantined_and_is_freed_by_its_drop(journal: Journal) -> None:
    """`why` names the blocker; dropped and refused, it blocks nobody, and who waited is due at once."""
    quarantined(journal, FIRST)
    later = receive(journal, SECOND)
    with journal.write() as connection:
        earlier = submissions.namesake(connection, later)
        submissions.hold(
            connection,
            SECOND,
            state=State.HELD,
            attempts=0,
            next_attempt_at=now() + HOUR,
            reason="EarlierUndecidedError",
        )
        known = look(connection, SECOND)
        behind = holds.behind(connection, loaded(journal, FIRST))
    with pytest.raises(EarlierUndecidedError):
        check_repeats(later, earlier)
    with journal.write() as connection:
        dropped = holding.drop(connection, WHO, FIRST, "sent by mistake")
        again = holding.drop(connection, WHO, FIRST, "sent by mistake")
        submissions.settle(connection, FIRST, Ruling(State.REJECTED))
        holds.let_follow(connection, loaded_in(connection, FIRST))
        free = submissions.namesake(connection, later)

    assert known is not None
    assert FIRST in explain(known).why[0]
    assert "quarantine drop" in explain(known).then[0]
    assert ([SECOND], None, None, None) == (behind, dropped, again, free)
    assert [SECOND] == due(journal)
    assert 1 == steps(journal, FIRST).count("submission.dropped")


def loaded_in(connection: Any, ticket: str) -> Submission:
    """The submission as a transaction has it."""
    found = submissions.load(connection, ticket)
    assert found is not None
    return found


def test_what_is_returned_has_its_first_attempt_again(journal: Journal) -> None:
    """Only the quarantined can be returned or dropped; one that was dropped and failed again is neither any more."""
    quarantined(journal, FIRST)
    with journal.write() as connection:
        holding.drop(connection, WHO, FIRST, "hopeless")
        submissions.hold(connection, FIRST, state=State.QUARANTINED, attempts=10, next_attempt_at=0, reason="KeyError")
        returned = holding.give_back(connection, WHO, FIRST, "mended")
        again = holding.give_back(connection, WHO, FIRST, "mended")
        unknown = holding.drop(connection, WHO, THIRD, "why")
        drop = holds.dropped(connection, FIRST)

    assert (None, None) == (returned, drop)
    assert [Refusal, Refusal] == [type(again), type(unknown)]
    assert (State.RECEIVED, 0) == (loaded(journal, FIRST).state, loaded(journal, FIRST).attempts)


def test_a_reason_keeps_no_inss(journal: Journal) -> None:
    """Neither in the timeline nor with the hold."""
    receive(journal, FIRST)
    with journal.write() as connection:
        placed = holding.hold(connection, WHO, Selection(FIRST), "about 85073003328", None)
        timeline = str(submissions.timeline(connection, FIRST))

    assert isinstance(placed, Hold)
    assert "85073003328" not in placed.word.reason + timeline


def test_two_operators_at_once_place_one_hold(journal: Journal) -> None:
    """Writers take turns: the second finds what the first has done."""
    receive(journal, FIRST)

    async def both() -> list[Hold]:
        return list(await asyncio.gather(*(asyncio.to_thread(held, journal, Selection(FIRST)) for _ in range(2))))

    first, second = asyncio.run(both())

    assert first == second
    assert 1 == steps(journal, FIRST).count("hold.placed")
