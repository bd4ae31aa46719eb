"""``gateway authority diff``: what would another list of authorities change, for whom?

Nothing is changed here.  A list is applied by ``authority add`` and ``remove``, or by making ``[trust] authorities`` a
symbolic link and renaming another one over it, which is one step.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import click
from cryptography.hazmat.primitives.serialization import Encoding

from config.errors import ConfigurationError
from gateway import parties
from gateway.cli.certificates import read_certificate
from gateway.cli.output import RefusedError, print_json, print_rows, with_config, with_json
from gateway.logs import cap_libraries
from gateway.parties import RegisteredCertificate
from gateway.site import open_site, settings_file
from signing.trust import authorities
from signing.trust.authorities import Authorities
from signing.trust.change import Change, difference
from signing.trust.terms import Environment
from spool.journal import now

_folder = click.Path(path_type=Path, exists=True, file_okay=False)


class ChangesError(click.ClickException):
    """Something would change; not a fault, but to be told from nothing by the exit status, 1."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        """Say it in one line."""
        click.echo(self.message, file=file, err=file is None)


@click.command(short_help="Show what another list would change, for whom.")
@click.argument("folder", type=_folder)
@click.option("--certificate", "files", multiple=True, type=click.File("rb"), help="A certificate to judge besides.")
@with_json
@with_config
def diff(folder: Path, files: tuple[Any, ...], config: Path | None, *, as_json: bool) -> None:
    """Show what would change if the authorities in FOLDER took the place of those that are accepted.

    Every registered certificate is judged under both lists, in each environment, as if it had signed just now. Of a
    registration by holder no certificate is kept; show it with --certificate. Exit status 0 if nothing changes, 1 if
    something does.
    """
    cap_libraries()
    settings, journal = open_site(settings_file(config))
    try:
        before, after = authorities.load(settings.trust.authorities), authorities.load(folder)
    except ConfigurationError as fault:
        raise RefusedError("\n".join(fault.faults)) from fault
    with journal.read() as connection:
        registered = [item for item in parties.registered_certificates(connection) if not _has_ended(item, now())]
    shown = [read_certificate(file.read(), file.name).public_bytes(Encoding.DER) for file in files]
    entries = list(_entry_changes(before, after))
    certificates = _certificate_changes(before, after, registered, shown)
    not_judged = sum(item.der is None for item in registered)
    if as_json:
        print_json({"authorities": entries, "certificates": certificates, "not_judged": not_judged})
    else:
        _print(entries, certificates, not_judged)
    if entries or certificates:
        raise ChangesError(f"{len(entries)} authorities and {len(certificates)} certificates would change")


def _entry_changes(before: Authorities, after: Authorities) -> Iterator[dict[str, Any]]:
    for name in sorted({entry.name for entry in (*before, *after)}):
        old, new = before.find(name), after.find(name)
        if old is None or new is None:
            yield {"authority": name, "change": "added" if old is None else "removed", "terms": []}
            continue
        terms = sorted(key for key, value in new.terms if value != getattr(old.terms, key))
        if (old.certificate, old.chain) != (new.certificate, new.chain):
            yield {"authority": name, "change": "other certificates", "terms": terms}
        elif terms:
            yield {"authority": name, "change": "other terms", "terms": terms}


def _certificate_changes(
    before: Authorities, after: Authorities, registered: Iterable[RegisteredCertificate], shown: Iterable[bytes]
) -> list[dict[str, Any]]:
    owners: dict[str, list[str]] = {}
    certificates: dict[str, bytes] = {parties.fingerprint_of(der): der for der in shown}
    for item in registered:
        if item.der is not None:
            fingerprint = item.registration.fingerprint
            owners.setdefault(fingerprint, []).append(item.sender)
            certificates[fingerprint] = item.der
    return [
        {
            "certificate": change.fingerprint,
            "senders": owners.get(change.fingerprint, []),
            "environments": environments,
            "before": str(change.before),
            "after": str(change.after),
        }
        for change, environments in _changed(before, after, certificates)
    ]


def _changed(
    before: Authorities, after: Authorities, certificates: Mapping[str, bytes]
) -> Iterator[tuple[Change, list[str]]]:
    """What changes for a certificate, each with the environments where it does."""
    at = datetime.now(UTC)
    found: dict[Change, list[str]] = {}
    for environment in get_args(Environment):
        for change in difference(_among(before, environment), _among(after, environment), certificates, at):
            if change.is_one:
                found.setdefault(change, []).append(environment)
    yield from sorted(found.items(), key=lambda item: item[0].fingerprint)


def _among(accepted: Authorities, environment: Environment) -> Authorities:
    return Authorities(tuple(entry for entry in accepted if environment in entry.terms.environments))


def _has_ended(item: RegisteredCertificate, at: int) -> bool:
    end = item.registration.period.end
    return end is not None and end <= at


def _print(entries: list[dict[str, Any]], certificates: list[dict[str, Any]], not_judged: int) -> None:
    if entries:
        print_rows(entries, ("authority", "change", "terms"), as_json=False)
    if certificates:
        print_rows(certificates, ("certificate", "senders", "environments", "before", "after"), as_json=False)
    if not_judged:
        click.echo(f"{not_judged} registrations by holder were not judged: no certificate of theirs is kept.")
