"""What is left of a message that can never be taken: a copy at the dead-letter exchange, with its reason."""

from typing import Final

from channels.mq.delivery import Delivery
from channels.mq.messages import OutgoingMessage
from channels.mq.topology import DEAD

_KEPT_HEADERS: Final = ("FileName", "Signature", "Type", "Environment", "Sender", "Ticket", "Employer")
_LONGEST_HEADER: Final = 16 * 1024  # all of them together fit a frame
_LONGEST_REASON: Final = 500


def dead_letter(delivery: Delivery, reason: str, body: bytes) -> OutgoingMessage:
    """The copy of a message that can never be taken: its content, who sent it to which queue, and why it is dead.

    Of its headers those go along that mean something here, where they are text and not too long.  A body that was too
    large to be kept is left out; its size is said.
    """
    headers: dict[str, str | int] = {}
    for name in _KEPT_HEADERS:
        value = delivery.headers.get(name)
        if isinstance(value, str) and len(value.encode()) <= _LONGEST_HEADER:
            headers[name] = value
    headers |= {"Reason": reason[:_LONGEST_REASON], "Queue": delivery.queue, "Size": delivery.body.size}
    if delivery.user_id:
        headers["UserId"] = delivery.user_id
    return OutgoingMessage(
        exchange=DEAD,
        routing_key=delivery.queue,
        message_id=delivery.message_id or f"dead-{delivery.body.number}",
        body=body,
        headers=headers,
        correlation_id=delivery.correlation_id or None,
        content_type="application/octet-stream",
    )
