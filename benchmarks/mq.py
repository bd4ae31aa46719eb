"""How fast are messages sent and taken, beside what a bare client and the disk allow, and in how much memory?

    python -m benchmarks.mq [--quick]

starts a RabbitMQ of its own (Debian's rabbitmq-server, on the loopback) and measures in one run, the sides of each
comparison in turns:

- publishing with confirms onto a quorum queue, 2 KB each: at least 0.8 of what bare pika does with the same window
- from the queue into custody, acknowledged: sets a second, beside what the disk allows that syncs as much and no more
  (``benchmarks.custody``; ``benchmarks.flood`` takes a million)
- forwarding 10,000 and 100,000 declarations, each in a process of its own: the peak of memory may grow by a tenth

and exits with 1 if a limit is missed. ``--quick`` moves a tenth of it, with the same limits; all in ``TMPDIR``.
``--forwarded 1000000`` does the last alone, with so many waiting.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pika
import structlog
from pika.adapters.asyncio_connection import AsyncioConnection

from benchmarks.custody import taking
from benchmarks.forwarding import BODY
from channels.mq.connection import Brokers, connection_parameters
from channels.mq.messages import OutgoingMessage
from channels.mq.publisher import Destination, Outcome, Publisher, open_publisher
from channels.mq.topology import routing
from config.messages import Routing
from tests.broker import running_broker

MIN_PUBLISHING = 0.8
MAX_GROWTH = 1.1

_WINDOW: Final = 200
_TURNS: Final = 5


@dataclass(frozen=True, slots=True)
class Size:
    """Messages to publish in a turn, sets to take in a turn, declarations to forward."""

    published: int
    taken: int
    forwarded: tuple[int, int]


FULL = Size(published=20_000, taken=2000, forwarded=(10_000, 100_000))
QUICK = Size(published=2000, taken=200, forwarded=(1000, 10_000))


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the report; ``is_met`` says whether the limit holds."""

    text: str
    is_met: bool = True


# --- publishing


class Bare:
    """pika as its documentation uses it: the next message is sent when a confirm makes room for it."""

    def __init__(self, parameters: pika.ConnectionParameters) -> None:
        self._opened = asyncio.get_running_loop().create_future()
        self._connection = AsyncioConnection(parameters, self._on_open)
        self._sent = self._confirmed = self._count = 0
        self._exchange = ""
        self._done: asyncio.Future[None] | None = None
        self._channel: Any = None

    def _on_open(self, connection: Any) -> None:
        connection.channel(on_open_callback=self._on_channel)

    def _on_channel(self, channel: Any) -> None:
        self._channel = channel
        channel.confirm_delivery(self._on_confirm, callback=lambda _: self._opened.set_result(None))

    def _on_confirm(self, frame: Any) -> None:
        # Tags count on over all turns, and so do these.
        if frame.method.multiple:
            self._confirmed = frame.method.delivery_tag
        else:
            self._confirmed += 1
        self._fill()
        if self._confirmed >= self._count and self._done is not None and not self._done.done():
            self._done.set_result(None)

    def _fill(self) -> None:
        while self._sent < self._count and self._sent - self._confirmed < _WINDOW:
            self._sent += 1
            properties = pika.BasicProperties(
                content_type="application/xml",
                delivery_mode=2,
                headers=_headers(self._sent),
                message_id=f"0123456789ABC-{self._sent:06d}",
            )
            self._channel.basic_publish(self._exchange, "R.DIMN.DIMONA", BODY, properties, mandatory=True)

    async def publish(self, exchange: str, count: int) -> None:
        """Send so many messages; return when the last is confirmed."""
        await self._opened
        self._exchange = exchange
        self._count += count
        self._done = asyncio.get_running_loop().create_future()
        self._fill()
        await self._done

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def _headers(number: int) -> dict[str, str | int]:
    return {"ticket": "0123456789ABC", "form": number, "forms": 3, "sender": "123456", "message_type": "DIMN"}


async def publishing(url: str, size: Size) -> Result:
    """Ours beside bare pika, in turns."""
    name = "published"
    made = routing(Routing(exchange=name, queue=name, alternate=""))
    brokers = Brokers((connection_parameters(url),))
    async with open_publisher(Destination(brokers, made, window=_WINDOW)) as publisher:
        await publisher.wait_connected()
        bare = Bare(brokers.addresses[0])
        ours, theirs = await _in_turns(
            [lambda: _publish(publisher, name, size.published), lambda: bare.publish(name, size.published)],
            lambda: _purge(url, name),
        )
        bare.close()
    share = theirs / ours
    text = (
        f"publish with confirms: {size.published / ours:,.0f}/s, bare pika {size.published / theirs:,.0f}/s: "
        f"{share:.2f} of it (limit {MIN_PUBLISHING})"
    )
    return Result(text, share >= MIN_PUBLISHING)


async def _publish(publisher: Publisher, exchange: str, count: int) -> None:
    failed: list[Outcome] = []

    def settled(_place: int, outcome: Outcome) -> None:
        if outcome is not None:
            failed.append(outcome)

    await publisher.publish_all(_messages(exchange, count), settled)
    if failed:
        raise SystemExit(f"{len(failed)} messages failed: {failed[0]}")


def _messages(exchange: str, count: int) -> Iterator[OutgoingMessage]:
    for number in range(1, count + 1):
        message_id = f"0123456789ABC-{number:06d}"
        yield OutgoingMessage(exchange, "R.DIMN.DIMONA", message_id, BODY, _headers(number))


def _purge(url: str, queue: str) -> None:
    own = pika.BlockingConnection(pika.URLParameters(url))
    own.channel().queue_purge(queue)
    own.close()


async def _in_turns(works: list[Callable[[], Awaitable[None]]], between: Callable[[], None]) -> list[float]:
    """The medians of the seconds that each takes; the first turn warms up."""
    taken: list[list[float]] = [[] for _ in works]
    for turn in range(_TURNS + 1):
        for work, seconds in zip(works, taken, strict=True):
            start = time.perf_counter()
            await work()
            if turn:
                seconds.append(time.perf_counter() - start)
            await asyncio.to_thread(between)
    return [statistics.median(seconds) for seconds in taken]


# --- forwarding


def forwarding(url: str, size: Size) -> Result:
    """The peaks of two processes that forward few and many declarations."""
    found = {}
    for count in size.forwarded:
        command = [sys.executable, "-m", "benchmarks.forwarding", url, f"forwarded.{count}", str(count)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - ourselves
        found[count] = json.loads(done.stdout)
    few, many = (found[count]["peak"] for count in size.forwarded)
    told = ", ".join(
        f"{count:,} declarations {count / facts['seconds']:,.0f}/s, peak {facts['peak'] / 1e6:.1f} MB"
        for count, facts in found.items()
    )
    return Result(f"forwarding: {told}: {many / few:.2f} times (limit {MAX_GROWTH})", many / few <= MAX_GROWTH)


def measure(folder: Path, size: Size, *, forwards_only: bool = False) -> Iterator[Result]:
    """Everything, one after the other, or forwarding alone."""
    with running_broker(folder / "broker") as broker:
        if not forwards_only:
            yield asyncio.run(publishing(broker.url, size))
            yield Result(asyncio.run(taking(broker.url, size.taken, folder)))
        yield forwarding(broker.url, size)


def main() -> int:
    """Measure, print, and answer the exit status."""
    parser = argparse.ArgumentParser(description="Speed and memory of messages.")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--forwarded", type=int, metavar="COUNT", help="only forward, a hundredth of COUNT and COUNT")
    words = parser.parse_args()
    size = QUICK if words.quick else FULL
    if words.forwarded is not None:
        size = replace(size, forwarded=(words.forwarded // 100, words.forwarded))
    structlog.configure(processors=[_drop])
    met = True
    with tempfile.TemporaryDirectory() as folder:
        for result in measure(Path(folder), size, forwards_only=words.forwarded is not None):
            sys.stdout.write(f"{'ok  ' if result.is_met else 'MISS'} {result.text}\n")
            sys.stdout.flush()
            met &= result.is_met
    return 0 if met else 1


def _drop(*_line: object) -> dict[str, object]:
    raise structlog.DropEvent


if __name__ == "__main__":
    sys.exit(main())
