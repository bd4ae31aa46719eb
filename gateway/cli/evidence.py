"""``gateway evidence``: the proof of a ticket for whoever asks, and whether proofs hold."""

import asyncio
from pathlib import Path

import click
from cryptography.hazmat.primitives.serialization import Encoding

from config.settings import Settings
from gateway import proof
from gateway.cli.output import RefusedError, with_config
from gateway.exporting import Exporter
from gateway.sealing import Sealer, verify_journal
from gateway.sealing_copies import open_copies
from gateway.site import open_site, settings_file
from gateway.timestamping import open_stamping
from signing.own.own_keys import OwnKeys, open_keys, own_certificates
from signing.own.sign import read_certificate
from spool import submissions
from spool.checkpoints import CHECKPOINTS, Checkpoints
from spool.journal import Journal


@click.group(short_help="Export the proof of a ticket, and verify proofs off line.")
def evidence() -> None:
    """Export the proof of a ticket, and verify proofs off line."""


@evidence.command()
@click.argument("ticket")
@click.option("--to", "target", required=True, type=click.Path(path_type=Path), help="A new file, such as proof.asice.")
@with_config
def export(ticket: str, target: Path, config: Path | None) -> None:
    """Write all that proves what became of TICKET into one signed container (ASiC-E); seals its events first."""
    settings, journal = open_site(settings_file(config))
    with journal.read() as connection:
        submission = submissions.load(connection, ticket)
    if submission is None:
        raise RefusedError(f"there is no submission {ticket}")
    keys = open_keys(settings.signing)
    asyncio.run(_seal(settings, journal, keys))
    missing = Exporter(settings, journal, keys).write(submission, target)
    click.echo(f"{target} has the proof of {ticket}.")
    for words in missing:
        click.echo(f"missing: {words}")


async def _seal(settings: Settings, journal: Journal, keys: OwnKeys) -> None:
    files, copies = Checkpoints(settings.spool.path / CHECKPOINTS), open_copies(settings.evidence)
    async with open_stamping(settings.signing) as stamping:
        await Sealer(journal, files, keys, stamping, copies=copies).seal_all()


@evidence.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--chain", "whole", is_flag=True, help="The whole journal against its checkpoints instead of a FILE.")
@click.option(
    "--certificate",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="The gateway's (PEM), and earlier ones of it.  [default for --chain: those of the settings]",
)
@with_config
def verify(file: Path | None, paths: tuple[Path, ...], config: Path | None, *, whole: bool) -> None:
    """Verify an exported proof, FILE, with the gateway's certificate alone; names the first thing that is wrong."""
    certificates = {read_certificate(path).public_bytes(Encoding.DER) for path in paths}
    if whole == (file is not None):
        raise click.UsageError("Give either a FILE or --chain.")
    if file is None:
        _verify_chain(certificates, config)
        return
    if not certificates:
        raise click.UsageError("A FILE is verified with --certificate.")
    try:
        held = proof.verify(file, certificates)
    except proof.MisfitError as fault:
        raise RefusedError(f"{file}: {fault}") from None
    click.echo(
        f"The proof of {held.ticket} holds: {held.events} events, {held.answers} answers, "
        f"{held.signatures} signatures of the sender."
    )
    for words in held.missing:
        click.echo(f"missing: {words}")


def _verify_chain(certificates: set[bytes], config: Path | None) -> None:
    settings, journal = open_site(settings_file(config))
    ours = (own.certificate.public_bytes(Encoding.DER) for own in own_certificates(settings.signing))
    with journal.read() as connection:
        files = Checkpoints(settings.spool.path / CHECKPOINTS)
        found = verify_journal(connection, files, certificates or set(ours))
    if isinstance(found, str):
        raise RefusedError(found)
    if (copies := open_copies(settings.evidence)) is not None and (wrong := copies.fault(files)):
        raise RefusedError(wrong)
    click.echo(f"The chain holds: {found.checkpoints} checkpoints, and {found.unsealed} events after the last.")
