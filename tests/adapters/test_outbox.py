"""Answers on a real disk."""

import os
from pathlib import Path

import pytest

from spool.mailbox import Mailbox, MailboxRefusal
from spool.outbox import Outbox, answer_files

_BOX = Mailbox("123456", "OUT")
_STEM = "ACRF.999999.20261121.00001.R"
_FILES = answer_files(_STEM, b"<ACRF/>", b"c2lnbmF0dXJl")


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    """An empty outbox."""
    return Outbox(tmp_path / "answers")


def names(outbox: Outbox) -> list[str]:
    """What the sender sees."""
    return [entry.name for entry in outbox.entries(_BOX)]


def test_an_answer_is_three_files_and_go_is_the_last(outbox: Outbox) -> None:
    """FO and FS are whole before GO says so."""
    assert [f"FO.{_STEM}", f"FS.{_STEM}", f"GO.{_STEM}"] == [name for name, _ in _FILES]
    outbox.place(_BOX, _FILES)

    assert [f"FO.{_STEM}", f"FS.{_STEM}", f"GO.{_STEM}"] == names(outbox)
    descriptor = outbox.open(_BOX, f"FO.{_STEM}")
    assert b"<ACRF/>" == os.read(descriptor, 100)
    os.close(descriptor)


def test_placing_again_changes_nothing(outbox: Outbox) -> None:
    """An answer that is there stays as it is."""
    outbox.place(_BOX, _FILES)
    outbox.place(_BOX, answer_files(_STEM, b"other", b"other"))

    assert (outbox.folder(_BOX) / f"FO.{_STEM}").read_bytes() == b"<ACRF/>"


def test_an_answer_cut_off_before_go_is_placed_whole(outbox: Outbox) -> None:
    """What a crash left of it is written again."""
    outbox.place(_BOX, _FILES)
    (outbox.folder(_BOX) / f"GO.{_STEM}").unlink()
    (outbox.folder(_BOX) / f"FO.{_STEM}").write_bytes(b"<AC")
    outbox.place(_BOX, _FILES)

    assert (outbox.folder(_BOX) / f"FO.{_STEM}").read_bytes() == b"<ACRF/>"
    assert len(names(outbox)) == 3


def test_an_answer_its_sender_deleted_is_not_placed_again(outbox: Outbox) -> None:
    """Unless its removal is forgotten on purpose, to give the first answer again."""
    outbox.place(_BOX, _FILES)
    for name, _ in _FILES:
        outbox.remove(_BOX, name)
    outbox.place(_BOX, _FILES)
    assert names(outbox) == []
    outbox.forget_removal(_BOX, _STEM)
    outbox.place(_BOX, _FILES)

    assert len(names(outbox)) == 3


def test_a_tombstone_stays_while_its_answer_is_unsettled(outbox: Outbox) -> None:
    """Only what the journal has recorded may be forgotten."""
    outbox.place(_BOX, _FILES)
    outbox.remove(_BOX, f"GO.{_STEM}")
    outbox.bury(outbox.tombstones(), {_STEM})
    assert len(outbox.tombstones()) == 1
    outbox.bury(outbox.tombstones(), set())

    assert outbox.tombstones() == []


@pytest.mark.parametrize("name", ["../123456/OUT", ".removed", "FO.none", "", "a/b", "\n"])
def test_what_is_not_there_cannot_be_opened_or_removed(outbox: Outbox, name: str) -> None:
    """Odd names are names of nothing."""
    outbox.place(_BOX, _FILES)

    with pytest.raises(MailboxRefusal):
        outbox.open(_BOX, name)
    with pytest.raises(MailboxRefusal):
        outbox.remove(_BOX, name)


def test_an_answer_given_again_is_given_whole(outbox: Outbox) -> None:
    """A sender who kept only GO of the first answer gets FO and FS with it."""
    outbox.place(_BOX, _FILES)
    outbox.remove(_BOX, f"FO.{_STEM}")
    outbox.remove(_BOX, f"FS.{_STEM}")
    outbox.forget_removal(_BOX, _STEM)
    outbox.place(_BOX, _FILES)

    assert 3 == len(names(outbox))
