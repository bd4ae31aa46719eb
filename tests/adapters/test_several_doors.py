"""Several processes are one door: their limits hold together, and one that is killed leaves nothing taken."""

import asyncio
import errno
import fcntl
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from config.errors import ConfigurationError
from spool import intake as intakes
from spool import seats as seats_of_all
from spool import shared_quota, tally
from spool.intake import Intake, IntakeLimits
from spool.mailbox import Mailbox, MailboxRefusal
from spool.quota import Quota
from spool.seats import Seats
from spool.shared_quota import SharedQuota, UncountedError
from spool.tally import TALLY, TallyHeldError

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


def test_seats_of_a_process_that_is_killed_are_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then they are taken, for others of the same key only."""
    monkeypatch.setattr(seats_of_all, "_FULL_FOR", 0.0)
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


def test_a_volume_without_locks_of_bytes_is_said_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a fault of the installation, not one of everybody who logs in."""

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "lockf", no_locks)
    with pytest.raises(ConfigurationError, match="fcntl"):
        Seats(tmp_path / "seats")


def test_seats_that_are_full_are_not_asked_for_again_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before a moment has passed, or one was given back here."""
    monkeypatch.setattr(seats_of_all, "_FULL_FOR", 1000.0)
    here = Seats(tmp_path / "seats")
    mine = here.take("user one", 1)
    assert mine is not None
    assert here.take("user one", 1) is None
    monkeypatch.setattr(here, "_lock", lambda _seat: pytest.fail("asked again"))
    assert here.take("user one", 1) is None
    monkeypatch.undo()
    here.give_back(mine)
    assert mine == here.take("user one", 1)


ROOMY = IntakeLimits(file_bytes=10**9, files=1000, reserve=0, sender_bytes=10**9)


def looking(root: Path, limit: int = 10**9) -> SharedQuota:
    """What another door has counted."""
    return SharedQuota(limit, root, 5.0, 30.0)


@contextmanager
def held(root: Path) -> Iterator[int]:
    """The counters, by somebody who does not go on."""
    descriptor = os.open(root / SENDER / TALLY, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.utime(descriptor)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def settled(root: Path, used: int) -> None:
    """Wait until so much is counted: what is not used is returned after a second."""
    end = time.monotonic() + 30
    while used != looking(root).used(SENDER):
        assert time.monotonic() < end, looking(root).used(SENDER)
        time.sleep(0.01)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not used is returned soon, and nobody waits long."""
    monkeypatch.setattr(shared_quota, "_IDLE", 0.05)
    monkeypatch.setattr(shared_quota, "_LOOKED_AT", 0.02)
    monkeypatch.setattr(tally, "_PATIENCE", 0.2)
    monkeypatch.setattr(tally, "_SURE", 0.05)
    monkeypatch.setattr(tally, "_REMEMBERED", 0.0)


@pytest.mark.usefixtures("soon")
def test_what_a_killed_door_had_counted_is_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nobody uploads; before that it counts, so that nothing too much is taken."""
    with started(_BRINGS_BYTES, tmp_path, 1, 10**9, 9, 10**6) as door:
        assert ["ready"] == line(door)
        go_on(door)
        grown = tmp_path / SENDER / "IN" / ".uploads" / "FI.1.0"
        while not (grown.exists() and grown.stat().st_size):
            time.sleep(0.005)  # it says nothing while it writes
        door.kill()
        door.wait()
    here = Intake(tmp_path, ROOMY, is_shared=True)
    monkeypatch.setattr(intakes, "_COUNTED_FOR", 0.0)
    later = Intake(tmp_path, ROOMY, is_shared=True)
    upload = here.begin(BOX, "second")
    later.room(BOX)
    assert looking(tmp_path).used(SENDER) > grown.stat().st_size
    here.abandon(upload)
    later.room(BOX)
    assert looking(tmp_path).used(SENDER) == grown.stat().st_size


def test_a_large_file_asks_for_room_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While there is plenty; near the limit nothing is taken ahead."""
    monkeypatch.setattr(shared_quota, "_IDLE", 3600.0)
    plenty = IntakeLimits(file_bytes=2**30, files=1000, reserve=0, sender_bytes=2**32)
    fetched: list[int] = []
    fetch = SharedQuota.fetch

    def noted(self: SharedQuota, sender: str, size: int) -> None:
        fetched.append(size)
        fetch(self, sender, size)

    monkeypatch.setattr(SharedQuota, "fetch", noted)
    upload = Intake(tmp_path, plenty, is_shared=True).begin(BOX, "large")
    for place in range(0, 2**24, 2**16):
        upload.write(place, bytes(2**16))
    assert 0 < len(fetched) <= 2**24 // 2**22


def test_a_purse_that_is_in_use_has_no_more_than_may_be_taken_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When others come near the limit, what is too much goes back to all, and anybody can take the last bytes."""
    monkeypatch.setattr(shared_quota, "_IDLE", 3600.0)
    monkeypatch.setattr(shared_quota, "_LOOKED_AT", 0.02)
    limit, ahead, few = 400 * 2**20, 4 * 2**20, 64 * 2**10
    here, there = looking(tmp_path, limit), looking(tmp_path, limit)
    here.count(SENDER, lambda: 0, lambda: True)
    here.take(SENDER, 1)
    assert 1 + ahead == there.used(SENDER)
    there.take(SENDER, limit - 1 - ahead)
    settled(tmp_path, limit - ahead + few)  # a 64th of what is left may stay
    there.take(SENDER, ahead - few)
    settled(tmp_path, limit - few)
    there.take(SENDER, few)

    for door in (here, there):
        with pytest.raises(MailboxRefusal, match="bytes together"):
            door.take(SENDER, 1)
    assert limit == here.used(SENDER)


def test_a_purse_from_before_a_measuring_is_worth_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had was not on the disk, and was counted away; so the room is taken anew."""
    monkeypatch.setattr(shared_quota, "_IDLE", 3600.0)  # nothing is returned by itself
    here = Intake(tmp_path, ROOMY, is_shared=True)
    upload = here.begin(BOX, "first")
    upload.write(0, bytes(1000))
    here.finish(upload)
    assert here._quota.is_at_hand(SENDER, 1000)
    monkeypatch.setattr(intakes, "_COUNTED_FOR", 0.0)
    Intake(tmp_path, ROOMY, is_shared=True).room(BOX)
    assert 1000 == looking(tmp_path).used(SENDER)
    second = here.begin(BOX, "second")
    second.write(0, bytes(10))
    assert 1010 == here._quota.used(SENDER) < looking(tmp_path).used(SENDER)


@pytest.mark.usefixtures("soon")
def test_counters_that_a_host_holds_are_replaced_after_a_while(tmp_path: Path) -> None:
    """Until then the sender is told to try again; then what waits is measured anew, and the limit holds."""
    here = Intake(tmp_path, LIMITS, is_shared=True, hung=1.0)
    first = here.begin(BOX, "first")
    first.write(0, bytes(600_000))
    here.finish(first)
    second = here.begin(BOX, "second")
    path = tmp_path / SENDER / TALLY
    os.utime(path, (0, 0))
    with held(tmp_path) as descriptor:
        for _ in range(6):  # it goes from hand to hand, for longer than anybody may hold it
            with pytest.raises(TallyHeldError):
                here.fetch_room(SENDER, 1)
            os.utime(descriptor)
        assert os.path.samestat(path.stat(), os.fstat(descriptor))
        while not here._quota.is_at_hand(SENDER, 1):
            with suppress(TallyHeldError):
                here.fetch_room(SENDER, 1)
    second.write(0, bytes(400_000))
    with pytest.raises(MailboxRefusal, match="1000000 bytes together"):
        second.write(400_000, b"x")


def test_who_stood_still_and_was_replaced_counts_in_the_new_file(tmp_path: Path) -> None:
    """What it wrote in the old one nobody reads."""
    limit = 1_000_000
    slow = looking(tmp_path, limit)
    slow.count(SENDER, lambda: 0, lambda: True)
    os.utime(tmp_path / SENDER / TALLY, (0, 0))
    runs: list[int] = []

    def stand_still(record: list[int], _room: int) -> int:
        if not runs:
            assert (tmp_path / SENDER / TALLY).stat().st_mtime > 0  # others see that it changed hands
            (tmp_path / SENDER / TALLY).unlink()
            looking(tmp_path, limit).count(SENDER, lambda: 500, lambda: True)
        runs.append(record[0])
        record[0] += 10
        return 10

    slow._change(SENDER, stand_still)
    assert ([0, 500], 510) == (runs, looking(tmp_path, limit).used(SENDER))


async def test_nothing_is_counted_on_an_event_loop(tmp_path: Path) -> None:
    """To count is to wait for all inboxes of a sender, and two who hold one each would wait for ever."""
    here = Intake(tmp_path, LIMITS, is_shared=True)
    with pytest.raises(UncountedError):
        here.begin(BOX, "first")
    here.abandon(await asyncio.to_thread(here.begin, BOX, "first"))
    here.abandon(here.begin(BOX, "second"))


def test_an_event_loop_waits_for_no_other_door(tmp_path: Path) -> None:
    """It is told so at once; what has to wait does so in a thread, and the upload goes on."""
    here = Intake(tmp_path, LIMITS, is_shared=True)
    upload = here.begin(BOX, "first")

    async def serve() -> None:
        with held(tmp_path):
            with pytest.raises(TallyHeldError):
                here.fetch_room(SENDER, upload.missing_room(1000))
            with here.at_once(BOX) as free, pytest.raises(TallyHeldError):
                assert free
                here.begin(BOX, "second")
            waiting = asyncio.create_task(asyncio.to_thread(here.fetch_room, SENDER, upload.missing_room(1000)))
            await asyncio.sleep(0)
            assert not waiting.done()
        await waiting
        assert 0 == upload.missing_room(1000)
        upload.write(0, bytes(1000))

    asyncio.run(serve())
    here.finish(upload)
    assert 1000 == upload.size


@pytest.mark.usefixtures("soon")
def test_room_that_could_not_be_returned_is_returned_later(tmp_path: Path) -> None:
    """Also while an upload of the sender is open, and nothing is measured."""
    here = Intake(tmp_path, LIMITS, is_shared=True)
    here.begin(BOX, "idle")
    upload = here.begin(BOX, "large")
    upload.write(0, bytes(900_000))
    here.finish(upload)
    with held(tmp_path):
        here.remove(BOX, "large")
        assert 900_000 == looking(tmp_path).used(SENDER)
    settled(tmp_path, 0)


@pytest.mark.usefixtures("soon")
def test_counters_that_are_lost_are_measured_before_anything_is_taken(tmp_path: Path) -> None:
    """With an upload open, too: it does not fail."""
    here = Intake(tmp_path, LIMITS, is_shared=True)
    first, second = here.begin(BOX, "first"), here.begin(BOX, "second")
    first.write(0, bytes(900_000))
    here.finish(first)
    (tmp_path / SENDER / TALLY).unlink()
    with pytest.raises(MailboxRefusal, match="1000000 bytes together"):
        here.fetch_room(SENDER, 200_000)
    here.fetch_room(SENDER, 100_000)
    second.write(0, bytes(100_000))
    with pytest.raises(MailboxRefusal, match="1000000 bytes together"):
        second.write(100_000, b"x")


@pytest.mark.usefixtures("soon")
def test_room_that_was_taken_ahead_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While there is plenty a purse is filled, so that small files ask for room once; soon it is empty again."""
    here = Intake(tmp_path, ROOMY, is_shared=True)
    monkeypatch.setattr(shared_quota, "_IDLE", 3600.0)
    upload = here.begin(BOX, "first")
    record = (tmp_path / SENDER / TALLY).read_bytes()
    assert 0 == upload.missing_room(1000)
    upload.write(0, bytes(1000))
    here.finish(upload)
    assert (10**9 - 1000, record) == (here.room(BOX).free_bytes, (tmp_path / SENDER / TALLY).read_bytes())
    monkeypatch.setattr(shared_quota, "_IDLE", 0.0)
    settled(tmp_path, 1000)


def test_threads_of_one_door_pass_no_limit_either(tmp_path: Path) -> None:
    """However near it is, and however they take turns with the purse."""
    quota = looking(tmp_path, 5_000_000)
    quota.count(SENDER, lambda: 0, lambda: True)
    taken: list[int] = []

    def take() -> None:
        while True:
            try:
                quota.take(SENDER, 10_000)
            except MailboxRefusal:
                return
            taken.append(10_000)

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 5_000_000 == sum(taken) == quota.used(SENDER)


def test_a_door_that_is_alone_asks_no_file(tmp_path: Path) -> None:
    """It counts in memory, as ever."""
    alone = Intake(tmp_path, LIMITS)
    upload = alone.begin(BOX, "first")
    upload.write(0, bytes(1000))
    alone.finish(upload)
    assert isinstance(alone._quota, Quota)
    assert [] == list(tmp_path.rglob(TALLY))
