"""``gateway ebox``: the mailbox of a quality, for an operator or, with ``--as``, for those who manage the quality.

The table of rights has no row for it; who chooses that messages go to the e-Box, the GL and Co-GLs, reads it too.
"""

import sys
from pathlib import Path
from typing import Any

import click
from sqlalchemy.engine import Connection

from gateway.cli.acting import acting, actor_of, granted, looking, with_actor, with_reason
from gateway.cli.output import RefusedError, print_rows, when, with_config, with_json
from gateway.register import enterprises
from gateway.register.actor import Actor, Operator, label, unknown_quality
from gateway.register.enterprises import quality_for
from gateway.register.history import record
from gateway.register.rights import Act
from spool import ebox as boxes
from spool.answers import file_names, stem_of
from spool.ebox import Letter
from spool.outbox import answer_files


@click.group(short_help="List, read and remove messages of an e-Box.")
def ebox() -> None:
    """The e-Box of a quality: messages that aren't sent over a channel of its own.

    Its senders read it by SFTP too, in the directory EBOX.
    """


@ebox.command("list")
@click.argument("quality", type=int)
@click.option("--removed", is_flag=True, help="Those that were removed too.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="So many at most.")
@with_json
@with_actor
@with_config
def list_messages(
    quality: int, limit: int, config: Path | None, as_user: str | None, *, removed: bool, as_json: bool
) -> None:
    """List the messages in the e-Box of QUALITY (its number), oldest first."""
    with looking(config) as (connection, _):
        _check(connection, actor_of(as_user), quality)
        rows = [_facts(letter) for letter in boxes.letters(connection, quality, limit, removed=removed)]
    print_rows(rows, ("file", "environment", "ticket", "bytes", "placed", "read", "removed"), as_json=as_json)


@ebox.command()
@click.argument("quality", type=int)
@click.argument("file")
@with_actor
@with_config
def get(quality: int, file: str, config: Path | None, as_user: str | None) -> None:
    """Write FILE (FO, CO, FS or GO by its name) from the e-Box of QUALITY to the output; also one that was removed.

    It stands in the timeline of its ticket. What the quality reads itself (--as) counts as read, what an operator reads
    doesn't.
    """
    who = actor_of(as_user)
    with acting(config) as (connection, _):
        letter = _found(connection, who, quality, file)
        data = dict(answer_files(boxes.load(connection, letter)))[file]
        boxes.read(connection, letter, file, by=label(who), counts=as_user is not None)
    sys.stdout.buffer.write(data)
    sys.stdout.flush()


@ebox.command()
@click.argument("quality", type=int)
@click.argument("file")
@with_reason
@with_actor
@with_config
def remove(quality: int, file: str, config: Path | None, as_user: str | None, reason: str) -> None:
    """Remove the message that FILE belongs to from the e-Box of QUALITY; `gateway answer again` brings it back."""
    who = actor_of(as_user)
    with acting(config) as (connection, _):
        letter = _found(connection, who, quality, file)
        if not boxes.remove(connection, letter, by=label(who)):
            raise RefusedError(f"{letter.file_name} was removed already")
        record(connection, who, boxes.REMOVED, f"quality:{quality}", reason, {"file": letter.file_name}, None)
    click.echo(f"{letter.file_name} is out of the e-Box of quality {quality}.")


def _check(connection: Connection, who: Actor, quality: int) -> None:
    """Refuse whoever may not read the e-Box of ``quality``; an operator may when it is closed, too."""
    if isinstance(who, Operator):
        granted(enterprises.quality(connection, quality) or unknown_quality(quality))
    else:
        granted(quality_for(connection, who, Act.CHOOSE_ROUTING, quality))


def _found(connection: Connection, who: Actor, quality: int, file: str) -> Letter:
    _check(connection, who, quality)
    letter = boxes.find(connection, stem_of(file), quality)
    if letter is None or file not in file_names(letter.prefix, letter.stem):
        raise RefusedError(f"there is no {file} in the e-Box of quality {quality}")
    return letter


def _facts(letter: Letter) -> dict[str, Any]:
    return {
        "file": letter.file_name,
        "environment": letter.environment,
        "ticket": letter.ticket,
        "bytes": letter.size,
        "placed": when(letter.placed_at),
        "read": when(letter.read_at),
        "removed": when(letter.removed_at),
    }
