"""``python -m tests.gateway_template FD``: makes processes of ``gateway`` by forking, without what their imports cost.

It has imported the gateway once, has one thread and opens nothing.  What it is asked for by the socket FD becomes a
process of its own, in a session of its own, with the files, environment and folder of whoever asks, and runs as
``python -m MODULE ARGS…`` does.  So does what judges: the fork server of the gateway's workers comes from here too, and
not from an interpreter that would import everything again.

What is told apart from a start by exec is a matter of tests that start a gateway so (``tests.gateway_process``).
"""

import gc
import importlib
import json
import multiprocessing.util
import os
import runpy
import select
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway import cli

_PRELOADED: Final = (
    "gateway.daemon", "gateway.one_trip", "gateway.register.marker", "schemas.components", "uvloop", "psycopg",
)  # fmt: skip
_REQUEST: Final = 1024 * 1024
_ASIDE: Final = 200
_HELPERS: Final = 2
"""A gateway with workers starts two interpreters: its fork server, and the tracker of shared memory."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a new process is to become: the words after ``python -m``, and what it finds around it."""

    words: list[str]
    environment: dict[str, str]
    folder: str


class Template:
    """The process that forks, and what it knows of the processes it has made."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._made: dict[int, tuple[int, socket.socket]] = {}

    def serve(self) -> Job | None:
        """Fork for each request until nobody is left to ask; answers the job in the new process, None in this one."""
        watching = select.poll()
        watching.register(self._control, select.POLLIN)
        while True:
            for descriptor, _ in watching.poll():
                if descriptor in self._made:
                    watching.unregister(descriptor)
                    _report(descriptor, *self._made.pop(descriptor))
                    continue
                message, files, _, _ = socket.recv_fds(self._control, _REQUEST, 4)
                if not message:
                    return None
                if pid := os.fork():
                    watching.register(self._keep(pid, files), select.POLLIN)
                else:
                    self._become(files[:3])
                    return Job(**json.loads(message))

    def _keep(self, pid: int, files: Sequence[int]) -> int:
        """Tell whoever asked which process it is; answers what is readable when it ends."""
        *standard, status = files
        for file in standard:
            os.close(file)
        process, caller = os.pidfd_open(pid), socket.socket(fileno=status)
        self._made[process] = pid, caller
        socket.send_fds(caller, [str(pid).encode()], [process])
        return process

    def _become(self, standard: Sequence[int]) -> None:
        """In a new process: leave this one's session, and everything that it has open."""
        os.setsid()
        for number, file in enumerate(standard):
            os.dup2(file, number)
        for opened in (self._control, *(caller for _, caller in self._made.values())):
            opened.detach()
        _close_all_but(0, 1, 2)


def _report(process: int, pid: int, caller: socket.socket) -> None:
    """Tell whoever asked for a process how it ended."""
    _, status = os.waitpid(pid, 0)
    os.close(process)
    with caller, suppress(BrokenPipeError):
        caller.send(str(os.waitstatus_to_exitcode(status)).encode())


def _close_all_but(*kept: int) -> None:
    opened = [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
    for number in opened:
        if number not in kept:
            with suppress(OSError):  # the folder itself is among them, and closed by now
                os.close(number)


class Helpers:
    """Processes that wait to become the interpreters that :mod:`multiprocessing` starts by ``python -c``."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, socket.socket]] = []
        self._spawn: Callable[..., int] = multiprocessing.util.spawnv_passfds

    def make(self) -> bool:
        """Fork them, while this process has one thread; True in one of them, once it is through."""
        for _ in range(_HELPERS):
            mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            pid = os.fork()
            if pid == 0:
                for opened in (mine, *(other for _, other in self._waiting)):
                    opened.close()
                _help(its)
                return True
            its.close()
            self._waiting.append((pid, mine))
        multiprocessing.util.spawnv_passfds = self._start
        return False

    def _start(self, path: Any, args: Sequence[Any], passfds: Sequence[int]) -> int:
        program = args[-1]
        if not self._waiting or not isinstance(program, str) or not program.startswith("from multiprocessing."):
            return self._spawn(path, args, passfds)
        pid, helper = self._waiting.pop()
        with helper:
            socket.send_fds(helper, [json.dumps([program, list(passfds)]).encode()], list(passfds))
        return pid


def _help(its: socket.socket) -> None:
    """Wait for a program, and run it with the files it wants at the numbers it knows."""
    with its:
        message, files, _, _ = socket.recv_fds(its, _REQUEST, 8)
    if not message:
        return
    program, wanted = json.loads(message)
    aside = [os.dup2(file, _ASIDE + place) for place, file in enumerate(files)]
    _close_all_but(0, 1, 2, *aside)
    for file, number in zip(aside, wanted, strict=True):
        os.dup2(file, number)
        os.close(file)
    exec(program, {"__name__": "__main__"})  # noqa: S102 - as the interpreter does that is not started


def main() -> None:
    """Import what gateways import, serve, and run what a new process is for."""
    commands = (place.partition(":")[0] for place, _ in cli.COMMANDS.values())
    for name in (*_PRELOADED, *commands):
        importlib.import_module(name)
    assert 1 == len([*Path("/proc/self/task").iterdir()]), "a thread would not be there after a fork"
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as control:
        job = Template(control).serve()
    if job is None:
        return
    os.environ.clear()
    os.environ.update(job.environment)
    os.chdir(job.folder)
    time.tzset()
    if "serve" in job.words and Helpers().make():
        return
    sys.argv = job.words
    runpy.run_module(job.words[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
