"""A declaration on its way to the institutions, as every routing queue carries it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RoutingMessage:
    """One accepted declaration.

    ``message_id`` is the same however often the message is sent, so that a consumer can drop repeats.
    ``exchange`` is where its route leads, empty for the usual one; ``routing_key`` is
    ``<environment>.<purpose>.<form code>``, such as ``R.DIMN.DIMONA``, unless its route says otherwise.
    ``headers`` hold the ticket, form number and count, file name, sender, message type, schema version
    and the SHA-256 of the FI; ``body`` is a document that validates by itself.  Where a route wants the file or a
    reference to it, the header ``payload`` says so, ``form`` is the first of the file's forms that goes this way, and
    ``body`` is the FI as it was received, or a JSON object that says where it is.
    """

    message_id: str
    routing_key: str
    headers: Mapping[str, str | int]
    body: bytes
    exchange: str = ""
