"""Sockets that the service manager has opened, and several processes on one port."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh
import pytest

from channels.sftp.server import DoorUnavailable
from channels.sftp.sockets import handed_over
from config.errors import ConfigurationError
from tests.adapters.sftp_door import open_house
from tests.authority import Pki
from tests.gateway_process import SENDER, GatewayProcess, Site, make_test_site, today

# What a process that was handed sockets makes of them.
_SAYS = """
import os, sys
from channels.sftp.sockets import handed_over
from config.errors import ConfigurationError
try:
    found = handed_over(os.environ)
except ConfigurationError as fault:
    sys.exit("; ".join(fault.faults))
print(*(s.getsockname()[1] for s in found), *(s.get_inheritable() for s in found), "LISTEN_FDS" in os.environ)
"""


@pytest.fixture
def listeners() -> Iterator[list[socket.socket]]:
    """Two listening sockets on free ports."""
    opened = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    yield opened
    for listener in opened:
        listener.close()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site."""
    pki = Pki.create(tmp_path / "pki")
    return make_test_site(tmp_path, pki, pki.issue("Payroll"))


def told(**changes: str) -> dict[str, str]:
    """An environment that hands over one socket."""
    return {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "PATH": "/bin"} | changes


def handed_to_a_process(number: int, count: int = 1) -> str:
    """What a process says that was handed the file descriptor ``number``, so many times."""
    command = [sys.executable, "-m", "tests.activated", ",".join([str(number)] * count), "-c", _SAYS]
    done = subprocess.run(command, pass_fds=[number], capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip()


@contextmanager
def activated(site: Site, listeners: list[socket.socket]) -> Iterator[GatewayProcess]:
    """A gateway that was handed ``listeners``, for the time of the block."""
    numbers = [listener.fileno() for listener in listeners]
    program = ("tests.activated", ",".join(map(str, numbers)), "-m", "gateway")
    process = GatewayProcess(site, *program, pass_fds=numbers)
    try:
        yield process.ready()
    finally:
        process.stop()


def test_sockets_for_another_process_are_left_alone() -> None:
    """As they are when the shell that was activated starts a gateway; and the children are told nothing of them."""
    environment = told(LISTEN_PID="1")

    assert () == handed_over(environment)
    assert {"PATH": "/bin"} == environment
    assert () == handed_over(environment)


@pytest.mark.parametrize("count", ["", "0", "-1", "17", "one", "٣"])
def test_a_number_of_sockets_that_is_none_is_refused(count: str) -> None:
    """By name, and nothing is touched."""
    with pytest.raises(ConfigurationError, match="LISTEN_FDS: a number from 1 to 16"):
        handed_over(told(LISTEN_FDS=count))


def test_a_socket_is_taken_once_and_for_this_process_alone(listeners: list[socket.socket]) -> None:
    """It keeps its address; no child inherits it, and none is told of it."""
    port = listeners[0].getsockname()[1]

    assert f"{port} False False" == handed_to_a_process(listeners[0].fileno())


def test_what_is_no_listening_tcp_socket_is_refused(tmp_path: Path) -> None:
    """A file, a socket of the file system, one that does not listen: each fault with its number."""
    with (tmp_path / "file").open("wb") as file, socket.socket(socket.AF_UNIX) as local, socket.socket() as silent:
        said = [handed_to_a_process(number) for number in (file.fileno(), local.fileno())]
        both = handed_to_a_process(silent.fileno(), 2)

    three, four = (f"LISTEN_FDS: file descriptor {number} is no socket" for number in (3, 4))
    assert [f"{three}: Socket operation on non-socket", f"{three} of the internet protocol"] == said
    assert f"{three} that listens; {four} that listens" == both


def test_a_gateway_serves_every_socket_and_one_that_follows_it_takes_over_who_waited(
    site: Site, listeners: list[socket.socket]
) -> None:
    """A client that connects while no gateway runs is served by the next one; its socket was never closed."""
    ports = [listener.getsockname()[1] for listener in listeners]
    names = site.write_set(f"DIMN.{SENDER}.{today()}.00001.R")
    with activated(site, listeners) as first:
        assert ports[0] == first.site.port
        for port, name in zip([*ports, ports[0]], names, strict=True):
            site.port = port
            assert 0 == site.sftp("cd IN", f"put {name}").returncode
        assert "accepted" == first.judged()["verdict"]
        assert 0 == first.stop()

    with socket.create_connection(("127.0.0.1", ports[1]), timeout=60) as waiting, activated(site, listeners):
        assert b"SSH-2.0-BatchGateway" in waiting.recv(100)


async def test_two_doors_share_a_port_only_if_both_say_so(tmp_path: Path) -> None:
    """The kernel deals connections out among them; a door that did not say so keeps its port for itself."""
    async with open_house(tmp_path / "one", reuse_port=True) as first:
        async with open_house(tmp_path / "two", reuse_port=True, port=first.door.port) as second:
            port = second.door.port
            keys = [await asyncssh.get_server_host_key("127.0.0.1", port, config=None) for _ in range(60)]
            seen = {key.export_public_key() for key in keys if key is not None}
            assert 2 == len(seen)
        with pytest.raises(DoorUnavailable):
            async with open_house(tmp_path / "three", port=first.door.port):
                pass
