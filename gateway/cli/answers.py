"""``gateway answer``: an answer that its sender has lost."""

from pathlib import Path

import click

from gateway.cli.output import RefusedError, with_config
from gateway.site import open_site, settings_file
from spool.outbox import Outbox
from spool.retention import NotAnsweredError, place_again


@click.group(short_help="Give an answer again.")
def answer() -> None:
    """What was answered."""


@answer.command()
@click.argument("ticket")
@with_config
def again(ticket: str, config: Path | None) -> None:
    """Put the answers to TICKET back into their sender's directory, the same bytes under the same names.

    A sender can do without this: the names of its answers stand in STATUS/<ticket>.json and can be fetched from STATUS.
    """
    settings, journal = open_site(settings_file(config))
    outbox = Outbox(settings.spool.path / "answers")
    try:
        with journal.write() as connection:
            names = place_again(connection, outbox, ticket)
    except NotAnsweredError:
        raise RefusedError(f"no answer to {ticket} was placed yet") from None
    for name in names:
        click.echo(f"{name.file_name} will be in {name.mailbox.directory} of {name.mailbox.sender} in a moment.")
