"""``gateway authority``: whose certificates are accepted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from config.errors import ConfigurationError
from gateway.cli.output import RefusedError, print_rows, with_config, with_json
from gateway.site import open_site, settings_file
from signing import authorities
from signing.authority import Authority
from spool.journal import Journal
from spool.submissions import note

_file = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def authority() -> None:
    """Add, list and remove accepted authorities; a running gateway takes a change at its next verification."""


@authority.command()
@click.argument("name")
@click.option("--certificate", type=_file, required=True, help="The CA that issues the senders' certificates.")
@click.option("--chain", "chain", type=_file, multiple=True, help="The CAs above it, up to the root.")
@click.option("--crl", "crls", type=_file, multiple=True, help="A revocation list of one of these CAs.")
@with_config
def add(name: str, certificate: Path, chain: tuple[Path, ...], crls: tuple[Path, ...], config: Path | None) -> None:
    """Accept certificates issued by the CA in --certificate, under NAME.

    Without a fresh revocation list from every CA of the chain no signature can be judged: submissions wait.
    """
    settings, journal = open_site(settings_file(config))
    added = _try(lambda: authorities.add(settings.trust.authorities, name, certificate, chain, crls))
    _audit(journal, "authority.added", name=name, subject=added.subject, crls=len(crls))
    click.echo(f"Authority {name}: {added.subject}, {len(crls)} revocation lists.")


@authority.command()
@click.argument("name")
@click.argument("crls", type=_file, nargs=-1, required=True)
@with_config
def crl(name: str, crls: tuple[Path, ...], config: Path | None) -> None:
    """Replace the revocation lists of authority NAME by the files CRLS."""
    settings, journal = open_site(settings_file(config))
    _try(lambda: authorities.replace_crls(settings.trust.authorities, name, crls))
    _audit(journal, "authority.crls_replaced", name=name, crls=len(crls))
    click.echo(f"Authority {name}: {len(crls)} revocation lists.")


@authority.command("list")
@with_json
@with_config
def list_authorities(config: Path | None, *, as_json: bool) -> None:
    """List every accepted authority."""
    settings, _ = open_site(settings_file(config))
    rows = [_facts(entry) for entry in authorities.load(settings.trust.authorities)]
    print_rows(rows, ("name", "subject", "valid_until", "crls_fresh_until"), as_json=as_json)


@authority.command()
@click.argument("name")
@with_config
def remove(name: str, config: Path | None) -> None:
    """Accept certificates of authority NAME no more."""
    settings, journal = open_site(settings_file(config))
    _try(lambda: authorities.remove(settings.trust.authorities, name))
    _audit(journal, "authority.removed", name=name)
    click.echo(f"Authority {name} removed.")


def _try(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except ConfigurationError as fault:
        raise RefusedError("\n".join(fault.faults)) from fault


def _audit(journal: Journal, event: str, **facts: Any) -> None:
    with journal.write() as connection:
        note(connection, None, event, **facts)


def _facts(entry: Authority) -> dict[str, Any]:
    return {
        "name": entry.name,
        "subject": entry.subject,
        "valid_until": entry.not_after.isoformat(),
        "crls": len(entry.crls),
        "crls_fresh_until": entry.next_update.isoformat() if entry.next_update else None,
    }
