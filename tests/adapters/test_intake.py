"""Uploads on a real disk."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spool.intake import Intake, IntakeLimits, Upload
from spool.mailbox import Mailbox, MailboxRefusal, Trouble
from spool.quota import Quota
from spool.upload import Allowance, Reserve

_BOX = Mailbox("123456", "IN")
_FI = "FI.DIMN.123456.20261121.00001.R.1.1"
_GO = "GO.DIMN.123456.20261121.00001.R.1"


@pytest.fixture
def intake(tmp_path: Path) -> Intake:
    """An intake of small limits."""
    return Intake(tmp_path / "incoming", IntakeLimits(file_bytes=1000, files=5, reserve=1))


def put(intake: Intake, name: str, data: bytes = b"data", box: Mailbox = _BOX) -> None:
    """Upload a file."""
    upload = intake.begin(box, name)
    upload.write(0, data)
    intake.finish(upload)


def names(intake: Intake, box: Mailbox = _BOX) -> list[str]:
    """What the sender sees."""
    return [entry.name for entry in intake.entries(box)]


def test_the_files_of_a_set_share_a_folder(intake: Intake) -> None:
    """FI and GO of one set are together, so that one rename takes both."""
    put(intake, _FI)
    put(intake, _GO)

    folder = intake.set_folder(_BOX, _GO)
    assert sorted(path.name for path in folder.iterdir()) == [_FI, _GO]
    assert [(_BOX, folder)] == list(intake.sets())


def test_an_upload_that_is_not_closed_is_in_no_set(intake: Intake) -> None:
    """It shows while it grows and no set is made of it; given up, nothing of it is there."""
    first = intake.begin(_BOX, _FI)
    first.write(0, b"abc")
    growing = intake.find(_BOX, _FI)
    sets = list(intake.sets())
    intake.abandon(first)

    assert growing is not None
    assert (3, [], []) == (growing.size, sets, names(intake))


def test_an_older_file_stays_until_its_successor_is_closed(intake: Intake) -> None:
    """An upload that fails half way does not harm the file it would have replaced."""
    put(intake, _FI, b"old")
    upload = intake.begin(_BOX, _FI)
    upload.write(0, b"new and longer")
    intake.abandon(upload)

    assert (intake.set_folder(_BOX, _FI) / _FI).read_bytes() == b"old"


def test_two_connections_cannot_write_one_file(intake: Intake) -> None:
    """The second is told that the file is being uploaded."""
    upload = intake.begin(_BOX, _FI)
    with pytest.raises(MailboxRefusal) as caught:
        intake.begin(_BOX, _FI)
    intake.abandon(upload)

    assert Trouble.BUSY is caught.value.trouble


def test_limits_hold(intake: Intake) -> None:
    """Size of a file, files waiting, room on the disk."""
    upload = intake.begin(_BOX, _FI)
    with pytest.raises(MailboxRefusal, match="184"):
        upload.write(999, b"xx")
    intake.abandon(upload)
    for number in range(5):
        put(intake, f"FI.DIMN.123456.20261121.0001{number}.R.1.1")
    with pytest.raises(MailboxRefusal) as caught:
        intake.begin(_BOX, _FI)
    full_disk = Intake(intake.root, IntakeLimits(1000, 100, reserve=2**60))
    with pytest.raises(MailboxRefusal, match="no room"):
        full_disk.begin(_BOX, _FI)

    assert Trouble.FULL is caught.value.trouble


def test_the_reserve_holds_while_a_file_grows(tmp_path: Path) -> None:
    """A large upload that was begun in time is broken off when the disk gets full."""
    allowed = Allowance(IntakeLimits(10_000, 5, reserve=2**60), Quota(10_000), Reserve(tmp_path, 2**60))
    upload = Upload(_BOX, _FI, tmp_path / "growing", allowed)
    with pytest.raises(MailboxRefusal, match="no room"):
        upload.write(0, b"x")
    upload.close()

    assert 0 == (tmp_path / "growing").stat().st_size


def test_patience_begins_with_the_name(intake: Intake) -> None:
    """An upload that took long is not out of time when it is closed, nor is a set of which a file still grows."""
    upload = intake.begin(_BOX, _FI)
    os.utime(upload.path, (0, 0))
    folder = intake.set_folder(_BOX, _GO)
    growing = intake.is_growing(_BOX, folder)
    intake.finish(upload)

    assert (True, False) == (growing, intake.is_growing(_BOX, folder))
    assert (folder / _FI).stat().st_mtime > 0


def test_room_that_is_used_up_comes_back(intake: Intake) -> None:
    """The limit counts what waits now, not what ever came."""
    for _ in range(20):
        put(intake, _FI)
        intake.remove(_BOX, _FI)

    assert names(intake) == []


@pytest.mark.parametrize("suffix", [".part", ".filepart", ".tmp"])
def test_a_temporary_name_is_no_part_of_a_set_until_renamed(intake: Intake, suffix: str) -> None:
    """Only the final name counts."""
    put(intake, _FI + suffix)
    assert list(intake.sets()) == []
    intake.rename(_BOX, _FI + suffix, _FI)

    assert names(intake) == [_FI]
    assert [intake.set_folder(_BOX, _FI)] == [folder for _, folder in intake.sets()]


def test_an_empty_set_leaves_no_folder(intake: Intake) -> None:
    """Taking the last file back takes the set's folder along, and the gateway's notes in it."""
    put(intake, _FI)
    (intake.set_folder(_BOX, _FI) / ".uploaded-by").write_text("payroll01")
    intake.remove(_BOX, _FI)

    assert list(intake.sets()) == []


def test_senders_and_directories_are_apart(intake: Intake) -> None:
    """The same name in another directory or of another sender is another file."""
    put(intake, _FI)

    assert names(intake, Mailbox("123456", "INTEST")) == []
    assert names(intake, Mailbox("654321", "IN")) == []


@pytest.mark.parametrize(
    "box", [Mailbox("../../", "IN"), Mailbox("12345", "IN"), Mailbox("123456", "OUT"), Mailbox("123456", "../IN")]
)
def test_a_mailbox_that_does_not_exist_is_no_path(intake: Intake, box: Mailbox) -> None:
    """Only six digits and one of three names ever become a folder."""
    with pytest.raises(ValueError, match=r"six digits|not an inbox"):
        intake.folder(box)


@settings(max_examples=200, deadline=None)
@given(name=st.text(max_size=120))
def test_no_name_leaves_the_intake(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """Whatever a name is, it is refused or stays below the sender's directory."""
    root = tmp_path_factory.getbasetemp() / "any-name"
    intake = Intake(root, IntakeLimits(1000, 10**6, 1))
    try:
        put(intake, name)
    except MailboxRefusal as refusal:
        assert refusal.trouble is Trouble.DENIED
    else:
        assert any(entry.name == name for entry in intake.entries(_BOX))
        intake.remove(_BOX, name)
    assert {"any-name"} == {path.name for path in root.parent.glob("any-name*")}
    assert {"123456"} >= {path.name for path in root.iterdir()}


def test_forgotten_temporary_files_are_cleared_away(intake: Intake) -> None:
    """A temporary name that is never renamed does not stay for ever."""
    put(intake, _FI + ".part")

    assert 0 == intake.expire_temporary(older_than=0.0)
    assert 1 == intake.expire_temporary(older_than=2.0**40)
    assert names(intake) == []
