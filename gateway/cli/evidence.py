"""``gateway evidence``: the proof of a ticket and the whole chain for whoever asks, and whether they hold."""

import asyncio
from pathlib import Path

import click
from cryptography.hazmat.primitives.serialization import Encoding

from gateway import chain_file, proof
from gateway.chain_file import Closing
from gateway.cli.output import RefusedError, when, with_config
from gateway.exporting import Exporter
from gateway.proof import Proof
from gateway.sealing import Sealer, verify_journal
from gateway.sealing_copies import open_copies
from gateway.site import open_site, settings_file
from gateway.timestamping import open_stamping
from signing.own.own_keys import open_keys, own_certificates
from signing.own.sign import read_certificate
from spool import submissions
from spool.checkpoints import CHECKPOINTS, Checkpoints


@click.group(short_help="Export the proof of a ticket, and verify proofs off line.")
def evidence() -> None:
    """Export the proof of a ticket, and verify proofs off line."""


@evidence.command()
@click.argument("ticket", required=False)
@click.option("--chain", "whole", is_flag=True, help="The whole chain with its checkpoints instead of a TICKET.")
@click.option("--with-facts", is_flag=True, help="With --chain: what happened too, and not only its digests.")
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Path(path_type=Path),
    help="A new file, such as proof.asice, or chain.jsonl.gz.",
)
@with_config
def export(ticket: str | None, target: Path, config: Path | None, *, whole: bool, with_facts: bool) -> None:
    """Write all that proves what became of TICKET into one signed container (ASiC-E); seals its events first.

    With --chain write the digests of all events there are, and the checkpoints that seal them, into one signed file.
    """
    if whole == (ticket is not None) or (with_facts and not whole):
        raise click.UsageError("Give either a TICKET or --chain; --with-facts is for the chain.")
    settings, journal = open_site(settings_file(config))
    exporter = Exporter(settings, journal, open_keys(settings.signing))
    if ticket is None:
        _export_chain(exporter, target, with_facts=with_facts)
        return
    with journal.read() as connection:
        submission = submissions.load(connection, ticket)
    if submission is None:
        raise RefusedError(f"there is no submission {ticket}")
    asyncio.run(_seal(exporter))
    missing = exporter.write(submission, target)
    click.echo(f"{target} has the proof of {ticket}.")
    for words in missing:
        click.echo(f"missing: {words}")


def _export_chain(exporter: Exporter, target: Path, *, with_facts: bool) -> None:
    asyncio.run(_seal(exporter))
    said = exporter.write_chain(target, with_facts=with_facts)
    click.echo(f"{target} has the chain up to event {said.last}, under {said.checkpoints} checkpoints.")


async def _seal(exporter: Exporter) -> None:
    settings = exporter.settings
    files, copies = Checkpoints(settings.spool.path / CHECKPOINTS), open_copies(settings.evidence)
    async with open_stamping(settings.signing) as stamping:
        await Sealer(exporter.journal, files, exporter.keys, stamping, copies=copies).seal_all()


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
    """Verify an exported proof or chain, FILE, with the gateway's certificate alone; names the first thing wrong.

    With --chain it is the journal of this site, not a FILE.
    """
    certificates = {read_certificate(path).public_bytes(Encoding.DER) for path in paths}
    if whole == (file is not None):
        raise click.UsageError("Give either a FILE or --chain.")
    if file is None:
        _verify_chain(certificates, config)
        return
    if not certificates:
        raise click.UsageError("A FILE is verified with --certificate.")
    try:
        if chain_file.is_one(file):
            _say_chain(chain_file.verify(file, certificates))
        else:
            _say_proof(proof.verify(file, certificates))
    except (proof.MisfitError, chain_file.ChainMisfitError) as fault:
        raise RefusedError(f"{file}: {fault}") from None


def _say_proof(held: Proof) -> None:
    click.echo(
        f"The proof of {held.ticket} holds: {held.events} events, {held.answers} answers, "
        f"{held.signatures} signatures of the sender."
    )
    for words in held.missing:
        click.echo(f"missing: {words}")


def _say_chain(held: Closing) -> None:
    click.echo(
        f"The chain holds: {held.checkpoints} checkpoints over the events up to {held.last}, "
        f"exported at {when(held.at)}."
    )


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
