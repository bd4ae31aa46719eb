"""Many rows at once: `spool.many_rows` in real databases, and the declarations of a large file on a real disk."""

import errno
import os
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from spool import declarations, many_rows
from spool.journal import Journal
from spool.tables import effects

_COLUMNS = (effects.c.ticket, effects.c.kind, effects.c.ordinal, effects.c.facts, effects.c.state)
_MIB = b"x" * 1024**2


@pytest.mark.every_database
def test_rows_are_there_in_their_order_and_read_as_any_other(journal: Journal) -> None:
    """Numbers go up with the order of the rows, JSON is JSON, columns that were not named have their defaults."""
    texts = ['{"a": "é, \\"b\\" {c}"}', "[1, null]", '{"offset": 12345678901}']
    rows = [(f"T{ordinal % 7}", "forward", ordinal, texts[ordinal % 3], "pending") for ordinal in range(1, 3001)]
    with journal.write() as connection:
        many_rows.insert(connection, _COLUMNS, rows)
        many_rows.insert(connection, _COLUMNS, [])
    query = sa.select(effects.c.ordinal, effects.c.facts, effects.c.attempts, effects.c.next_attempt_at)
    with journal.read() as connection:
        found = connection.execute(query.order_by(effects.c.number)).all()

    facts = [{"a": 'é, "b" {c}'}, [1, None], {"offset": 12345678901}]
    assert [(ordinal, facts[ordinal % 3], 0, 0) for ordinal in range(1, 3001)] == [tuple(row) for row in found]


def test_a_large_file_of_declarations_is_whole(tmp_path: Path) -> None:
    """Its beginning is on its way to the disk while the rest is written."""
    path = tmp_path / "declarations" / "A"
    with declarations.writing(path) as writer:
        for number in range(12):
            writer.append(_MIB + bytes([number]))

    assert [declarations.read(path, *span) for span in writer.spans] == [_MIB + bytes([number]) for number in range(12)]


def test_a_beginning_that_the_disk_did_not_keep_fails_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel says so once, to the first who asks; no later sync would tell."""

    def disk_full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "fdatasync", disk_full)
    path = tmp_path / "declarations" / "A"
    with pytest.raises(OSError, match="no space left"), declarations.writing(path) as writer:
        for _ in range(6):
            writer.append(_MIB)

    assert [] == list(path.parent.iterdir())


def test_a_disk_that_takes_a_part_at_a_time_gets_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And of one that takes no more at the end, nothing stands there."""
    write = os.write
    left = [2 * len(_MIB)]

    def slow_disk(descriptor: int, data: memoryview) -> int:
        if left[0] <= 0:
            raise OSError(errno.ENOSPC, "no space left")
        done = write(descriptor, data[:70_000])
        left[0] -= done
        return done

    monkeypatch.setattr(os, "write", slow_disk)
    first, second = tmp_path / "declarations" / "A", tmp_path / "declarations" / "B"
    with declarations.writing(first) as writer:
        writer.append(_MIB)
        writer.append(b"the last")
    with pytest.raises(OSError, match="no space left"), declarations.writing(second) as refused:
        refused.append(_MIB)
        refused.append(_MIB)

    assert [_MIB, b"the last"] == [declarations.read(first, *span) for span in writer.spans]
    assert [first] == list(first.parent.iterdir())


def test_a_sync_that_runs_after_all_fails_the_whole_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There was no room for its thread; the pool ran it with the next, which the kernel told of nothing."""
    start = threading.Thread.start
    starts: list[threading.Thread] = []
    told: list[int] = []

    def no_room_at_first(thread: threading.Thread) -> None:
        starts.append(thread)
        if len(starts) == 1:
            raise RuntimeError("can't start new thread")
        start(thread)

    def told_once(_descriptor: int) -> None:
        told.append(len(told))
        if len(told) == 1:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(threading.Thread, "start", no_room_at_first)
    monkeypatch.setattr(os, "fdatasync", told_once)
    path = tmp_path / "declarations" / "A"
    with pytest.raises(OSError, match="Input/output"), declarations.writing(path) as writer:
        for _ in range(9):
            writer.append(_MIB)

    assert [0, 1] == told
    assert [] == list(path.parent.iterdir())
