"""What becomes of a submission that cannot be judged just now."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from config.errors import TemporaryError
from config.settings import Judging as JudgingRules
from gateway.judging import Judging
from gateway.pipeline import Pipeline
from gateway.rounds import Round
from gateway.serving.deliver import resume
from signing.evidence import TrustUnavailable
from spool import claims, submissions
from spool.journal import Journal, now
from spool.submissions import State, Submission
from spool.wanted import Want, Wanted

pytestmark = pytest.mark.every_database


class FailingPipeline:
    """A pipeline that never gets to a verdict."""

    def __init__(self, journal: Journal, fault: Exception) -> None:
        """Fail with ``fault`` every time."""
        self.journal = journal
        self.fault = fault

    def open_plain(self, connection: object, tickets: object) -> dict[str, object]:
        """Open none."""
        return {}

    async def settle(self, ticket: str, case: object) -> None:
        """Fail."""
        raise self.fault


@pytest.fixture
def state_after(journal: Journal) -> Callable[..., Any]:
    """Judge one submission with a pipeline that fails, and say what is known of it afterwards."""

    async def judge(fault: Exception, wanted: Wanted | None = None) -> Submission | None:
        with journal.write() as connection:
            submissions.add(connection, submission_of("A"))
        pipeline = FailingPipeline(journal, fault)
        ended = asyncio.Event()

        def ring(*names: Round) -> None:
            if Round.JUDGE in names:
                ended.set()

        judging = Judging(cast("Pipeline", pipeline), JudgingRules(max_failures=1), wanted, ring)
        await judging.turn()
        await ended.wait()
        return load(journal)

    return judge


def submission_of(ticket: str) -> Submission:
    """A submission that has just come."""
    name = "GO.DIMN.123456.20261121.00001.R.1"
    return Submission(ticket, 1, "sftp", "123456", "u", "IN", name, name[3:-2], "c", State.RECEIVED, 0)


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
    with capture_logs() as lines:
        submission = await state_after(ZeroDivisionError("words of a document"))
    with journal.read() as connection:
        timeline = str(submissions.timeline(connection, "A"))

    assert (State.QUARANTINED, 1) == (submission.state, submission.attempts)
    assert "words of a document" not in timeline + str(lines)
    (told,) = [line for line in lines if line["event"] == "judge.failed"]
    assert (submission.sender, submission.name) == (told["sender"], told["file"])
    assert "ZeroDivisionError" in timeline


@pytest.mark.parametrize(
    ("fault", "asked"),
    [
        (TrustUnavailable("CN=Issuing", "no fresh list", "staff", b"DER"), [Want("A", "staff", b"DER")]),
        (TrustUnavailable("/authorities", "cannot be read"), []),
        (TemporaryError("the journal cannot be written"), []),
    ],
)
async def test_missing_revocation_data_are_asked_for_at_once(
    state_after: Callable[..., Any], fault: Exception, asked: list[Any], tmp_path: Path
) -> None:
    """With the ticket, the authority and the certificate, where they are known; after the submission was kept."""
    submission = await state_after(fault, Wanted(tmp_path))

    assert (State.HELD, asked) == (submission.state, Wanted(tmp_path).news())


async def test_what_was_waited_for_is_judged_at_once(journal: Journal) -> None:
    """Of those named, and only what is held without having failed; the round is woken if there was any."""
    far = now() + 10**12
    with journal.write() as connection:
        for ticket, attempts in (("A", 0), ("B", 3), ("C", 0)):
            submissions.add(connection, submission_of(ticket))
            submissions.hold(
                connection, ticket, state=State.HELD, attempts=attempts, next_attempt_at=far, reason="no fresh list"
            )
    rung = asyncio.Event()
    await resume(journal, rung.set, {"A", "B", "unknown"})
    await rung.wait()
    with journal.read() as connection:
        named = [one.ticket for one in claims.due(connection, now(), 10)]
    with journal.write() as connection:
        submissions.hasten(connection)
    with journal.read() as connection:
        every = [one.ticket for one in claims.due(connection, now(), 10)]

    assert (["A"], ["A", "C"]) == (named, every)
