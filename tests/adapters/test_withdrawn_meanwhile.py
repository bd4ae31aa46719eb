"""A TD that comes between the checks of a set and its verdict is not too late."""

from pathlib import Path
from typing import Any, cast

import pytest

from gateway.cases import Case
from gateway.judge import Verdict
from gateway.parties import Sender, SignatureProfile
from gateway.pipeline import Pipeline, WithdrawnMeanwhileError
from spool import submissions
from spool.journal import Journal
from spool.submissions import State
from tests.submissions_made import BRUSSELS, MINE, receive

pytestmark = pytest.mark.every_database

NOTHING = cast("Any", None)


def test_no_acceptance_is_written_once_a_td_is_in_custody(journal: Journal) -> None:
    """The submission stays without a verdict, to be judged again; then it is found withdrawn."""
    submission = receive(journal, "A" * 13)
    sender = Sender(MINE, SignatureProfile.DETACHED, "RTS", ("*",), active=True)
    case = Case(submission, sender, None, Path(), Path("declarations"), NOTHING)
    pipeline = Pipeline(journal, NOTHING, NOTHING, BRUSSELS, NOTHING, Path())
    receive(journal, "B" * 13, name=f"TD.DIMN.{MINE}.20261121.00001.R.1")

    with pytest.raises(WithdrawnMeanwhileError):
        pipeline._record(Verdict(case, State.ACCEPTED, (), {}, 0), [])

    with journal.read() as connection:
        found = submissions.load(connection, "A" * 13)
    assert found is not None
    assert State.RECEIVED is found.state
