"""``gateway sender sources`` and ``login``: from where a sender's users log in, and what is tolerated of them.

What is changed here holds within a second, also for who is logged in.
"""

from pathlib import Path

import click

from channels.sources import read_network
from gateway import accounts
from gateway.accounts import LOGIN_LENIENCIES
from gateway.cli.certificates import SenderNumber
from gateway.cli.changing import changing, with_note, write_down
from gateway.cli.output import with_config


@click.command()
@click.argument("number", type=SenderNumber())
@click.argument("networks", nargs=-1, metavar="[NETWORK]...")
@click.option("--any", "anywhere", is_flag=True, help="From everywhere.")
@with_note
@with_config
def sources(number: str, networks: tuple[str, ...], reason: str, config: Path | None, *, anywhere: bool) -> None:
    """Say from where sender NUMBER may log in: addresses, or networks such as 192.0.2.0/24 and 2001:db8::/48."""
    if bool(networks) == anywhere:
        raise click.UsageError("name networks, or --any")
    try:
        wanted = [read_network(network) for network in networks]
    except ValueError as fault:
        raise click.UsageError(str(fault)) from fault
    with changing(config) as (connection, _):
        accounts.set_sources(connection, number, wanted)
        write_down(connection, "sender.sources", f"sender:{number}", reason, {"sources": wanted})
    click.echo(f"Sender {number} may log in from {', '.join(wanted) or 'everywhere'}.")


@click.command("login")
@click.argument("number", type=SenderNumber())
@click.option("--tolerate", "wanted", multiple=True, type=click.Choice([*LOGIN_LENIENCIES, "none"]), required=True)
@with_note
@with_config
def login(number: str, wanted: tuple[str, ...], reason: str, config: Path | None) -> None:
    """Say what is tolerated of the log-ins of sender NUMBER: ssh-rsa, signatures with SHA-1 by old clients."""
    leniencies = [word for word in wanted if word != "none"]
    with changing(config) as (connection, _):
        accounts.set_login_leniencies(connection, number, leniencies)
        write_down(connection, "sender.login", f"sender:{number}", reason, {"tolerated": leniencies})
    click.echo(f"Sender {number}: {', '.join(leniencies) or 'nothing'} is tolerated of its log-ins.")
