"""``gateway user``: technical users, and what each has to prove to log in.

What is changed here holds within a second, also for who is logged in.
"""

from pathlib import Path
from typing import Any

import click

from channels.ports import Authentication
from gateway import accounts, parties
from gateway.accounts import User
from gateway.cli import user_keys
from gateway.cli.certificates import SenderNumber
from gateway.cli.changing import add_user, changing, with_note, write_down
from gateway.cli.output import RefusedError, print_rows, when, with_config, with_json
from gateway.cli.sender_channels import remark_on_broker
from gateway.gatekeeper import hashing_limits
from gateway.openings import openings_of
from gateway.parties import UnknownSenderError
from gateway.password_rules import RULES, first_password
from gateway.passwords import Hashing
from gateway.site import open_site, settings_file
from gateway.user_names import NAME_RULE, is_user_name
from spool.journal import now

_DAY = 86_400_000_000
_authentication = click.Choice([way.value for way in Authentication])


@click.group()
def user() -> None:
    """Register, list, block and unblock technical users, their keys and passwords."""


user.add_command(user_keys.key)


@user.command()
@click.argument("number", type=SenderNumber())
@click.argument("username")
@click.option("--authentication", type=_authentication, default="key", show_default=True, help="What it has to prove.")
@with_note
@with_config
def add(number: str, username: str, authentication: str, reason: str, config: Path | None) -> None:
    """Register technical user USERNAME of sender NUMBER: 8 to 30 digits and letters a to z."""
    if not is_user_name(username):
        raise click.UsageError(NAME_RULE)
    with changing(config) as (connection, _):
        if parties.find_sender(connection, number) is None:
            raise UnknownSenderError(number)
        add_user(connection, number, username, ())
        accounts.set_authentication(connection, username, Authentication(authentication))
        facts = {"sender": number, "authentication": authentication}
        write_down(connection, "technical.registered", f"technical:{username}", reason, facts)
        opened = {each.channel for each in openings_of(connection, number)}
    click.echo(f"Sender {number}: user {username}, who logs in by {_WAYS[Authentication(authentication)]}.")
    remark_on_broker(opened)


@user.command("list")
@click.option("--sender", type=SenderNumber(), help="Only the users of this sender.")
@with_json
@with_config
def list_users(sender: str | None, config: Path | None, *, as_json: bool) -> None:
    """List technical users and how they log in."""
    _, journal = open_site(settings_file(config))
    with journal.read() as connection:
        rows = [_facts(item, now()) for item in accounts.users(connection, sender)]
    columns = ("user", "sender", "state", "authentication", "keys", "password")
    print_rows(rows, columns, as_json=as_json)


@user.command()
@click.argument("username")
@click.argument("way", type=_authentication)
@with_note
@with_config
def authentication(username: str, way: str, reason: str, config: Path | None) -> None:
    """Say what USERNAME has to prove: a key, a password, or both, the key first."""
    with changing(config) as (connection, _):
        accounts.set_authentication(connection, username, Authentication(way))
        facts = {"authentication": way}
        write_down(connection, "technical.authentication", f"technical:{username}", reason, facts)
    click.echo(f"User {username} logs in by {_WAYS[Authentication(way)]}.")


@user.command()
@click.argument("username")
@with_note
@with_config
def block(username: str, reason: str, config: Path | None) -> None:
    """Let USERNAME log in no more, and end what connections it has."""
    with changing(config) as (connection, _):
        accounts.set_active(connection, username, active=False)
        write_down(connection, "technical.blocked", f"technical:{username}", reason, {"state": "blocked"})
    click.echo(f"User {username} is blocked.")


@user.command()
@click.argument("username")
@with_note
@with_config
def unblock(username: str, reason: str, config: Path | None) -> None:
    """Let USERNAME log in again, with the keys and the password it had: end or replace them first if in doubt."""
    with changing(config) as (connection, _):
        accounts.set_active(connection, username, active=True)
        write_down(connection, "technical.unblocked", f"technical:{username}", reason, {"state": "active"})
    click.echo(f"User {username} is active.")


@user.group()
def password() -> None:
    """Give users passwords, and let passwords expire."""


@password.command()
@click.argument("username")
@with_note
@with_config
def give(username: str, reason: str, config: Path | None) -> None:
    """Give USERNAME a first password, shown here and never again; it has to be changed at its first use."""
    settings, _ = open_site(settings_file(config))
    rules = settings.accounts
    word = first_password(username, RULES[rules.password_rules])
    kept = Hashing(hashing_limits(rules)).hash(word)
    with changing(config) as (connection, _):
        accounts.give_password(connection, username, kept, now() + rules.first_password_days * _DAY)
        write_down(connection, "technical.password_given", f"technical:{username}", reason, {"must_change": True})
        ways = [item.authentication for item in accounts.users(connection) if item.username == username]
    click.echo(word)
    click.echo(f"To be changed within {rules.first_password_days} days; send it apart from the user name.", err=True)
    if Authentication.KEY in ways:
        click.echo("This user logs in by a key alone; see `gateway user authentication`.", err=True)


@password.command()
@click.argument("username")
@with_note
@with_config
def expire(username: str, reason: str, config: Path | None) -> None:
    """Let USERNAME change its password at the next log-in."""
    with changing(config) as (connection, _):
        if not accounts.expire_password(connection, username):
            raise RefusedError(f"user {username} has no password")
        write_down(connection, "technical.password_expired", f"technical:{username}", reason, {"must_change": True})
    click.echo(f"User {username} has to change its password.")


_WAYS = {
    Authentication.KEY: "a key",
    Authentication.PASSWORD: "a password",
    Authentication.BOTH: "a key and then a password",
}


def _facts(item: User, at: int) -> dict[str, Any]:
    state = "must be changed" if item.must_change else f"of {when(item.password_set_at)}"
    return {
        "user": item.username,
        "sender": item.sender,
        "state": "active" if item.active else "blocked",
        "authentication": item.authentication.value,
        "keys": [key.fingerprint for key in item.keys if at in key.period],
        "password": None if item.password_set_at is None else state,
    }
