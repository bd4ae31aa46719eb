"""How long a message that failed waits, and when a broker that failed is tried again."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.breaker import Breaker, Patience

PATIENCE = Patience(first=5.0, ceiling=900.0, attempts=8)


def test_the_pause_doubles_up_to_the_ceiling() -> None:
    """Chance takes up to half of it away, so that many do not come back at once."""
    assert [5.0, 10.0, 20.0, 640.0, 900.0, 900.0] == [PATIENCE.pause(failures, 0.0) for failures in (1, 2, 3, 8, 9, 99)]
    assert [2.5, 5.0, 450.0] == [PATIENCE.pause(failures, 1.0) for failures in (1, 2, 99)]


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_no_pause_is_longer_than_the_ceiling_or_none_at_all(failures: int, chance: float) -> None:
    """However often something failed."""
    assert 0 < PATIENCE.pause(failures, chance) <= PATIENCE.ceiling


def test_a_message_is_given_up_after_the_attempts_and_not_before() -> None:
    """After the eighth failure, here."""
    assert [False, True, True] == [PATIENCE.is_exhausted(failures) for failures in (7, 8, 9)]


def test_the_breaker_opens_with_the_first_failure_and_closes_with_the_first_success() -> None:
    """The first trial is made at once, the next ones later and later."""
    breaker = Breaker(PATIENCE)
    assert (False, 0.0) == (breaker.is_open, breaker.wait(100.0))

    breaker.failed(100.0, 0.0)
    assert (True, 0.0) == (breaker.is_open, breaker.wait(100.0))
    breaker.failed(101.0, 0.0)
    assert [5.0, 1.0, 0.0] == [breaker.wait(at) for at in (101.0, 105.0, 107.0)]
    breaker.failed(107.0, 0.0)
    assert 10.0 == breaker.wait(107.0)

    breaker.succeeded()
    assert (False, 0.0) == (breaker.is_open, breaker.wait(107.0))
