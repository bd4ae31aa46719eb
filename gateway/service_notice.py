"""What does the service manager that started this process hear of it?

The protocol is that of systemd's sd_notify(3), without its library: ``NOTIFY_SOCKET`` names a datagram socket that
takes lines such as ``READY=1``; ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` say within which time, and from whom, a sign of
life is wanted.  That is given by the event loop itself: one that no longer turns is silent, and the manager starts the
gateway again.  Whether the gateway is fit for work is another question: see ``health``.  What is told is taken out of
the environment, so that no process that is started later believes it too.

Nobody to hear it, or a manager that went away, is no fault: the gateway works without.
"""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from typing import Final, ParamSpec

Asked = ParamSpec("Asked")
_TOLD: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
_SHARE: Final = 3
"""How many signs of life are given in the time in which one is wanted."""


@dataclass(frozen=True, slots=True)
class ServiceNotice:
    """Whom to tell.

    Args:
        address: of the manager's socket, as socket(7) wants it; None if nobody listens.
        interval: seconds from one sign of life to the next; None if none is wanted.
    """

    address: str | None = None
    interval: float | None = None

    def ready(self) -> None:
        """The doors are open."""
        self._tell("READY=1")

    def reload(self, take_over: Callable[Asked, None], *told: Asked.args, **named: Asked.kwargs) -> None:
        """Call ``take_over``, which reads settings anew, and say when that begins and ends."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        take_over(*told, **named)
        self.ready()

    def stopping(self) -> None:
        """The doors are closing."""
        self._tell("STOPPING=1")

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Give signs of life for the time of the block: closing may take longer than a sign is waited for."""
        giving = asyncio.create_task(self._live())
        try:
            yield
        finally:
            giving.cancel()
            with suppress(asyncio.CancelledError):
                await giving

    async def open_until(self, stop: asyncio.Event) -> None:
        """Say that the gateway is ready, and after ``stop`` that it stops."""
        self.ready()
        try:
            await stop.wait()
        finally:
            self.stopping()

    async def _live(self) -> None:
        while self.interval is not None:
            self._tell("WATCHDOG=1")
            await asyncio.sleep(self.interval)

    def _tell(self, *lines: str) -> None:
        if self.address is None:
            return
        # Neither may the manager hold up the event loop, nor its absence end the gateway.
        with suppress(OSError), closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)) as out:
            out.setblocking(False)
            out.sendto("\n".join(lines).encode(), self.address)


def taken_from(environment: MutableMapping[str, str]) -> ServiceNotice:
    """Whom this process has to tell; what the environment says of it is removed."""
    address, wanted, pid = (environment.pop(name, "") for name in _TOLD)
    if not address.startswith(("/", "@")):
        return ServiceNotice()
    if address.startswith("@"):
        address = f"\0{address[1:]}"
    mine = pid in {"", str(os.getpid())}
    counted = wanted.isascii() and wanted.isdigit() and int(wanted) > 0
    return ServiceNotice(address, int(wanted) / 1_000_000 / _SHARE if mine and counted else None)
