"""A message as the broker delivered it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from channels.mq.staging import Body


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message, as the broker delivered it.  Everything but ``queue`` and ``redelivered`` is what a stranger wrote.

    ``headers`` are as pika decodes them, ``{UNREADABLE: True}`` if it cannot; ``message_id``, ``user_id`` and
    ``correlation_id`` are empty when they are missing or no plain text.  The broker has made sure that ``user_id`` is
    who published it, and that it was published to ``exchange``.  ``redelivered`` is for logs only.
    """

    queue: str
    body: Body = field(repr=False)
    headers: Mapping[str, Any] = field(repr=False)
    message_id: str
    user_id: str
    correlation_id: str
    redelivered: bool
    exchange: str = ""
