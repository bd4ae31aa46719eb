"""The inboxes of one spool, used by two doors at a time: each keeps away from what the other is at."""

import errno
import threading
from pathlib import Path

import pytest

from spool import intake as intakes
from spool.intake import Intake, IntakeLimits
from spool.mailbox import Mailbox, MailboxRefusal, Trouble

BOX = Mailbox("123456", "IN")
NAME = "FI.DIMN.123456.20261121.00001.R.1.1"


@pytest.fixture
def doors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Intake, Intake]:
    """Two that look at the disk anew each time."""
    monkeypatch.setattr(intakes, "_COUNTED_FOR", 0.0)
    limits = IntakeLimits(file_bytes=1000, files=5, reserve=0, sender_bytes=1000)
    return Intake(tmp_path, limits, is_shared=True), Intake(tmp_path, limits, is_shared=True)


def test_a_file_is_uploaded_by_one_at_a_time(doors: tuple[Intake, Intake]) -> None:
    """The other is told so, may neither rename nor remove it, and goes on with it when it was cut."""
    here, there = doors
    upload = here.begin(BOX, NAME)
    upload.write(0, b"first")
    for act in (lambda: there.begin(BOX, NAME), lambda: there.remove(BOX, NAME), lambda: there.rename(BOX, NAME, "x")):
        with pytest.raises(MailboxRefusal) as refused:
            act()
        assert refused.value.trouble is Trouble.BUSY
    assert there.is_growing(BOX, there.set_folder(BOX, NAME))
    here.set_aside(upload)
    later = there.begin(BOX, NAME, resume=True)

    assert (5, False) == (later.size, here.find(BOX, NAME) is None)


def test_who_holds_a_mailbox_holds_it_against_the_other(doors: tuple[Intake, Intake]) -> None:
    """As long as it takes; who would not wait is told at once."""
    here, there = doors
    there.begin(BOX, "counted.part")
    entered = threading.Event()

    def enter() -> None:
        with there.locked(BOX):
            entered.set()

    thread = threading.Thread(target=enter)
    with here.locked(BOX), here.locked(BOX):
        thread.start()
        with there.at_once(BOX) as free:
            assert not free
        assert not entered.is_set()
    thread.join()

    assert entered.is_set()


def test_room_that_one_gives_back_the_other_has(doors: tuple[Intake, Intake]) -> None:
    """And what one takes, the other has no more."""
    here, there = doors
    upload = here.begin(BOX, NAME)
    upload.write(0, bytes(900))
    here.finish(upload)
    second = there.begin(BOX, NAME.replace("00001", "00002"))
    with pytest.raises(MailboxRefusal):
        second.write(0, bytes(200))
    there.remove(BOX, NAME)
    there.abandon(second)
    third = here.begin(BOX, NAME.replace("00001", "00003"))
    third.write(0, bytes(900))

    assert 900 == third.size


def test_who_was_too_slow_removes_nothing_of_the_other(tmp_path: Path) -> None:
    """The other went on without it, and a file that it has placed since stays."""
    limits = IntakeLimits(file_bytes=1000, files=5, reserve=0, sender_bytes=1000)
    here, there = (Intake(tmp_path, limits, is_shared=True, hung=0.05) for _ in range(2))
    with here.locked(BOX):
        upload = there.begin(BOX, NAME)
        upload.write(0, b"of the other")
        there.finish(upload)
        with pytest.raises(OSError, match="stood still") as refused:
            here.remove(BOX, NAME)
        assert refused.value.errno == errno.ESTALE
        with pytest.raises(OSError, match="stood still"):
            here.check(BOX)
        here.left(BOX, here.set_folder(BOX, NAME), 0)

    assert b"of the other" == (there.set_folder(BOX, NAME) / NAME).read_bytes()
