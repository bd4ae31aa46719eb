"""Which messages of a channel is the broker told of as taken?  Many by one word, where nothing open stands before them.

An acknowledgement of several covers every message up to its number, so one that is still in hand, or that we want back,
must never stand before that number.

Source: AMQP 0-9-1, basic.ack: ``multiple``.
"""

import asyncio
from typing import Any


class Acknowledgements:
    """Those of one channel; what is taken in one turn of the loop is acknowledged at its end.

    Args:
        channel: pika's.
    """

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._open: dict[int, None] = {}  # by the order in which they came, which is that of their numbers
        self._taken: set[int] = set()

    def came(self, tag: int) -> None:
        """A message was delivered."""
        self._open[tag] = None

    def hand_back(self, tag: int) -> None:
        """Let the broker deliver a message again."""
        del self._open[tag]
        self._channel.basic_nack(tag, requeue=True)

    def take(self, tag: int) -> None:
        """A message is durable here, or dead and kept elsewhere; the broker is told soon."""
        if not self._taken:
            asyncio.get_running_loop().call_soon(self.flush)
        self._taken.add(tag)

    def flush(self) -> None:
        """Tell the broker now."""
        if not self._channel.is_open:
            return  # it will deliver all of them again
        taken, self._taken = self._taken, set()
        first = 0
        while self._open and (tag := next(iter(self._open))) in taken:
            taken.remove(tag)
            del self._open[tag]
            first = tag
        if first:
            self._channel.basic_ack(first, multiple=True)
        for tag in sorted(taken):
            del self._open[tag]
            self._channel.basic_ack(tag)
