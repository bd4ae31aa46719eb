"""What the status page decides before anything is drawn: who may still try, what needs a look, how values read."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from markupsafe import Markup

from gateway.answer_times import Promise, Timed, report
from gateway.health import Part
from gateway.metrics.waiting import Waiting
from gateway.operations.page import drawing, incoming, ticket
from gateway.operations.page.admission import Sessions, Tries, Viewer
from gateway.operations.page.attention import Seen, Weight, notices
from gateway.operations.page.ending import Dates, Own, Registered
from gateway.operations.page.incoming import Arrival
from gateway.operations.page.promised import OfDay
from gateway.operations.page.troubled import Lock, Troubled
from spool.expiries import Ending, What
from spool.maintenance import Window
from spool.submissions import Event, State

SECOND: Final = 1_000_000
AT: Final = datetime(2026, 11, 21, 12, tzinfo=UTC)
NOW: Final = int(AT.timestamp()) * SECOND
PROMISE: Final = Promise(0.999, 60, 5)
VIEWER: Final = Viewer("abc", "f" * 64)
NONE: Final = "\N{EN DASH}"
STYLE: Final = Path(drawing.__file__).with_name("templates") / "status.css"


class Clock:
    """Seconds that go on when a test says so."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        """The second it is."""
        return self.at


def day(*some: Timed) -> OfDay:
    """The report of a day with these submissions."""
    return OfDay(date(2026, 11, 21), PROMISE, report(some, PROMISE, NOW, 5), 0, None, NOW)


WELL: Final = Seen(
    at=AT,
    maintenance=None,
    waiting=(Waiting("judge", 4, NOW - SECOND), Waiting("held", 0, None), Waiting("parked", 0, None)),
    incoming=incoming.summary([0] * 12, [], more=False),
    promise=PROMISE,
    today=day(),
    authorities=(
        Dates("staff", AT, AT + timedelta(hours=1), AT + timedelta(days=900)),
        Dates("x", None, None, AT + timedelta(days=90)),
    ),
    own=(Own("signing.certificate", AT + timedelta(days=90), signs=True),),
    registered=Registered(0, ()),
    troubled=Troubled((), (), (), ()),
)
LATE: Final = Timed("T", "1", "DMFA", "received", NOW - 61 * SECOND, NOW, None)
STALE: Final = Dates("staff", AT - timedelta(days=2), AT, AT + timedelta(days=900))
MANY: Final = [Arrival(f"T{n}", NOW, "123456", "DMFA", State.REJECTED, ("ACRF-125",)) for n in range(10)]


def test_a_gateway_that_is_well_needs_no_look() -> None:
    """Also with work in hand, and an authority that has no list."""
    assert () == notices(WELL)
    assert () == notices(replace(WELL, today=None))


@pytest.mark.parametrize(
    ("seen", "weight", "words"),
    [
        (replace(WELL, waiting=(Waiting("judge", 1, NOW - 61 * SECOND),)), Weight.TROUBLE, "waiting to be judged"),
        (replace(WELL, waiting=(Waiting("quarantined", 1, NOW),)), Weight.TROUBLE, "a person has to look"),
        (replace(WELL, waiting=(Waiting("parked", 2, NOW),)), Weight.TROUBLE, "2 declarations parked"),
        (replace(WELL, waiting=(Waiting("held", 1, NOW),)), Weight.NOTICE, "1 held"),
        (replace(WELL, today=day(LATE)), Weight.TROUBLE, "promise"),
        (replace(WELL, authorities=None), Weight.TROUBLE, "cannot be read"),
        (replace(WELL, authorities=(STALE,)), Weight.TROUBLE, "revocation list of staff"),
        (replace(WELL, own=(Own("signing.certificate", AT, signs=True),)), Weight.TROUBLE, "ends in 0 days"),
        (replace(WELL, own=(Own("signing.certificate", AT - timedelta(1), signs=True),)), Weight.TROUBLE, "has ended"),
        (replace(WELL, own=(Own("x", AT + timedelta(29), signs=False),)), Weight.NOTICE, "ends in 29 days"),
        (replace(WELL, registered=Registered(1, (Ending("1", What.KEY, "k", NOW + SECOND),))), Weight.NOTICE, "7 days"),
        (replace(WELL, troubled=Troubled((Lock("1", "a name", 5, NOW),), (), (), ())), Weight.NOTICE, "locked out"),
        (replace(WELL, incoming=incoming.summary([0] * 12, MANY, more=False)), Weight.NOTICE, "1 sender sends"),
        (replace(WELL, unfit=(Part("intake", ready=False, words="why"),)), Weight.TROUBLE, "intake: why"),
        (replace(WELL, maintenance=Window(NOW, NOW + 1, "disks")), Weight.NOTICE, "closed for maintenance"),
        (replace(WELL, maintenance=Window(NOW + 1, NOW + 2, "disks")), Weight.NOTICE, "announced"),
    ],
)  # fmt: skip
def test_each_trouble_is_named_once(seen: Seen, weight: Weight, words: str) -> None:
    """By its weight, in words."""
    [notice] = notices(seen)
    assert (weight, True) == (notice.weight, words in notice.words)


def test_troubles_come_first() -> None:
    """Whatever is found before them."""
    found = notices(replace(WELL, maintenance=Window(NOW, NOW + 1, "disks"), authorities=(STALE,)))
    assert [Weight.TROUBLE, Weight.NOTICE] == [notice.weight for notice in found]


def test_what_came_is_counted_by_type_code_and_sender() -> None:
    """A code counts once for a submission; those refused most come first."""
    twice = Arrival("T2", NOW - 2, "654321", "DIMN", State.REJECTED, ("ACRF-125", "ACRF-125", "other"))
    good = Arrival("T3", NOW - 3, "123456", "DMFA", State.ACCEPTED)
    found = incoming.summary([1] * 12, [MANY[0], twice, good], more=True)
    assert (12, 3, NOW - 3, 2) == (found.hour, found.count, found.since, found.rejected)
    assert [("DMFA", 2), ("DIMN", 1)] == [(line.purpose, line.count) for line in found.types]
    assert [("ACRF-125", 2, ("T0", "T2")), ("other", 1, ("T2",))] == [
        (line.code, line.count, line.tickets) for line in found.refused
    ]
    assert found.refused[0].words == "The signature is invalid."
    assert [("123456", 2, 1), ("654321", 1, 1)] == [(line.sender, line.count, line.refused) for line in found.senders]


def test_a_step_taken_thousands_of_times_is_one_line() -> None:
    """And of what a step says neither users, operators, nor what is of the signer."""
    facts = {"signatures": [{"subject": "CN=Somebody"}], "actor": "operator:jo", "by": "annemie01", "codes": ["1", "2"]}
    forwarded = [Event(NOW + number, "declaration.forwarded", {"form": number}) for number in range(3000)]
    steps = ticket.steps(
        [Event(NOW, "verdict.accepted", facts), *forwarded, Event(NOW + SECOND, "submission.closed", {})]
    )
    assert [1, 3000, 1] == [step.times for step in steps]
    assert (("codes", "1, 2"),) == steps[0].facts
    assert SECOND == steps[2].after
    assert "accepted" in steps[0].meaning


@pytest.mark.parametrize(
    ("typed", "wanted"), [(" mg8k2q0x00001 ", "MG8K2Q0X00001"), ("'; --", None), ("A" * 14, None), ("", None)]
)
def test_a_ticket_is_read_as_people_type_it(typed: str, wanted: str | None) -> None:
    """And nothing else is."""
    assert wanted == ticket.normal(typed)


def test_a_log_in_ends_after_its_hours_and_when_it_is_ended() -> None:
    """A word that was never given is nobody's; of too many the oldest ends."""
    clock = Clock()
    sessions = Sessions(60, most=2, clock=clock)
    first = sessions.begin(VIEWER)
    assert VIEWER == sessions.viewer(first)
    assert sessions.viewer("") is None
    clock.at += 59
    second, third = sessions.begin(VIEWER), sessions.begin(VIEWER)
    assert sessions.viewer(first) is None
    sessions.end(second)
    assert sessions.viewer(second) is None
    clock.at += 60
    assert sessions.viewer(third) is None
    assert len({first, second, third}) == 3


def test_wrong_words_are_few_and_right_ones_cost_nothing() -> None:
    """After ten at once, one more each six seconds."""
    clock = Clock()
    tries = Tries(10, 6, clock)
    for _ in range(50):
        assert tries.take()
        tries.give_back()
    assert [True] * 10 + [False] == [tries.take() for _ in range(11)]
    clock.at += 6
    assert [True, False] == [tries.take(), tries.take()]


@pytest.mark.parametrize(
    ("microseconds", "words"),
    [(None, NONE), (-5, "0.0 s"), (1_240_000, "1.2 s"), (59 * SECOND, "59 s"), (125 * SECOND, "2 min 5 s"),
     (3600 * SECOND, "1 h"), (12_000 * SECOND, "3 h 20 min"), (4 * 86_400 * SECOND, "4 days")],
)  # fmt: skip
def test_spans_read_as_people_say_them(microseconds: int | None, words: str) -> None:
    """In two units at most."""
    assert words == drawing.span(microseconds)


def test_a_share_is_never_rounded_up_to_a_promise_that_was_not_kept() -> None:
    """And there is none where nothing was counted."""
    assert [NONE, "99.89 %", "100.00 %", "0.00 %"] == [drawing.share(share) for share in (None, 0.998999, 1.0, 0.0)]


def test_a_value_can_only_be_read() -> None:
    """No control character, no change of direction, no number of a person, and of a link to a ticket only a ticket."""
    assert drawing.plain("a\x1b[31m\u202eb\n") == "a?[31m?b?".replace("?", "\N{REPLACEMENT CHARACTER}")
    for written in ("79.11.03-995.69", "791103_99569", "79-11-03_995 69"):
        assert drawing.plain(f"of {written}") == "of (an INSS)"
    assert drawing.plain(7) == 7
    assert drawing.ticket('"><script>') == Markup("&#34;&gt;&lt;script&gt;")


def _luminance(colour: str) -> float:
    parts = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_is_readable_on_its_ground(scheme: str) -> None:
    """A contrast of 4.5 and more for text (WCAG 2.2, 1.4.3), of 3 for bars and frames of fields (1.4.11)."""
    light, dark = re.findall(r":root \{(.*?)\}", STYLE.read_text(encoding="utf-8"), re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light if scheme == "light" else dark))
    pairs = [(text, ground, 4.5) for text in ("ink", "soft", "link", "trouble") for ground in ("card", "ground")]
    pairs += [(weight, f"{weight}-ground", 4.5) for weight in ("well", "notice", "trouble")]
    pairs += [("top-ink", "top", 4.5), ("bar", "card", 3), ("soft", "card", 3)]
    for text, ground, least in pairs:
        lighter, darker = sorted((_luminance(colours[text]), _luminance(colours[ground])), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= least, (text, ground)
