"""``gateway restore``: a site begins again from a backup."""

from pathlib import Path

import click
from cryptography.hazmat.primitives.serialization import Encoding

from config.settings import read_settings
from gateway import restore as restoring
from gateway.cli.output import RefusedError, when, with_config
from gateway.site import settings_file
from signing.own.own_keys import own_certificates
from signing.own.sign import read_certificate


@click.command(short_help="Verify a backup, and put it into an empty site.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option(
    "--certificate",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="The gateway's (PEM), and earlier ones of it.  [default: those of the settings]",
)
@with_config
def restore(folder: Path, paths: tuple[Path, ...], config: Path | None) -> None:
    """Verify the backup in FOLDER and put it into a site that has nothing yet; nothing is carried out."""
    settings = read_settings(settings_file(config))
    ours = [own.certificate for own in own_certificates(settings.signing)]
    named = [read_certificate(path) for path in paths] or ours
    certificates = {certificate.public_bytes(Encoding.DER) for certificate in named}
    try:
        restored = restoring.restore(folder, settings.spool.path, settings.journal.place, certificates)
    except restoring.BackupMisfitError as fault:
        raise RefusedError(f"{folder}: {fault}") from None
    head = restored.head
    click.echo(f"Restored as of {when(head.at)}: {head.files} files, {head.event} events.")
    click.echo(
        f"`gateway serve` will judge {restored.undecided} submissions and send {restored.forwards} declarations;"
    )
    click.echo("what was sent after the backup goes out again with the same message ids.")
    click.echo("Not known: what was taken in, answered, forwarded or fetched after that moment. Ask senders for their")
    click.echo("lists of OK, and see the queues' consumers for message ids of tickets that are not here.")
