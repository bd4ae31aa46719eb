"""The judgement of one certificate has a bound that no cleverness of its sender moves."""

import base64
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import pytest

from signing import verify
from signing.deadline import TooCostlyError, processor_seconds, uncounted
from signing.evidence import Fault, Reason
from signing.trust import authorities, path
from signing.trust.crl import Memory
from signing.verify import verify_detached
from tests.authority import Pki, now
from tests.signers import cms


def spin() -> NoReturn:
    """Keep the processor busy for ever, whatever is raised meanwhile."""
    while True:
        with suppress(Exception):
            sum(range(1000))


def test_a_path_that_never_ends_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason that it takes too long; the thread goes on with what comes next."""
    pki = Pki.create(tmp_path / "pki")
    signer = pki.issue("Signer")
    pki.install(tmp_path / "authorities", "test")
    data = tmp_path / "FI"
    data.write_bytes(b"<a/>")
    signature = base64.b64encode(cms(data, signer))
    monkeypatch.setattr(verify, "JUDGING_SECONDS", 0.1)
    monkeypatch.setattr(path, "find_path", lambda *_: spin())

    verdict = verify_detached(data, signature, authorities=authorities.load(tmp_path / "authorities"), at=now())

    assert isinstance(verdict, Fault)
    assert Reason.NOT_ACCEPTED is verdict.reason
    assert "too long" in verdict.detail


def test_what_is_done_in_time_is_left_alone() -> None:
    """And the clock is stopped afterwards: work behind the block has no limit."""
    with processor_seconds(0.05):
        done = sum(range(10))
    later = sum(sum(range(1000)) for _ in range(20_000))

    assert (45, 9_990_000_000) == (done, later)


def test_an_error_of_the_block_comes_through_and_stops_the_clock() -> None:
    """The limit is gone with the block, however that ends."""
    with pytest.raises(KeyError), processor_seconds(0.05):
        raise KeyError("of the block")

    assert 9_990_000_000 == sum(sum(range(1000)) for _ in range(20_000))


def test_no_handler_of_exceptions_swallows_it() -> None:
    """Libraries that catch everything are stopped as well."""
    with pytest.raises(TooCostlyError), processor_seconds(0.05):
        spin()


def test_another_thread_has_no_limit() -> None:
    """Signals reach the main thread only, so nobody else may be stopped by one."""
    finished: list[int] = []

    def work() -> None:
        with processor_seconds(0.001):
            finished.append(sum(sum(range(1000)) for _ in range(2_000)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert [999_000_000] == finished


def busy(seconds: float) -> None:
    """Keep the processor busy for so long."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(range(1000))


def test_what_is_our_own_is_not_counted() -> None:
    """And what comes behind it is counted as before."""
    with processor_seconds(0.1):
        with uncounted():
            busy(0.3)
        with suppress(ZeroDivisionError), uncounted():
            _ = 1 / 0

    with pytest.raises(TooCostlyError), processor_seconds(0.1):
        with uncounted():
            busy(0.01)
        spin()


def test_what_swallows_it_once_does_not_go_on_for_ever() -> None:
    """As a finalizer would, in which it happened to be raised."""
    with pytest.raises(TooCostlyError), processor_seconds(0.05):
        with suppress(TooCostlyError):
            spin()
        spin()


def test_reading_a_list_is_our_own() -> None:
    """A long list that is read for the first time refuses nobody; it is remembered, so it costs that once."""
    read: list[bytes] = []

    def slow(der: bytes) -> int:
        read.append(der)
        busy(0.2)
        return len(der)

    lists = Memory(1000, slow)
    with processor_seconds(0.1):
        assert [3, 3] == [lists.read(b"one"), lists.read(b"one")]
    assert [b"one"] == read


def test_lists_are_kept_within_a_budget_of_bytes() -> None:
    """Those used last stay, and one in any case."""
    read: list[bytes] = []

    def note(der: bytes) -> bytes:
        read.append(der)
        return der

    lists = Memory(8, note)
    for der in (b"one", b"two", b"one", b"four", b"one", b"two", b"longer than all"):
        assert der == lists.read(der)
    assert [b"one", b"two", b"four", b"two", b"longer than all"] == read


def test_without_a_limit_nothing_is_stopped() -> None:
    """Our own work outside of a judgement leaves no clock behind."""
    with uncounted():
        busy(0.01)
    assert (0.0, 0.0) == signal.getitimer(signal.ITIMER_PROF)
