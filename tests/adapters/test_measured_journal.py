"""The timeline and what waits, as they are read from a real journal."""

from dataclasses import replace

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from gateway.metrics.timed import timed
from gateway.metrics.timeline import Timeline
from gateway.metrics.waiting import STAGES, waiting
from spool import closing, effects, submissions
from spool.effects import Kind
from spool.journal import Journal, now
from spool.submissions import Ruling, State, Submission
from spool.tables import events

pytestmark = pytest.mark.every_database

SECOND = 1_000_000
MARK = "zzmarkzz"


def add(
    journal: Journal, ticket: str, at: int, name: str = "GO.DIMN.123456.20261121.00001.R.1", *, recovered: bool = False
) -> None:
    """A submission that came at ``at``."""
    came = Submission(
        ticket, at, "sftp", "123456", MARK, "IN", name, f"{ticket}", "", State.RECEIVED, 0, waited=2 * SECOND
    )
    with journal.write() as connection:
        submissions.add(connection, replace(came, recovered=recovered))


def test_the_timeline_is_counted_once_by_type_stage_and_outcome(journal: Journal) -> None:
    """From where this process began; an answer that is given again is nobody's waiting time."""
    at = now() - 100 * SECOND
    add(journal, "T000000000000", at)
    registry = CollectorRegistry()
    timeline = Timeline(registry, journal, lambda: {"DIMN"})
    timeline.begin()
    add(journal, "T000000000001", at)
    add(journal, "T000000000002", at, f"GO.{MARK}")
    with journal.write() as connection:
        submissions.hold(connection, "T000000000001", state=State.HELD, attempts=0, next_attempt_at=0, reason="no list")
        submissions.settle(connection, "T000000000001", Ruling(State.ACCEPTED))
        submissions.settle(connection, "T000000000002", Ruling(State.REJECTED, findings=(("129", "x"),)))
        for event in ("answer.placed", "submission.closed", "answer.placed", "something.else"):
            if event == "submission.closed":
                closing.close_done(connection, ["T000000000001"])
            else:
                submissions.note(connection, "T000000000001", event)
        number = connection.execute(sa.select(sa.func.max(events.c.number))).scalar_one()
    # By the clock, the last answer came after the close.
    with journal.write() as connection:
        connection.execute(sa.update(events).where(events.c.number >= number - 1).values(at=now() + SECOND))

    def count(**labels: str) -> float:
        return registry.get_sample_value("gateway_submissions_total", labels) or 0.0

    timeline.look(now())
    assert 0 == count(type="DIMN", stage="received", outcome="taken")
    assert 9 <= (registry.get_sample_value("gateway_timeline_behind") or 0)
    for _ in range(2):
        timeline.look(now() + 60 * SECOND)
        assert 1 == count(type="DIMN", stage="received", outcome="taken")
        assert 1 == count(type="other", stage="judged", outcome="rejected")
        assert 1 == count(type="DIMN", stage="judged", outcome="held")
        assert 1 == count(type="DIMN", stage="judged", outcome="accepted")
        assert 2 == count(type="DIMN", stage="answered", outcome="placed")
        assert 1 == registry.get_sample_value("gateway_refusals_total", {"code": "129"})
        assert 1 == registry.get_sample_value("gateway_answer_seconds_count", {"channel": "sftp"})
        assert 100 <= (registry.get_sample_value("gateway_answer_seconds_sum", {"channel": "sftp"}) or 0) < 110
        assert 2 == registry.get_sample_value("gateway_stage_seconds_count", {"stage": "judged"})
        received = {"stage": "received"}
        assert 2 == registry.get_sample_value("gateway_stage_seconds_count", received)
        assert 204 <= (registry.get_sample_value("gateway_stage_seconds_sum", received) or 0) < 220
        assert 0 == registry.get_sample_value("gateway_timeline_behind")


def test_what_is_recorded_after_a_crash_is_nobodys_receipt(journal: Journal) -> None:
    """Its sender had no OK to wait for: it came, and neither the histogram nor the report measures the downtime."""
    at = now() - 100 * SECOND
    registry = CollectorRegistry()
    timeline = Timeline(registry, journal, lambda: {"DIMN"})
    timeline.begin()
    add(journal, "T000000000001", at)
    add(journal, "T000000000002", at, recovered=True)
    add(journal, "T000000000003", at)
    with journal.write() as connection:
        submissions.note(connection, "T000000000003", "custody.recovered")  # as a release before had it alone
    timeline.look(now() + 60 * SECOND)
    labels = {"type": "DIMN", "stage": "received", "outcome": "taken"}
    assert 3 == registry.get_sample_value("gateway_submissions_total", labels)
    assert 2 == registry.get_sample_value("gateway_stage_seconds_count", {"stage": "received"})
    with journal.read() as connection:
        found = list(timed(connection, at, at + 1))
    assert [(False, 2 * SECOND), (True, 2 * SECOND), (True, 2 * SECOND)] == [
        (one.recovered, one.waited) for one in found
    ]


def test_what_waits_is_told_with_the_age_of_the_oldest(journal: Journal) -> None:
    """At every stage, within bounds."""
    with journal.read() as connection:
        assert list(STAGES) == [stage.stage for stage in waiting(connection)]
        assert {(0, None)} == {(stage.count, stage.since) for stage in waiting(connection)}
    for number in range(3):
        add(journal, f"T{number:012}", 1000 + number)
    with journal.write() as connection:
        submissions.hold(connection, "T000000000001", state=State.HELD, attempts=0, next_attempt_at=0, reason="no list")
        effects.plan(connection, "T000000000002", Kind.FORWARD, [{}, {}])
    with journal.read() as connection:
        found = {stage.stage: (stage.count, stage.since) for stage in waiting(connection)}
        assert found["judge"] == (2, 1000)
        assert found["held"] == (1, 1001)
        assert found["forward"] == (2, 1002)
        assert found["parked"] == (0, None)
        assert {stage.stage: stage.count for stage in waiting(connection, most=1)}["judge"] == 1
