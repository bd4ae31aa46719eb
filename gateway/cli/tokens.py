"""``gateway token``: what programs show at the interface for programs, to act as a person or as an operator."""

from pathlib import Path
from typing import Any, Final

import click

from gateway.cli.acting import actor_of, granted, with_reason
from gateway.cli.output import print_json, print_rows, when, with_config, with_json
from gateway.operations import tokens
from gateway.operations.tokens import Token
from gateway.site import open_site, settings_file
from spool.journal import now

_DAY: Final = 86_400_000_000


@click.group()
def token() -> None:
    """Give, list and revoke tokens of the interface for programs."""


@token.command()
@click.argument("username", required=False)
@click.option("--operator", metavar="LABEL", help="Not a person's: it acts as operator, under this label.")
@click.option("--label", default="", help="What a person's token is for.  [default: the user name]")
@click.option("--days", type=click.IntRange(1), help="How long it is good.  [default: token_days in the settings]")
@with_reason
@with_json
@with_config
def give(  # noqa: PLR0913 - a command line has as many options as it has
    username: str | None,
    operator: str | None,
    label: str,
    days: int | None,
    reason: str,
    config: Path | None,
    *,
    as_json: bool,
) -> None:
    """Give person USERNAME, or with --operator a program of operators, a token; it is shown here and never again."""
    if (username is None) == (operator is None):
        raise click.UsageError("name a person, or an operator's token by --operator")
    settings, journal = open_site(settings_file(config))
    longest = settings.operations.token_days
    if days is not None and days > longest:
        raise click.UsageError(f"a token is good for {longest} days at most; see token_days in [operations]")
    valid_to = now() + (days or longest) * _DAY
    name = operator or label or username or ""
    with journal.write() as connection:
        word = granted(tokens.give(connection, actor_of(None), username, name, valid_to, reason=reason))
    if as_json:
        print_json({"token": word, "valid_to": when(valid_to)})
        return
    click.echo(word)
    click.echo(f"Good until {when(valid_to)}; it is shown here and never again.", err=True)


@token.command("list")
@click.option("--user", "username", help="Only those of this person.")
@with_json
@with_config
def list_tokens(username: str | None, config: Path | None, *, as_json: bool) -> None:
    """List tokens, as far as they are kept: by the beginnings of their SHA-256."""
    _, journal = open_site(settings_file(config))
    with journal.read() as connection:
        rows = [_facts(item, now()) for item in tokens.tokens(connection, username=username)]
    print_rows(rows, ("token", "acts_as", "label", "state", "given", "valid_to", "revoked"), as_json=as_json)


@token.command()
@click.argument("name", metavar="TOKEN")
@with_reason
@with_config
def revoke(name: str, reason: str, config: Path | None) -> None:
    """Let the token whose name in the listing begins with TOKEN (eight characters or more) stop at once."""
    _, journal = open_site(settings_file(config))
    with journal.write() as connection:
        found = granted(tokens.revoke(connection, actor_of(None), name, at=now(), reason=reason))
    click.echo(f"Token {found.name} is revoked.")


def _facts(item: Token, at: int) -> dict[str, Any]:
    return {
        "token": item.name,
        "acts_as": item.username or "operator",
        "label": item.label,
        "state": item.state(at),
        "given": when(item.created_at),
        "valid_to": when(item.valid_to),
        "revoked": when(item.revoked_at),
    }
