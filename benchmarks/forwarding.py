"""Forwarding so many declarations to a broker, in a process of its own; what it took is printed as JSON.

    python -m benchmarks.forwarding URL EXCHANGE COUNT

Part of ``benchmarks.mq``: memory is that of this process, as the kernel knows it at its end.
"""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import structlog

from channels.mq.connection import Brokers, connection_parameters
from channels.mq.publisher import Destination, open_publisher
from channels.mq.topology import routing
from config.messages import Routing
from gateway.breaker import Patience
from gateway.forward import Forwarder
from gateway.routing_queues import BrokerQueue
from spool import declarations, effects, submissions
from spool.declarations import Backlog
from spool.effects import Kind
from spool.journal import Journal, open_journal
from spool.submissions import Ruling, State, Submission

BODY: Final = b"<?xml version='1.0' encoding='UTF-8'?><Dimona>" + b"x" * 1990 + b"</Dimona>"
"""About as long as a declaration is."""

_FORMS: Final = 100  # of one file


def plan(journal: Journal, spool: Path, exchange: str, count: int) -> None:
    """Accepted submissions with ``count`` declarations that are still to be forwarded."""
    for number in range(count // _FORMS):
        ticket = f"{number:013d}"
        with declarations.writing(spool / "declarations" / ticket) as writer:
            for _ in range(_FORMS):
                writer.append(BODY)
        name = "GO.DIMN.123456.20261121.00001.R.1"
        facts = [
            {
                "offset": offset,
                "length": length,
                "exchange": exchange,
                "routing_key": "R.DIMN.DIMONA",
                "headers": {"ticket": ticket, "form": form, "forms": _FORMS, "sender": "123456"},
            }
            for form, (offset, length) in enumerate(writer.spans, 1)
        ]
        with journal.write() as connection:
            submissions.add(
                connection, Submission(ticket, 1, "sftp", "123456", "u", "IN", name, name[3:-2], "", State.RECEIVED, 0)
            )
            submissions.settle(connection, ticket, Ruling(State.ACCEPTED))
            effects.plan(connection, ticket, Kind.FORWARD, facts)


async def forward(url: str, exchange: str, count: int, folder: Path) -> float:
    """Forward ``count`` declarations; the seconds that it took."""
    journal = open_journal(folder / "journal.sqlite3", create=True)
    plan(journal, folder, exchange, count)
    made = routing(Routing(exchange=exchange, queue=exchange, alternate=""))
    async with open_publisher(Destination(Brokers((connection_parameters(url),)), made)) as publisher:
        await publisher.wait_connected()
        queue = BrokerQueue(journal, publisher, exchange)
        backlog = Backlog(folder / "declarations", 10**12)
        start = time.perf_counter()
        await Forwarder(journal, queue, folder, Patience(5.0, 900.0, 8), backlog).turn()
        seconds = time.perf_counter() - start
    with journal.read() as connection:
        if effects.due(connection, Kind.FORWARD, 2**62, 1):
            raise SystemExit("not everything was forwarded")
    journal.close()
    return seconds


def peak() -> int:
    """The most bytes of memory that this process ever held."""
    status = Path("/proc/self/status").read_text("ascii")
    held = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(held.split()[1]) * 1024


def main(url: str, exchange: str, count: str) -> None:
    """Forward, and print."""
    structlog.configure(processors=[_drop])
    with tempfile.TemporaryDirectory() as folder:
        seconds = asyncio.run(forward(url, exchange, int(count), Path(folder)))
    sys.stdout.write(json.dumps({"seconds": seconds, "peak": peak()}))


def _drop(*_line: object) -> dict[str, object]:
    raise structlog.DropEvent


if __name__ == "__main__":
    main(*sys.argv[1:])
