"""Maintenance: announced and called off in a real journal, and what a door makes of it."""

import json
from pathlib import Path

import pytest

from gateway import maintenance
from gateway.maintenance import Calendar, open_calendar
from gateway.register.actor import Operator, Refusal
from gateway.register.history import changes
from spool.intake import Intake, IntakeLimits
from spool.journal import Journal, now
from spool.mailbox import Mailbox, MailboxRefusal
from spool.maintenance import Window
from spool.status import TODAY, Status
from tests.submissions_made import BRUSSELS, MINE

pytestmark = pytest.mark.every_database

WHO = Operator("anna")
HOUR = 3_600 * 1_000_000
BOX = Mailbox(MINE, "IN")


def announced(journal: Journal, starts_in: int, ends_in: int, reason: str = "new disks") -> Window | Refusal:
    """Maintenance that begins and ends so many microseconds from now."""
    at = now()
    with journal.write() as connection:
        return maintenance.announce(connection, WHO, at + starts_in, at + ends_in, reason)


def told(journal: Journal) -> object:
    """What STATUS says of it."""
    document = Status(journal, BRUSSELS).document(MINE, TODAY)
    assert document is not None
    return json.loads(document.data)["maintenance"]


def test_what_is_announced_closes_nothing_yet(journal: Journal) -> None:
    """The banner and STATUS tell it, with its reason; uploads go on."""
    nothing = told(journal), open_calendar(journal, BRUSSELS).banner()
    announced(journal, HOUR, 2 * HOUR)
    calendar = open_calendar(journal, BRUSSELS)
    said = told(journal)

    assert (None, "") == nothing
    assert (False, "") == (calendar.is_closed, calendar.refusal())
    assert "maintenance from " in calendar.banner()
    assert "new disks" in calendar.banner()
    assert isinstance(said, dict)
    assert ("new disks", False) == (said["reason"], said["closed"])


def test_a_set_that_was_begun_may_be_finished(journal: Journal, tmp_path: Path) -> None:
    """New ones are refused with words, and taken again once it is called off."""
    calendar = Calendar(journal, BRUSSELS)
    intake = Intake(tmp_path / "incoming", IntakeLimits(1000, 10, 1, closed=calendar.refusal))
    names = [f"{prefix}.DIMN.{MINE}.20261121.00001.R.1" for prefix in ("FI", "GO")]
    upload = intake.begin(BOX, f"{names[0]}.1.part")
    announced(journal, -HOUR, HOUR)
    calendar.look()

    with pytest.raises(MailboxRefusal) as caught:
        intake.begin(BOX, f"FI.DIMN.{MINE}.20261121.00002.R.1.1")
    intake.begin(BOX, names[1])
    intake.abandon(upload)
    with journal.write() as connection:
        maintenance.call_off(connection, WHO, "done early")
    calendar.look()
    intake.begin(BOX, f"FI.DIMN.{MINE}.20261121.00002.R.1.1")

    assert "maintenance until " in caught.value.words
    assert "send it again after that" in caught.value.words


def test_it_ends_by_itself(journal: Journal) -> None:
    """Whatever the journal said last: the end is a matter of the clock."""
    window = Window(100, 200, "new disks")

    assert [False, True, True, False] == [window.is_closed(at) for at in (99, 100, 199, 200)]


def test_another_one_takes_the_place_of_the_first(journal: Journal) -> None:
    """The same again changes nothing; each change is in the history, with who and why."""
    first = announced(journal, HOUR, 2 * HOUR)
    assert isinstance(first, Window)
    with journal.write() as connection:
        same = maintenance.announce(connection, WHO, first.starts_at, first.ends_at, first.reason)
    announced(journal, 2 * HOUR, 3 * HOUR)
    with journal.write() as connection:
        off = maintenance.call_off(connection, WHO, "not today")
        again = maintenance.call_off(connection, WHO, "not today")
    with journal.read() as connection:
        acts = [(one.act, one.actor) for one in changes(connection)]

    assert first == same
    assert off is not None
    assert again is None
    assert None is told(journal)
    announcement = ("maintenance.announced", "operator:anna")
    assert [("maintenance.called-off", "operator:anna"), announcement, announcement] == acts


def test_it_has_to_end_after_it_has_begun(journal: Journal) -> None:
    """And not in the past."""
    assert [Refusal, Refusal] == [type(announced(journal, 2, 1)), type(announced(journal, -HOUR, -1))]
