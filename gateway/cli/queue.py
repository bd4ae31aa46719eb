"""``gateway queue``: the embedded routing queue."""

import base64
import sys
from pathlib import Path
from typing import Any

import click

from gateway.cli.output import print_json, print_rows, when, with_config, with_json
from gateway.site import open_site, settings_file
from spool import routing_queue
from spool.routing_queue import QueuedMessage


@click.group(short_help="List and take what is on the embedded queue.")
def queue() -> None:
    """List and take the messages of the embedded routing queue."""


@queue.command("list")
@click.option("--ticket", help="Only the declarations of this ticket.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="So many at most.")
@with_json
@with_config
def list_messages(ticket: str | None, limit: int, config: Path | None, *, as_json: bool) -> None:
    """List the messages that wait, oldest first, without their bodies."""
    _, journal = open_site(settings_file(config))
    with journal.read() as connection:
        rows = [_facts(message) for message in routing_queue.waiting(connection, limit, ticket=ticket)]
    print_rows(rows, ("message_id", "queued", "routing_key", "sender", "file", "bytes"), as_json=as_json)


@queue.command()
@click.option("--count", type=click.IntRange(1, 1000), default=1, show_default=True, help="So many at most.")
@with_json
@with_config
def take(count: int, config: Path | None, *, as_json: bool) -> None:
    """Take the oldest messages off the queue and print their bodies."""
    _, journal = open_site(settings_file(config))
    with journal.read() as connection:
        messages = routing_queue.waiting(connection, count)
    # Printed first, in no transaction: a reader that breaks off gets the same messages again, under the same ids, and
    # one that stalls holds nobody up.
    if as_json:
        print_json([_facts(message) | _body(message) for message in messages])
    else:
        for message in messages:
            sys.stdout.buffer.write(message.message.body + b"\n")
    sys.stdout.flush()
    with journal.write() as connection:
        routing_queue.take(connection, messages)


def _body(message: QueuedMessage) -> dict[str, str]:
    """The body as text, or in base64 where it is a file that is written in another encoding than UTF-8."""
    try:
        return {"body": message.message.body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(message.message.body).decode("ascii")}


def _facts(message: QueuedMessage) -> dict[str, Any]:
    return {
        "message_id": message.message.message_id,
        "queued": when(message.queued_at),
        "exchange": message.message.exchange or None,
        "routing_key": message.message.routing_key,
        **message.message.headers,
        "bytes": len(message.message.body),
    }
