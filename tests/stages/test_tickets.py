"""What a ticket says by itself."""

import pytest

from spool.tickets import new_ticket, seconds_since

SECOND = 1_000_000


def test_a_ticket_says_when_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the millisecond, also when its digits have gone round."""
    for moment in (1_795_262_400_123, 4_600_000_000_999):
        monkeypatch.setattr("time.time_ns", lambda at=moment: at * SECOND)
        ticket = new_ticket()
        assert 2.5 == seconds_since(ticket, moment * 1000 + 2_500_000)


def test_nobody_waits_for_less_than_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that was set back since makes no negative time."""
    monkeypatch.setattr("time.time_ns", lambda: 1_795_262_400_123 * SECOND)
    assert 0 == seconds_since(new_ticket(), 1_795_262_400_123_000 - 3600 * SECOND)


def test_what_is_no_ticket_says_nothing() -> None:
    """It ends no line of the log."""
    assert seconds_since("no ticket", 0) is None
