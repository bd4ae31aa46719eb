"""Processes of ``gateway`` that come from a template (:mod:`tests.gateway_template`), and are real ones otherwise."""

import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

_ANSWER: Final = 64
_SECONDS: Final = 60.0


class Forked:
    """A process, driven as :class:`subprocess.Popen` is."""

    def __init__(self, pid: int, descriptor: int, status: socket.socket, stderr: IO[bytes] | None) -> None:
        self.pid = pid
        self.stderr = stderr
        self.returncode: int | None = None
        self._descriptor = descriptor
        self._status = status.detach()
        self._guard = threading.Lock()
        # Several threads may wait; so the files stay open as long as anybody knows this process.
        for opened in (self._descriptor, self._status):
            weakref.finalize(self, os.close, opened)

    def poll(self) -> int | None:
        """How it ended, None while it runs."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """How it ended, once it has.

        Raises:
            subprocess.TimeoutExpired: it runs on.
        """
        status = self._look(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._descriptor, number)

    def kill(self) -> None:
        """End it by SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _look(self, timeout: float | None) -> int | None:
        if self.returncode is not None:
            return self.returncode
        readable, _, _ = select.select([self._status], [], [], timeout)
        if not readable:
            return None
        with self._guard:
            if self.returncode is None:
                told = os.read(self._status, _ANSWER)
                assert told, "the template is gone"
                self.returncode = int(told)
        return self.returncode


class Template:
    """The process that forks."""

    def __init__(self) -> None:
        self._control, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.gateway_template", str(its.fileno())],
                cwd=Path(__file__).parents[1],
                stdin=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
                start_new_session=True,
            )

    def start(
        self, words: Sequence[str], environment: Mapping[str, str], files: Sequence[int]
    ) -> tuple[int, int, socket.socket]:
        """Make a process that runs as ``python -m WORDS`` with these three standard files."""
        status, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = {"words": list(words), "environment": dict(environment), "folder": str(Path.cwd())}
        with its:
            socket.send_fds(self._control, [json.dumps(request).encode()], [*files, its.fileno()])
        status.settimeout(_SECONDS)
        told, descriptors, _, _ = socket.recv_fds(status, _ANSWER, 1)
        if not told:
            status.close()
            raise AssertionError("the template of gateways has ended; it says why on standard error")
        return int(told), descriptors[0], status

    def close(self) -> None:
        """End it; processes that it has made live on."""
        self._control.close()
        self._process.wait(_SECONDS)


@functools.cache
def _template() -> Template:
    template = Template()
    atexit.register(template.close)
    return template


def start(words: Sequence[str]) -> Forked:
    """Start ``python -m WORDS``; its standard error is a pipe."""
    read, write = os.pipe()
    made = _template().start(words, os.environ, [0, 1, write])
    os.close(write)
    return Forked(*made, os.fdopen(read, "rb"))


def run(words: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run ``python -m WORDS`` to its end."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = Forked(*_template().start(words, environment, [0, out.fileno(), err.fileno()]), None)
        status = process.wait()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(list(words), status, out.read(), err.read())
