"""``gateway disclosures``: who exchanged data about a person, for the privacy officer."""

import sys
from dataclasses import asdict
from pathlib import Path

import click

from gateway.cli.acting import actor_of
from gateway.cli.output import print_rows, when, with_config, with_json
from gateway.register import disclosures as register
from gateway.register import inss
from gateway.site import open_site, settings_file

_COLUMNS = ("at", "sent_by", "message_type", "environment", "ticket", "form", "forwarded_to", "state", "forwarded_at")
_LONGEST_LINE = 64


@click.command(short_help="List who exchanged data about a person.")
@click.option("--inss", "given", metavar="NUMBER", help="The person's number; better typed in or piped in, see above.")
@click.option("--reason", required=True, metavar="WORDS", help="Why it is asked, for the history.")
@with_json
@with_config
def disclosures(given: str | None, reason: str, config: Path | None, *, as_json: bool) -> None:
    """List every exchange that concerned a person: when, who sent what, and where it was forwarded.

    The person's INSS is asked for, or read from a pipe: everybody on the machine can see what --inss says, and a shell
    may keep it. Each question is written down in the history, with its reason.
    """
    if not reason.strip():
        raise click.UsageError("--reason says why it is asked")
    number = inss.normal(_asked() if given is None else given)
    if given is not None:
        click.echo("gateway: a number after --inss stands in the list of processes; leave it out to be asked", err=True)
    if number is None:
        raise click.UsageError("this is no INSS: it has eleven digits, of which the last two check the others")
    settings, journal = open_site(settings_file(config))
    with journal.write() as connection:
        key = inss.key_of(connection, inss.key_file(settings))
        found = register.ask(connection, actor_of(None), inss.mark(key, number), reason=reason.strip())
    rows = [asdict(item) | {"at": when(item.at), "forwarded_at": when(item.forwarded_at)} for item in found]
    print_rows(rows, _COLUMNS, as_json=as_json)


def _asked() -> str:
    if sys.stdin.isatty():
        answer: str = click.prompt("INSS", hide_input=True)
        return answer
    return sys.stdin.readline(_LONGEST_LINE)
