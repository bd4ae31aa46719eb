"""Hosts that share a spool and a database: namespaces of one kernel, in which process numbers repeat.

A host has a name, processes and ``/run`` of its own.  It can be gone from one moment to the next with all that runs on
it, or stand still, its locks and connections kept.  Needs root: a user of one's own could not be mapped to the spool's.
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.gateway_process import GatewayProcess

_SPACES: Final = ("pid", "uts", "mount", "ipc")
_READY: Final = "up"
_FROM_HERE: Final = ("--", "env", f"--chdir={Path.cwd()}")


class Host:
    """One of them, from its making to :meth:`vanish`."""

    def __init__(self, name: str) -> None:
        self.name = name
        begin = f"hostname {name} && mount -t tmpfs none /run && echo {_READY} && exec sleep infinity"
        words = ["unshare", *(f"--{space}" for space in _SPACES), "--fork", "--mount-proc", "--kill-child"]
        self._outer = subprocess.Popen(
            [*words, "sh", "-c", begin], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._outer.stdout is not None
        assert _READY == self._outer.stdout.readline().strip()
        [self._first] = _children(self._outer.pid)
        self._space = Path(f"/proc/{self._first}/ns/pid").stat().st_ino

    @property
    def around(self) -> list[str]:
        """What a command is the rest of, to run on this host."""
        return ["nsenter", "--target", str(self._first), *(f"--{space}" for space in _SPACES), *_FROM_HERE]

    def freeze(self) -> None:
        """Let everything on it stand still."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)
        for pid in self._entries():
            os.kill(pid, signal.SIGCONT)

    def vanish(self) -> None:
        """Be gone, with everything that runs on it; harmless twice."""
        if self._outer.poll() is None:
            for pid in self._entries():
                os.kill(pid, signal.SIGCONT)
            with suppress(ProcessLookupError):
                os.kill(self._first, signal.SIGKILL)  # the first of a space takes all others with it
            self._outer.wait()
        assert self._outer.stdout is not None
        self._outer.stdout.close()

    def _send(self, number: signal.Signals) -> None:
        for pid in self._processes():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _entries(self) -> Iterator[int]:
        """What entered from outside stands still itself when it sees that what it has started does."""
        for pid in _children(os.getpid()):
            if f"--target\0{self._first}\0".encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                yield pid

    def _processes(self) -> Iterator[int]:
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if folder.joinpath("ns", "pid").stat().st_ino == self._space and int(folder.name) != self._first:
                    yield int(folder.name)


def is_possible() -> bool:
    """Whether the kernel lets us make hosts."""
    spaces = [f"--{space}" for space in _SPACES]
    return subprocess.run(["unshare", *spaces, "--fork", "true"], check=False, capture_output=True).returncode == 0


def end(gateway: GatewayProcess) -> None:
    """End a gateway on a host by SIGTERM; what was started is only what entered the host's namespaces for it."""
    for pid in _children(gateway.process.pid) if gateway.process.poll() is None else ():
        os.kill(pid, signal.SIGTERM)
    gateway.process.wait()
    gateway.stop()


def _children(pid: int) -> list[int]:
    files = Path(f"/proc/{pid}/task").glob("*/children")  # of every thread its own
    return [int(word) for file in files for word in re.findall(r"\d+", file.read_text())]
