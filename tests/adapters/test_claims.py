"""Who judges what, in which order, and who does what only one should do."""

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.errors import ConfigurationError
from config.roles import ALL, Role
from spool import claims, leases, processes, submissions
from spool.claims import Claim
from spool.files import held_alone
from spool.journal import Journal, now
from spool.processes import alive, gone, working
from spool.submissions import State, Submission
from spool.waking import Topic, wake

pytestmark = pytest.mark.every_database

_NUMBERS = itertools.count(1)


def put(journal: Journal, sender: str, count: int) -> list[str]:
    """So many submissions of one sender, one after the other."""
    tickets = []
    with journal.write() as connection:
        for number in itertools.islice(_NUMBERS, count):
            stem = f"DIMN.{sender}.20261121.{number:05}.R"
            ticket = f"T{number:012}"
            submissions.add(
                connection,
                Submission(ticket, number, "sftp", sender, "u", "IN", f"GO.{stem}.1", stem, "c", State.RECEIVED, 0),
            )
            tickets.append(ticket)
    return tickets


def test_one_sender_keeps_nobody_waiting(journal: Journal) -> None:
    """Whoever sent a hundred files before has its turn like those who sent one."""
    many = put(journal, "111111", 100)
    few = put(journal, "222222", 1) + put(journal, "333333", 1)
    with journal.read() as connection:
        found = [one.ticket for one in claims.due(connection, now(), 6)]

    assert [many[0], *few] == found[:3]
    assert many[1:4] == found[3:]


def test_turns_go_on_behind_the_sender_who_was_last(journal: Journal) -> None:
    """So that with more senders than places everybody has a turn."""
    tickets = [put(journal, sender, 2)[0] for sender in ("111111", "222222", "333333")]
    with journal.read() as connection:
        turns = [claims.due(connection, now(), 1, after=after)[0].ticket for after in ("111111", "222222", "333333")]

    assert [tickets[1], tickets[2], tickets[0]] == turns


def test_a_claim_keeps_others_away_until_it_ends(journal: Journal) -> None:
    """Its holder may ask again; at its end, or when it is given up, others have it."""
    [ticket] = put(journal, "111111", 1)

    def claimed(holder: str, at: int) -> list[str]:
        with journal.claim() as connection:
            return [one.ticket for one in claims.claim(connection, Claim(holder, at, at + 100), 5)]

    at = now()
    assert [[ticket], [], [ticket]] == [claimed("a", at), claimed("b", at + 50), claimed("a", at + 60)]
    assert [[], [ticket]] == [claimed("b", at + 150), claimed("b", at + 160)]
    with journal.claim() as connection:
        assert {"b"} == claims.holders(connection)
        assert 1 == claims.give_up(connection, {"b"})
    assert [ticket] == claimed("a", at + 161)


def test_what_is_held_anew_is_nobodys(journal: Journal) -> None:
    """Its next attempt may be another process's."""
    [ticket] = put(journal, "111111", 1)
    with journal.claim() as connection:
        claims.claim(connection, Claim("a", now(), now() + 10**9), 5)
    with journal.write() as connection:
        submissions.hold(connection, ticket, state=State.HELD, attempts=0, next_attempt_at=0, reason="r")
    with journal.claim() as connection:
        waiting = claims.claim(connection, Claim("b", now(), now() + 10**9), 5)

    assert [ticket] == [one.ticket for one in waiting]


def test_two_who_claim_at_once_get_different_ones(journal: Journal) -> None:
    """Neither waits for the other; together they have each submission once."""
    tickets = put(journal, "111111", 8)
    found: list[list[str]] = [[], []]
    start = threading.Barrier(2)

    def claim(which: int) -> None:
        start.wait()
        for _ in range(4):
            with journal.claim() as connection:
                waiting = claims.claim(connection, Claim(str(which), now(), now() + 10**9), 2)
                found[which] += [one.ticket for one in waiting]
            with journal.write() as connection:
                for one in waiting:
                    submissions.settle(connection, one.ticket, submissions.Ruling(State.REJECTED))

    threads = [threading.Thread(target=claim, args=(which,)) for which in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert tickets == sorted(found[0] + found[1])


def test_a_lease_is_one_holders(journal: Journal) -> None:
    """Until it is given up or has ended; the holder goes on with it."""

    def taken(holder: str, seconds: float = 100.0) -> bool:
        with journal.claim() as connection:
            return leases.take(connection, "forward", holder, seconds)

    assert [True, False, True] == [taken("a"), taken("b"), taken("a", -1.0)]
    assert [True, False] == [taken("b"), taken("a")]
    with journal.claim() as connection:
        assert {"b"} == leases.holders(connection)
        leases.give_up(connection, {"b"})
    assert taken("a")


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that works on the spool as a judge."""
    script = (
        "import sys; from pathlib import Path; from config.roles import Role; from spool.processes import working\n"
        "with working(Path(sys.argv[1]), [Role.JUDGE], on_one_host=True) as me: print(me.id, flush=True); input()"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.mark.sqlite_only
def test_a_process_is_known_while_it_lives(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    """With its roles; once it was killed it is gone, and nothing of it is left."""
    assert other.stdout is not None
    name = other.stdout.readline().strip()
    [known] = alive(tmp_path)
    assert (name, frozenset({Role.JUDGE}), other.pid, True) == (known.id, known.roles, known.pid, known.is_here)
    assert set() == gone(tmp_path, {name})
    os.kill(other.pid, signal.SIGKILL)
    other.wait()

    assert {name} == gone(tmp_path, {name})
    assert [] == alive(tmp_path)
    assert [] == list((tmp_path / processes.PROCESSES).glob("*-*"))


@pytest.mark.sqlite_only
def test_on_one_host_a_role_is_one_processs(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    """Others may have the other roles; who has to be alone is refused while anybody works."""
    assert other.stdout is not None
    other.stdout.readline()
    with (
        pytest.raises(ConfigurationError, match="in the role judge"),
        working(tmp_path, ALL, on_one_host=True),
    ):
        pass
    with working(tmp_path, [Role.SFTP], on_one_host=True) as me, working(tmp_path, [Role.JUDGE], on_one_host=False):
        assert me.id in {process.id for process in alive(tmp_path)}
    with pytest.raises(ConfigurationError, match="another gateway"), held_alone(tmp_path):
        pass


def test_work_that_others_write_is_told_at_once(journal: Journal) -> None:
    """By the topic, once it is committed."""
    rung: dict[Topic, threading.Event] = {topic: threading.Event() for topic in Topic}
    with journal.listening(lambda topic: rung[topic].set()):
        # The listener's first look rings for everything.
        assert all(event.wait(30.0) for event in rung.values())
        for event in rung.values():
            event.clear()
        put(journal, "111111", 1)
        assert rung[Topic.JUDGE].wait(30.0)
        rung[Topic.FORWARD].clear()
        with journal.write() as connection:
            wake(connection, Topic.FORWARD)
            submissions.note(connection, None, "custody.recovered")
        assert rung[Topic.FORWARD].wait(30.0)
