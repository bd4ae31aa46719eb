"""Several processes are one door: their limits hold together, and one that is killed leaves nothing taken."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from spool import intake as intakes
from spool import shared_quota
from spool.intake import Intake, IntakeLimits
from spool.mailbox import Mailbox, MailboxRefusal
from spool.quota import Quota
from spool.seats import Seats
from spool.shared_quota import TALLY, SharedQuota, TallyHeldError

SENDER = "123456"
BOX = Mailbox(SENDER, "IN")
LIMITS = IntakeLimits(file_bytes=10_000_000, files=1000, reserve=0, sender_bytes=1_000_000)

_BRINGS_BYTES = """
    import sys
    from pathlib import Path
    from spool.intake import Intake, IntakeLimits
    from spool.mailbox import Mailbox, MailboxRefusal
    root, number, bytes_, files, pieces = Path(sys.argv[1]), *map(int, sys.argv[2:])
    intake = Intake(root, IntakeLimits(10_000_000, files, 0, bytes_), is_shared=True)
    box, came, done = Mailbox("123456", "IN"), 0, 0
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        while True:
            upload = intake.begin(box, f"FI.{number}.{done}")
            for piece in range(pieces):
                upload.write(piece * 1000, bytes(1000))
                came += 1000
            intake.finish(upload)
            done += 1
    except MailboxRefusal as refused:
        print(came, done, refused.words[:4], flush=True)
    sys.stdin.readline()
"""
_TAKES_SEATS = """
    import sys
    from pathlib import Path
    from spool.seats import Seats
    seats = Seats(Path(sys.argv[1]))
    print(sum(seats.take("user one", 5) is not None for _ in range(int(sys.argv[2]))), flush=True)
    sys.stdin.readline()
"""


@contextmanager
def started(program: str, *words: object) -> Iterator[subprocess.Popen[str]]:
    """Another process."""
    command = [sys.executable, "-c", textwrap.dedent(program), *map(str, words)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> list[str]:
    """The next line it says."""
    assert process.stdout is not None
    return process.stdout.readline().split()


def go_on(process: subprocess.Popen[str]) -> None:
    """Let it."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.parametrize(("most_bytes", "most_files"), [(1_000_000, 1000), (10**9, 30)])
def test_four_doors_take_together_what_one_may(tmp_path: Path, most_bytes: int, most_files: int) -> None:
    """To the byte, and to the file, however they come at once."""
    with ExitStack() as stack:
        doors = [
            stack.enter_context(started(_BRINGS_BYTES, tmp_path, number, most_bytes, most_files, 50))
            for number in range(4)
        ]
        for door in doors:
            assert ["ready"] == line(door)
        for door in doors:
            go_on(door)
        came = [line(door) for door in doors]
        waiting = sum(path.stat().st_size for path in tmp_path.glob("*/*/*/*") if path.is_file())
        if most_files == 30:
            assert (30, {"too"}) == (sum(int(files) for _, files, _ in came), {words for *_, words in came})
        else:
            assert (most_bytes, {"your"}) == (sum(int(size) for size, *_ in came), {words for *_, words in came})
            assert waiting == most_bytes


def test_seats_of_a_process_that_is_killed_are_free(tmp_path: Path) -> None:
    """Until then they are taken, for others of the same key only."""
    seats = Seats(tmp_path / "seats")
    with started(_TAKES_SEATS, tmp_path / "seats", 3) as other:
        assert ["3"] == line(other)
        mine = [seats.take("user one", 5) for _ in range(3)]
        assert (2, None) == (len({*mine} - {None}), mine[2])
        assert seats.take("user two", 1) is not None
        other.kill()
        other.wait()
        taken = [seats.take("user one", 5) for _ in range(4)]
    assert (3, None) == (len({*taken} - {None}), taken[3])
    assert mine[0] is not None
    seats.give_back(mine[0])
    seats.give_back(mine[0])
    assert mine[0] == seats.take("user one", 5)
    seats.close()
    seats.give_back(mine[0])


def test_what_a_killed_door_had_counted_is_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nobody uploads; before that it counts, so that nothing too much is taken."""
    roomy = IntakeLimits(file_bytes=10**9, files=1000, reserve=0, sender_bytes=10**9)
    with started(_BRINGS_BYTES, tmp_path, 1, 10**9, 9, 10**6) as door:
        assert ["ready"] == line(door)
        go_on(door)
        grown = tmp_path / SENDER / "IN" / ".uploads" / "FI.1.0"
        while not (grown.exists() and grown.stat().st_size):
            time.sleep(0.005)  # it says nothing while it writes
        door.kill()
        door.wait()
    here = Intake(tmp_path, roomy, is_shared=True)
    counted = SharedQuota(10**9, tmp_path, 5.0, 30.0)
    upload = here.begin(BOX, "second")
    assert counted.used(SENDER) >= grown.stat().st_size
    here.abandon(upload)
    monkeypatch.setattr(intakes, "_COUNTED_FOR", 0.0)
    later = Intake(tmp_path, roomy, is_shared=True)
    with pytest.raises(MailboxRefusal):
        later.begin(BOX, "..")
    later.room(BOX)
    assert counted.used(SENDER) == grown.stat().st_size


def test_counters_that_a_host_holds_are_replaced_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then the sender is told to try again; then what waits is measured anew."""
    monkeypatch.setattr(shared_quota, "_TRIES", 2)
    here = Intake(tmp_path, LIMITS, is_shared=True, hung=60.0)
    first = here.begin(BOX, "first")
    first.write(0, bytes(600_000))
    here.finish(first)
    second = here.begin(BOX, "second")
    tally = tmp_path / SENDER / TALLY
    hangs = SharedQuota(1_000_000, tmp_path, 5.0, 60.0)

    def hang(_record: list[int]) -> bool:
        for moment in (time.time(), 0.0):
            os.utime(tally, (moment, moment))
            with pytest.raises(TallyHeldError):
                second.write(0, b"x")
        return False

    assert not hangs._change(SENDER, hang)
    assert not tally.exists() or tally.stat().st_size == 0
    here.abandon(second)
    later = Intake(tmp_path, LIMITS, is_shared=True)
    third = later.begin(BOX, "third")
    third.write(0, bytes(400_000))
    with pytest.raises(MailboxRefusal, match="1000000 bytes together"):
        third.write(400_000, b"x")


def test_room_that_was_asked_for_ahead_is_given_back(tmp_path: Path) -> None:
    """While there is plenty one asks for a megabyte at a time; what was not used is free when the file is closed."""
    roomy = IntakeLimits(file_bytes=10**9, files=10, reserve=0, sender_bytes=10**9)
    here = Intake(tmp_path, roomy, is_shared=True)
    counted = SharedQuota(10**9, tmp_path, 5.0, 30.0)
    upload, small, much = here.begin(BOX, "first"), 1000, 1024**2
    upload.write(0, bytes(small))
    assert small == counted.used(SENDER)
    upload.write(small, bytes(much))
    upload.write(small + much, b"x")
    ahead = counted.used(SENDER)
    upload.write(small + much + 1, b"x")
    assert ahead == counted.used(SENDER) > upload.size
    here.finish(upload)
    assert (upload.size, 10**9 - upload.size) == (counted.used(SENDER), here.room(BOX).free_bytes)


def test_threads_of_one_door_pass_no_limit_either(tmp_path: Path) -> None:
    """Locks of files are no locks between the threads of a process."""
    quota = SharedQuota(10_000, tmp_path, 5.0, 30.0)
    taken: list[int] = []

    def take() -> None:
        for _ in range(50):
            try:
                quota.take(SENDER, 100, 0)
            except MailboxRefusal:
                return
            taken.append(100)

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 10_000 == sum(taken) == quota.used(SENDER)


def test_a_door_that_is_alone_asks_no_file(tmp_path: Path) -> None:
    """It counts in memory, as ever."""
    alone = Intake(tmp_path, LIMITS)
    upload = alone.begin(BOX, "first")
    upload.write(0, bytes(1000))
    alone.finish(upload)
    assert isinstance(alone._quota, Quota)
    assert [] == list(tmp_path.rglob(TALLY))
