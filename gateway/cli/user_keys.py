"""``gateway user key``: the public keys a technical user may log in with, from when to when."""

from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from gateway import accounts
from gateway.cli.acting import acting, actor_of, granted, looking, with_actor
from gateway.cli.changing import with_note
from gateway.cli.moments import microseconds_of, period_of, with_end, with_period
from gateway.cli.output import print_rows, when, with_config, with_json
from gateway.register import credentials
from spool.journal import now

_DAY: Final = 86_400_000_000


@click.group()
def key() -> None:
    """Register, list and end public keys; several may be taken at a time, so that a new one can follow an old one."""


@key.command()
@click.argument("username")
@click.argument("file", type=click.File())
@with_period
@with_note
@with_actor
@with_config
def add(  # noqa: PLR0913, PLR0917 - a command line has as many options as it has
    username: str,
    file: Any,
    start: datetime | None,
    end: datetime | None,
    reason: str,
    as_user: str | None,
    config: Path | None,
) -> None:
    """Register the public key in FILE (OpenSSH) for USERNAME, or give a registered one other dates."""
    line = public_key(file.read(), file.name)
    period = period_of(start, end)
    with acting(config) as (connection, _):
        act = credentials.add_key
        fingerprint = granted(act(connection, actor_of(as_user), username, line, period, reason=reason))
    click.echo(f"User {username}: key {fingerprint}.")


@key.command()
@click.argument("username")
@click.argument("fingerprint")
@with_end
@with_note
@with_actor
@with_config
def end(
    username: str, fingerprint: str, at: datetime | None, reason: str, as_user: str | None, config: Path | None
) -> None:
    """Take the key whose FINGERPRINT begins so no more; connections that were opened with it end too."""
    moment = microseconds_of(at)
    with acting(config) as (connection, _):
        moment = now() if moment is None else moment
        act = credentials.end_key
        found = granted(act(connection, actor_of(as_user), username, fingerprint, moment, reason=reason))
    click.echo(f"User {username}: key {found} ends at {when(moment)}.")


@key.command("list")
@click.argument("username")
@with_actor
@with_json
@with_config
def list_keys(username: str, as_user: str | None, config: Path | None, *, as_json: bool) -> None:
    """List the keys of USERNAME."""
    with looking(config) as (connection, _):
        if (refused := credentials.user_refusal(connection, actor_of(as_user), username)) is not None:
            granted(refused)
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
