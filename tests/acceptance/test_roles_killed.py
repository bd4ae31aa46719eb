"""Each role is killed in turn while senders upload and messages come: whoever watches sees it, nobody else stops."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Any

import pika
import pytest

from config.roles import Role
from tests.acceptance.test_roles_apart import ask
from tests.answers import listing
from tests.authority import Credential, Pki
from tests.command_line import move_to_postgresql
from tests.gateway_process import SENDER, GatewayProcess, Site, make_test_site, today
from tests.mq_sender import Message, MqSender, mq_sender, mq_user, open_to_messages
from tests.postgres import Cluster

__all__ = ["mq_sender", "mq_user"]

_SECONDS = 60.0


def until(what: Callable[[], bool], words: str) -> None:
    """Wait until something is so that nobody tells of."""
    end = time.monotonic() + _SECONDS
    while not what():
        assert time.monotonic() < end, words
        time.sleep(0.1)


class Senders:
    """A sender that uploads one set after the other; what was told OK is remembered, by its number."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._ended = threading.Event()
        self._numbers = count(2)
        names = site.write_set(f"DIMN.{SENDER}.{today()}.00001.R")
        self._first = [(name, (site.work / name).read_bytes()) for name in names]
        self.told_ok: list[str] = []

    @contextmanager
    def uploading(self) -> Iterator["Senders"]:
        """Upload for the time of the block."""
        thread = threading.Thread(target=self._go_on)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join(_SECONDS)

    def _go_on(self) -> None:
        while not self._ended.wait(0.2):
            number = f"{next(self._numbers):05}"
            names = [name.replace(".00001.", f".{number}.") for name, _ in self._first]
            for name, (_, data) in zip(names, self._first, strict=True):
                (self._site.work / name).write_bytes(data)
            if self._site.sftp("cd IN", *(f"put {name}" for name in names)).returncode == 0:
                self.told_ok.append(f"DIMN.{SENDER}.{today()}.{number}.R")

    def message(self, number: int) -> Message:
        """The same as a message of one part."""
        (name, data), (_, signature), _ = self._first
        return Message(data, name.replace(".00001.", f".{number:05}."), signature.decode())

    def get_on(self) -> None:
        """Wait until one more set is told OK, that was begun only now."""
        wanted = len(self.told_ok) + 2
        until(lambda: len(self.told_ok) >= wanted, "no upload is told OK")


@pytest.fixture
def moved(tmp_path: Path, pki: Pki, signer: Credential, cluster: Cluster) -> Site:
    """A site whose journal is on PostgreSQL, with short leases, that can be watched."""
    site = make_test_site(tmp_path, pki, signer)
    move_to_postgresql(site, cluster.empty_database())
    site.configure("lease_seconds = 30.0", "lease_seconds = 6.0")
    site.configure("trust_socket = false", "trust_socket = true")
    site.configure('# socket = "var/operations.socket"', f'socket = "{site.folder}/ops.sock"')
    return site


def rows(site: Site) -> dict[str, dict[str, Any]]:
    """Every submission, by what the names of its files have in common."""
    return {".".join(row["name"].split(".")[1:6]): row for row in site.listing("submissions", "--limit", "10000")}


def is_told(site: Site, role: Role) -> bool:
    """Whether it is to be seen that nobody has a role; a gateway that nobody can ask is an alert of its own."""
    if role is Role.OPERATIONS:
        with suppress(OSError):
            ask(site, "/ready")
            return False
        return True
    status, words = ask(site, "/ready")
    _, metrics = ask(site, "/metrics")
    lacking = {"name": role.value, "ready": False, "words": "no process does this"}
    return (
        status == HTTPStatus.SERVICE_UNAVAILABLE
        and lacking in json.loads(words)["parts"]
        and f'gateway_role_processes{{role="{role}"}} 0.0' in metrics
    )


def forwarded(sender: MqSender, queue: str) -> set[str]:
    """Take what is on the routing queue: the message ids."""
    connection = pika.BlockingConnection(pika.URLParameters(sender.broker.url))
    channel, ids = connection.channel(), set()
    while (got := channel.basic_get(queue, auto_ack=True))[0] is not None:
        ids.add(str(got[1].message_id))
    connection.close()
    return ids


def test_each_role_killed_in_turn_is_seen_and_the_others_go_on(moved: Site, mq_sender: MqSender) -> None:
    """What was told OK, by file or by message, is accepted, answered and forwarded, whoever was killed when."""
    queue = open_to_messages(moved, mq_sender)
    messages: list[str] = []
    with ExitStack() as stack:

        def start(role: Role) -> GatewayProcess:
            process = GatewayProcess(moved, roles=[role])
            stack.callback(process.kill)
            return process

        by_role = {role: start(role) for role in Role}
        for process in by_role.values():
            process.ready()
        with Senders(moved).uploading() as senders:
            for number, role in enumerate(sorted(Role), 90_000):
                senders.get_on()
                by_role[role].kill()
                others = [process for other, process in by_role.items() if other is not role]
                assert is_told(moved, role), role
                sent = senders.message(number)
                mq_sender.send(sent)
                messages.append(str(sent.name).removeprefix("FI.").removesuffix(".1.1"))
                if role is not Role.SFTP:
                    senders.get_on()
                else:
                    until(lambda: messages[-1] in rows(moved), "no message is taken")
                assert all(process.process.poll() is None for process in others), role
                by_role[role] = start(role).ready()
                until(lambda: ask(moved, "/ready")[0] == HTTPStatus.OK, "not ready again")
            senders.get_on()
        wanted = {*senders.told_ok, *messages}
        until(lambda: all(row["closed"] for row in rows(moved).values()), "something is not closed")
        found = rows(moved)
        answers = [name for name in listing(moved, "OUT") if name.startswith("FO.")]
        ids = forwarded(mq_sender, queue)

    tickets = {row["ticket"] for row in found.values()}
    assert (wanted - found.keys(), {row["state"] for row in found.values()}) == (set(), {"accepted"})
    assert ids == {f"{ticket}-00000{form}" for ticket in tickets for form in (1, 2, 3)}
    assert len(answers) == len(found) - len(messages)
