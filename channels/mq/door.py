"""The door of message queues: one queue for each environment, all of them consumed side by side.

Who may write to them is the broker's to check, see ``access``; what becomes of a message is the handler's to say.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from channels.mq.addresses import Brokers
from channels.mq.consumer import Desk, consume
from channels.mq.topology import ENVIRONMENTS, in_queue
from schemas.filename import Environment


def inbox_of(queue: str) -> str:
    """The directory that files of ``queue`` would be put into over SFTP."""
    return Environment(queue.rpartition(".")[2]).inbox


@asynccontextmanager
async def open_door(brokers: Brokers, exchange: str, desk: Desk, close: Callable[[], None]) -> AsyncIterator[None]:
    """Take messages for the time of the block, whether the broker is there or not.

    Leaving it, ``close`` is called, which lets go of what waits; what is in hand is settled, and nothing more is taken.
    """
    queues = [in_queue(exchange, environment) for environment in ENVIRONMENTS]
    tasks = [asyncio.create_task(consume(brokers, queue, desk), name=f"consumer of {queue}") for queue in queues]
    try:
        yield
    finally:
        close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
