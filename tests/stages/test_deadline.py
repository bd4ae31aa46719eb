"""The judgement of one certificate has a bound that no cleverness of its sender moves."""

import base64
import threading
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import pytest

from signing import verify
from signing.deadline import TooCostlyError, processor_seconds
from signing.evidence import Fault, Reason
from signing.trust import authorities, path
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
