"""Does a flood of small messages pass through the door without loss, in memory that does not grow?

    python -m benchmarks.flood [--count 1000000]

starts a RabbitMQ of its own and publishes so many small declarations into ``batch.in``, from a process of its own and
with confirms, while the door takes them into custody.  Nothing may be missing in the journal or left in the queue, and
the memory of the process with the door may grow by a tenth at most after the first tenth.  Exits with 1 otherwise.
What a message costs that process is told too: on a machine that others use it says more than the time that passed.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pika
import structlog
from sqlalchemy import text

from benchmarks.custody import fill_queue, make_taking_site, take
from channels.mq.connection import connection_parameters
from channels.mq.declaring import administering
from channels.mq.topology import door, in_queue
from config.messages import Mq
from spool.journal import open_journal
from tests.broker import running_broker
from tests.gateway_process import Site

MAX_GROWTH: Final = 1.1

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BODY: Final = b"<small/>"
_TENTHS: Final = 10


def sequences(count: int) -> Iterator[str]:
    """So many different sequences of names of files: five digits or capitals."""
    for number in range(1, count + 1):
        digits = []
        for _ in range(5):
            number, digit = divmod(number, len(_DIGITS))  # noqa: PLW2901 - what is left of it
            digits.append(_DIGITS[digit])
        yield "".join(reversed(digits))


def resident() -> int:
    """The memory of this process now, in bytes."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


def flood(url: str, site: Site, count: int) -> bool:
    """Publish and take ``count`` messages; whether all is well, after saying how it went."""
    with administering([connection_parameters(url)]) as administration:
        list(administration.declare(door(Mq())))
    sizes: list[int] = []
    start, spent = time.perf_counter(), time.process_time()

    def counted(taken: int) -> None:
        if taken % max(1, count // _TENTHS) == 0:
            sizes.append(resident())
            minutes = (time.perf_counter() - start) / 60
            sys.stdout.write(f"     {taken:,} after {minutes:.1f} min: {sizes[-1] / 1e6:.1f} MB\n")
            sys.stdout.flush()

    command = [sys.executable, "-m", "benchmarks.flood", "--publish-to", url, "--count", str(count)]
    with subprocess.Popen(command) as publishing:  # noqa: S603 - ourselves
        seconds = asyncio.run(take(url, site, count, counted))
        cost = (time.process_time() - spent) / count
    journal = open_journal(site.settings.journal.place)
    with journal.read() as connection:
        found = connection.execute(text("SELECT count(*) FROM submissions WHERE channel = 'mq'")).scalar_one()
    journal.close()
    left = _waiting(url)
    growth = max(sizes) / sizes[0]
    is_well = publishing.returncode == 0 and found == count and not left and growth <= MAX_GROWTH
    told = (
        f"{count:,} messages in {seconds:.0f} s, {count / seconds:,.0f}/s, {cost * 1e3:.2f} ms of processor each; "
        f"{found:,} in custody, {left} left"
    )
    memory = f"{sizes[0] / 1e6:.1f} MB after a tenth, at most {max(sizes) / 1e6:.1f} MB: {growth:.2f} times"
    sys.stdout.write(f"{'ok  ' if is_well else 'MISS'} {told}; {memory} (limit {MAX_GROWTH})\n")
    return is_well


def _waiting(url: str) -> int:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    queue = in_queue(Mq().exchange, "R")
    count: int = connection.channel().queue_declare(queue, passive=True).method.message_count
    connection.close()
    return count


def main() -> int:
    """Flood, print, and answer the exit status."""
    parser = argparse.ArgumentParser(description="A flood of small messages through the door.")
    parser.add_argument("--count", type=int, default=1_000_000, help="how many messages")
    parser.add_argument("--publish-to", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    structlog.configure(processors=[_drop])
    if arguments.publish_to:
        asyncio.run(fill_queue(arguments.publish_to, Mq(), sequences(arguments.count), _BODY))
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_broker(folder / "broker") as broker:
            return 0 if flood(broker.url, make_taking_site(broker.url, folder), arguments.count) else 1


def _drop(*_line: object) -> dict[str, object]:
    raise structlog.DropEvent


if __name__ == "__main__":
    sys.exit(main())
