"""``gateway health``: whether the gateway of a site lives and is ready, as its interface for programs tells it."""

import http.client
from pathlib import Path
from typing import Final

import click

from config.settings import read_settings
from gateway.cli.output import print_json, print_rows, with_config, with_json
from gateway.operations.asking import ask, is_open
from gateway.site import settings_file

_SECONDS: Final = 10.0


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
    if not is_open(own):
        raise click.UsageError("there is nobody to ask: [operations] names no socket and no port")
    try:
        told = {**ask(own, "/live", token, _SECONDS), **ask(own, "/ready", token, _SECONDS)}
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
