"""``gateway health``: whether the gateway of a site lives and is ready, as its interface for programs tells it."""

import http.client
import json
import os
import socket
from pathlib import Path
from typing import Any, Final

import click

from config.administration import Operations
from config.settings import read_settings
from gateway.cli.output import print_json, print_rows, with_config, with_json
from gateway.site import settings_file

_SECONDS: Final = 10.0
_LARGEST: Final = 1_000_000


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(os.fspath(self._path))


@click.command(short_help="Say whether the gateway lives and is ready, and what isn't.")
@click.option(
    "--token", envvar="GATEWAY_TOKEN", show_envvar=True, help="An operator's token, to hear what isn't ready."
)
@with_json
@with_config
def health(token: str | None, config: Path | None, *, as_json: bool) -> None:
    """Say whether the gateway lives and is ready, and which part of it isn't; exit status 1 if it isn't.

    Asks its interface for programs ([operations]), over the socket if there is one.  Without a token, and where the
    settings don't trust the socket, the answer is only yes or no.
    """
    own = read_settings(settings_file(config)).operations
    if own.socket is None and own.port is None:
        raise click.UsageError("there is nobody to ask: [operations] names no socket and no port")
    try:
        told = {**_asked(own, "/live", token), **_asked(own, "/ready", token)}
    except (OSError, http.client.HTTPException, ValueError):
        told = {"live": False, "ready": False}
    if as_json:
        print_json(told)
    else:
        click.echo(f"live: {_yes(told.get('live'))}, ready: {_yes(told.get('ready'))}")
        rows = [
            {**part, "ready": _yes(part["ready"]), "words": part["words"] or None} for part in told.get("parts", ())
        ]
        if rows:
            print_rows(rows, ("name", "ready", "words"), as_json=False)
    if not told.get("ready"):
        raise click.exceptions.Exit(1)


def _yes(value: object) -> str:
    return "yes" if value is True else "no"


def _asked(own: Operations, path: str, token: str | None) -> dict[str, Any]:
    """What is answered, whatever the status; `ValueError` if that is no JSON of an object."""
    connection = (
        http.client.HTTPConnection(own.host, own.port, timeout=_SECONDS)
        if own.socket is None
        else _SocketConnection(own.socket)
    )
    try:
        connection.request("GET", path, headers={} if token is None else {"Authorization": f"Bearer {token}"})
        told = json.loads(connection.getresponse().read(_LARGEST))
    finally:
        connection.close()
    if not isinstance(told, dict):
        raise ValueError("no object")  # noqa: TRY004 - the others who ask for JSON raise it too
    return told
