"""``gateway answer``: an answer that its sender has lost."""

from pathlib import Path

import click

from gateway.cli.output import RefusedError, with_config
from gateway.site import open_site, settings_file
from spool.answers import AnswerName
from spool.outbox import Outbox
from spool.retention import NotAnsweredError, NotKeptError, place_again


@click.group(short_help="Give an answer again.")
def answer() -> None:
    """What was answered."""


@answer.command()
@click.argument("ticket")
@with_config
def again(ticket: str, config: Path | None) -> None:
    """Give the answers to TICKET again, by the channel that they were given by: the same bytes under the same names.

    What was put into OUT or an e-Box is there again; what was published is published again, under the same message id.
    TICKET may be that of an institution's message, too. A sender can do without this: the names of its answers stand in
    STATUS/<ticket>.json and can be fetched from STATUS.
    """
    settings, journal = open_site(settings_file(config))
    outbox = Outbox(settings.spool.path / "answers")
    try:
        with journal.write() as connection:
            names = place_again(connection, outbox, ticket)
    except NotAnsweredError:
        raise RefusedError(f"no answer to {ticket} was given yet") from None
    except NotKeptError:
        raise RefusedError(f"the answers to {ticket} are kept no longer; see `gateway show {ticket}`") from None
    for name in names:
        click.echo(f"{name.file_name} {_where(name, settings.mq.answers)}.")


def _where(name: AnswerName, exchange: str) -> str:
    if name.channel == "ebox":
        return "is in the e-Box"
    if name.channel == "mq":
        return f"will be published to {exchange} for {name.mailbox.sender} in a moment"
    return f"will be in {name.mailbox.directory} of {name.mailbox.sender} in a moment"
