"""Which messages lie in a queue, without taking them?

They are got and not acknowledged, one after the other, and go back to their places when the channel is closed; the
broker calls them redelivered from then on, and a queue with a delivery limit counts it. What a consumer holds just now
is not seen. Nothing but properties is handed on: bodies are dropped as they come. (AMQP 0-9-1, basic.get)
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pika
from pika import exceptions

from channels.mq.connection import BrokerUnavailable, LoginRefused


@dataclass(frozen=True, slots=True)
class Lying:
    """A message in a queue, by its properties."""

    message_id: str
    headers: Mapping[str, Any]


def lying(parameters: Sequence[pika.ConnectionParameters], queue: str, most: int) -> Iterator[Lying]:
    """The first messages of ``queue``, ``most`` of them; they are back in it when the iteration ends.

    Raises:
        LoginRefused: the broker refuses the user, the password or the virtual host.
        BrokerUnavailable: no broker answers, there is no such queue, or the connection was lost.
    """
    connection: pika.BlockingConnection | None = None
    try:
        connection = pika.BlockingConnection(parameters)
        channel: Any = connection.channel()
        for _ in range(most):
            method, properties, _ = channel.basic_get(queue=queue, auto_ack=False)
            if method is None:
                return
            yield Lying(str(properties.message_id or ""), dict(properties.headers or {}))
    except (exceptions.ProbableAuthenticationError, exceptions.ProbableAccessDeniedError) as fault:
        raise LoginRefused("the broker refuses the user, the password or the virtual host") from fault
    except exceptions.ChannelClosedByBroker as fault:
        raise BrokerUnavailable(f"the queue {queue} cannot be looked at: {fault.reply_text}") from fault
    except exceptions.AMQPError as fault:
        raise BrokerUnavailable(f"the broker is away: {fault!r}") from fault
    finally:
        if connection is not None and connection.is_open:
            connection.close()
