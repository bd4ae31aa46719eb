"""What fits together of a submission, and the name of everything that does not."""

from collections.abc import Callable

import pytest

from spool.reconciliation import ADVICE, File, Known, Misfit, Promises, Row, compare
from spool.submissions import State

GO, FI = "GO.DIMN.123456.20261121.00001.R.1", "FI.DIMN.123456.20261121.00001.R.1.1"
ACRF, OTHER = "ACRF.999999.20261121.00001.R", "DMNO.999999.20261121.00002.R.1.1"


def whole(state: State = State.ACCEPTED) -> Known:
    """A submission of which everything fits, and is done."""
    decided = state in {State.ACCEPTED, State.REJECTED, State.REPEATED}
    known = Known(Row("T", 1, state, 3 if state is State.ACCEPTED else None, 2 if decided else None))
    known.files = {GO: File(0, "e3"), FI: File(9, "ab")}
    known.folder = {GO: File(0), FI: File(9)}
    if state in {State.ACCEPTED, State.REJECTED}:
        known.stems, known.promises.own = [ACRF], 1
    if state is State.REPEATED:
        known.promises.others = 1
    if state is State.ACCEPTED:
        known.promises.messages, known.promises.first, known.promises.last = 3, 1, 3
    return known


@pytest.mark.parametrize("state", State)
def test_what_is_whole_fits_in_every_state(state: State) -> None:
    """Nothing is named, whether there is a verdict or not."""
    assert compare(whole(state)) == []


def _two_answers(known: Known) -> None:
    known.stems.append(OTHER)
    known.promises.own = 2


def _parked(known: Known) -> None:
    known.row = Row("T", 1, State.ACCEPTED, 3, None)
    known.promises.open_messages = known.promises.parked = 1


def _given_again(known: Known) -> None:
    known.promises.open_answers = 1


def _one_message_a_file(known: Known) -> None:
    known.promises.messages = known.promises.by_file = known.promises.last = 1


def _purged(known: Known) -> None:
    known.row = Row("T", 1, State.ACCEPTED, 3, 2, is_purged=True)
    known.folder = None


def _without_forms(known: Known) -> None:
    known.row, known.promises.messages, known.promises.last = Row("T", 1, State.ACCEPTED, 0, 2), 0, 0


@pytest.mark.parametrize(
    "happen",
    [_two_answers, _parked, _given_again, _one_message_a_file, _purged, _without_forms],
    ids=lambda f: f.__name__,
)
def test_what_may_be_is_not_named(happen: Callable[[Known], None]) -> None:
    """A notification, what is parked, what is given again, one message for a whole file, what was purged."""
    known = whole()
    happen(known)

    assert compare(known) == []


def broken(state: State, **facts: object) -> Known:
    """One of which some facts are other than they have to be."""
    known = whole(state)
    for name, value in facts.items():
        setattr(known.promises if name in Promises.__slots__ else known, name, value)
    return known


CASES = {
    Misfit.NO_FOLDER: broken(State.RECEIVED, folder=None),
    Misfit.FILE_MISSING: broken(State.RECEIVED, folder={GO: File(0)}),
    Misfit.FILE_UNKNOWN: broken(State.RECEIVED, folder={GO: File(0), FI: File(9), "\udcff": File(1)}),
    Misfit.FILE_ALTERED: broken(State.RECEIVED, folder={GO: File(0), FI: File(8)}),
    Misfit.NOT_ANSWERED: broken(State.REJECTED, stems=[], own=0),
    Misfit.ANSWERED_TWICE: broken(State.REJECTED, stems=[ACRF, ACRF.replace("1.R", "2.R")], own=2),
    Misfit.ANSWERED_TOO_SOON: broken(State.HELD, stems=[ACRF], own=1),
    Misfit.ANSWER_NOT_PROMISED: broken(State.REJECTED, own=0),
    Misfit.ANSWER_LOST: broken(State.REPEATED, lost_answers=1),
    Misfit.NOT_FORWARDED: broken(State.ACCEPTED, messages=2),
    Misfit.FORWARDED_UNASKED: broken(State.REJECTED, messages=1),
    Misfit.NOT_QUEUED: broken(State.ACCEPTED, queued=2),
    Misfit.NOT_CLOSED: broken(State.REJECTED, row=Row("T", 1, State.REJECTED, None, None)),
    Misfit.CLOSED_TOO_SOON: broken(State.ACCEPTED, open_messages=1),
}


@pytest.mark.parametrize("misfit", CASES)
def test_each_misfit_is_named_alone_with_what_to_do(misfit: Misfit) -> None:
    """One wrong fact, one name, and words for the operator."""
    [found] = compare(CASES[misfit])

    assert ("T", misfit) == (found.ticket, found.misfit)
    assert found.detail.isascii()
    assert found.advice


@pytest.mark.parametrize(
    ("known", "misfit"),
    [
        (broken(State.RECEIVED, folder={GO: File(0), FI: File(9, "cd")}), Misfit.FILE_ALTERED),
        (broken(State.REPEATED, others=0), Misfit.NOT_ANSWERED),
        (broken(State.ACCEPTED, others=1), Misfit.ANSWERED_TWICE),
        (broken(State.ACCEPTED, last=4), Misfit.FORWARDED_UNASKED),
        (broken(State.ACCEPTED, messages=0, by_file=1), Misfit.NOT_FORWARDED),
        (broken(State.QUARANTINED, messages=3), Misfit.FORWARDED_UNASKED),
        (broken(State.HELD, row=Row("T", 1, State.HELD, None, 5)), Misfit.CLOSED_TOO_SOON),
    ],
    ids=lambda value: str(value) if isinstance(value, Misfit) else "",
)
def test_other_ways_to_the_same_misfits(known: Known, misfit: Misfit) -> None:
    """By another digest, a repeat that nobody answers, a form that is not there."""
    assert [misfit] == [found.misfit for found in compare(known)]


def test_there_is_advice_for_every_misfit() -> None:
    """Also for those that are found by other ways."""
    assert set(Misfit) == set(ADVICE)
