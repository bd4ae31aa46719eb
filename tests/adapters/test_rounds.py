"""What becomes of a submission that cannot be judged just now."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from config.errors import TemporaryError
from config.settings import Judging, Settings
from gateway.pipeline import Pipeline
from gateway.rounds import Rounds
from spool import submissions
from spool.journal import Journal
from spool.submissions import State, Submission


class FailingPipeline:
    """A pipeline that never gets to a verdict."""

    def __init__(self, journal: Journal, fault: Exception) -> None:
        """Fail with ``fault`` every time."""
        self.journal = journal
        self.fault = fault

    async def settle(self, ticket: str) -> None:
        """Fail."""
        raise self.fault


@pytest.fixture
def state_after(journal: Journal, tmp_path: Path) -> Callable[[Exception], Any]:
    """Judge one submission with a pipeline that fails, and say what is known of it afterwards."""

    async def judge(fault: Exception) -> Submission | None:
        with journal.write() as connection:
            name = "GO.DIMN.123456.20261121.00001.R.1"
            submissions.add(
                connection, Submission("A", 1, "sftp", "123456", "u", "IN", name, name[3:-2], "c", State.RECEIVED, 0)
            )
        pipeline = FailingPipeline(journal, fault)
        rounds = Rounds(cast("Pipeline", pipeline), Settings(judging=Judging(max_failures=1)))
        await rounds._judge_one("A")
        return load(journal)

    return judge


def load(journal: Journal) -> Submission | None:
    """The submission as the journal has it."""
    with journal.read() as connection:
        return submissions.load(connection, "A")


@pytest.mark.parametrize("fault", [TemporaryError("no fresh list"), OSError(28, "No space left", "/a/path")])
async def test_our_own_trouble_holds_a_submission_and_counts_for_nothing(
    state_after: Callable[[Exception], Any], journal: Journal, fault: Exception
) -> None:
    """It is tried again however often that happens; the reason names no path."""
    submission = await state_after(fault)
    with journal.read() as connection:
        reasons = [event.facts.get("reason", "") for event in submissions.timeline(connection, "A")]

    assert (State.HELD, 0) == (submission.state, submission.attempts)
    assert not [reason for reason in reasons if "/a/path" in reason]


async def test_what_nobody_thought_of_is_put_aside_after_so_many_times(
    state_after: Callable[[Exception], Any], journal: Journal
) -> None:
    """Here after the first; its words, which may quote a file, are written nowhere."""
    submission = await state_after(ZeroDivisionError("words of a document"))
    with journal.read() as connection:
        timeline = str(submissions.timeline(connection, "A"))

    assert (State.QUARANTINED, 1) == (submission.state, submission.attempts)
    assert "words of a document" not in timeline
    assert "ZeroDivisionError" in timeline
