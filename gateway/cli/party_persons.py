"""``gateway party person`` and ``password``: accounts of persons.

An INSS is asked for and never an argument, because arguments stand in the list of processes.
"""

import getpass
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from sqlalchemy.engine import Connection

from channels.ports import Answer, Attempt
from config.settings import Settings
from gateway.cli.acting import acting, actor_of, granted, looking, with_actor, with_reason, words_of
from gateway.cli.output import RefusedError, print_rows, when, with_config, with_json
from gateway.gatekeeper import hashing_limits, login_policy
from gateway.passwords import Hashing
from gateway.register import inss, passwords, persons, withdrawal
from gateway.register.passwords import FirstPassword, Passwords
from gateway.register.persons import Candidate, Edits, Registered
from gateway.site import open_site, settings_file
from schemas.wording import Language
from spool.journal import now

F = TypeVar("F", bound=Callable[..., Any])
_language = click.Choice([language.value for language in Language])


@dataclass(frozen=True, slots=True)
class Entry:
    """What a command line says of somebody to be entered; ``inss`` are the digits that were asked for."""

    username: str
    last_name: str
    first_name: str
    title: str
    language: str
    emails: tuple[str, ...]
    inss: str | None

    def candidate(self, connection: Connection, settings: Settings) -> Candidate:
        """The person, with the mark of the INSS instead of the INSS."""
        mark = None if self.inss is None else mark_of(connection, settings, self.inss)
        data = (self.username, self.last_name, self.first_name, self.title, self.language, self.emails)
        return Candidate(*data, inss_mark=mark)


def with_entry(function: F) -> F:
    """Add the options by which a new person is entered."""
    options = (
        click.option("--last-name", help="Of a new person: the last name."),
        click.option("--first-name", help="Of a new person: the first name."),
        click.option("--title", default="", help="Of a new person: how to address it."),
        click.option("--language", type=_language, default="fr", show_default=True, help="Of a new person."),
        click.option("--email", "emails", multiple=True, help="Of a new person: an e-mail address."),
        click.option("--ask-inss", is_flag=True, help="Of a new person: ask for the INSS, of which a mark is kept."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def entry_of(username: str, said: dict[str, Any]) -> Entry | None:
    """The new person that the options of :func:`with_entry` describe, or None if they speak of a known one."""
    last, first, asks = said["last_name"], said["first_name"], said["ask_inss"]
    if last is None and first is None:
        if asks or said["title"] or said["emails"]:
            raise click.UsageError("a new person needs --last-name and --first-name")
        return None
    if not last or not first:
        raise click.UsageError("a new person needs --last-name and --first-name")
    rest = (said["title"], said["language"], said["emails"])
    return Entry(username, last, first, *rest, inss=ask_inss() if asks else None)


def ask_inss() -> str:
    """An INSS, typed without being shown, or the line that comes in."""
    typed = click.prompt("INSS", hide_input=True, err=True)
    digits = inss.normal(typed)
    if digits is None:
        raise click.UsageError("this is no INSS")
    return digits


def mark_of(connection: Connection, settings: Settings, digits: str) -> str:
    """The mark of an INSS on this site."""
    return inss.mark(inss.key_of(connection, inss.key_file(settings)), digits)


def draw(settings: Settings, username: str) -> FirstPassword:
    """A first password by the rules of the site."""
    hashing = Hashing(hashing_limits(settings.accounts))
    return passwords.draw(username, hashing, settings.accounts, now())


def show_first(first: FirstPassword, settings: Settings) -> None:
    """Print a first password, this once."""
    click.echo(first.word)
    days = settings.accounts.first_password_days
    click.echo(f"To be changed within {days} days; send it apart from the user name.", err=True)


@click.group()
def person() -> None:
    """Show, change, block, unblock and delete persons."""


@person.command()
@click.argument("username")
@with_actor
@with_json
@with_config
def show(username: str, as_user: str | None, config: Path | None, *, as_json: bool) -> None:
    """Show USERNAME and its roles."""
    with looking(config) as (connection, _):
        known, held = granted(persons.see(connection, actor_of(as_user), username))
    row = {**facts(known), "roles": [words_of(item) for item in held]}
    print_rows([row], ("user", "last_name", "first_name", "language", "emails", "state", "roles"), as_json=as_json)


@person.command()
@click.argument("username")
@click.option("--language", type=_language, help="Another language.")
@click.option("--email", "emails", multiple=True, help="These e-mail addresses instead of those there are.")
@click.option("--last-name", help="Another last name; for operators.")
@click.option("--first-name", help="Another first name; for operators.")
@click.option("--title", help="Another title; for operators.")
@with_reason
@with_actor
@with_config
def edit(username: str, reason: str, as_user: str | None, config: Path | None, **said: Any) -> None:
    """Change data of USERNAME: one's own, or those of a user."""
    edits = Edits(**{**said, "emails": said["emails"] or None})
    with acting(config) as (connection, _):
        granted(persons.edit(connection, actor_of(as_user), username, edits, reason=reason))
    click.echo(f"Person {username} is changed.")


def _withdrawing(name: str, act: Callable[..., Any], words: str, purpose: str) -> None:
    """Add a command that decides about an account as a whole."""

    @person.command(name, help=purpose)
    @click.argument("username")
    @with_reason
    @with_actor
    @with_config
    def command(username: str, reason: str, as_user: str | None, config: Path | None) -> None:
        with acting(config) as (connection, _):
            granted(act(connection, actor_of(as_user), username, reason=reason))
        click.echo(f"Person {username} is {words}.")


_withdrawing("block", withdrawal.block, "blocked", "Let USERNAME do nothing any more; the roles stay.")
_withdrawing("unblock", withdrawal.unblock, "active", "Let USERNAME act again; after a loss, with a new password.")
_withdrawing("delete", withdrawal.delete, "deleted", "End all roles of USERNAME; the history stays.")
_withdrawing(
    "lost",
    withdrawal.report_lost,
    "reported lost, and can do nothing",
    "Report that what USERNAME logs in with is lost or misused: it is good for nothing from now on.",
)


@click.group()
def password() -> None:
    """Give persons first passwords, and change one's own."""


@password.command()
@click.argument("username")
@with_reason
@with_actor
@with_config
def give(username: str, reason: str, as_user: str | None, config: Path | None) -> None:
    """Give USERNAME a first password, shown here and never again; it has to be changed at its first use."""
    settings, journal = open_site(settings_file(config))
    first = draw(settings, username)
    with journal.write() as connection:
        granted(persons.give_password(connection, actor_of(as_user), username, first, reason=reason))
    show_first(first, settings)


@password.command()
@click.option("--as", "username", metavar="USER", required=True, help="Whose password: one's own.")
@with_config
def change(username: str, config: Path | None) -> None:
    """Choose another password; the old one and the new one are asked for."""
    old = click.prompt("Old password", hide_input=True, err=True)
    new = click.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
    settings, journal = open_site(settings_file(config))
    checks = Passwords(
        journal, Hashing(hashing_limits(settings.accounts)), settings.accounts, login_policy(settings.accounts).locks
    )
    chosen = checks.choose(Attempt(username, f"console {getpass.getuser()}", old), new)
    if chosen.kept is None:
        raise RefusedError(chosen.words or _REFUSED[chosen.answer])
    with journal.write() as connection:
        granted(persons.change_password(connection, actor_of(username), username, chosen.kept))
    click.echo("The password is changed.")


_REFUSED = {
    Answer.WRONG: "user name or password is wrong",
    Answer.LOCKED: "too many failures: try again later",
}


def facts(known: Registered) -> dict[str, Any]:
    """A person as it is listed."""
    return {
        "user": known.username,
        "enterprise": known.enterprise,
        "last_name": known.last_name,
        "first_name": known.first_name,
        "title": known.title,
        "language": known.language,
        "emails": list(known.emails),
        "state": known.state,
        "has_inss": known.has_inss,
        "since": when(known.created_at),
    }
