"""``gateway authority``: whose certificates are accepted."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, get_args

import click
from cryptography import x509

from config.errors import ConfigurationError
from gateway.cli.changes import diff
from gateway.cli.moments import MOMENT
from gateway.cli.output import RefusedError, print_json, print_rows, with_config, with_json
from gateway.site import open_site, settings_file
from signing.trust import authorities
from signing.trust.authority import Authority
from signing.trust.terms import Environment, Issue, KeyUsage, Terms, check_terms
from spool.journal import Journal
from spool.submissions import note

F = TypeVar("F", bound=Callable[..., Any])

_file = click.Path(path_type=Path, exists=True, dir_okay=False)
_TERMS = (
    (
        "environments",
        "--environment",
        click.Choice(get_args(Environment)),
        "Accept only there: R, or T and S.  [default: R]",
    ),
    ("purposes", "--purpose", click.STRING, "Accept only for this message type.  [default: all]"),
    ("policies", "--policy", click.STRING, "A certificate policy (OID) of which a signer must have one."),
    ("key_usages", "--key-usage", click.Choice(get_args(KeyUsage)), "Accept only such keys.  [default: both]"),
    ("issues", "--issues", click.Choice(get_args(Issue)), "Whose certificates it issues.  [default: signatures]"),
    ("crl_from", "--crl-from", click.STRING, "Fetch revocation lists from this URL, if [trust] fetch is on."),
)


def _with_terms(function: F) -> F:
    """Add an option for every key of ``authority.toml``."""
    for key, word, kind, text in reversed(_TERMS):
        function = click.option(word, key, type=kind, multiple=True, help=text)(function)
    single = (
        click.option("--accepted-from", type=MOMENT, metavar="WHEN", help="Accept from then on; a bare date is UTC."),
        click.option(
            "--accepted-to", type=MOMENT, metavar="WHEN", help="Accept before this moment; a bare date is UTC."
        ),
        click.option(
            "--revocation-max-age-hours", type=float, help="Treat older revocation lists and OCSP answers as unknown."
        ),
        click.option("--ocsp-from", help="Ask the OCSP responder at this URL, if [trust] fetch is on."),
    )
    for option in reversed(single):
        function = option(function)
    return function


@click.group(short_help="Add, compare, list and remove accepted authorities.")
def authority() -> None:
    """Add, compare, list and remove accepted authorities; a running gateway takes a change at its next verification."""


authority.add_command(diff)


@authority.command(short_help="Accept an authority.")
@click.argument("name")
@click.option("--certificate", type=_file, required=True, help="The CA that issues the senders' certificates.")
@click.option("--chain", "chain", type=_file, multiple=True, help="The CAs above it, up to the root.")
@click.option("--crl", "crls", type=_file, multiple=True, help="A revocation list of one of these CAs.")
@click.option("--crl-issuer", "list_issuers", type=_file, multiple=True, help="Who signs lists for one of these CAs.")
@_with_terms
@with_config
def add(
    name: str,
    certificate: Path,
    chain: tuple[Path, ...],
    crls: tuple[Path, ...],
    list_issuers: tuple[Path, ...],
    config: Path | None,
    **terms: Any,
) -> None:
    """Accept certificates issued by the CA in --certificate, under NAME.

    Without fresh revocation lists or OCSP answers for the whole chain no signature can be judged: submissions wait.
    WHEN is a day, such as 2026-12-01, or a moment with its zone, such as 2026-12-01T08:00:00+01:00.
    """
    settings, journal = open_site(settings_file(config))
    folder = settings.trust.authorities
    added = _try(
        lambda: authorities.add(folder, name, certificate, chain, crls, _terms(terms), list_issuers=list_issuers)
    )
    _audit(journal, "authority.added", name=name, subject=added.subject, crls=len(crls), terms=_said(added.terms))
    click.echo(f"Authority {name}: {added.subject}, {len(crls)} revocation lists.")


@authority.command(short_help="Replace all revocation lists of an authority.")
@click.argument("name")
@click.argument("crls", type=_file, nargs=-1, required=True)
@with_config
def crl(name: str, crls: tuple[Path, ...], config: Path | None) -> None:
    """Replace all revocation lists of authority NAME by the files CRLS; to add or renew some, use `revocation`."""
    settings, journal = open_site(settings_file(config))
    _try(lambda: authorities.replace_crls(settings.trust.authorities, name, crls))
    _audit(journal, "authority.crls_replaced", name=name, crls=len(crls))
    click.echo(f"Authority {name}: {len(crls)} revocation lists.")


@authority.command(short_help="Add or renew revocation lists and OCSP answers.")
@click.argument("name")
@click.argument("files", type=_file, nargs=-1, required=True)
@with_config
def revocation(name: str, files: tuple[Path, ...], config: Path | None) -> None:
    """Put revocation lists or OCSP answers, the FILES, beside those of authority NAME, in the place of older ones."""
    settings, journal = open_site(settings_file(config))
    for file in files:
        try:
            digest = authorities.store_revocation(settings.trust.authorities, name, file.read_bytes())
        except ConfigurationError as fault:
            raise RefusedError("\n".join(f"{file}: {line}" for line in fault.faults)) from fault
        _audit(journal, "authority.revocation_stored", name=name, sha256=digest)
        click.echo(f"Authority {name}: {file} is {digest}.")


@authority.command("list")
@with_json
@with_config
def list_authorities(config: Path | None, *, as_json: bool) -> None:
    """List every accepted authority."""
    settings, _ = open_site(settings_file(config))
    rows = [_facts(entry) for entry in authorities.load(settings.trust.authorities)]
    print_rows(
        rows, ("name", "subject", "valid_until", "crls", "crls_fresh_until", "without_list", "ocsp"), as_json=as_json
    )


@authority.command(short_help="Show an authority: its chain, its lists, its terms.")
@click.argument("name")
@with_json
@with_config
def show(name: str, config: Path | None, *, as_json: bool) -> None:
    """Show authority NAME: its chain, its revocation lists, and the terms it is accepted on."""
    settings, _ = open_site(settings_file(config))
    entry = authorities.load(settings.trust.authorities).find(name)
    if entry is None:
        raise RefusedError(f"{name}: there is no authority of that name")
    facts = {**_facts(entry), "chain": list(entry.chain_subjects), "terms": _said(entry.terms)}
    if as_json:
        print_json(facts)
        return
    rows = facts | facts.pop("terms")
    print_rows([{"what": key, "value": value} for key, value in rows.items()], ("what", "value"), as_json=False)


@authority.command(short_help="Accept an authority no more.")
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


def _terms(options: dict[str, Any]) -> Terms:
    given = {key: value for key, value in options.items() if value not in {None, ()}}
    for key, value in given.items():
        if isinstance(value, datetime) and value.tzinfo is None:
            given[key] = value.replace(tzinfo=UTC)
    return check_terms(given)


def _said(terms: Terms) -> dict[str, Any]:
    """Every term, also those that are the default, as JSON takes it."""
    said = terms.model_dump(mode="json")
    return {key: sorted(value) if isinstance(value, list) else value for key, value in said.items()}


def _audit(journal: Journal, event: str, **facts: Any) -> None:
    with journal.write() as connection:
        note(connection, None, event, **facts)


def _facts(entry: Authority) -> dict[str, Any]:
    return {
        "name": entry.name,
        "subject": entry.subject,
        "valid_until": entry.not_after.isoformat(),
        "crls": len(entry.crls),
        "ocsp": len(entry.responses),
        "crls_fresh_until": entry.fresh_until.isoformat() if entry.fresh_until else None,
        "without_list": _without_list(entry),
    }


def _without_list(entry: Authority) -> list[str]:
    """Those of the line that have issued none of its lists: what they issue needs OCSP answers, or waits."""
    issuers = {x509.load_der_x509_crl(crl).issuer.rfc4514_string() for crl in entry.crls}
    return [subject for subject in (entry.subject, *entry.chain_subjects) if subject not in issuers]
