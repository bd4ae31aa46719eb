"""``gateway user key``: the public keys a technical user may log in with, from when to when."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from gateway import accounts
from gateway.accounts import UnknownKeyError
from gateway.cli.changing import changing
from gateway.cli.output import RefusedError, print_rows, when, with_config, with_json
from gateway.parties import microseconds
from gateway.registrations import Period
from gateway.site import open_site, settings_file
from spool.journal import now

_DAY: Final = 86_400_000_000
_moment = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"])


@click.group()
def key() -> None:
    """Register, list and end public keys; several may be taken at a time, so that a new one can follow an old one."""


@key.command()
@click.argument("username")
@click.argument("file", type=click.File())
@click.option("--from", "start", type=_moment, help="Taken from then on; a bare date is UTC.  [default: always]")
@click.option("--to", "end", type=_moment, help="Taken before this moment.  [default: always]")
@with_config
def add(username: str, file: Any, start: datetime | None, end: datetime | None, config: Path | None) -> None:
    """Register the public key in FILE (OpenSSH) for USERNAME, or give a registered one other dates."""
    line = public_key(file.read(), file.name)
    period = Period(_microseconds(start), _microseconds(end))
    if period.start is not None and period.end is not None and period.start >= period.end:
        raise click.UsageError("--to must be later than --from")
    with changing(config) as (connection, _):
        fingerprint = accounts.add_key(connection, username, line, period)
    click.echo(f"User {username}: key {fingerprint}.")


@key.command()
@click.argument("username")
@click.argument("fingerprint")
@click.option("--at", type=_moment, help="From then on it is taken no more; a bare date is UTC.  [default: now]")
@with_config
def end(username: str, fingerprint: str, at: datetime | None, config: Path | None) -> None:
    """Take the key whose FINGERPRINT begins so no more; connections that were opened with it end too."""
    moment = _microseconds(at) or now()
    with changing(config) as (connection, _):
        try:
            found = accounts.end_key(connection, username, fingerprint, moment)
        except UnknownKeyError:
            raise RefusedError(f"user {username} has not exactly one key {fingerprint}") from None
    click.echo(f"User {username}: key {found} ends at {when(moment)}.")


@key.command("list")
@click.argument("username")
@with_json
@with_config
def list_keys(username: str, config: Path | None, *, as_json: bool) -> None:
    """List the keys of USERNAME."""
    _, journal = open_site(settings_file(config))
    with journal.read() as connection:
        rows = [
            {
                "key": item.fingerprint,
                "type": item.line.split()[0],
                "from": when(item.period.start),
                "to": when(item.period.end),
                "days_left": None if item.period.end is None else max(0, (item.period.end - now()) // _DAY),
            }
            for item in accounts.keys_of(connection, username)
        ]
    print_rows(rows, ("key", "type", "from", "to", "days_left"), as_json=as_json)


def public_key(line: str, name: str) -> str:
    """The key in an OpenSSH line without its comment, if it is good enough to log in with.

    Raises:
        UsageError: it is not; ``name`` is the file it comes from.
    """
    from channels.sftp import algorithms  # noqa: PLC0415 - asyncssh takes a while to load

    try:
        remark = algorithms.advice(algorithms.read_public_key(line))
    except ValueError as fault:
        raise click.UsageError(f"{name}: {fault}") from fault
    if remark:
        click.echo(f"{name}: {remark}", err=True)
    return " ".join(line.split()[:2])


def _microseconds(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    return microseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
