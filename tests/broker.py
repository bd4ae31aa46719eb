"""A private RabbitMQ node for the tests: free ports of the loopback, its own epmd, cookie and folder.

The node is the Debian package's, started without its service. A machine without the package fails the tests that
need it: a skipped promise would look kept.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPTS = Path("/usr/lib/rabbitmq/bin")
"""The scripts themselves; those in /usr/sbin switch to the user and the folders of the packaged service."""

START_SECONDS = 90

_USERS = "rabbit_auth_backend_internal"


@dataclass(frozen=True, slots=True)
class Member:
    """What nodes of a cluster share; each is ``node-PORT@ADDRESS``, where its epmd and listeners are.

    ``command`` starts a program in its network; ``epmd`` are the epmd's addresses, the node's own if there are none.
    """

    address: str
    port: int
    epmd_port: int
    distribution_port: int
    cookie: str
    password: str
    command: tuple[str, ...] = ()
    epmd: str = ""


class Broker:
    """One node that a test can stop, kill, freeze and start again; what it stored stays until the session ends."""

    def __init__(
        self, folder: Path, *, plugins: Sequence[str] = (), settings: Sequence[str] = (), member: Member | None = None
    ) -> None:
        """Write the node's configuration; ``start`` starts it.

        ``plugins`` and lines of ``settings`` (of rabbitmq.conf) must bind no other address than the loopback.
        """
        self.folder = folder
        member = member or _alone()
        self.address, self.port, self._epmd_port = member.address, member.port, member.epmd_port
        self._distribution_port = member.distribution_port
        self._command, self._password = member.command, member.password
        self._epmd_addresses = member.epmd or self.address
        alone = not member.command
        self.name = (
            f"gateway-test-{self.port}@localhost" if alone else f"node-{member.distribution_port}@{self.address}"
        )
        interface = self.address.replace(".", ",")
        erlang = f"-start_epmd false -kernel inet_dist_use_interface {{{interface}}}"
        self._process: subprocess.Popen[str] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        self._environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": self._epmd_addresses,
            "ERL_INETRC": str(folder / "inetrc"),  # a bare machine may not know its localhost
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_USE_LONGNAME": "false" if alone else "true",
            "RABBITMQ_DIST_PORT": str(member.distribution_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": erlang if alone else f"{erlang} -kernel net_ticktime 8",
            "RABBITMQ_CTL_ERL_ARGS": erlang,
            "RUNNING_UNDER_SYSTEMD": "true",  # makes the script become the node, so that a signal reaches it
        }
        self._write_files(plugins, settings, member.cookie)

    @property
    def url(self) -> str:
        """What a client connects to, with the right password."""
        return self.url_of("gateway", self._password)

    def url_of(self, username: str, password: str) -> str:
        """What a client connects to as another user."""
        return f"amqp://{username}:{password}@{self.address}:{self.port}/%2f"

    @property
    def running(self) -> bool:
        """Whether the node's process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the node when it is not running, and return once it serves."""
        if self.running:
            return
        if self._epmd is None:
            epmd = ("epmd", "-address", self._epmd_addresses, "-port", str(self._epmd_port))
            self._epmd = subprocess.Popen((*self._command, *epmd), env=self._environment, stdin=subprocess.DEVNULL)
        self._process = subprocess.Popen(
            (*self._command, str(SCRIPTS / "rabbitmq-server")),
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._await_banner(self._process)

    def stop(self) -> None:
        """Stop the node in good order; its epmd stays."""
        self._end(signal.SIGTERM)

    def settle(self) -> None:
        """Have the node write down which queues there are; RabbitMQ 3.10 takes seconds for a new quorum queue.

        Killed before that, it keeps the queue but never elects its leader again. Messages do not need this.
        """
        self.evaluate("[ok = dets:sync(Table) || Table <- dets:all()].")

    def kill(self) -> None:
        """Take the node away as a power cut would; ``settle`` first if a queue is new."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let the node answer nothing while its connections stay open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)  # all its threads, not only some

    def thaw(self) -> None:
        """Undo ``freeze``."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close_connections(self) -> None:
        """Have the node close every client's connection, as an operator can."""
        self.evaluate(
            '[rabbit_networking:close_connection(C, "closed by a test") || C <- rabbit_networking:connections()].'
        )

    def add_user(self, name: str, password: str, *, write: str, read: str, configure: str = "^$") -> None:
        """Add a user with these permissions, or give the one that is there this password and these."""
        rights = ", ".join(f'<<"{pattern}">>' for pattern in (configure, write, read)).replace("\\", "\\\\")
        user, by = f'<<"{name}">>', '<<"test">>'
        known = f"lists:any(fun(U) -> proplists:get_value(user, U) =:= {user} end, {_USERS}:list_users())"
        self.evaluate(
            f"case {known} of "
            f'true -> ok = {_USERS}:change_password({user}, <<"{password}">>, {by}); '
            f'false -> ok = {_USERS}:add_user({user}, <<"{password}">>, {by}) end, '
            f'ok = {_USERS}:set_permissions({user}, <<"/">>, {rights}, {by}).'
        )

    def evaluate(self, expression: str, *, seconds: int = 60) -> str:
        """Answer what the node makes of an Erlang expression that ends in a full stop, as Erlang writes it.

        The node has so many ``seconds`` for it. It is asked without ``rabbitmqctl``, which computes for seconds
        before each question.
        """
        ask = ("erl_call", "-timeout", str(seconds), "-address", f"{self.address}:{self._distribution_port}", "-e")
        said = subprocess.run(
            (*self._command, *ask),
            input=f"{expression}\n",
            env=self._environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        assert said.startswith("{ok, "), said
        return said.removeprefix("{ok, ").rstrip().removesuffix("}")

    def control(self, *arguments: str) -> str:
        """Answer what ``rabbitmqctl ARGUMENTS`` prints."""
        command = (*self._command, str(SCRIPTS / "rabbitmqctl"), "--quiet", *arguments)
        return subprocess.run(command, env=self._environment, check=True, stdout=subprocess.PIPE, text=True).stdout

    def close(self) -> None:
        """Stop the node and its epmd."""
        self.stop()
        if self._epmd is not None:
            self._epmd.terminate()
            self._epmd.wait()

    def _write_files(self, plugins: Sequence[str], more: Sequence[str], secret: str) -> None:
        (self.folder / "inetrc").write_text('{host,{127,0,0,1},["localhost"]}.\n{lookup,[file,native]}.\n')
        settings = (
            f"listeners.tcp.1 = {self.address}:{self.port}",
            "default_user = gateway",
            f"default_pass = {self._password}",
            "log.console = false",
            *more,
        )
        (self.folder / "rabbitmq.conf").write_text("\n".join(settings) + "\n")
        (self.folder / "enabled_plugins").write_text(f"[{','.join(plugins)}].\n")
        cookie = self.folder / ".erlang.cookie"
        cookie.write_text(secret)
        cookie.chmod(0o400)

    def _await_banner(self, process: subprocess.Popen[str]) -> None:
        """Read the node's output up to the line that it prints when its listeners are open."""
        assert process.stdout is not None
        deadline = threading.Timer(START_SECONDS, process.kill)
        deadline.start()
        try:
            printed = []
            for line in process.stdout:
                printed.append(line)
                if "completed with" in line:
                    return
        finally:
            deadline.cancel()
        pytest.fail(f"RabbitMQ did not start; its logs are in {self.folder / 'log'}\n{''.join(printed)}")

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        self._process.send_signal(signal.SIGCONT)  # a frozen node would not hear of its end
        self._process.communicate()
        self._process = None


def _alone() -> Member:
    port, epmd_port, distribution_port = free_ports(3)
    secret = secrets.token_hex(16), secrets.token_hex(16)
    return Member("127.0.0.1", port, epmd_port, distribution_port, *secret)


def need_rabbitmq() -> None:
    """Fail where the package is missing."""
    if not (SCRIPTS / "rabbitmq-server").exists() or shutil.which("epmd") is None:
        pytest.fail("this test needs the package rabbitmq-server: run scripts/prepare test")


@contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    """A node that runs for the time of the block, with what it stores in ``folder``, which is made."""
    folder.mkdir()
    node = Broker(folder)
    try:
        node.start()
        yield node
    finally:
        node.close()


@pytest.fixture(scope="session")
def broker_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The session's node; tests ask for ``broker``."""
    need_rabbitmq()
    with running_broker(tmp_path_factory.mktemp("broker") / "node") as node:
        yield node


@pytest.fixture
def broker(broker_node: Broker) -> Broker:
    """The session's node, running, whatever the test before did to it; use exchanges and queues of your own."""
    broker_node.start()
    broker_node.thaw()
    return broker_node


def free_ports(count: int) -> list[int]:
    """Different ports of the loopback that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [listener.getsockname()[1] for listener in sockets]
    finally:
        for listener in sockets:
            listener.close()
