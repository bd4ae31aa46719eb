"""When does another channel take the place of one over which the broker refuses messages?

RabbitMQ 3.10 keeps for each channel where the leader of a quorum queue is, from the first message for that queue on.
If the leader's node is gone just then, it refuses that message and all later ones for the queue over this channel, for
as long as the node stays away, also when the queue has long had another leader (``rabbit_fifo_client:enqueue``: the
version of the queue's machine is asked of the first member alone).  A new channel knows the new leader.

A queue that is full refuses too.  So a channel is doubted only if it has never taken a message of that kind, and is
replaced seldom; the one before it stays open until all that was sent over it is settled, so nobody's message suffers.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from channels.mq.connection import ConfirmingChannel, unavailable

FIRST_WAIT: Final = 0.5
"""Seconds until a doubted channel is replaced; twice as long each time, for the next may be refused for good reason."""

LONGEST_WAIT: Final = 30.0


async def renew(first: ConfirmingChannel, use: Callable[[ConfirmingChannel], None], settled_seconds: float) -> None:
    """Let ``use`` have another channel whenever the one in use is doubted; return when ``first`` is lost.

    Args:
        first: the channel in use now.
        use: told of the channel over which to send from now on.
        settled_seconds: after so long nobody waits for the outcome of what was sent.

    Raises:
        BrokerUnavailable: another channel was lost: the connection is to be made anew.
    """
    loop = asyncio.get_running_loop()
    current, wait, since = first, FIRST_WAIT, loop.time()
    while True:
        await asyncio.wait((first.lost, current.lost, current.doubted), return_when=asyncio.FIRST_COMPLETED)
        wait = FIRST_WAIT if loop.time() - since > 2 * LONGEST_WAIT else wait
        await asyncio.wait((first.lost, current.lost), timeout=wait, return_when=asyncio.FIRST_COMPLETED)
        if first.lost.done():
            return
        if current.lost.done():
            raise unavailable(current.lost.result())
        doubted, current = current, await first.open_another()
        await current.start_confirms()
        use(current)
        if doubted is not first:  # which goes with its connection
            loop.call_later(settled_seconds, doubted.close)
        wait, since = min(2 * wait, LONGEST_WAIT), loop.time()
