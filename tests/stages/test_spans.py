"""From steps of submissions to spans."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.metrics.steps import STEPS, Step
from gateway.traces.spans import Forwarded, is_traced, spans_of, trace_number

_STEP = Step(
    number=7,
    ticket="T000000000001",
    at=5_000,
    event="submission.closed",
    facts={},
    name="GO.DIMN.123456.20261121.00001.R.1",
    channel="sftp",
    directory="IN",
    state="accepted",
    received_at=1_000,
    verdict_at=3_000,
    closed_at=5_000,
)


@pytest.mark.parametrize("event", STEPS)
@pytest.mark.parametrize("facts", [None, {}, {"codes": None}, {"checks": ["sender"]}])
def test_every_step_ends_a_span_whatever_is_left_of_its_facts(event: str, facts: object) -> None:
    """Those of a release before, or what was forgotten; the last span stands for the submission or below it."""
    spans = list(spans_of(replace(_STEP, event=event, facts=facts)))

    assert spans
    assert {trace_number(_STEP.ticket)} == {span.trace for span in spans}
    assert all(span.start <= span.end for span in spans)
    assert len({span.number for span in spans}) == len(spans)


def test_the_checks_follow_each_other_below_the_judgement() -> None:
    """From the moment that it began, in their order, each as long as it took."""
    facts = {"checks": ["sender", "signature"], "began_at": 2_000, "took": {"signature": 300, "sender": 100}}
    judge, *checks = spans_of(replace(_STEP, event="verdict.accepted", facts=facts, at=3_000))

    assert ("judge", 2_000, 3_000) == (judge.name, judge.start, judge.end)
    assert [("check sender", 2_000, 2_100), ("check signature", 2_100, 2_400)] == [
        (check.name, check.start, check.end) for check in checks
    ]
    assert {judge.number} == {check.parent for check in checks}


def test_only_what_a_person_has_to_see_to_is_failed() -> None:
    """A refusal is the gateway's work done; a hold is a moment."""
    failed = {event: next(spans_of(replace(_STEP, event=event))).failed for event in STEPS}

    assert {"submission.quarantined"} == {event for event, it in failed.items() if it}


def test_an_answer_that_is_given_again_waited_for_nobody() -> None:
    """It is a moment, long after the submission was closed; the first one began with the verdict."""
    [first] = spans_of(replace(_STEP, event="answer.placed", at=4_000))
    [again] = spans_of(replace(_STEP, event="answer.placed", at=9_000, number=9))

    assert (3_000, 4_000, "placed") == (first.start, first.end, first.attributes["gateway.outcome"])
    assert (9_000, 9_000, "again") == (again.start, again.end, again.attributes["gateway.outcome"])
    assert first.number != again.number


def test_what_was_forwarded_is_a_span_of_its_own() -> None:
    """From the verdict to the last declaration; the whole ends when everything is done."""
    forward, whole = spans_of(_STEP, Forwarded(3, 4_500))

    assert ("forward", 3_000, 4_500, 3) == (
        forward.name,
        forward.start,
        forward.end,
        forward.attributes["gateway.declarations"],
    )
    assert (None, 1_000, 5_000) == (whole.parent, whole.start, whole.end)
    assert whole.number == forward.parent


def test_a_name_that_is_none_is_not_repeated() -> None:
    """Nor a directory that is none; what a client typed is in no span."""
    [span] = spans_of(replace(_STEP, name="85073003328.txt", directory="85073003328"))

    assert "other" == span.attributes["gateway.type"]
    assert "85073003328" not in str(span)


@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=13, max_size=13), st.floats(0, 1), st.floats(0, 1))
def test_who_is_in_a_share_is_in_every_larger_one(ticket: str, one: float, other: float) -> None:
    """So a share can be made larger without losing traces; nobody is in none, and everybody in all."""
    assert is_traced(ticket, max(one, other)) or not is_traced(ticket, min(one, other))
    assert is_traced(ticket, 1)
    assert not is_traced(ticket, 0)
