"""What two processes do to each other in the same moment: nothing that anybody would notice."""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from config.roles import Role
from gateway.cases import Case
from gateway.judge import Verdict
from gateway.parties import Sender, SignatureProfile
from gateway.pipeline import Pipeline
from gateway.repeats import EarlierUndecidedError, check_repeats
from gateway.shift import Shift
from spool import marks, processes, shared_commits, submissions
from spool.custody import Custody, Origin
from spool.journal import Journal, JournalError, open_journal
from spool.mailbox import Mailbox
from spool.processes import alive, gone, joined
from spool.submissions import State
from tests.submissions_made import BRUSSELS, MINE, receive

NOTHING = cast("Any", None)
STEM = "DIMN.123456.20261121.00001.R"


@pytest.mark.parametrize("moment", ["open", "write", "rename"])
def test_a_process_that_is_just_starting_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Whoever looks sees it not yet, takes nothing of it away, and sees it afterwards."""
    seen: list[list[str]] = []

    def looking(act: Callable[..., Any]) -> Callable[..., Any]:
        def looked(*args: Any, **kwargs: Any) -> Any:
            result = act(*args, **kwargs)
            monkeypatch.undo()
            seen.append([process.id for process in alive(tmp_path)])
            return result

        return looked

    (tmp_path / processes.PROCESSES).mkdir()
    owner = Path if moment == "rename" else os
    monkeypatch.setattr(owner, moment, looking(getattr(owner, moment)))
    with joined(tmp_path, [Role.JUDGE]) as me:
        later = [process.id for process in alive(tmp_path)]

    assert [me.id] == later
    assert seen == [[me.id] if moment == "rename" else []]


def test_who_cannot_be_looked_at_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without a descriptor left takes nothing away from others."""
    with joined(tmp_path, [Role.JUDGE]) as me:
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", no_descriptor_left)
            ended = gone(tmp_path, [me.id])
            alive(tmp_path)
        still = [process.id for process in alive(tmp_path)]

    assert (set(), [me.id]) == (ended, still)


def no_descriptor_left(*_: Any) -> int:
    """What the system says then."""
    raise OSError(errno.EMFILE, "too many open files")


@pytest.fixture
def opened(tmp_path: Path) -> Journal:
    """An empty journal."""
    return open_journal(tmp_path / "journal.sqlite3", create=True)


def gathered(root: Path) -> Path:
    """A set that is about to be taken."""
    folder = root / "incoming" / "set-x"
    folder.mkdir(parents=True)
    for name in (f"FI.{STEM}.1.1", f"GO.{STEM}.1"):
        (folder / name).write_bytes(b"x")
    return folder


def test_a_set_that_others_recover_while_it_is_taken_is_taken(
    tmp_path: Path, opened: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sender is told OK, and its files stay where the journal says."""
    door, other = Custody(tmp_path / "custody", opened, "1-a"), Custody(tmp_path / "custody", opened, "2-b")
    record = door._record

    def late(target: Path, *told: Any) -> None:
        assert [target.name] == other.recover()
        record(target, *told)

    monkeypatch.setattr(door, "_record", late)
    ticket = door.take(gathered(tmp_path), Origin("sftp", Mailbox("123456", "IN"), "u"))
    with opened.read() as connection:
        [known] = submissions.search(connection)

    assert ticket == known.ticket
    assert door.folder(known.ticket, known.received_at).is_dir()


def test_what_a_living_process_has_taken_is_its_own(tmp_path: Path, opened: Journal) -> None:
    """Others record it only when it has ended, and then at once."""
    other = Custody(tmp_path / "custody", opened, "2-b")

    class Ending(Custody):
        """One that ends between custody and journal."""

        def _record(self, *_: Any) -> None:
            raise SystemExit

    with pytest.raises(SystemExit), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Custody, "_put_back", lambda *_: None)
        Ending(tmp_path / "custody", opened, "1-a").take(
            gathered(tmp_path), Origin("sftp", Mailbox("123456", "IN"), "u")
        )
    living = other.recover(lambda process: process != "1-a")
    recovered = other.recover(lambda process: process == "1-a")

    assert (0, 1) == (len(living), len(recovered))


def test_of_two_of_a_name_the_late_one_is_no_second_verdict(tmp_path: Path, opened: Journal) -> None:
    """An older submission that is recorded and accepted while the newer is judged makes that one start again."""
    pipeline = Pipeline(opened, NOTHING, NOTHING, BRUSSELS, NOTHING, Path())
    sender = Sender(MINE, SignatureProfile.DETACHED, "RTS", ("*",), active=True)
    newer = receive(opened, "B" * 13, at=2000)
    with opened.read() as connection:
        other = submissions.namesake(connection, newer)
    assert () == check_repeats(newer, other)
    receive(opened, "A" * 13, at=1000)
    with opened.write() as connection:
        submissions.settle(connection, "A" * 13, submissions.Ruling(State.ACCEPTED))
    case = Case(newer, sender, other, Path(), tmp_path / newer.ticket, NOTHING)
    with pytest.raises(EarlierUndecidedError):
        pipeline._record(Verdict(case, State.ACCEPTED, (), {}, 0), [])
    with opened.read() as connection:
        found = submissions.load(connection, newer.ticket)

    assert found is not None
    assert found.state is State.RECEIVED


def test_two_judges_of_one_set_have_marks_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that begins again takes nothing from one that is about to write its verdict."""
    monkeypatch.setattr(marks, "FEW_BYTES", 0)
    path = tmp_path / "T.marks"
    with marks.writing(path) as first:
        for _ in range(3):
            first.append(["ab" * 32])
    with marks.writing(path) as second:
        second.append(["ab" * 32])
        with marks.taking(path, None) as persons:
            found = list(persons)

    assert 3 == len(found)


def test_nobody_waits_for_ever_for_a_turn_to_write(opened: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose turn does not come is told so, as with a database that is away."""
    monkeypatch.setattr(shared_commits, "WAIT_SECONDS", 0.05)
    refused = threading.Event()

    def write() -> None:
        with pytest.raises(JournalError), opened.write():
            pass
        refused.set()

    thread = threading.Thread(target=write)
    with opened.write():
        thread.start()
        thread.join()

    assert refused.is_set()


def test_a_process_that_starts_waits_for_no_writer(tmp_path: Path, opened: Journal) -> None:
    """A journal that is up to date is only looked at."""
    with opened.write():
        open_journal(tmp_path / "journal.sqlite3", upgrade=True).close()


async def test_a_round_in_trouble_is_passed_on(tmp_path: Path, opened: Journal) -> None:
    """To another that could go it, for a while; alone one goes on."""
    with joined(tmp_path, [Role.DELIVER]) as here:
        first = Shift(opened, tmp_path, here.id, 60.0)
        assert await first.has("forward")
        await first.pass_on("forward")
        assert await first.has("forward")
        with joined(tmp_path, [Role.DELIVER]) as there:
            second = Shift(opened, tmp_path, there.id, 60.0)
            before = await second.has("forward")
            await first.pass_on("forward")
            after = await second.has("forward"), await first.has("forward")

    assert (False, (True, False)) == (before, after)
