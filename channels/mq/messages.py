"""A message on its way to the broker, whatever it is about: a declaration, an answer, one that could not be taken.

Every message of the gateway is persistent and mandatory, and has an identity that stays the same however often it is
sent; see ``publisher`` for what sending promises.  Source: AMQP 0-9-1, class basic.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pika


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """What is sent, and where to.

    Args:
        exchange: the name of an exchange at the broker.
        routing_key: by which the exchange chooses queues, at most 255 bytes.
        message_id: the same however often the message is sent, so that a consumer can drop repeats.
        body: the content; no log and no error text quotes it.
        headers: names and plain values.
        correlation_id: the ``message_id`` of what this answers, if it answers something.
        content_type: what ``body`` is.
        user_id: who publishes, where the reader asks; the broker refuses anybody but who is connected.
    """

    exchange: str
    routing_key: str
    message_id: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str | int | bytes]
    correlation_id: str | None = None
    content_type: str = "application/xml"
    user_id: str | None = None

    @property
    def properties(self) -> pika.BasicProperties:
        """What goes with the body."""
        return pika.BasicProperties(
            content_type=self.content_type,
            delivery_mode=pika.DeliveryMode.Persistent.value,
            headers=dict(self.headers),
            message_id=self.message_id,
            correlation_id=self.correlation_id,
            user_id=self.user_id,
        )
