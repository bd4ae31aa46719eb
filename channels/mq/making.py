"""How does the publisher make what of its topology is missing, whenever it has connected?

What is there already but otherwise is told by an event and used as it is.  An operator's way, which says more, is
``declaring``.
"""

from typing import assert_never

import structlog

from channels.mq.connection import ChannelRefused, ConfirmingChannel
from channels.mq.topology import Binding, Exchange, Queue, Topology


async def make(channel: ConfirmingChannel, topology: Topology, log: structlog.stdlib.BoundLogger) -> set[str]:
    """Make what is missing; answers the names of the exchanges that are there as they should be.

    Raises:
        BrokerUnavailable: the connection is lost meanwhile.
    """
    known = set()
    for thing in (*topology.things, *topology.bindings):
        try:
            async with channel.another_channel() as second:
                await _make(second, thing)
            if isinstance(thing, Exchange):
                known.add(thing.name)
        except ChannelRefused as refusal:
            # What is there may do all the same, and answers need none of it.
            log.warning("broker.topology_differs", what=_name(thing), reason=str(refusal))
    return known


async def _make(channel: ConfirmingChannel, thing: Exchange | Queue | Binding) -> None:
    match thing:
        case Exchange(name, kind):
            facts = {"exchange_type": kind.value, "durable": True, "arguments": thing.arguments}
            await channel.ask("exchange_declare", exchange=name, **facts)
        case Queue(name, arguments):
            await channel.ask("queue_declare", queue=name, durable=True, arguments=dict(arguments))
        case Binding(exchange, key, queue):
            await channel.ask("queue_bind", queue=queue, exchange=exchange, routing_key=key)
        case _:
            assert_never(thing)


def _name(thing: Exchange | Queue | Binding) -> str:
    return f"{thing.exchange} to {thing.queue}" if isinstance(thing, Binding) else thing.name
