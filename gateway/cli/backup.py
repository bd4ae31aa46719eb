"""``gateway backup``: a copy of everything the gateway answers for, made while it runs."""

from datetime import UTC, datetime
from pathlib import Path

import click

from config.settings import Settings
from gateway import backup as backups
from gateway import registrations
from gateway.cli.output import when, with_config
from gateway.register import inss
from gateway.site import open_site, settings_file
from signing.own.own_keys import open_keys


@click.command(short_help="Copy journal, custody, answers and evidence while the gateway runs.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--with-site", is_flag=True, help="Keys, settings, authorities and types too: keep it like the keys.")
@with_config
def backup(folder: Path, config: Path | None, *, with_site: bool) -> None:
    """Copy journal, custody, answers, evidence and waiting declarations to FOLDER, signed; the gateway may run."""
    path = settings_file(config)
    settings, journal = open_site(path)
    keys = open_keys(settings.signing)

    def sign(statement: bytes) -> bytes:
        moment = datetime.now(UTC)
        return keys.at(moment).sign(statement, moment).cms()

    site = _site(path, settings) if with_site else ()
    head = backups.write(settings.spool.path, journal, folder, sign, site)
    click.echo(f"{folder} has {head.files} files, as of {when(head.at)} (event {head.event}).")
    if not with_site:
        click.echo("Without keys and settings, which are to be kept elsewhere.")


def _site(path: Path, settings: Settings) -> tuple[Path, ...]:
    """The folder of the settings file's keys, and whatever lies elsewhere."""
    key = settings.signing.key
    named = (
        path, settings.signing.certificate, settings.sftp.host_key, settings.sftp.rsa_host_key,
        settings.trust.authorities, settings.schemas.folder, key if isinstance(key, Path) else None,
        inss.key_file(settings), registrations.holder_key_file(settings),
    )  # fmt: skip
    return tuple(dict.fromkeys(each for each in named if each is not None and each.exists()))
