"""``gateway party``: enterprises, the persons and technical users who act for them, and what each of them may do.

Every act is judged where it is done, in ``gateway.register``; here it is only asked for, by an operator or in the name
of a person.
"""

from pathlib import Path
from typing import Any

import click

from gateway.cli import party_persons, party_roles, party_technical
from gateway.cli.acting import EnterpriseNumber, acting, actor_of, granted, looking, with_actor, with_reason, words_of
from gateway.cli.bulk import export_register, import_register
from gateway.cli.output import RefusedError, print_json, print_rows, when, with_config, with_json
from gateway.register import enterprises, search, withdrawal
from gateway.register.enterprises import Kind, Quality

_kind = click.Choice([kind.value for kind in Kind])


@click.group()
def party() -> None:
    """Register enterprises and who acts for them: roles, accounts.

    With --as USER a command is judged by the rights of that person; without it, it is an operator's, who may do
    everything. Every change needs a --reason, and stands in `gateway party history`.
    """


@party.group()
def enterprise() -> None:
    """Enter, list and show enterprises."""


@enterprise.command()
@click.argument("number", type=EnterpriseNumber())
@click.argument("name")
@with_reason
@with_actor
@with_config
def add(number: str, name: str, reason: str, as_user: str | None, config: Path | None) -> None:
    """Enter enterprise NUMBER, or give it another NAME."""
    with acting(config) as (connection, _):
        entered = granted(enterprises.register_enterprise(connection, actor_of(as_user), number, name, reason=reason))
    click.echo(f"Enterprise {entered.number}: {entered.name}.")


@enterprise.command("list")
@with_json
@with_config
def list_enterprises(config: Path | None, *, as_json: bool) -> None:
    """List every enterprise; for operators."""
    with looking(config) as (connection, _):
        rows = [
            {"number": item.number, "name": item.name, "since": when(item.created_at)}
            for item in enterprises.all_enterprises(connection)
        ]
    print_rows(rows, ("number", "name", "since"), as_json=as_json)


@enterprise.command()
@click.argument("number", type=EnterpriseNumber())
@with_actor
@with_json
@with_config
def show(number: str, as_user: str | None, config: Path | None, *, as_json: bool) -> None:
    """Show enterprise NUMBER: its qualities, who holds which role, and its technical users."""
    with looking(config) as (connection, _):
        details = granted(search.see_enterprise(connection, actor_of(as_user), number))
    qualities = [_quality_facts(item) for item in details.qualities]
    roles = [party_roles.facts(item) for item in details.roles]
    technical = [party_technical.facts(item) for item in details.technical]
    if as_json:
        known = details.enterprise
        of = {"number": known.number, "name": known.name, "since": when(known.created_at)}
        print_json({**of, "qualities": qualities, "roles": roles, "technical_users": technical})
        return
    click.echo(f"{details.enterprise.number}  {details.enterprise.name}\n")
    print_rows(qualities, ("quality", "kind", "registration", "state"), as_json=False)
    print_rows(roles, ("user", "role", "quality", "applications", "given_by"), as_json=False)
    print_rows(technical, ("user", "quality", "sender", "state"), as_json=False)


@party.group()
def quality() -> None:
    """Announce, activate and close the qualities of enterprises."""


@quality.command()
@click.argument("number", type=EnterpriseNumber())
@click.argument("kind", type=_kind)
@click.argument("registration", default="")
@with_reason
@with_actor
@with_config
def announce(number: str, kind: str, registration: str, reason: str, as_user: str | None, config: Path | None) -> None:
    """Say that the network's registers give enterprise NUMBER a quality, which it may activate from then on.

    Employers need their REGISTRATION (ONSS, or that of provincial and local employers); secretariats are announced
    too, because they are approved.
    """
    with acting(config) as (connection, _):
        act = enterprises.announce_quality
        entered = granted(act(connection, actor_of(as_user), number, Kind(kind), registration, reason=reason))
    click.echo(_said(entered))


@quality.command()
@click.argument("number", type=EnterpriseNumber())
@click.argument("kind", type=_kind)
@click.argument("registration", default="")
@with_reason
@with_actor
@with_config
def activate(number: str, kind: str, registration: str, reason: str, as_user: str | None, config: Path | None) -> None:
    """Let enterprise NUMBER act in a quality; employers name their REGISTRATION."""
    with acting(config) as (connection, _):
        act = enterprises.activate_quality
        entered = granted(act(connection, actor_of(as_user), number, Kind(kind), registration, reason=reason))
    click.echo(_said(entered))


@quality.command()
@click.argument("number", type=int)
@with_reason
@with_actor
@with_config
def close(number: int, reason: str, as_user: str | None, config: Path | None) -> None:
    """Let nobody act in quality NUMBER any more: its roles and its technical user end."""
    with acting(config) as (connection, _):
        closed = granted(withdrawal.close_quality(connection, actor_of(as_user), number, reason=reason))
    click.echo(_said(closed))


@party.command()
@click.argument("number", type=EnterpriseNumber())
@click.option("--limit", type=click.IntRange(1, 100_000), default=search.MOST, show_default=True, help="So many.")
@with_actor
@with_json
@with_config
def history(number: str, limit: int, as_user: str | None, config: Path | None, *, as_json: bool) -> None:
    """Show what was changed of enterprise NUMBER and its people: who, when, why, from what to what; newest first."""
    with looking(config) as (connection, _):
        found = granted(search.see_changes(connection, actor_of(as_user), number, limit))
    rows = [
        {
            "at": when(item.at),
            "actor": item.actor,
            "act": item.act,
            "subject": item.subject,
            "reason": item.reason,
            "before": item.before,
            "after": item.after,
        }
        for item in found
    ]
    print_rows(rows, ("at", "actor", "act", "subject", "reason"), as_json=as_json)


@party.command("search")
@click.option("--quality", type=int, help="Who holds a role in this quality.")
@click.option("--user", "username", help="The user name.")
@click.option("--last-name", help="Part of the last name.")
@click.option("--first-name", help="Part of the first name.")
@click.option("--title", help="Part of the title.")
@click.option("--ask-inss", is_flag=True, help="Ask for an INSS, which is not shown.")
@click.option("--language", help="The language.")
@click.option("--email", help="Part of an e-mail address.")
@click.option("--state", type=click.Choice(["active", "blocked", "lost", "deleted"]), help="The state of the account.")
@click.option("--application", help="With --quality: who has access to this application.")
@with_actor
@with_json
@with_config
def search_persons(as_user: str | None, config: Path | None, *, ask_inss: bool, as_json: bool, **criteria: Any) -> None:
    """Find persons by whatever is said of them; without an option, everybody whom the actor may see."""
    asked = party_persons.ask_inss() if ask_inss else None
    with looking(config) as (connection, settings):
        mark = None if asked is None else party_persons.mark_of(connection, settings, asked)
        wanted = search.Criteria(**criteria, inss_mark=mark)
        found = granted(search.search(connection, actor_of(as_user), wanted))
    rows = [{**party_persons.facts(item.person), "roles": [words_of(role) for role in item.roles]} for item in found]
    print_rows(rows, ("user", "last_name", "first_name", "language", "state", "roles"), as_json=as_json)
    if len(found) == search.MOST:
        raise RefusedError(f"only the first {search.MOST} are shown")


def _quality_facts(known: Quality) -> dict[str, Any]:
    return {
        "quality": known.number,
        "kind": known.kind.value,
        "registration": known.registration,
        "state": _STATES[known.state],
    }


def _said(known: Quality) -> str:
    carried = f" {known.registration}" if known.registration else ""
    of = f"{known.kind}{carried} of enterprise {known.enterprise}"
    return f"Quality {known.number}: {of} is {_STATES[known.state]}."


_STATES = {
    enterprises.State.ANNOUNCED: "announced",
    enterprises.State.ACTIVE: "active",
    enterprises.State.CLOSED: "closed",
}

party.add_command(party_persons.person)
party.add_command(party_persons.password)
party.add_command(party_technical.technical)
for command in party_roles.COMMANDS:
    party.add_command(command)
party.add_command(import_register)
party.add_command(export_register)
