"""How old the signatures of the content scanner are: what clamd says, what is told, and how often it is asked."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from config.scanner import Scanner as Rules
from gateway.metrics.signatures import Signatures, made_at
from tests.clamd import Scanner

_PUBLISHED = "ClamAV 1.4.6/27800/Sat Nov 21 09:30:00 2026"


@pytest.mark.parametrize(
    ("version", "date"),
    [
        (_PUBLISHED, datetime(2026, 11, 21, 9, 30)),  # noqa: DTZ001 -- clamd names no zone
        ("ClamAV 1.4.6/27800/Sun Nov  1 00:00:01 2026", datetime(2026, 11, 1, 0, 0, 1)),  # noqa: DTZ001 -- likewise
        ("ClamAV 1.4.6", None),
        ("ClamAV 1.4.6/27800/Sat Nov 31 09:30:00 2026", None),
        (f"{_PUBLISHED}\nClamAV", None),
    ],
)
def test_the_date_is_read_as_it_is_said(version: str, date: datetime | None) -> None:
    """In the time of the machine; what is no date is none."""
    assert made_at(version) == (None if date is None else date.timestamp())


@contextmanager
def scanner_of(folder: Path, words: list[str]) -> Iterator[Rules]:
    """One that says these words one after the other, each to who asks next; then it is away."""
    place = folder / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()

        def answer() -> None:
            for said in words:
                with listener.accept()[0] as asking:
                    assert asking.recv(100) == b"zVERSION\0"
                    asking.sendall(said.encode() + b"\0")
            place.unlink()

        thread = threading.Thread(target=answer)
        thread.start()
        yield Rules(address=f"unix:{place}")
        thread.join(30)


def test_it_is_asked_once_a_minute_and_nothing_is_told_while_it_is_away(tmp_path: Path) -> None:
    """However often somebody looks; and what it said before is no longer true when it does not answer."""
    at = 1000.0
    with scanner_of(tmp_path, [_PUBLISHED, "ClamAV 1.4.6/27801/Sun Nov 22 09:30:00 2026"]) as rules:
        signatures = Signatures(rules, lambda: at)
        told = [signatures.made_at(), signatures.made_at()]
        for _ in range(2):
            at += 61
            told.append(signatures.made_at())

    first = made_at(_PUBLISHED)
    assert first is not None
    assert told == [first, first, first + 86_400, None]


def test_one_with_signatures_of_its_own_says_nothing(clamd: Scanner) -> None:
    """A real clamd without the published ones has a version and no date."""
    assert Signatures(Rules(address=clamd.address)).made_at() is None


def test_no_scanner_is_no_question() -> None:
    """Nothing is configured, nothing is asked."""
    assert Signatures(Rules(), time.monotonic).made_at() is None
