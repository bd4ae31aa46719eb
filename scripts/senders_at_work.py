"""Does an upload fail?  Senders that send sets of files for as long as they are let, and try nothing again.

Two kinds of OpenSSH's sftp: one session a set, and one session for many; and a program with asyncssh that keeps its
connection and makes a new one only if it finds it closed between two sets.  What was told OK is remembered.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Final

import asyncssh

from scripts.demo_site import DemoFailedError
from tests.gateway_process import SENDER, USER, Site, today

_PAUSE: Final = 1.6
_IN_ONE_SESSION: Final = 6
_PATIENCE: Final = 60.0


@dataclass
class Senders:
    """All of them; ``told_ok`` are the sets, and ``failed`` what those were told whose upload was not."""

    site: Site
    told_ok: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._numbers = count(10_000)
        names = self.site.write_set(f"DIMN.{SENDER}.{today()}.09999.R")
        self._first = [(name, (self.site.work / name).read_bytes()) for name in names]

    @contextmanager
    def sending(self) -> Iterator["Senders"]:
        """Send for the time of the block, and then what was begun to its end."""
        kinds: list[Callable[[], None]] = [self._set_by_set, self._many_in_a_session, self._keep_a_connection]
        threads = [threading.Thread(target=self._until_the_end, args=[act]) for act in kinds]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def wait_for_more(self) -> None:
        """Wait until a few more sets were told OK than now."""
        wanted, until = len(self.told_ok) + 5, time.monotonic() + _PATIENCE
        while len(self.told_ok) < wanted:
            if self.failed or time.monotonic() > until:
                raise DemoFailedError(f"uploads that failed: {self.failed}; {len(self.told_ok)} told OK")
            time.sleep(0.1)

    def _until_the_end(self, act: Callable[[], None]) -> None:
        while not self._ended.is_set():
            act()

    def _write_set(self) -> tuple[str, list[str]]:
        """Files that are like the first set's but for their names."""
        with self._lock:
            number = f"{next(self._numbers):05}"
        names = [name.replace(".09999.", f".{number}.") for name, _ in self._first]
        for name, (_, data) in zip(names, self._first, strict=True):
            (self.site.work / name).write_bytes(data)
        return number, names

    def _by_sftp(self, sets: list[tuple[str, list[str]]]) -> None:
        done = self.site.sftp("cd IN", *(f"put {name}" for _, names in sets for name in names))
        if done.returncode:
            self.failed.append(f"sftp: {done.stderr}")
        else:
            self.told_ok += [number for number, _ in sets]

    def _set_by_set(self) -> None:
        self._by_sftp([self._write_set()])
        self._ended.wait(_PAUSE)

    def _many_in_a_session(self) -> None:
        self._by_sftp([self._write_set() for _ in range(_IN_ONE_SESSION)])
        self._ended.wait(_IN_ONE_SESSION * _PAUSE)

    def _keep_a_connection(self) -> None:
        try:
            asyncio.run(self._over_one_connection())
        except (asyncssh.Error, OSError) as fault:
            self.failed.append(f"asyncssh: {type(fault).__name__}: {fault}")

    async def _over_one_connection(self) -> None:
        key = str(self.site.work / "id_ed25519")
        options = asyncssh.SSHClientConnectionOptions(
            username=USER, client_keys=[key], known_hosts=None, config=None, agent_path=None
        )
        async with (
            asyncssh.connect("127.0.0.1", self.site.port, options=options) as connection,
            connection.start_sftp_client() as client,
        ):
            while not (self._ended.is_set() or connection.is_closed()):
                number, names = self._write_set()
                for name in names:
                    await client.put(str(self.site.work / name), f"IN/{name}")
                self.told_ok.append(number)
                await asyncio.sleep(_PAUSE)
