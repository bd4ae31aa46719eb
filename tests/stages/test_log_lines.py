"""A line of the log: what it says, whether it was asked for, and that nothing in it reaches a terminal as a command."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.log_lines import LONGEST, Wanted, as_json, as_words, parse

AT = "2026-11-21T10:00:00.123456Z"
ONE = {
    "event": "sftp.refused",
    "level": "info",
    "timestamp": AT,
    "ticket": "T1",
    "sender": "123456",
    "words": "no room",
}


def line(**facts: object) -> str:
    """A line of the log with these facts instead of the usual."""
    return json.dumps(ONE | facts)


def test_people_read_when_how_grave_what_and_the_rest() -> None:
    """On one line, words in quotes where they have a blank."""
    words = as_words(parse(line(count=3, names=["a", "b"], empty="")))

    assert '2026-11-21 10:00:00.123 info     sftp.refused ticket=T1 sender=123456 words="no room"' in words
    assert words.endswith(' count=3 names=["a", "b"] empty=""')


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Traceback (most recent call last):",
        "[1]",
        '"text"',
        "{}",
        '{"event": 3}',
        '{"event": "cut',
        "[" * 100_000,
        "9" * 5000,
        line(words="x" * LONGEST),
    ],
)
def test_what_is_no_event_is_a_foreign_line(text: str) -> None:
    """It is shown where nothing is filtered, as far as it is not too long, and breaks nothing."""
    found = parse(text)

    assert found.facts is None
    assert Wanted().fits(found)
    assert not any(one.fits(found) for one in (Wanted(level="debug"), Wanted(stage="judged"), Wanted(file="*")))
    assert len(as_words(found)) <= LONGEST
    assert {"foreign"} == json.loads(as_json(found)).keys()


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (Wanted(), True),
        (Wanted(ticket="T1", sender="123456"), True),
        (Wanted(ticket="T2"), False),
        (Wanted(ticket="T1", sender="999999"), False),
        (Wanted(events=("sftp.*",)), True),
        (Wanted(events=("custody.taken", "sftp.refused")), True),
        (Wanted(events=("sftp",)), False),
        (Wanted(stage="received"), True),
        (Wanted(stage="received", outcome="failed"), False),
        (Wanted(file="GO.DIMN.*"), True),
        (Wanted(file="GO.DMFA.*"), False),
        (Wanted(level="info"), True),
        (Wanted(level="warning"), False),
        (Wanted(since=datetime(2026, 11, 21, 10, tzinfo=UTC)), True),
        (Wanted(since=datetime(2026, 11, 21, 10, 1, tzinfo=UTC)), False),
    ],
)
def test_only_what_was_asked_for(wanted: Wanted, fits: bool) -> None:
    """All that was asked has to hold."""
    about = {"stage": "received", "outcome": "taken", "file": "GO.DIMN.123456.20261121.00001.R.1"}
    assert wanted.fits(parse(line(**about))) is fits


def test_a_line_that_tells_no_time_or_level_is_not_kept_back_for_it() -> None:
    """Better one too many than one too few."""
    assert Wanted(since=datetime.now(UTC)).fits(parse(line(timestamp="yesterday")))
    assert Wanted(since=datetime.now(UTC)).fits(parse("no line of ours"))
    assert Wanted(level="error").fits(parse(line(level="shouted")))
    assert Wanted(since=datetime(2026, 1, 1, tzinfo=UTC)).fits(parse(line(timestamp="2026-11-21T10:00:00")))


@example("\x7f", "\x7f\x85")
@given(st.text(), st.text())
def test_nothing_in_a_line_commands_a_terminal(name: str, value: str) -> None:
    """Escape sequences, other controls, and marks that turn the order of letters round: shown by their numbers."""
    for text in (json.dumps({"event": value, name: value}), value + "\x1b[2J\x9b31m\u202e" + name):
        found = parse(text.replace("\n", " "))
        assert as_words(found).isprintable()
        assert as_json(found).isascii()
        assert as_json(found).isprintable()
