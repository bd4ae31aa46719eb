"""The gateway as several processes that share one site: each does its part, and what one leaves another takes over."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from itertools import count
from pathlib import Path

import pytest

from config.roles import ALL, Role
from spool import claims
from spool.journal import Journal, open_journal
from tests.answers import only_answer
from tests.authority import Credential, Pki
from tests.command_line import move_to_postgresql
from tests.gateway_process import SENDER, GatewayProcess, Site, make_test_site, running, three_forms, today
from tests.mq_sender import Message, MqSender, mq_sender, mq_user, open_to_messages
from tests.postgres import Cluster

__all__ = ["mq_sender", "mq_user"]


@pytest.fixture
def moved(tmp_path: Path, pki: Pki, signer: Credential, cluster: Cluster) -> Site:
    """A site whose journal is on PostgreSQL."""
    site = make_test_site(tmp_path, pki, signer)
    move_to_postgresql(site, cluster.empty_database())
    return site


@pytest.fixture
def journal(moved: Site) -> Iterator[Journal]:
    """That journal."""
    opened = open_journal(moved.settings.journal.place)
    yield opened
    opened.close()


def send(site: Site, *sequences: int) -> None:
    """Upload a good set for each number."""
    names = [name for one in sequences for name in site.write_set(f"DIMN.{SENDER}.{today()}.{one:05}.R")]
    sent = site.sftp("cd IN", *(f"put {name}" for name in names))
    assert 0 == sent.returncode, sent.stderr


def ask(site: Site, path: str) -> tuple[int, str]:
    """What the process that watches answers, by its Unix socket."""
    with closing(OverSocket(site.folder / "ops.sock")) as connection:
        connection.request("GET", path)
        answered = connection.getresponse()
        return answered.status, answered.read().decode()


class OverSocket(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        """To be connected at its first request."""
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(str(self._path))


def test_each_role_in_a_process_of_its_own(site: Site) -> None:
    """Together they do the main job, each role once; one of them tells of all, and which of them is missing."""
    site.configure('# socket = "var/operations.socket"', f'socket = "{site.folder}/ops.sock"')
    site.configure("trust_socket = false", "trust_socket = true")
    with ExitStack() as stack:
        by_role = {role: stack.enter_context(running(site, roles=[role])) for role in sorted(ALL)}
        second = site.command("serve", "--role", "judge")
        ready, why = ask(site, "/ready")
        send(site, 1)
        by_role[Role.DELIVER].wait_for("submission.closed")
        answer = only_answer(site)
        messages = site.listing("queue", "take", "--count", "10")
        told = {role: {line["event"] for line in process.seen} for role, process in by_role.items()}
        _, metrics = ask(site, "/metrics")
        by_role[Role.JUDGE].kill()
        without, words = ask(site, "/ready")

    assert (2, True) == (second.returncode, "in the role judge" in second.stderr)
    assert ("1", 3) == (answer.result, len(messages))
    assert (200, 503) == (ready, without), why
    assert {"name": "judge", "ready": False, "words": "no process does this"} in json.loads(words)["parts"]
    assert 'gateway_logins_total{by="key",process="sftp"} 0.0' not in metrics
    assert 'gateway_logins_total{by="key",process="judge"} 0.0' in metrics
    assert 'gateway_role_processes{role="judge"} 1.0' in metrics
    assert "answer.placed" in told[Role.DELIVER]
    assert all("answer.placed" not in events for role, events in told.items() if role is not Role.DELIVER)


@pytest.mark.parametrize(("lease", "is_killed"), [(3600.0, True), (3.0, False)])
def test_what_a_lost_judge_had_claimed_is_judged_by_another(
    moved: Site, journal: Journal, lease: float, is_killed: bool
) -> None:
    """At once if its process is gone, else when its claims run out; every submission gets one answer."""
    moved.configure("lease_seconds = 30.0", f"lease_seconds = {lease}")
    with ExitStack() as stack:
        others = stack.enter_context(running(moved, roles=[role for role in sorted(ALL) if role is not Role.JUDGE]))
        lost = GatewayProcess(moved, "tests.faults.halting", "sender told, nothing judged", roles=["judge"]).ready()
        stack.callback(lost.kill)
        send(moved, 1, 2)
        lost.wait_for("fault.halted")
        with journal.read() as connection:
            claimed = claims.holders(connection)
        if is_killed:
            lost.kill()
        judge = stack.enter_context(running(moved, roles=["judge"]))
        judged = {judge.wait_for("submission.judged")["ticket"] for _ in range(2)}
        placed = {others.wait_for("answer.placed")["ticket"] for _ in range(2)}

    assert (1, 2) == (len(claimed), len(judged))
    assert judged == placed


def test_rounds_of_a_killed_process_go_on_in_another(moved: Site) -> None:
    """Who places answers and forwards is one process at a time; when it is gone the other one does it, at once."""
    moved.configure("lease_seconds = 30.0", "lease_seconds = 6.0")
    with ExitStack() as stack:
        stack.enter_context(running(moved, roles=["sftp", "judge"]))
        first = GatewayProcess(moved, roles=["deliver"]).ready()
        stack.callback(first.kill)
        first.wait_for("shift.begun", lambda line: line["round"] == "answer")
        second = stack.enter_context(running(moved, roles=["deliver"]))
        send(moved, 1)
        one = first.wait_for("answer.placed")["ticket"]
        first.kill()
        send(moved, 2)
        two = second.wait_for("submission.closed", lambda line: line["ticket"] != one)["ticket"]
        second.saw("answer.placed")  # what is forwarded may be the last thing that was to be done
        messages = moved.listing("queue", "take", "--count", "10")

    assert [two] == [line["ticket"] for line in second.seen if line["event"] == "answer.placed"] != [one]
    assert 6 == len({message["message_id"] for message in messages}) == len(messages)


def upload_until(site: Site, wanted: str, sequences: Iterator[int]) -> None:
    """Upload one set after the other until what sftp says of one has these words, or says nothing for none."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        names = site.write_set(f"DIMN.{SENDER}.{today()}.{next(sequences):05}.R")
        sent = site.sftp("cd IN", *(f"put {name}" for name in names))
        if wanted in sent.stderr and bool(wanted) == bool(sent.returncode):
            return
    raise AssertionError(sent.stderr)


@pytest.mark.parametrize("is_broken_before", [False, True])
def test_a_door_beside_one_that_delivers_sees_that_evidence_cannot_be_written(
    moved: Site, is_broken_before: bool
) -> None:
    """Another process seals; the door stops and goes on with it, also if it was opened while intake was stopped."""
    place, away = moved.settings.spool.path / "evidence" / "checkpoints", moved.settings.spool.path / "away"
    place.mkdir(parents=True, exist_ok=True)
    sequences = count(1)
    with ExitStack() as stack:
        sealing = stack.enter_context(running(moved, roles=["deliver"]))
        sealing.wait_for("shift.begun", lambda line: line["round"] == "seal")
        if not is_broken_before:
            stack.enter_context(running(moved, roles=["sftp", "judge", "deliver"]))
            upload_until(moved, "", sequences)
        place.rename(away)
        place.write_bytes(b"no folder")
        sealing.wait_for("intake.stopped")
        if is_broken_before:
            stack.enter_context(running(moved, roles=["sftp", "judge", "deliver"]))
        upload_until(moved, "Failure", sequences)
        place.unlink()
        away.rename(place)
        upload_until(moved, "", sequences)


def test_a_set_that_comes_by_two_doors_is_whole(moved: Site) -> None:
    """Whichever door gets which part; the sender sees everything by either."""
    names = moved.write_set(f"DIMN.{SENDER}.{today()}.00001.R")
    with ExitStack() as stack:
        others = stack.enter_context(running(moved, roles=[role for role in sorted(ALL) if role is not Role.SFTP]))
        ports = []
        for _ in range(2):
            stack.enter_context(running(moved, roles=["sftp"]))
            ports.append(moved.port)
        for name, moved.port in zip(names, [*ports, ports[0]], strict=True):
            sent = moved.sftp("cd IN", f"put {name}")
            assert 0 == sent.returncode, sent.stderr
        others.wait_for("answer.placed")
        answer = only_answer(moved)

    assert "1" == answer.result


def test_the_parts_of_a_set_by_message_meet_at_one_door(moved: Site, mq_sender: MqSender) -> None:
    """The broker would deal them out to two; one of them has the turn, and the other takes it over."""
    moved.configure("lease_seconds = 30.0", "lease_seconds = 6.0")
    open_to_messages(moved, mq_sender)
    with ExitStack() as stack:
        rest = [role for role in sorted(ALL) if role is not Role.MQ]
        others = stack.enter_context(running(moved, roles=rest))
        first = GatewayProcess(moved, roles=["mq"]).ready()
        stack.callback(first.kill)
        first.saw("consumer.connected")
        stack.enter_context(running(moved, roles=["mq"]))
        for sequence in (1, 2):
            mq_sender.send(*_two_parts(moved, sequence))
            verdict = others.wait_for("submission.judged")
            assert "accepted" == verdict["verdict"]
            first.kill()


def _two_parts(site: Site, sequence: int) -> list[Message]:
    """A good set of two parts, as messages."""
    stem = f"DIMN.{SENDER}.{today()}.{sequence:05}.R"
    data = three_forms()
    (site.work / "part").write_bytes(data)
    signature = site.sign("part").decode()
    return [Message(data, f"FI.{stem}.2.{part}", signature) for part in (1, 2)]
