"""What does systemd do with our units?  The little of it that ``scripts/test-install`` needs where there is none.

Read from the installed units: which processes a target has, their user, what they are started with, what comes before
it, how long they may take to start and to stop, and which port is held open for which of them.  A unit whose port
somebody connects to is started, be it in the middle of whatever; the port stays open meanwhile, and nobody is refused.
A port is opened and closed as its unit is enabled and disabled.  ``systemctl`` is a script in a folder of its own that
asks over a socket.  Each service runs under its unit's restrictions, as far as ``tests.sandbox`` makes them.
Not done: starting again what has failed.
"""

import json
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from scripts.unit_files import directives

_ASK: Final = """#!{python} -IS
import json, socket, sys
asked = socket.socket(socket.AF_UNIX)
asked.connect({place!r})
asked.sendall(json.dumps(sys.argv[1:]).encode() + b"\\n")
said = json.loads(asked.makefile().readline())
print(said["words"], end="", file=sys.stderr if said["status"] else sys.stdout)
sys.exit(said["status"])
"""
# The shell is the process that becomes the gateway, so that LISTEN_PID is right; the port has to be descriptor 3.
_BECOME: Final = 'if [ -n "$0" ]; then exec 3<&"$0"; export LISTEN_FDS=1 LISTEN_PID=$$; fi; exec "$@"'
_HEARD: Final = 4096

Around = Callable[[str], tuple[list[str], int]]
"""For a role: the words before a command with which it runs under its unit's restrictions, and a file for them."""


class UnitFailedError(Exception):
    """A unit did not start or did not stop as it should."""


@dataclass
class Service:
    """One service: its process while there is one, and the port that is held open for it."""

    name: str
    folder: Path
    around: Around | None = None
    port: socket.socket | None = None
    process: "subprocess.Popen[bytes] | None" = None
    starts: int = 0
    turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_active(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.poll() is None

    @property
    def log(self) -> Path:
        """Where what it writes goes."""
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        """Start it, and wait until it says that it is ready; one that is active is left alone."""
        with self.turn:
            if self.is_active:
                return
            said = directives(self.name)
            self._run_before(said)
            place = self.folder / f"{self.name}.{self.starts}.notify"
            self.starts += 1
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
                notices.bind(str(place))
                place.chmod(0o666)
                self.process = self._begin(said, place)
                self._wait_until_ready(notices, float(said["TimeoutStartSec"][-1]))

    def stop(self) -> None:
        """End it, and wait for that."""
        with self.turn:
            if self.process is None or self.process.poll() is not None:
                return
            os.kill(self._main(), signal.SIGTERM)
            status = self.process.wait(float(directives(self.name)["TimeoutStopSec"][-1]))
        if status:
            raise UnitFailedError(f"{self.name} ended with {status}: {self.log.read_text()[-2000:]}")

    @property
    def role(self) -> str:
        """What it does."""
        return self.name.partition("@")[2].partition(".")[0]

    def _main(self) -> int:
        """The number of the gateway's process; bubblewrap, around it, would leave it behind."""
        assert self.process is not None  # noqa: S101 -- asked only of one that runs
        if self.around is None:
            return self.process.pid
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return int(children.split()[0])

    def _run_before(self, said: dict[str, list[str]]) -> None:
        for line in said.get("ExecStartPre", []):
            done = subprocess.run([*as_user(said["User"][-1]), *shlex.split(line.removeprefix("-"))], check=False)
            if done.returncode and not line.startswith("-"):
                raise UnitFailedError(f"{self.name}: {line} ended with {done.returncode}")

    def _begin(self, said: dict[str, list[str]], notices: Path) -> "subprocess.Popen[bytes]":
        (line,) = said["ExecStart"]
        descriptor = "" if self.port is None else str(self.port.fileno())
        words, filtered = ([], -1) if self.around is None else self.around(self.role)
        passed = [int(one) for one in (descriptor, filtered) if one != "" and int(one) >= 0]
        try:
            with self.log.open("ab") as log:
                return subprocess.Popen(
                    [*as_user(said["User"][-1]), *words, "bash", "-c", _BECOME, descriptor, *shlex.split(line)],
                    env={"PATH": os.environ["PATH"], "NOTIFY_SOCKET": str(notices), "LANG": "C.UTF-8"},
                    pass_fds=passed, stdout=log, stderr=log, cwd="/",
                )  # fmt: skip
        finally:
            if filtered >= 0:
                os.close(filtered)

    def _wait_until_ready(self, notices: socket.socket, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self.is_active and time.monotonic() < until:
            if select.select([notices], [], [], 0.1)[0] and b"READY=1" in notices.recv(_HEARD).split(b"\n"):
                return
        raise UnitFailedError(f"{self.name} is not ready: {self.log.read_text()[-2000:]}")


def as_user(user: str) -> list[str]:
    """The words before a command with which it runs as ``user``, with no more rights than he has."""
    rights = ["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *rights, "--"]


class Units:
    """The services of one target, and who asks for them."""

    def __init__(self, target: str, folder: Path, *more: str) -> None:
        """Answer for ``target`` and ``more`` services that an administrator has enabled beside it."""
        self._target = target
        self._more = more
        self._folder = folder
        self._ended = threading.Event()
        self.services: dict[str, Service] = {}
        self.ports: dict[str, socket.socket] = {}
        self.faults: list[str] = []

    def load(self, ports: Mapping[str, socket.socket], around: Around | None) -> None:
        """Read what the target wants; ``ports`` are what stays open, by the units that say for which services."""
        (wanted,) = directives(self._target)["Wants"]
        self.services = {name: Service(name, self._folder, around) for name in (*wanted.split(), *self._more)}
        for socket_unit, port in ports.items():
            self.hold(socket_unit, port)

    def hold(self, socket_unit: str, port: socket.socket) -> None:
        """Keep ``port`` open from now on for the service that ``socket_unit`` names."""
        self._service_of(socket_unit).port = port
        self.ports[socket_unit] = port

    def _service_of(self, socket_unit: str) -> Service:
        return self.services[directives(socket_unit)["Service"][0]]

    def _open(self, socket_unit: str) -> None:
        """Open the port of a unit, as it says itself; not while its service runs."""
        if socket_unit in self.ports:
            return
        if self._service_of(socket_unit).is_active:
            raise UnitFailedError(f"{socket_unit}: its service is active")
        (address,) = directives(socket_unit)["ListenStream"]
        host, _, number = address.rpartition(":")
        self.hold(socket_unit, socket.create_server((host, int(number)), backlog=64))

    def _close(self, socket_unit: str) -> None:
        """Close the port of a unit; a service that has it keeps it until it ends."""
        if (port := self.ports.pop(socket_unit, None)) is not None:
            self._service_of(socket_unit).port = None
            port.close()

    @property
    def is_active(self) -> bool:
        """Whether any of its services runs."""
        return any(service.is_active for service in self.services.values())

    def start(self) -> None:
        """Start all of them."""
        self._each(Service.start)

    def stop(self) -> None:
        """Stop all of them, and close the ports that are parts of the target."""
        self._each(Service.stop)
        for socket_unit in [*self.ports]:
            if self._target in directives(socket_unit).get("PartOf", []):
                self._close(socket_unit)

    def restart(self) -> None:
        """Each by itself: one may be ready while another still finishes its work."""

        def again(service: Service) -> None:
            service.stop()
            service.start()

        self._each(again)

    def _each(self, act: Callable[[Service], None]) -> None:
        with ThreadPoolExecutor(len(self.services) or 1) as threads:
            for done in [threads.submit(act, service) for service in self.services.values()]:
                done.result()

    # --- who asks

    def answer(self, words: list[str]) -> int:
        """Do what ``systemctl`` was asked for; answers its exit status."""
        match [word for word in words if not word.startswith("--")]:
            case ["daemon-reload"]:
                pass
            case ["start" | "stop" | "restart" as act, *units] if self._target in units:
                getattr(self, act)()
            case ["stop", unit] if unit in self.services:
                self.services[unit].stop()
            case ["is-active", unit]:
                return 0 if unit in self.ports or unit in self.listed() else 3
            case ["enable", unit] if unit.endswith(".socket"):
                self._open(unit)
            case ["disable", unit]:
                self._close(unit)
                if unit in self.services:
                    self.services[unit].stop()
            case _:
                return 1
        return 0

    def listed(self) -> list[str]:
        """What runs: the target, if any of its services does, and those."""
        names = [service.name for service in self.services.values() if service.is_active]
        return [self._target, *names] if names else []

    @contextmanager
    def asked(self) -> Iterator[Path]:
        """Answer for the time of the block; answers the folder where ``systemctl`` is."""
        place, command = self._folder / "systemctl.socket", self._folder / "bin" / "systemctl"
        command.parent.mkdir()
        command.write_text(_ASK.format(python=sys.executable, place=str(place)))
        command.chmod(0o755)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(place))
            listener.listen()
            threads = [threading.Thread(target=self._listen, args=[listener])]
            threads.append(threading.Thread(target=self._watch))
            for thread in threads:
                thread.start()
            try:
                yield command.parent
            finally:
                self._ended.set()
                for thread in threads:
                    thread.join()
                with suppress(UnitFailedError):
                    self.stop()

    def _listen(self, listener: socket.socket) -> None:
        while not self._ended.is_set():
            if not select.select([listener], [], [], 0.1)[0]:
                continue
            with listener.accept()[0] as asking:
                words = json.loads(asking.makefile().readline())
                try:
                    told = "".join(f"{name} loaded active running\n" for name in self.listed())
                    is_list = words[:1] == ["list-units"]
                    said = {"status": 0, "words": told} if is_list else {"status": self.answer(words), "words": ""}
                except UnitFailedError as fault:
                    said = {"status": 1, "words": f"{fault}\n"}
                asking.sendall(json.dumps(said).encode() + b"\n")

    def _watch(self) -> None:
        """Start a service whose port somebody waits at, whatever else goes on, as systemd does."""
        while not self._ended.wait(0.05):
            for service in self.services.values():
                if service.port is None or not service.starts or service.is_active or service.turn.locked():
                    continue
                if select.select([service.port], [], [], 0)[0]:
                    try:
                        service.start()
                    except UnitFailedError as fault:
                        self.faults.append(str(fault))
