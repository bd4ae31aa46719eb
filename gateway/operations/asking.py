"""How does a command on the same machine ask the interface for programs something, over its socket or its port?"""

import http.client
import json
import os
import socket
from pathlib import Path
from typing import Any, Final

from config.administration import Operations

_LARGEST: Final = 1_000_000


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))


def is_open(own: Operations) -> bool:
    """Whether the settings name a place to ask at."""
    return own.socket is not None or own.port is not None


def ask(own: Operations, path: str, token: str | None, seconds: float) -> dict[str, Any]:
    """What is answered in so many seconds, whatever the status.

    Raises:
        OSError: nobody answers.
        http.client.HTTPException: what answers does not speak HTTP.
        ValueError: it is no JSON of an object.
    """
    connection = (
        http.client.HTTPConnection(own.host, own.port, timeout=seconds)
        if own.socket is None
        else _SocketConnection(own.socket, seconds)
    )
    try:
        connection.request("GET", path, headers={} if token is None else {"Authorization": f"Bearer {token}"})
        told = json.loads(connection.getresponse().read(_LARGEST))
    finally:
        connection.close()
    if not isinstance(told, dict):
        raise ValueError("no object")  # noqa: TRY004 - the others who ask for JSON raise it too
    return told
