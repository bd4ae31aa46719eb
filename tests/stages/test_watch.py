"""What runs out is told of in time: the decision, and what is looked at."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from gateway.watch import Expiry, Watch, due_warnings
from spool.journal import Journal, open_journal
from tests.authority import Credential, Pki
from tests.gateway_process import SENDER, Site, make_test_site

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("left", "mark"),
    [
        (61 * DAY, None),
        (60 * DAY, 60),
        (31 * DAY, 60),
        (30 * DAY, 30),
        (8 * DAY, 30),
        (7 * DAY, 7),
        (timedelta(seconds=1), 7),
        (timedelta(0), -1),
        (-9 * DAY, -1),
    ],
)
def test_an_end_is_told_of_at_60_30_and_7_days_and_when_it_has_passed(left: timedelta, mark: int | None) -> None:
    """The mark is the least that it has crossed."""
    warned = due_warnings([Expiry("it", AT + left)], AT, {})

    assert ([] if mark is None else [mark]) == [item.mark for item in warned]


def test_an_end_is_told_of_once_at_each_mark() -> None:
    """Day after day, four times in all, each with the days that are left."""
    end = Expiry("it", AT)
    told: dict[Expiry, int] = {}
    days = []
    for day in range(-70, 10):
        for item in due_warnings([end], AT + day * DAY, told):
            told[item.expiry] = item.mark
            days.append(item.days_left)

    assert [60, 30, 7, 0] == days


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    """What is logged during the test."""
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def watched(tmp_path: Path, pki: Pki, signer: Credential) -> Iterator[tuple[Site, Journal]]:
    """A site and its journal."""
    site = make_test_site(tmp_path, pki, signer)
    journal = open_journal(site.settings.journal.path)
    yield site, journal
    journal.close()


def test_own_registered_and_accepted_certificates_are_watched(
    watched: tuple[Site, Journal], signer: Credential, logged: list[EventDict]
) -> None:
    """Each is named so that an operator knows what to do; none a second time on the same day."""
    site, journal = watched
    watch = Watch(site.settings, journal)
    far = datetime(2100, 1, 1, tzinfo=UTC)
    watch.look(signer.read().not_valid_after_utc - 5 * DAY)
    near = {line["what"] for line in logged if line["event"] == "expiry.near"}
    watch.look(signer.read().not_valid_after_utc - 5 * DAY + timedelta(hours=1))
    count = len([line for line in logged if line["event"].startswith("expiry.")])
    watch.look(far)
    passed = {line["what"] for line in logged if line["event"] == "expiry.passed"}

    fingerprint = site.listing("sender", "list")[0]["certificates"][0]
    name = fingerprint if isinstance(fingerprint, str) else fingerprint["fingerprint"]
    assert {f"certificate {name[:16]} of sender {SENDER}"} <= near
    assert count == len({line["what"] for line in logged if line["event"] == "expiry.near"})
    # A registered certificate that ended decades ago is no news; the gateway's own and the authorities' are.
    assert {"own certificate (signing.certificate)", "authority test"} == passed


def test_lists_that_have_run_out_are_told_of_once(watched: tuple[Site, Journal], logged: list[EventDict]) -> None:
    """With the name of the authority; and again when newer ones have run out in their turn."""
    site, journal = watched
    watch = Watch(site.settings, journal)
    now = datetime.now(UTC)
    for moment in (now, now + 8 * DAY, now + 9 * DAY):
        watch.look(moment)
    stale = [line["authority"] for line in logged if line["event"] == "revocation.stale"]

    assert ["test"] == stale


def test_a_clock_that_was_put_back_stops_no_warnings(
    watched: tuple[Site, Journal], signer: Credential, logged: list[EventDict]
) -> None:
    """What was looked at by a clock that went ahead is looked at again by the right one."""
    site, journal = watched
    watch = Watch(site.settings, journal)
    watch.look(datetime(2100, 1, 1, tzinfo=UTC))
    logged.clear()
    watch.look(signer.read().not_valid_after_utc - 5 * DAY)

    assert any(line["event"] == "expiry.near" for line in logged)
