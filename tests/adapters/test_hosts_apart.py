"""Whose process is it, and who holds a mailbox, where hosts share a spool: also when one of them hangs."""

import errno
import fcntl
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.roles import Role
from spool.in_use import LOCK, MailboxLock
from spool.mailbox import Mailbox
from spool.outbox import Outbox
from spool.processes import PROCESSES, Process, alive, joined

HUNG = 0.05
BOX = Mailbox("123456", "OUT")
FILES = (("FO.X", b"data"), ("FS.X", b"signature"), ("GO.X", b""))


@contextmanager
def another(spool: Path, **told: object) -> Iterator[Process]:
    """A process as this one, but for what it tells of itself."""
    with joined(spool, [Role.JUDGE]) as me:
        path = spool / PROCESSES / me.id
        facts = json.loads(path.read_bytes()) | told
        path.write_text(json.dumps({key: value for key, value in facts.items() if value is not None}))
        [found] = alive(spool)
        yield found


def test_a_process_of_this_host_is_known(tmp_path: Path) -> None:
    """By its host's name, kernel and number; one of an older release by its host's name."""
    with another(tmp_path) as ours:
        assert (True, True) == (ours.is_here, ours.can_be_signalled)
    with another(tmp_path, kernel=None, numbers=None) as older:
        assert (True, True) == (older.is_here, older.can_be_signalled)


def test_a_process_of_another_host_is_not_ours(tmp_path: Path) -> None:
    """Though the host has the same name, and the process the same number."""
    with another(tmp_path, kernel="0b5bd9a4-7a0a-4c8b-a7a9-0f6a6a7d0c11") as elsewhere:
        assert (False, False, os.getpid()) == (elsewhere.is_here, elsewhere.can_be_signalled, elsewhere.pid)


def test_a_process_of_another_container_is_not_signalled(tmp_path: Path) -> None:
    """Its number is somebody else's here; it is asked by its socket all the same."""
    with another(tmp_path, numbers="pid:[1]") as elsewhere:
        assert (True, False) == (elsewhere.is_here, elsewhere.can_be_signalled)


@contextmanager
def hanging(file: Path) -> Iterator[None]:
    """Somebody on a host that hangs holds this file locked."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o640)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def test_a_mailbox_of_a_host_that_hangs_is_used_without_it(tmp_path: Path) -> None:
    """After a while; by all who wait, one at a time; and a second time when the next host hangs too."""
    entered: list[bool] = []
    with hanging(tmp_path / LOCK), hanging(tmp_path / f"{LOCK}-1"):
        threads = [threading.Thread(target=_enter, args=(tmp_path, entered)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert [True] * 4 == entered
    assert (tmp_path / f"{LOCK}-2").exists()


def _enter(folder: Path, entered: list[bool]) -> None:
    with MailboxLock(folder, HUNG):
        entered.append(True)


def test_a_mailbox_that_goes_from_hand_to_hand_is_waited_for(tmp_path: Path) -> None:
    """However long that takes altogether: nobody holds it for long."""
    first, second = MailboxLock(tmp_path, 60.0), MailboxLock(tmp_path, 60.0)
    with first:
        assert not second.acquire(blocking=False)
    assert second.acquire(blocking=False)
    second.check()
    second.release()

    assert [LOCK] == [path.name for path in tmp_path.iterdir()]


def test_a_host_that_hung_sees_that_others_went_on(tmp_path: Path) -> None:
    """It places nothing more, and with the next turn it takes part again."""
    here, there = Outbox(tmp_path, is_shared=True, hung=HUNG), Outbox(tmp_path, is_shared=True, hung=HUNG)
    folder = here.folder(BOX)
    folder.mkdir(parents=True)
    with here._locked(BOX) as held:
        there.place(BOX, FILES)
        for name, _ in FILES:
            there.remove(BOX, name)
        there.bury(there.tombstones(), ())
        with pytest.raises(OSError, match="stood still") as refused:
            held.check()
        seen = there.entries(BOX)
    here.place(BOX, FILES)

    assert (errno.ESTALE, []) == (refused.value.errno, seen)
    assert [name for name, _ in FILES] == [entry.name for entry in there.entries(BOX)]
