"""Answers on a real disk."""

import errno
import io
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from spool.answers import AnswerName, StoredAnswer
from spool.files import give_name, sync_folder
from spool.mailbox import Mailbox, MailboxRefusal
from spool.outbox import Outbox, answer_files, compressed

_BOX = Mailbox("123456", "OUT")
_STEM = "ACRF.999999.20261121.00001.R"


def files_of(data: bytes, signature: bytes, prefix: str = "FO") -> tuple[tuple[str, bytes], ...]:
    """The files of an answer."""
    return answer_files(StoredAnswer(AnswerName("T", 1, _BOX, prefix, _STEM), data, signature))


_FILES = files_of(b"<ACRF/>", b"c2lnbmF0dXJl")


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
    outbox.place(_BOX, files_of(b"other", b"other"))

    assert (outbox.folder(_BOX) / f"FO.{_STEM}").read_bytes() == b"<ACRF/>"


def test_an_answer_cut_off_before_go_is_placed_whole(outbox: Outbox) -> None:
    """What a crash left of it is written again."""
    outbox.place(_BOX, _FILES)
    (outbox.folder(_BOX) / f"GO.{_STEM}").unlink()
    (outbox.folder(_BOX) / f"FO.{_STEM}").write_bytes(b"<AC")
    outbox.place(_BOX, _FILES)

    assert (outbox.folder(_BOX) / f"FO.{_STEM}").read_bytes() == b"<ACRF/>"
    assert len(names(outbox)) == 3


def test_an_answer_whose_names_did_not_reach_the_disk_is_not_placed(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before the folder is synced, though all of its files are there."""
    synced: list[Path] = []

    def failing(_folder: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("spool.outbox.sync_folder", failing)
    for _ in range(2):
        with pytest.raises(OSError, match="Input/output"):
            outbox.place(_BOX, files_of(b"data", b"signature"))

    def watched(folder: Path) -> None:
        sync_folder(folder)
        synced.append(folder)

    monkeypatch.setattr("spool.outbox.sync_folder", watched)
    outbox.place(_BOX, files_of(b"data", b"signature"))

    assert [outbox.folder(_BOX)] == synced


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


def test_a_compressed_answer_is_co_fs_and_go() -> None:
    """It takes the place of FO, under the same stem."""
    files = files_of(b"PK", b"sig", "CO")

    assert [f"CO.{_STEM}", f"FS.{_STEM}", f"GO.{_STEM}"] == [name for name, _ in files]


def test_a_zip_holds_the_answer_by_its_name_and_nothing_else(tmp_path: Path) -> None:
    """Unzip agrees, and the file may be read by whoever unpacks it."""
    path = tmp_path / f"CO.{_STEM}"
    path.write_bytes(compressed(f"FO.{_STEM}", b"<ACRF/>" * 1000))
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(path), str(tmp_path)], check=True)

    assert [f"FO.{_STEM}"] == zipfile.ZipFile(path).namelist()
    assert b"<ACRF/>" * 1000 == (tmp_path / f"FO.{_STEM}").read_bytes()
    assert path.stat().st_size < 7000


def test_the_same_answer_is_the_same_zip() -> None:
    """No time, user or machine is in it, so that what was signed can be made again and compared."""
    once, again = (compressed(f"FO.{_STEM}", b"<ACRF/>") for _ in range(2))
    [entry] = zipfile.ZipFile(io.BytesIO(once)).infolist()

    assert once == again
    assert ((1980, 1, 1, 0, 0, 0), 3) == (entry.date_time, entry.create_system)


def test_a_lister_sees_an_answer_whole_or_not_at_all(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listing that is asked for while the answer is being placed waits until GO is there."""
    asked, listed = threading.Event(), list[list[str]]()

    def look() -> None:
        asked.set()
        listed.append(names(outbox))

    def slow(folder: Path, name: str) -> None:
        give_name(folder, name)
        if name.startswith("FO."):
            lister.start()
            asked.wait(10)

    lister = threading.Thread(target=look)
    monkeypatch.setattr("spool.outbox.give_name", slow)
    outbox.place(_BOX, _FILES)
    lister.join(10)

    assert [[name for name, _ in _FILES]] == listed
