"""``gateway restore``: a site begins again from a backup."""

from collections.abc import Collection
from pathlib import Path

import click
from cryptography.hazmat.primitives.serialization import Encoding

from config.settings import Settings, read_settings
from gateway import restore as restoring
from gateway.backup import Head
from gateway.cli.output import RefusedError, when, with_config
from gateway.cli.reconcile import Lists, compared, refuse_odd, with_lists
from gateway.site import settings_file
from signing.own.own_keys import own_certificates
from signing.own.sign import read_certificate
from spool.checkpoints import Checkpoints
from spool.journal import open_journal


@click.command(short_help="Verify a backup, and put it into an empty site.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option(
    "--certificate",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="The gateway's (PEM), and earlier ones of it.  [default: those of the settings]",
)
@with_lists
@with_config
def restore(
    folder: Path, paths: tuple[Path, ...], sent: Path | None, sender: str | None, queue: bool, config: Path | None
) -> None:
    """Verify the backup in FOLDER and put it into a site that has nothing yet; nothing is carried out.

    Then everything that was promised is compared, as by `gateway reconcile`, with a sender's list and the broker's
    queue where these are named, and it is said what cannot be known.  Exit status 1 if something does not fit.
    """
    settings = read_settings(settings_file(config))
    ours = [own.certificate for own in own_certificates(settings.signing)]
    named = [read_certificate(path) for path in paths] or ours
    certificates = {certificate.public_bytes(Encoding.DER) for certificate in named}
    lists = Lists(sent, sender, settings.routing.queue if queue else None)
    refuse_odd(settings, lists)
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
    click.echo(_lost(settings, head, certificates))
    click.echo(
        "Not known: what was taken in, answered, forwarded or fetched after that moment, and what consumers took"
    )
    click.echo(
        "off the queues. Ask each sender for its list of OK, and compare it: gateway reconcile --sent LIST --sender"
    )
    click.echo("NUMBER; and what still lies in the broker's queue: gateway reconcile --queue.")
    journal = open_journal(settings.journal.place)
    if compared(settings, journal, lists):
        raise click.exceptions.Exit(1)


def _lost(settings: Settings, head: Head, certificates: Collection[bytes]) -> str:
    """What the copies of checkpoints in the second place say of what came after the backup."""
    if settings.evidence.copy_folder is None:
        return "No copies of checkpoints are set (evidence.copy_folder), which would show how many events are lost."
    try:
        newest = restoring.newest_copy(Checkpoints(settings.evidence.copy_folder), certificates)
    except (OSError, ValueError) as fault:
        return f"The copies of checkpoints cannot be read: {fault}"
    if newest is None or newest.last <= head.event:
        return "The copies of checkpoints show no event after the backup; those after the last copy are not known."
    lost = newest.last - head.event
    return f"The copies of checkpoints show {lost} events after the backup, up to {when(newest.at)}: they are lost."
