"""The trace of a deadline day, and the figures that are made of a replay."""

from collections import Counter

from benchmarks.day_figures import Account, Hour, Seen, compare, hours, table
from benchmarks.day_page import Course, page
from benchmarks.day_trace import (
    DAY_SECONDS,
    DIMONA,
    DMFA,
    FAULTY,
    FLOWS,
    HOURS,
    SENDERS,
    Arrival,
    busiest,
    share_for,
    trace,
    whole,
)

SECOND = 1_000_000
HOUR = 10 * SECOND
BEGAN = 1_000 * SECOND


DAY = whole()


def test_the_day_is_the_same_each_time() -> None:
    """And another one with another seed."""
    assert trace(0.05) == trace(0.05)
    assert trace(0.05) != trace(0.05, seed=2)


def test_the_day_has_the_declarations_that_are_known() -> None:
    """Half of the busiest month's, and half of a day's Dimonas; a share of it has that share."""
    for share in (1.0, 0.1):
        forms: Counter[str] = Counter()
        for one in DAY if share == 1.0 else trace(share):
            forms[one.purpose] += one.forms
        assert {flow.purpose: round(flow.forms * share) for flow in FLOWS} == forms


def test_hours_senders_sizes_and_faults_are_as_assumed() -> None:
    """Within what chance allows; every second lies in the day, and files stand in their order."""
    assert sorted(one.second for one in DAY) == [one.second for one in DAY]
    assert all(0 <= one.second < DAY_SECONDS for one in DAY)
    for flow in FLOWS:
        mine = [one for one in DAY if one.purpose == flow.purpose]
        by_hour = Counter(one.hour for one in mine)
        assert all(abs(100 * by_hour[hour] / len(mine) - flow.hours[hour]) < 1.0 for hour in range(HOURS))
        sizes = sorted(one.forms for one in mine)
        assert abs(sizes[len(sizes) // 2] - flow.median) <= 1
        assert sizes[-1] <= flow.most
    by_sender = Counter(one.sender for one in DAY)
    assert sorted(by_sender) == list(range(SENDERS))
    assert 0.12 < by_sender[0] / len(DAY) < 0.16
    assert abs(sum(not one.is_valid for one in DAY) / len(DAY) - FAULTY) < 0.005


def test_shares_of_hours_are_all_there_is() -> None:
    """A hundred in a hundred."""
    assert [100.0, 100.0] == [sum(flow.hours) for flow in FLOWS]


def test_names_are_unique() -> None:
    """A sender counts its files of a kind from 1, and no further than a name can."""
    names = {(one.sender, one.purpose, one.serial) for one in DAY}

    assert len(DAY) == len(names)
    assert max(one.serial for one in DAY) < 100_000
    assert {1} == {min(one.serial for one in DAY if one.sender == rank) for rank in range(SENDERS)}


def test_the_share_is_that_of_the_busiest_hour() -> None:
    """So many a second come in it; never more than the whole day."""
    assert 8.0 < busiest(trace(share_for(10.0, 25.0))) / 25.0 < 12.0
    assert 1.0 == share_for(10.0, 3_600.0)


def seen(accepted: float, answered: float | None, *forwarded: float | None, held: float | None = None) -> Seen:
    """A DmfA file; moments are in hours of the day."""

    def at(moment: float | None) -> int | None:
        return None if moment is None else BEGAN + int(moment * HOUR)

    told = at(accepted) or 0
    span = None if held is None else (at(held) or 0, at(answered))
    return Seen(DMFA, len(forwarded), told - SECOND, told, at(answered), span, tuple(map(at, forwarded)), at(answered))


def by_name(*some: Seen) -> dict[str, Hour]:
    """Their hours."""
    return {hour.name: hour for hour in hours(some, BEGAN, HOUR, (DMFA, DIMONA))}


def test_an_hour_tells_of_what_came_in_it_and_what_waits_at_its_end() -> None:
    """One is answered in its hour; one later, held meanwhile; and a declaration waits for the broker."""
    found = by_name(seen(1.0, 1.1, 1.2, 2.5), seen(1.5, 3.5, 3.6, held=1.6))

    assert {DMFA: 2, DIMONA: 0} == found["01"].came
    assert (3, 1, 1, 1, 1) == (
        found["01"].forms,
        found["01"].answered,
        found["01"].waiting,
        found["01"].held,
        found["01"].unsent,
    )
    assert (5.0, 1.0, 20.0, 20.0) == (
        found["01"].oldest,
        found["01"].late,
        found["01"].median,
        found["01"].slowest,
    )
    assert (1, 1, 0) == (found["02"].waiting, found["02"].held, found["02"].unsent)
    assert (1, 0, 0, None) == (found["03"].answered, found["03"].waiting, found["03"].held, found["03"].oldest)


def test_what_is_left_after_the_day_has_a_line_of_its_own() -> None:
    """And there is none where nothing is left."""
    assert "after" not in by_name(seen(23.0, 23.5, 23.6))
    assert (1, 0, 0) == (
        by_name(seen(23.0, 24.5, 25.0))["after"].answered,
        by_name(seen(23.0, 24.5, 25.0))["after"].waiting,
        by_name(seen(23.0, 24.5, 25.0))["after"].unsent,
    )


def test_a_file_that_is_never_answered_waits_to_the_end() -> None:
    """In every hour after its own; its declarations are not expected at the broker."""
    found = by_name(seen(5.0, None, None))

    assert [1] * 19 == [found[f"{hour:02}"].waiting for hour in range(5, 24)]
    assert 0 == found["23"].unsent


def test_a_line_for_each_hour_and_nothing_where_nothing_is() -> None:
    """Head, rule, and hours."""
    lines = table(by_name(seen(1.0, 1.1)).values(), (DMFA, DIMONA)).splitlines()

    assert 2 + HOURS == len(lines)
    assert "| 00 |  |  |  |  |  |  |  |  |  |  |  |" == lines[2]


TOLD = {"A": True, "B": False}
ANSWERS = [("A", "TA", True), ("B", "TB", False)]
FORMS = {"A": 2, "B": 1}
IDS = {"TA-000001": 1, "TA-000002": 1}


def test_what_fits_is_kept() -> None:
    """Each answered once, as it had to be; the accepted one forwarded form by form."""
    account = compare(TOLD, ANSWERS, FORMS, IDS)

    assert account.is_kept
    assert "2 submissions, 2 declarations forwarded: 0 lost, 0 twice, 0 unanswered" == account.closing


def test_what_does_not_fit_is_named() -> None:
    """No answer, two answers, the wrong one; a message that is missing, there twice, or nobody's."""
    assert ["B"] == compare(TOLD, ANSWERS[:1], FORMS, IDS).unanswered
    assert ["A has 2 answers", "message TA-000001", "message TA-000002"] == compare(
        TOLD, [*ANSWERS, ("A", "TC", True)], FORMS, IDS
    ).twice
    assert ["B was to be rejected"] == compare(TOLD, [*ANSWERS[:1], ("B", "TB", True)], FORMS, IDS).wrong
    assert ["message TA-000002"] == compare(TOLD, ANSWERS, FORMS, {"TA-000001": 1}).lost
    assert ["message TA-000001", "message X"] == compare(TOLD, ANSWERS, FORMS, IDS | {"TA-000001": 2, "X": 1}).twice


def test_the_page_tells_of_a_day() -> None:
    """Also of one on which nothing came."""
    course = Course(
        minutes=10.0,
        peak=1.0,
        share=0.1,
        arrivals=[Arrival(0.0, 0, DMFA, 2, 1, is_valid=True)],
        began=BEGAN,
        seen=[seen(1.0, 1.1, 1.2)],
        outages={"broker": (9.5, 11.75), "lists": (17.5, 20.0)},
        main=1.0,
        workers=0.5,
        others=0.25,
        again=0,
        retried=0,
        promised="kept",
        reconciled={
            "states": {"accepted": 1},
            "submissions": 1,
            "answers_to_give": 0,
            "messages_to_forward": 0,
            "messages_parked": 0,
            "count": 0,
        },
    )
    text = page(course, Account(1, 1, 2))

    assert "from 09:30 to 11:45" in text
    assert text.endswith("1 submissions, 2 declarations forwarded: 0 lost, 0 twice, 0 unanswered\n```\n")
