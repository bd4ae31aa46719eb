"""``gateway defender``: who is locked out after failed log-ins, and lifting it."""

import getpass
from pathlib import Path
from typing import Final

import click

from gateway import defender as lockouts
from gateway.cli.acting import acting, with_reason
from gateway.cli.output import RefusedError, print_rows, when, with_config, with_json
from gateway.holding import word_of
from gateway.register.actor import Operator
from gateway.register.history import record
from gateway.site import open_site, settings_file
from spool.journal import now

_NOBODY: Final = "(nobody's name)"


@click.group()
def defender() -> None:
    """List and lift locks after failed log-ins."""


@defender.command("list")
@click.option("--all", "everything", is_flag=True, help="Failures that have locked nothing too.")
@with_json
@with_config
def list_locks(config: Path | None, *, everything: bool, as_json: bool) -> None:
    """List who is locked out: a user at an address, an address for everybody, a user's password everywhere.

    A name that nobody has is not shown: it may be a password, typed one line too early.
    """
    _, journal = open_site(settings_file(config))
    at = now()
    with journal.read() as connection:
        counted = [item for item in lockouts.all_failures(connection) if everything or item.is_locked(at)]
        known = lockouts.known_names(connection, {item.username for item in counted})
        rows = [
            {
                "user": item.username if item.username in known else (item.username and _NOBODY) or None,
                "source": item.source or None,
                "failures": item.failures,
                "last_failure": when(item.failed_at),
                "locked_until": when(item.locked_until) if item.is_locked(at) else None,
            }
            for item in counted
        ]
    print_rows(rows, ("user", "source", "failures", "last_failure", "locked_until"), as_json=as_json)


@defender.command()
@click.option("--user", help="What is counted of this user.")
@click.option("--source", help="What is counted of this address.")
@click.option("--all", "everything", is_flag=True, help="Everything.")
@with_reason
@with_config
def lift(user: str | None, source: str | None, reason: str, config: Path | None, *, everything: bool) -> None:
    """Forget failed log-ins of a user, of an address, of a user at an address, or all; their locks end at once."""
    if everything == bool(user or source):
        raise click.UsageError("name --user, --source or both, or --all")
    who = Operator(getpass.getuser())
    with acting(config) as (connection, _):
        lifted = lockouts.lift(connection, word_of(who, reason), user, source)
        record(connection, who, "defender.lifted", "failed_logins", reason, None, None)
    if not lifted:
        raise RefusedError("no failed log-in is counted of these")
    click.echo(f"Forgotten: {lifted}.")
