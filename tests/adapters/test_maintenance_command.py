"""`gateway maintenance on` takes moments and lengths."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.command_line import done, typed
from tests.gateway_process import Site

WHY = ("--reason", "new disks")
MOMENT = re.compile(r"[0-9-]{10}T[0-9:.]{12}Z")


def window(said: str) -> tuple[datetime, datetime]:
    """From when until when, as it was printed."""
    start, end = map(datetime.fromisoformat, MOMENT.findall(said))
    return start, end


def test_a_length_until_the_end_counts_from_the_beginning(site: Site) -> None:
    """From now on, from in a while on, and from a moment on; moments stay what they are."""
    before = datetime.now(UTC)
    start, end = window(done(site, "maintenance", "on", "--until", "2h", *WHY))
    assert timedelta(0) <= start - before + timedelta(milliseconds=1) < timedelta(minutes=5)
    assert timedelta(hours=2) == end - start
    start, end = window(done(site, "maintenance", "on", "--from", "1d", "--until", "90m", *WHY))
    assert timedelta(days=1) <= start - before + timedelta(milliseconds=1) < timedelta(days=1, minutes=5)
    assert timedelta(minutes=90) == end - start
    start, end = window(done(site, "maintenance", "on", "--from", "9000-01-01", "--until", "1w", *WHY))
    assert (datetime(9000, 1, 1, tzinfo=UTC), timedelta(weeks=1)) == (start, end - start)
    moments = ("--from", "9000-01-01T10:00:00+01:00", "--until", "9000-01-01T12:00:00Z")
    start, end = window(done(site, "maintenance", "on", *moments, *WHY))
    assert (datetime(9000, 1, 1, 9, tzinfo=UTC), timedelta(hours=3)) == (start, end - start)


@pytest.mark.parametrize("until", ["2 hours", "h", "-2h", "0x2h", "9999999w", "yesterday"])
def test_what_is_neither_is_refused(site: Site, until: str) -> None:
    """With status 2, and nothing is announced."""
    assert 2 == typed(site, "maintenance", "on", "--until", until, *WHY).exit_code
    assert "No maintenance" in done(site, "maintenance", "show")


def test_an_end_that_no_calendar_has_is_refused(site: Site) -> None:
    """Also where it is only reached by counting."""
    refused = typed(site, "maintenance", "on", "--from", "9999-12-31", "--until", "52w", *WHY)
    assert (2, True) == (refused.exit_code, "years 1 to 9999" in refused.output)
