"""A declaration on its way to the institutions, as every routing queue carries it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RoutingMessage:
    """One accepted declaration.

    ``message_id`` is the same however often the message is sent, so that a consumer can drop repeats.
    ``routing_key`` is ``<environment>.<purpose>``, such as ``R.DIMN``.
    ``headers`` hold the ticket, form number and count, file name, sender, message type, schema version
    and the SHA-256 of the FI; ``body`` is a document that validates by itself.
    """

    message_id: str
    routing_key: str
    headers: Mapping[str, str | int]
    body: bytes
