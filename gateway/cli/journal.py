"""``gateway migrate`` and ``gateway journal``: the database of a site, brought up to date or moved to another."""

from pathlib import Path

import click

from config.errors import ConfigurationError
from config.settings import read_settings
from gateway.cli.output import print_rows, with_config, with_json
from gateway.site import settings_file
from spool.files import held_alone
from spool.journal import open_journal
from spool.journal_copy import copy as copy_journal


@click.command()
@with_config
def migrate(config: Path | None) -> None:
    """Bring the journal up to this version; `gateway serve` does so itself."""
    settings = read_settings(settings_file(config))
    open_journal(settings.journal.place, upgrade=True).close()
    click.echo("The journal is of this version.")


@click.group()
def journal() -> None:
    """Move the journal to another database."""


@journal.command()
@click.option("--to", "target", help="postgresql://user:password@host/database; asked for, so that nobody reads it.")
@with_json
@with_config
def copy(target: str | None, config: Path | None, *, as_json: bool) -> None:
    """Copy the journal into an empty PostgreSQL database while the gateway is stopped; then set journal.url to it."""
    settings = read_settings(settings_file(config))
    url = target or click.prompt("URL of the database", hide_input=True, err=True)
    if not url.startswith("postgresql://"):
        raise ConfigurationError(["--to: expected postgresql://user:password@host:port/database"])
    with held_alone(settings.spool.path):
        source = open_journal(settings.journal.place)
        try:
            goal = open_journal(url, create=True)
            try:
                copied = copy_journal(source, goal)
            finally:
                goal.close()
        finally:
            source.close()
    print_rows([{"table": name, "rows": rows} for name, rows in copied.items()], ("table", "rows"), as_json=as_json)
