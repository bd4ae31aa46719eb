"""What a service manager hears from a gateway: by the protocol of sd_notify(3), on a real socket."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import service_notice
from gateway.service_notice import ServiceNotice


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket of a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(30)
        yield listener


def _notice(manager: socket.socket, **told: str) -> ServiceNotice:
    return service_notice.taken_from({"NOTIFY_SOCKET": manager.getsockname(), **told})


async def test_a_gateway_is_ready_lives_and_stops(manager: socket.socket) -> None:
    """There are signs of life as long as the loop turns, after STOPPING too, until all is closed."""
    notice = _notice(manager, WATCHDOG_USEC="3000", WATCHDOG_PID=str(os.getpid()))
    stop = asyncio.Event()
    async with notice.alive():
        living = asyncio.create_task(notice.open_until(stop))
        heard = [await asyncio.to_thread(manager.recv, 100) for _ in range(4)]
        stop.set()
        await living
        while heard[-1] != b"STOPPING=1":
            heard.append(await asyncio.to_thread(manager.recv, 100))
        closing = await asyncio.to_thread(manager.recv, 100)

    assert {b"READY=1", b"WATCHDOG=1"} == set(heard[:-1])
    assert (1, b"WATCHDOG=1") == (heard.count(b"READY=1"), closing)


async def test_a_loop_that_hangs_gives_no_sign_of_life(manager: socket.socket) -> None:
    """The signs are the loop's own, so that the manager notices when it no longer turns."""
    notice = _notice(manager, WATCHDOG_USEC="3000")
    async with notice.alive():
        heard = [await asyncio.to_thread(manager.recv, 100) for _ in range(2)]
        while heard[-1] == b"WATCHDOG=1":
            manager.settimeout(0.1)
            try:
                heard.append(manager.recv(100))  # waits in the loop's own thread, which therefore hangs
            except TimeoutError:
                heard.append(b"silence")

    assert (b"WATCHDOG=1", b"silence") == (heard[0], heard[-1])


def test_a_reload_is_told_with_its_time(manager: socket.socket) -> None:
    """As sd_notify(3) wants it, so that the manager can tell this reload from the one before."""
    notice = _notice(manager)
    notice.reload(lambda: None)

    first, _, second = manager.recv(100).partition(b"\nMONOTONIC_USEC=")
    assert (b"RELOADING=1", True, b"READY=1") == (first, second.isdigit(), manager.recv(100))


def test_an_abstract_socket_is_heard_too() -> None:
    """Its name begins with @ in the environment and with a zero byte in the kernel."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("")
        listener.settimeout(30)
        name = listener.getsockname()
        service_notice.taken_from({"NOTIFY_SOCKET": f"@{name[1:].decode()}"}).ready()

        assert b"READY=1" == listener.recv(100)


@pytest.mark.parametrize(
    ("told", "address", "interval"),
    [
        ({}, None, None),
        ({"NOTIFY_SOCKET": "vsock:2:9999", "WATCHDOG_USEC": "3000000"}, None, None),
        ({"NOTIFY_SOCKET": "/run/notify"}, "/run/notify", None),
        ({"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "3000000"}, "/run/notify", 1.0),
        ({"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, "/run/notify", None),
        ({"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "soon"}, "/run/notify", None),
        ({"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "0"}, "/run/notify", None),
    ],
)
def test_only_what_was_told_to_this_process_counts(
    told: dict[str, str], address: str | None, interval: float | None
) -> None:
    """Another's watchdog and a number that is none are left alone; the environment is clean afterwards."""
    notice = service_notice.taken_from(told)

    assert (ServiceNotice(address, interval), {}) == (notice, told)


def test_a_manager_that_went_away_is_no_fault(tmp_path: Path) -> None:
    """The gateway works without anybody who listens."""
    ServiceNotice(str(tmp_path / "nobody")).ready()
