"""When a place is asked again for revocation data: the schedule alone, without clock or network."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.refetch import Standing, after_answer, after_failure, by_the_clock, when_asked

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def test_a_place_is_asked_again_after_its_period_give_or_take_a_tenth() -> None:
    """Chance spreads gateways that were started together."""
    waits = [after_answer(Standing(AT), AT, HOUR, chance, None).due - AT for chance in (0.0, 0.5, 1.0)]

    assert [0.9 * HOUR, HOUR, 1.1 * HOUR] == waits


def test_data_that_run_out_sooner_are_fetched_before_they_do() -> None:
    """With a tenth of their time left."""
    standing = after_answer(Standing(AT), AT, HOUR, 0.5, AT + timedelta(minutes=20))

    assert AT + timedelta(minutes=18) == standing.due


def test_data_that_have_run_out_already_are_not_fetched_without_a_pause() -> None:
    """A server that gives the same stale list again is asked once a minute."""
    standing = after_answer(Standing(AT), AT, HOUR, 0.5, AT - HOUR)

    assert AT + timedelta(minutes=1) == standing.due


def test_a_server_that_fails_is_asked_more_and_more_rarely() -> None:
    """Up to a quarter of an hour, and never more rarely than the period."""
    standing, waits = Standing(AT), []
    for _ in range(12):
        standing = after_failure(standing, AT, HOUR, 1.0)
        waits.append(standing.due - AT)

    assert [1, 2, 4, 8] == [wait // SECOND for wait in waits[:4]]
    assert timedelta(minutes=15) == waits[-1]
    assert timedelta(minutes=2) == after_failure(standing, AT, timedelta(minutes=2), 1.0).due - AT


def test_while_a_submission_waits_a_server_that_is_away_is_asked_every_few_seconds() -> None:
    """However long it has been away already."""
    standing = when_asked(Standing(AT + HOUR, tried=AT - HOUR, failures=12), AT)
    for _ in range(3):
        assert standing.due - AT <= 5 * SECOND
        standing = after_failure(standing, AT, HOUR, 1.0)
    assert standing.asked


def test_what_a_submission_waits_for_is_due_at_once() -> None:
    """If it was never fetched, or long ago."""
    never = when_asked(Standing(AT), AT)
    long_ago = when_asked(Standing(AT + HOUR, tried=AT - HOUR), AT)

    assert never.due <= AT
    assert long_ago.due <= AT


def test_many_that_wait_are_as_good_as_one() -> None:
    """The thousandth changes nothing."""
    once = when_asked(Standing(AT + HOUR, tried=AT), AT + SECOND)

    assert once == when_asked(once, AT + 2 * SECOND)


def test_data_that_came_and_did_not_help_are_asked_for_more_and_more_rarely() -> None:
    """What is missing is elsewhere; five minutes is the longest."""
    standing, at, waits = Standing(AT, tried=AT - SECOND), AT, []
    for _ in range(12):
        asked = when_asked(standing, at)
        waits.append(asked.due - asked.tried if asked.tried else None)
        at = asked.due
        standing = after_answer(asked, at, HOUR, 0.5, None)

    assert [timedelta(seconds=2**step) for step in range(4)] == waits[:4]
    assert timedelta(minutes=5) == waits[-1]


@pytest.mark.parametrize("failures", [0, 3])
def test_nobody_who_waits_makes_a_place_due_later(failures: int) -> None:
    """It may be due already."""
    standing = Standing(AT, tried=AT - SECOND, failures=failures, fruitless=9)

    assert when_asked(standing, AT).due <= AT


def test_what_was_planned_by_a_clock_that_went_ahead_is_due_at_once() -> None:
    """Else nothing were fetched before the clock got there again."""
    year = timedelta(days=365)
    fetched = after_answer(Standing(AT + year), AT + year, HOUR, 0.5, None)
    failed = after_failure(Standing(AT + year), AT + year, HOUR, 0.5)
    for standing in (fetched, failed, Standing(AT + year)):
        assert Standing(AT) == by_the_clock(standing, AT, HOUR)


def test_a_clock_that_is_set_by_seconds_changes_nothing() -> None:
    """As time servers do all the time."""
    for standing in (after_answer(Standing(AT), AT, HOUR, 1.0, None), after_failure(Standing(AT), AT, HOUR, 1.0)):
        assert standing is by_the_clock(standing, AT - 10 * SECOND, HOUR)
