"""Was this file sent before?"""

from dataclasses import replace

import pytest

from gateway.repeats import EarlierUndecidedError, Repeat, check_repeats
from schemas.codes import Code
from spool.submissions import State, Submission

_SUBMISSION = Submission(
    ticket="B",
    received_at=2,
    channel="sftp",
    sender="123456",
    username="payroll01",
    directory="IN",
    name="GO.DIMN.123456.20261121.00001.R.1",
    stem="DIMN.123456.20261121.00001.R",
    content="same",
    state=State.RECEIVED,
    attempts=0,
)


def earlier(state: State, content: str = "same") -> Submission:
    """A submission of the same name that came first."""
    return replace(_SUBMISSION, ticket="A", received_at=1, state=state, content=content)


@pytest.mark.parametrize("state", [None, State.REJECTED, State.REPEATED])
def test_a_name_that_was_never_accepted_is_free(state: State | None) -> None:
    """Nothing before, or only what was rejected, is no repeat."""
    assert check_repeats(_SUBMISSION, earlier(state) if state else None) == ()


def test_the_same_bytes_under_an_accepted_name_are_a_repeat() -> None:
    """It is the first submission again."""
    assert Repeat("A") == check_repeats(_SUBMISSION, earlier(State.ACCEPTED))


def test_other_bytes_under_an_accepted_name_are_refused() -> None:
    """The name is used up."""
    result = check_repeats(_SUBMISSION, earlier(State.ACCEPTED, "other"))

    assert not isinstance(result, Repeat)
    assert [finding.code for finding in result] == [Code.ALREADY_SENT]


def test_a_go_without_data_repeats_what_was_accepted() -> None:
    """Its sender never saw the OK for the first one."""
    assert Repeat("A") == check_repeats(replace(_SUBMISSION, content=""), earlier(State.ACCEPTED))


@pytest.mark.parametrize("content", ["", "same", "other"])
def test_a_td_comes_too_late_for_what_was_accepted(content: str) -> None:
    """A cancellation is never answered with the positive answer it wants to prevent, nor with "withdrawn"."""
    withdrawal = replace(_SUBMISSION, name="TD.DIMN.123456.20261121.00001.R.1", content=content)
    result = check_repeats(withdrawal, earlier(State.ACCEPTED))

    assert not isinstance(result, Repeat)
    assert [finding.code for finding in result] == [Code.ALREADY_SENT]


@pytest.mark.parametrize("state", [State.RECEIVED, State.HELD, State.QUARANTINED])
def test_two_at_once_wait_for_each_other(state: State) -> None:
    """While the first has no verdict the second gets none either."""
    with pytest.raises(EarlierUndecidedError):
        check_repeats(_SUBMISSION, earlier(state))
