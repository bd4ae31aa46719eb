"""The answers of a day against what is promised."""

from dataclasses import replace

from gateway.answer_times import ALL, Promise, Timed, report

PROMISE = Promise(0.9, 60, 5)
SECOND = 1_000_000
PRESENT = 100_000 * SECOND


def timed(
    ticket: str,
    answered: float | None,
    *,
    purpose: str = "DIMN",
    age: float = 1000,
    recorded: float = 0.1,
    held: str = "",
) -> Timed:
    """A submission that came ``age`` seconds ago and was answered after so many."""
    received = PRESENT - int(age * SECOND)
    at = None if answered is None else received + int(answered * SECOND)
    reasons = (held,) if held else ()
    return Timed(ticket, "123456", purpose, "accepted", received, received + int(recorded * SECOND), at, reasons)


def test_a_day_without_submissions_breaks_no_promise() -> None:
    """There is a line of all, with nothing in it."""
    found = report((), PROMISE, PRESENT, 10)

    [line] = found.lines
    assert (ALL, 0, None, None, True) == (line.purpose, line.submissions, line.share, line.receipt_share, line.kept)


def test_the_share_is_of_those_whose_time_is_up() -> None:
    """One without an answer counts once it is too late, and not before; exactly in time is in time."""
    some = [*(timed(f"T{n}", 60) for n in range(9)), timed("LATE", 60.001), timed("YOUNG", None, age=59)]
    found = report(some, PROMISE, PRESENT, 10)

    assert [("DIMN", 11, 10, 9, 1, True), (ALL, 11, 10, 9, 1, True)] == [
        (line.purpose, line.submissions, line.counted, line.within, line.unanswered, line.kept) for line in found.lines
    ]
    assert ["LATE"] == [one.ticket for one in found.worst]

    found = report([*some, timed("NEVER", None, age=61)], PROMISE, PRESENT, 10)
    assert not found.lines[-1].kept
    assert ["NEVER", "LATE"] == [one.ticket for one in found.worst]


def test_a_late_receipt_breaks_the_promise_too() -> None:
    """However fast the answer was."""
    found = report([timed("ONE", 6, recorded=5.1)], PROMISE, PRESENT, 10)

    assert (1.0, 0.0, False) == (found.lines[0].share, found.lines[0].receipt_share, found.lines[0].kept)


def test_what_a_sender_waited_before_custody_counts_for_the_receipt_alone() -> None:
    """At saturation a GO has its OK later; from then on the answer is measured."""
    waited = replace(timed("ONE", 59, recorded=1), waited=4 * SECOND + 1)
    in_time = replace(timed("TWO", 59, recorded=1), waited=4 * SECOND)
    [line, _] = report([waited, in_time], PROMISE, PRESENT, 10).lines

    assert (2, 1, 2) == (line.receipts, line.receipts_within, line.within)


def test_what_was_recovered_is_measured_by_its_answer_alone() -> None:
    """It was recorded after a crash, when nobody waited for the OK any more."""
    recovered = replace(timed("ONE", 59, recorded=50), recovered=True)
    [line, _] = report([recovered, timed("TWO", 59)], PROMISE, PRESENT, 10).lines

    assert (2, 2, 1, 1, True) == (line.counted, line.within, line.receipts, line.receipts_within, line.kept)


def test_each_type_has_a_line_and_all_come_last() -> None:
    """One type that is late is seen beside many of another."""
    some = [timed("A", 100, purpose="WECH"), *(timed(f"T{n}", n) for n in range(1, 30))]
    found = report(some, PROMISE, PRESENT, 10)

    assert [("DIMN", True, 15), ("WECH", False, 100), (ALL, True, 15)] == [
        (line.purpose, line.kept, line.median) for line in found.lines
    ]


def test_the_worst_are_so_many_and_what_was_held_is_all_there() -> None:
    """The slowest first; one that was held and answered in time is among the held alone."""
    some = [timed(f"T{n}", 100 + n, held="the list of 'test' is too old") for n in range(5)]
    found = report([*some, timed("HELD", 2, held="the list of 'test' is too old")], PROMISE, PRESENT, 2)

    assert ["T4", "T3"] == [one.ticket for one in found.worst]
    assert ["T4", "T3", "T2", "T1", "T0", "HELD"] == [one.ticket for one in found.held]


def test_a_clock_that_was_set_back_makes_no_negative_seconds() -> None:
    """The answer came at once, then."""
    assert 0 == timed("ONE", -5).seconds(PRESENT)
