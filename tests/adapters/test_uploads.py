"""Uploads that are cut and gone on with, their gaps, and how much of them one sender may have waiting."""

import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spool import leftovers, upload
from spool.intake import Intake, IntakeLimits
from spool.mailbox import Mailbox, MailboxRefusal, Trouble
from spool.upload import Extent, Reserve

BOX = Mailbox("123456", "IN")
FI = "FI.DIMN.123456.20261121.00001.R.1.1"
GO = "GO.DIMN.123456.20261121.00001.R.1"
LIMITS = IntakeLimits(file_bytes=1_000_000, files=50, reserve=0, sender_bytes=10_000)


@pytest.fixture
def intake(tmp_path: Path) -> Intake:
    """An intake after its first start."""
    return started(tmp_path / "incoming")


def started(root: Path) -> Intake:
    """The intake of a process that has just started."""
    intake = Intake(root, LIMITS)
    intake.recover()
    return intake


def put(intake: Intake, name: str, data: bytes, box: Mailbox = BOX) -> None:
    """Upload a file."""
    upload = intake.begin(box, name)
    upload.write(0, data)
    intake.finish(upload)


def cut(intake: Intake, name: str, data: bytes, offset: int = 0) -> None:
    """Begin to upload a file and lose the connection."""
    upload = intake.begin(BOX, name)
    upload.write(offset, data)
    intake.set_aside(upload)


def content(intake: Intake, name: str) -> bytes:
    """What waits in the set."""
    return (intake.set_folder(BOX, name) / name).read_bytes()


def free(intake: Intake) -> int:
    """What the sender may still send."""
    return intake.room(BOX).free_bytes


def test_a_cut_upload_is_gone_on_with(intake: Intake) -> None:
    """Its size is what came; the rest is added; no set is made of it before."""
    cut(intake, FI, b"first ")
    found, sets = intake.find(BOX, FI), list(intake.sets())
    upload = intake.begin(BOX, FI, resume=True)
    upload.write(upload.size, b"second")
    intake.finish(upload)

    assert found is not None
    assert (6, []) == (found.size, sets)
    assert b"first second" == content(intake, FI)


def test_a_cut_upload_is_gone_on_with_after_a_restart(intake: Intake) -> None:
    """Also one that was open when the process was killed."""
    cut(intake, FI, b"first ")
    left_open = intake.begin(BOX, GO)
    left_open.write(0, b"open")
    later = started(intake.root)

    assert [(FI, 6), (GO, 4)] == [(entry.name, entry.size) for entry in later.entries(BOX)]
    upload = later.begin(BOX, FI, resume=True)
    upload.write(6, b"second")
    later.finish(upload)
    left_open.close()
    assert b"first second" == content(later, FI)


def test_after_a_power_cut_nothing_is_gone_on_with(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which bytes reached the disk, nobody knows: the client has to begin anew."""
    cut(intake, FI, b"first ")
    other = intake.root / "boot_id"
    other.write_text("another boot")
    monkeypatch.setattr(leftovers, "_BOOT_ID", other)

    assert 1 == Intake(intake.root, LIMITS).recover()
    assert intake.find(BOX, FI) is None


def test_an_upload_with_a_hole_does_not_outlive_its_process(intake: Intake) -> None:
    """Where the bytes before the hole end, only that process knew."""
    upload = intake.begin(BOX, FI)
    upload.write(5000, b"x" * 4000)
    upload.close()

    later = Intake(intake.root, LIMITS)
    assert 1 == later.recover()


def test_a_waiting_file_is_gone_on_with_by_a_copy(intake: Intake) -> None:
    """It stays as it is until the longer one is whole, also if that is given up."""
    put(intake, FI, b"first ")
    upload = intake.begin(BOX, FI, resume=True)
    upload.write(6, b"second")
    before = content(intake, FI)
    intake.finish(upload)
    second = intake.begin(BOX, FI, resume=True)
    second.write(12, b"third")
    intake.abandon(second)

    assert (b"first ", b"first second") == (before, content(intake, FI))


def test_a_new_upload_forgets_a_cut_one(intake: Intake) -> None:
    """Without being asked to resume, nothing of the old bytes is kept."""
    cut(intake, FI, b"old and long")
    put(intake, FI, b"new")

    assert b"new" == content(intake, FI)
    assert [(FI, 3)] == [(entry.name, entry.size) for entry in intake.entries(BOX)]
    assert 10_000 - 3 == free(intake)


def test_custody_forgets_what_was_cut_of_the_set(intake: Intake) -> None:
    """A sender who sends the name again begins anew."""
    put(intake, FI, b"data")
    cut(intake, FI, b"da")
    cut(intake, GO.replace("00001", "00002"), b"x")
    folder = intake.set_folder(BOX, FI)
    folder.rename(intake.root / "custody")
    intake.left(BOX, folder, 4)

    assert intake.find(BOX, FI) is None
    assert 10_000 - 1 == free(intake)


def test_a_cut_upload_is_taken_back_and_not_renamed(intake: Intake) -> None:
    """Half a file gets no final name; removing it frees its name."""
    cut(intake, f"{FI}.part", b"half")
    with pytest.raises(MailboxRefusal, match="was cut"):
        intake.rename(BOX, f"{FI}.part", FI)
    with pytest.raises(MailboxRefusal, match="already waiting"):
        intake.begin(BOX, f"{FI}.part", exclusive=True)
    intake.remove(BOX, f"{FI}.part")

    assert [] == intake.entries(BOX)


def test_a_cut_upload_does_not_stay_for_ever(intake: Intake) -> None:
    """After the time of temporary files it goes; one that is open stays."""
    cut(intake, FI, b"half")
    upload = intake.begin(BOX, GO)
    upload.write(0, b"open")

    assert 1 == intake.expire_temporary(older_than=2.0**40)
    assert [GO] == [entry.name for entry in intake.entries(BOX)]
    assert 10_000 - 4 == free(intake)
    intake.abandon(upload)


def test_a_file_with_a_gap_is_not_finished(intake: Intake) -> None:
    """Zeros that nobody sent are not taken for the sender's; what came before the gap can be gone on with."""
    upload = intake.begin(BOX, FI)
    upload.write(0, b"abc")
    upload.write(10, b"xyz")
    with pytest.raises(MailboxRefusal, match="the bytes from 3 on did not all come"):
        intake.finish(upload)
    intake.set_aside(upload)

    entry = intake.find(BOX, FI)
    assert entry is not None
    assert (3, 10_000 - 3) == (entry.size, free(intake))


def test_a_file_in_very_many_pieces_is_refused(intake: Intake) -> None:
    """What is kept account of is bounded."""
    upload = intake.begin(BOX, FI)
    for number in range(1, 257):
        upload.write(number * 10, b"x")
    with pytest.raises(MailboxRefusal, match="too many pieces"):
        upload.write(5000, b"x")
    upload.write(0, b"y")
    intake.abandon(upload)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=30), st.integers(0, 80))
def test_an_extent_knows_what_came(pieces: list[tuple[int, int]], size: int) -> None:
    """Whatever comes in whatever order, and is cut: the prefix is what is there without a gap."""
    extent, there = Extent(), set[int]()
    for start, length in pieces:
        extent.add(start, start + length)
        there |= set(range(start, start + length))
    extent.cut(size)
    there = {position for position in there if position < size}
    prefix = next(position for position in range(100) if position not in there)

    assert (prefix, len(there) == prefix) == (extent.prefix, extent.is_whole)


def test_the_quota_is_of_the_sender_and_its_three_directories(intake: Intake) -> None:
    """What waits anywhere counts; another sender has its own."""
    put(intake, FI, b"x" * 6000)
    put(intake, FI, b"x" * 3000, Mailbox("123456", "INTEST"))
    with pytest.raises(MailboxRefusal) as caught:
        put(intake, FI, b"x" * 1001, Mailbox("123456", "INTEST-S"))
    put(intake, FI, b"x" * 10_000, Mailbox("654321", "IN"))

    assert Trouble.FULL is caught.value.trouble
    assert "they are full; send the GO of what is whole" in caught.value.words


def test_what_waited_before_a_restart_counts(intake: Intake) -> None:
    """Cut uploads and temporary names included."""
    put(intake, FI, b"x" * 5000)
    put(intake, f"{FI}.part", b"x" * 2000)
    cut(intake, GO, b"x" * 1000)

    assert 2000 == free(started(intake.root))


def test_everything_that_goes_makes_room(intake: Intake) -> None:
    """Replaced, renamed onto, cut shorter, given up, removed, expired, taken: the counter ends where it began."""
    put(intake, FI, b"x" * 3000)
    put(intake, FI, b"x" * 2000)
    put(intake, f"{FI}.part", b"x" * 1000)
    intake.rename(BOX, f"{FI}.part", FI)
    upload = intake.begin(BOX, GO)
    upload.write(0, b"x" * 500)
    upload.truncate(100)
    intake.abandon(upload)
    assert 9000 == free(intake)
    intake.remove(BOX, FI)
    put(intake, f"{FI}.tmp", b"x" * 700)
    intake.expire_temporary(older_than=2.0**40)

    assert 10_000 == free(intake)


def test_the_quota_holds_when_many_write_at_once(intake: Intake) -> None:
    """Twenty threads with 1,000 bytes each: no more than ten thousand are let in, and exactly those count."""
    refused: list[str] = []

    def send(number: int) -> None:
        upload = intake.begin(BOX, f"{FI}{number}")
        try:
            for offset in range(0, 1000, 50):
                upload.write(offset, b"x" * 50)
        except MailboxRefusal as refusal:
            refused.append(refusal.words)
            intake.abandon(upload)
        else:
            intake.finish(upload)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    waiting = sum(entry.size for entry in intake.entries(BOX))
    assert refused
    assert waiting <= 10_000
    assert 10_000 - waiting == free(intake)


def test_the_disk_is_not_asked_for_every_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While there is plenty; what was taken counts, and what is nearly gone is looked at each time."""
    answers = [1000, 90, 60, 40]
    monkeypatch.setattr(upload, "free_bytes", lambda _: answers.pop(0))
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    reserve = Reserve(tmp_path, 50)
    for _ in range(9):
        reserve.check(100)
    plenty = list(answers)
    reserve.check(100)
    reserve.check(20)

    assert ([90, 60, 40], [40]) == (plenty, answers)
    with pytest.raises(MailboxRefusal):
        reserve.check(20)
