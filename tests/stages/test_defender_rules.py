"""How failures become locks, without a journal."""

import pytest

from gateway.defender import Failures, LockRules, failed_once_more, holds, lock_seconds

SECOND = 1_000_000
RULES = LockRules()
AT = 1_800_000_000 * SECOND


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 0), (4, 0), (5, 60), (6, 120), (7, 240), (15, 61_440), (16, 86_400), (5_000, 86_400)],
)
def test_locks_double_up_to_the_ceiling(failures: int, seconds: float) -> None:
    """From the fifth failure on; however many there are, there is a ceiling."""
    assert seconds == lock_seconds(failures, 5, 60.0, 86_400.0)


@pytest.mark.parametrize(
    ("username", "source", "tries", "ceiling"),
    [("user", "192.0.2.1", 5, 86_400), ("", "192.0.2.1", 20, 3_600), ("user", "", 100, 3_600)],
)
def test_each_count_has_its_own_limit(username: str, source: str, tries: int, ceiling: int) -> None:
    """A user at an address, an address, a user from everywhere."""
    before = failed_once_more(Failures(username, source, tries - 2, AT), RULES, AT)
    assert not before.is_locked(AT)
    assert failed_once_more(before, RULES, AT).locked_until == AT + 60 * SECOND
    long = failed_once_more(Failures(username, source, 1_000, AT), RULES, AT)
    assert long.locked_until == AT + ceiling * SECOND


def test_failures_count_until_a_day_after_the_last_or_its_lock() -> None:
    """A lock of a day is no way to begin anew when it ends."""
    day = 86_400 * SECOND
    known = Failures("user", "192.0.2.1", 20, AT - day, AT)
    assert 21 == failed_once_more(known, RULES, AT).failures
    assert 21 == failed_once_more(known, RULES, AT + day - 1).failures
    assert 1 == failed_once_more(known, RULES, AT + day).failures


@pytest.mark.parametrize(
    ("source", "succeeded_at", "expected"),
    [("192.0.2.1", AT, True), ("", 0, True), ("", AT, False), ("", AT - 90 * 86_400 * SECOND, True)],
)
def test_a_lock_from_everywhere_spares_where_the_user_was_lately(
    source: str, succeeded_at: int, expected: bool
) -> None:
    """The other locks spare nobody."""
    lock = Failures("user", source, 200, AT, AT + 1)
    pair = Failures("user", "192.0.2.1", succeeded_at=succeeded_at)
    assert holds(lock, pair, RULES, AT) is expected
    assert not holds(lock, pair, RULES, AT + 1)
