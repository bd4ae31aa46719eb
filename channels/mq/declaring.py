"""How are exchanges, queues and bindings made at the broker, or found missing?

Over AMQP, with the rights of the gateway's own user.  Nothing is ever deleted or changed: a queue may hold messages.
What is there already but otherwise is said in words, as the broker compares it (AMQP 0-9-1, 406 PRECONDITION_FAILED).
Which they are is ``topology``'s.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import pika
from pika import exceptions

from channels.mq.connection import BrokerUnavailable, LoginRefused
from channels.mq.topology import Exchange, Fault, Queue, Topology, Wrong, difference

_PRECONDITION_FAILED: Final = 406


class Administration:
    """One connection by which exchanges and queues are made or looked at; made by ``administering``."""

    def __init__(self, connection: pika.BlockingConnection) -> None:
        self._connection = connection
        self._channel: Any = None

    def declare(self, topology: Topology) -> Iterator[Fault]:
        """Make what is missing; answers what is there already but otherwise, which stays as it is."""
        refused: set[str] = set()
        for thing in topology.things:
            fault = self._made(thing)
            if fault is not None:
                refused.add(thing.name)
                yield fault
        for binding in topology.bindings:
            if not refused & {binding.exchange, binding.queue}:
                self._ask("queue_bind", queue=binding.queue, exchange=binding.exchange, routing_key=binding.key)

    def look(self, topology: Topology) -> Iterator[Fault]:
        """What is missing or otherwise; changes nothing.  Bindings can't be looked at over AMQP."""
        for thing in topology.things:
            method, name = (
                ("exchange_declare", "exchange") if isinstance(thing, Exchange) else ("queue_declare", "queue")
            )
            if self._refusal(method, **{name: thing.name}, passive=True) is not None:
                yield Fault(thing.name, Wrong.MISSING, f"there is no {name} {thing.name}")
            else:
                fault = self._made(thing)  # it is there: this makes nothing, and the broker compares
                if fault is not None:
                    yield fault

    def _made(self, thing: Exchange | Queue) -> Fault | None:
        arguments = dict(thing.arguments)
        if isinstance(thing, Exchange):
            facts = {"exchange": thing.name, "exchange_type": thing.kind.value}
            refusal = self._refusal("exchange_declare", **facts, durable=True, arguments=arguments)
        else:
            refusal = self._refusal("queue_declare", queue=thing.name, durable=True, arguments=arguments)
        if refusal is None:
            return None
        wrong = Wrong.DIFFERENT if refusal.reply_code == _PRECONDITION_FAILED else Wrong.REFUSED
        return Fault(thing.name, wrong, difference(thing, refusal.reply_text))

    def _refusal(self, method: str, **arguments: Any) -> exceptions.ChannelClosedByBroker | None:
        try:
            self._ask(method, **arguments)
        except exceptions.ChannelClosedByBroker as refusal:
            return refusal
        return None

    def _ask(self, method: str, **arguments: Any) -> None:
        if self._channel is None or not self._channel.is_open:
            self._channel = self._connection.channel()
        getattr(self._channel, method)(**arguments)


@contextmanager
def administering(parameters: Sequence[pika.ConnectionParameters]) -> Iterator[Administration]:
    """A connection to the first broker of ``parameters`` that answers.

    Raises:
        LoginRefused: the broker refuses the user, the password or the virtual host.
        BrokerUnavailable: no broker answers, or the connection was lost.
    """
    connection: pika.BlockingConnection | None = None
    try:
        connection = pika.BlockingConnection(parameters)
        yield Administration(connection)
    except (exceptions.ProbableAuthenticationError, exceptions.ProbableAccessDeniedError) as fault:
        raise LoginRefused("the broker refuses the user, the password or the virtual host") from fault
    except exceptions.AMQPError as fault:
        raise BrokerUnavailable(f"the broker is away: {fault!r}") from fault
    finally:
        if connection is not None and connection.is_open:
            connection.close()
