"""``gateway answer``: an answer that its sender has lost."""

import getpass
from pathlib import Path

import click

from gateway.cli.acting import acting, with_reason
from gateway.cli.output import RefusedError, with_config
from gateway.holding import word_of
from gateway.register.actor import Operator
from gateway.register.history import record
from spool.answers import AnswerName
from spool.outbox import Outbox
from spool.retention import NotAnsweredError, NotKeptError, place_again


@click.group(short_help="Give an answer again.")
def answer() -> None:
    """What was answered."""


@answer.command()
@click.argument("ticket")
@with_reason
@with_config
def again(ticket: str, reason: str, config: Path | None) -> None:
    """Give the answers to TICKET again, by the channel that they were given by: the same bytes under the same names.

    What was put into OUT or an e-Box is there again; what was published is published again, under the same message id.
    TICKET may be that of an institution's message, too. A sender can do without this: the names of its answers stand in
    STATUS/<ticket>.json and can be fetched from STATUS.
    """
    who = Operator(getpass.getuser())
    try:
        with acting(config) as (connection, settings):
            names = place_again(connection, Outbox(settings.spool.path / "answers"), ticket, word_of(who, reason))
            record(connection, who, "answer.asked_again", f"ticket:{ticket}", reason, None, None)
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
