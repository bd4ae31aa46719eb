"""A clock that is set back keeps nobody waiting, nor does a host's clock that the database does not share.

What jumps under load is in ``test_campaign``; here is what waits for its next attempt meanwhile.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

import pytest

from config.errors import TemporaryError
from config.settings import Judging as JudgingRules
from gateway.judging import Judging
from gateway.pipeline import Pipeline
from gateway.rounds import Round
from gateway.shift import Shift
from spool import submissions
from spool.journal import Journal
from spool.submissions import State, Submission
from tests.faults import clock

pytestmark = pytest.mark.every_database
HOUR = 3600 * clock.SECOND


class Failing:
    """A pipeline that only counts how often it was asked."""

    def __init__(self, journal: Journal) -> None:
        """Fail every time, as when no revocation list is to be had."""
        self.journal = journal
        self.asked = 0

    def open_plain(self, connection: object, tickets: object) -> dict[str, object]:
        """Open none."""
        return {}

    async def settle(self, ticket: str, case: object) -> None:
        """Fail."""
        self.asked += 1
        raise TemporaryError("no fresh list")


def add_one(journal: Journal) -> None:
    """A submission that has just come."""
    name = "GO.DIMN.123456.20261121.00001.R.1"
    with journal.write() as connection:
        one = Submission("A", 1, "sftp", "123456", "u", "IN", name, name[3:-2], "c", State.RECEIVED, 0)
        submissions.add(connection, one)


def judging_of(pipeline: Failing, ended: asyncio.Event, spool: Path) -> Judging:
    """What judges, and says when it is done with one; it tries again after a second."""

    def ring(*names: Round) -> None:
        if Round.JUDGE in names:
            ended.set()

    journal = pipeline.journal
    shift = Shift(journal, spool, "me", 60.0) if journal.has_many_hosts else None
    rules = JudgingRules(retry_seconds=1.0, retry_ceiling_seconds=1.0)
    return Judging(cast("Pipeline", pipeline), rules, None, ring, shift)


async def asked_again(journal: Journal, spool: Path, meanwhile: Callable[[], None]) -> Failing:
    """Let a submission be held, do something, and wait until it is judged again."""
    add_one(journal)
    pipeline, ended = Failing(journal), asyncio.Event()
    judging = judging_of(pipeline, ended, spool)
    await judging.turn()
    await ended.wait()
    ended.clear()
    meanwhile()
    async with asyncio.timeout(20):
        while not ended.is_set():
            pause = await judging.turn()
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), pause)
    return pipeline


async def test_what_is_held_is_judged_again_when_the_clock_was_set_back(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait for the hour at which it would have been due."""
    really, by = time.time_ns, [0]
    monkeypatch.setattr(time, "time_ns", lambda: really() + by[0])

    def set_back() -> None:
        by[0] = -HOUR

    pipeline = await asked_again(journal, tmp_path, set_back)

    assert 2 == pipeline.asked


async def test_a_host_whose_clock_is_ahead_holds_nothing_longer(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a database that has a clock of its own, what is held waits by that."""
    really = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: really() + 6 * HOUR)

    pipeline = await asked_again(journal, tmp_path, lambda: None)

    assert 2 == pipeline.asked


# --- the clock of these tests itself


@pytest.mark.sqlite_only
def test_files_keep_the_time_that_was_shown_when_they_were_written(tmp_path: Path) -> None:
    """Those of before a jump look old, those of after it new."""
    shown = clock.Clock(tmp_path / "clock")
    before = time.time_ns()
    shown.jump(2 * HOUR)
    shown.jump(-HOUR)

    assert (0, HOUR) == (shown.told(before) - before, shown.ahead)


@pytest.mark.sqlite_only
@pytest.mark.parametrize(("to_summer", "skipped"), [(True, 1), (False, -1)])
def test_summer_time_begins_and_ends_in_its_zone(tmp_path: Path, *, to_summer: bool, skipped: int) -> None:
    """By the clock on the wall an hour is left out, or there twice."""
    clock.know_zone(tmp_path / "zones")
    change = clock.next_change(time.time_ns(), to_summer=to_summer)
    moments = [datetime.fromtimestamp(change / clock.SECOND - before, UTC) for before in (1, 0)]
    first, last = (moment.astimezone(ZoneInfo(clock.ZONE)).replace(tzinfo=None) for moment in moments)

    assert timedelta(hours=skipped, seconds=1) == last - first
