"""Each role works with the rights that its unit gives it, and what it must not do fails."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from config.roles import Role
from tests import sandbox
from tests.answers import only_answer
from tests.command_line import move_to_postgresql
from tests.gateway_process import SENDER, GatewayProcess, Site, three_forms, today
from tests.mq_sender import Message, MqSender, mq_sender, mq_user, open_to_messages
from tests.postgres import Cluster

__all__ = ["mq_sender", "mq_user"]

_MOST_EXPOSURE = 15
_BROKERS = {Role.DELIVER, Role.MQ}

PROBE = """
import json, os, socket, sys
from pathlib import Path

def tried(act):
    try:
        act()
    except OSError:
        return False
    return True

def ends(act):
    child = os.fork()
    if child == 0:
        tried(act)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

site, port = Path(sys.argv[1]), int(sys.argv[2])
credentials = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/run/credentials"))

def told_by_the_broker():
    with socket.create_connection(("127.0.0.1", port), 10) as asking:
        asking.sendall(b"AMQP\\0\\0\\x09\\x01")
        assert asking.recv(1) == b"\\x01"

print(json.dumps({
    "signing key": tried((site / "keys/gateway.key").read_bytes),
    "host key": tried((site / "keys/ssh_host_ed25519_key").read_bytes),
    "key of the register": tried((site / "keys/inss.key").read_bytes),
    "key of holders": tried((site / "keys/holders.key").read_bytes),
    "settings": tried(lambda: (site / "gateway.toml").open("ab").close()),
    "authorities": tried(lambda: (site / "authorities/probe").mkdir()),
    "spool": tried(lambda: (site / "var/spool/probe").write_bytes(b"")),
    "password of the broker": tried((credentials / "broker.url").read_bytes),
    "broker": tried(told_by_the_broker),
    "a port": tried(lambda: socket.create_server(("127.0.0.1", 0)).close()),
    "another root": ends(lambda: os.chroot("/")) == 0,
    "others' files": ends(lambda: os.chown(site / "var", -1, -1)) == 0,
    "a bare socket": tried(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()),
}))
"""
"""Tries what some roles may and others may not, and what none may; says what went well."""

_NETWORK = {"broker", "password of the broker", "a port"}

MAY = {
    Role.SFTP: {"host key", "spool"},
    Role.MQ: {"signing key", "key of the register", "spool"} | _NETWORK,
    Role.JUDGE: {"signing key", "key of the register", "key of holders", "spool"},
    Role.DELIVER: {"signing key", "authorities", "spool"} | _NETWORK,
    Role.OPERATIONS: {"key of the register", "spool"},
}


@dataclass
class Roles:
    """The roles of a site, each as its unit would start it, with ports that were opened outside."""

    site: Site
    folder: Path
    stack: ExitStack
    seen: Sequence[Path] = ()

    def words(self, role: Role) -> tuple[list[str], int]:
        """What comes before a command that runs as this role's unit would, and a file to be passed on."""
        credentials = self.folder / "credentials" if role in _BROKERS else None
        words, descriptor = sandbox.around(
            sandbox.places_of(self.site), role, self.folder, seen=self.seen, credentials=credentials
        )
        self.stack.callback(os.close, descriptor)
        return words, descriptor

    def start(self, role: Role, listener: socket.socket | None = None) -> GatewayProcess:
        """Start the role; ``listener`` is what its socket unit holds open."""
        words, descriptor = self.words(role)
        descriptors = [descriptor]
        if listener is not None:
            descriptors.append(listener.fileno())
            words += sandbox.handed(listener.fileno())
        process = GatewayProcess(self.site, roles=[role], around=words, pass_fds=descriptors)
        self.stack.callback(process.kill)
        return process

    def may(self, role: Role, broker_port: int) -> set[str]:
        """What of all that is tried goes well in this role."""
        words, descriptor = self.words(role)
        tried = subprocess.run(
            [*words, sys.executable, "-c", PROBE, str(self.site.folder), str(broker_port)],
            pass_fds=[descriptor], capture_output=True, check=True,
        )  # fmt: skip
        for left in (self.site.folder / "authorities/probe", self.site.folder / "var/spool/probe"):
            if left.exists():
                left.rmdir() if left.is_dir() else left.unlink()
        return {what for what, went_well in json.loads(tried.stdout).items() if went_well}


@pytest.fixture
def door() -> Iterator[socket.socket]:
    """The port of the SFTP door, opened in the network of the host."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener


@pytest.fixture
def window() -> Iterator[socket.socket]:
    """The port of operations, likewise."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener


@pytest.mark.parametrize("role", sorted(Role))
def test_each_unit_leaves_little_exposed(role: Role, tmp_path: Path) -> None:
    """By systemd's own measure, in tenths, where 100 is everything."""
    folder = tmp_path / "etc/systemd/system"
    folder.parent.mkdir(parents=True)
    folder.symlink_to(sandbox.UNITS)
    words = ["security", "--offline=yes", "--no-pager", f"--threshold={_MOST_EXPOSURE}", f"--root={tmp_path}"]
    analyzed = subprocess.run(
        ["systemd-analyze", *words, f"batch-gateway@{role}.service"], capture_output=True, text=True, check=False
    )

    assert 0 == analyzed.returncode, analyzed.stdout + analyzed.stderr


def test_every_role_works_with_its_rights_and_no_more(
    site: Site, tmp_path: Path, mq_sender: MqSender, door: socket.socket, window: socket.socket
) -> None:
    """Together they do the main job by both doors; each may what its work needs, and nothing else of what others may.

    Only two of them reach the broker and have its password; readiness tells of it nevertheless, since they say it.
    """
    if not sandbox.is_possible():
        pytest.skip("the kernel lets nobody here make namespaces")
    open_to_messages(site, mq_sender)
    url = mq_sender.broker.url
    site.configure(f'"{url}"', '"credential:broker.url"')
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials/broker.url").write_text(url)
    (tmp_path / "credentials/broker.url").chmod(0o600)
    site.configure('# socket = "var/operations.socket"', 'socket = "var/operations.socket"')
    site.configure("trust_socket = false", "trust_socket = true")
    site.configure("# port = 8024", f"port = {window.getsockname()[1]}")
    (site.folder / "keys/holders.key").write_bytes(b"of a site that hashes holders")
    listeners = {Role.SFTP: door, Role.OPERATIONS: window}
    with ExitStack() as stack:
        roles = Roles(site, tmp_path, stack)
        started = {role: roles.start(role, listeners.get(role)) for role in Role}
        for process in started.values():
            process.ready()
        told = {role: roles.may(role, mq_sender.broker.port) for role in Role}
        names = site.write_set(f"DIMN.{SENDER}.{today()}.00001.R")
        sent = site.sftp("cd IN", *(f"put {name}" for name in names))
        started[Role.DELIVER].wait_for("submission.closed")
        answer = only_answer(site)
        name = f"FI.DIMN.{SENDER}.{today()}.00002.R.1.1"
        (site.work / name).write_bytes(three_forms())
        mq_sender.send(Message(three_forms(), name, site.sign(name).decode()))
        [(properties, _)] = mq_sender.answers(SENDER, 1)
        ready = site.command("health", "--json")
        asked = httpx.get(f"http://127.0.0.1:{window.getsockname()[1]}/ready")

    assert MAY == told
    assert (0, "1") == (sent.returncode, answer.result)
    assert properties.headers["FileName"].startswith("FO.ACRF")
    parts = {part["name"]: part["ready"] for part in json.loads(ready.stdout)["parts"]}
    assert {"deliver: broker": True, "mq: broker": True, "sftp: door": True}.items() <= parts.items()
    assert (0, 200) == (ready.returncode, asked.status_code)


@pytest.mark.parametrize(
    ("role", "words"),
    [(Role.SFTP, "may open no port itself"), (Role.OPERATIONS, "batch-gateway-operations.socket")],
)
def test_without_its_socket_unit_a_role_says_that_it_may_open_no_port(
    site: Site, tmp_path: Path, role: Role, words: str
) -> None:
    """It does not listen in a network of its own, where nobody would ever come."""
    if not sandbox.is_possible():
        pytest.skip("the kernel lets nobody here make namespaces")
    site.configure("# port = 8024", "port = 0")
    with ExitStack() as stack:
        process = Roles(site, tmp_path, stack).start(role)
        said = process.wait_for("not JSON")["line"]
        status = process.process.wait(60)
        process.stop()

    assert 0 != status
    assert words in said


@pytest.mark.parametrize(("role", "is_fault"), [(role, role in _BROKERS) for role in Role])
def test_only_who_speaks_to_the_broker_needs_its_password(
    site: Site, monkeypatch: pytest.MonkeyPatch, role: Role, is_fault: bool
) -> None:
    """Its address is a credential of two units; without it these say so and do not start, and the others don't ask."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    site.configure("urls = []", 'urls = ["credential:broker.url"]')
    process = GatewayProcess(site, roles=[role])
    if is_fault:
        said = process.wait_for("not JSON")["line"]
        assert "credential:broker.url" in said
    else:
        process.ready()
        process.process.send_signal(signal.SIGTERM)
    assert (2 if is_fault else 0) == process.process.wait(60)
    process.stop()


def test_without_a_network_a_database_of_the_host_is_reached(
    site: Site, tmp_path: Path, cluster: Cluster, door: socket.socket
) -> None:
    """By its Unix socket: the door takes custody there, and the judge is woken by what it records, and judges."""
    if not sandbox.is_possible():
        pytest.skip("the kernel lets nobody here make namespaces")
    move_to_postgresql(site, cluster.by_unix_socket(cluster.empty_database()))
    with ExitStack() as stack:
        roles = Roles(site, tmp_path, stack, seen=[cluster.folder])
        processes = [roles.start(Role.SFTP, door), roles.start(Role.JUDGE), roles.start(Role.OPERATIONS)]
        for process in processes:
            process.ready()
        names = site.write_set(f"DIMN.{SENDER}.{today()}.00001.R")
        sent = site.sftp("cd IN", *(f"put {name}" for name in names))
        judged = processes[1].wait_for("submission.judged")

    assert (0, "accepted") == (sent.returncode, judged["verdict"])
