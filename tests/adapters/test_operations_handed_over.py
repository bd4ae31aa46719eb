"""The port of [operations] that a service manager opened: what it is for, and what it can't stand for."""

import errno
import os
import socket

import httpx
import pytest

from config.errors import ConfigurationError
from gateway.operations import listening
from gateway.operations.hosting import hosted
from gateway.operations.listening import faults_of_handed
from tests.adapters.test_operations_hosting import application


async def test_a_port_that_was_handed_over_is_answered_on_and_closed() -> None:
    """Instead of host and port of the settings."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        number = listener.getsockname()[1]
        async with hosted(application(), host="192.0.2.1", port=[listener]) as port, httpx.AsyncClient() as asking:
            answered = await asking.get(f"http://127.0.0.1:{number}/")

    assert (number, 200) == (port, answered.status_code)
    assert -1 == listener.fileno()


@pytest.mark.parametrize(
    ("address", "port", "count"),
    [("127.0.0.1", 0, 0), ("0.0.0.0", 0, 1), ("127.0.0.1", None, 1), ("127.0.0.1", 8024, 1)],  # noqa: S104 -- nobody listens
)
def test_what_cannot_stand_for_the_port_is_told(address: str, port: int | None, count: int) -> None:
    """An address that is not of the loopback, a port that the settings do not want, and another than they say."""
    with socket.socket() as bound:
        bound.bind((address, 0))
        assert count == len(faults_of_handed([bound], port, "operations"))


def test_the_port_of_the_settings_may_be_handed_over() -> None:
    """Among others too."""
    with socket.socket() as bound, socket.socket() as other:
        for one in (bound, other):
            one.bind(("127.0.0.1", 0))
        assert [] == faults_of_handed([other, bound], bound.getsockname()[1], "operations")


@pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EACCES])
def test_a_process_that_may_open_no_port_names_the_unit_that_does(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that who upgraded without it knows what is missing."""

    def forbidden(*_: object) -> socket.socket:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "socket", forbidden)
    with pytest.raises(ConfigurationError) as refused:
        listening.tcp_socket("127.0.0.1", 8024, "operations")

    [fault] = refused.value.faults
    assert fault.startswith("operations.host: 127.0.0.1: ")
    assert fault.endswith("gets one that batch-gateway-operations.socket opens")
