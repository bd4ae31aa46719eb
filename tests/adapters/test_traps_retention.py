"""Traps of keeping and clearing away: rows that nobody expected, and more bytes than memory."""

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.answer import place_all
from spool import answers
from spool.answers import AnswerName, StoredAnswer
from spool.journal import Journal, now, open_journal
from spool.journal_copy import copy
from spool.mailbox import Mailbox
from spool.outbox import Outbox
from spool.retention import Retention, expire
from tests.submissions_made import MINE, STEM, answer, receive

DAY = 86_400.0
AGES = Retention(30 * DAY, 180 * DAY)
BOX = Mailbox(MINE, "OUT")
MB = 1024 * 1024
LATER = 181 * DAY


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    """An outbox with one answer."""
    return Outbox(tmp_path / "answers")


def _a_name_in_no_encoding(folder: Path) -> None:
    (folder / os.fsdecode(b"FO.\xff\xfe.R")).touch()


def _a_folder(folder: Path) -> None:
    (folder / "FO.ACRF.999999.20261121.00000.R").mkdir()


def _a_link_to_nowhere(folder: Path) -> None:
    (folder / "FO.ACRF.999999.20261121.00000.R").symlink_to("nowhere")


def _an_answer_that_nobody_knows(folder: Path) -> None:
    (folder / "FO.ACRF.999999.20261121.00000.R").touch()


def _a_name_without_a_stem(folder: Path) -> None:
    (folder / "GO.").touch()


def _a_file_in_the_place_of_a_sender(folder: Path) -> None:
    folder.parent.parent.joinpath("000000").touch()


@pytest.mark.parametrize(
    "odd",
    [
        _a_name_in_no_encoding,
        _a_folder,
        _a_link_to_nowhere,
        _an_answer_that_nobody_knows,
        _a_name_without_a_stem,
        _a_file_in_the_place_of_a_sender,
    ],
    ids=lambda odd: odd.__name__.strip("_").replace("_", " "),
)
def test_purge_stops_at_the_first_odd_row(journal: Journal, outbox: Outbox, odd: Callable[[Path], None]) -> None:
    """What is odd lies there first and stays; the answer behind it goes when its time is up."""
    folder = outbox.folder(BOX)
    folder.mkdir(parents=True)
    odd(folder)
    for path in folder.iterdir():
        os.utime(path, (0, 0), follow_symlinks=False)
    receive(journal, "A" * 13)
    answer(journal, "A" * 13)
    assert 1 == place_all(journal, outbox)

    assert 1 == expire(journal, outbox, AGES, now() / 1_000_000 + LATER)
    assert [] == list(folder.glob(f"*{STEM}"))


@pytest.fixture
def large_answers(journal: Journal) -> int:
    """Forty answers of a megabyte each, with everything about them; their bytes together."""
    for number in range(40):
        ticket = f"{number:013}"
        receive(journal, ticket, name=f"GO.DIMN.{MINE}.20261121.{number:05}.R.1")
        answer(journal, ticket, f"ACRF.999999.20261121.{number:05}.R")
        with journal.write() as connection:
            name = AnswerName(ticket, 2, BOX, "FO", f"NOTI.999999.20261121.{number:05}.R")
            answers.store(connection, StoredAnswer(name, os.urandom(MB), b"c2ln"))
    return 40 * MB


def test_archiver_out_of_memory(journal: Journal, outbox: Outbox, large_answers: int, tmp_path: Path) -> None:
    """What goes through everything that is kept (the purge, the move of a journal) holds a few rows at a time."""
    target = open_journal(tmp_path / "moved.sqlite3", create=True)
    place_all(journal, outbox)
    tracemalloc.start()
    try:
        gone = expire(journal, outbox, AGES, now() / 1_000_000 + LATER)
        copied = copy(journal, target)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        target.close()

    assert (40, 80) == (gone, copied["answers"])
    assert peak < large_answers // 3
