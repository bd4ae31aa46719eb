"""Traps of sending twice: over two channels at once, the same message many times at once, many sets at once."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from lxml import etree

from tests.answers import download, listing
from tests.authority import Credential, Pki
from tests.broker import Broker
from tests.gateway_process import SENDER, GatewayProcess, Site, make_test_site, running, three_forms, today
from tests.mq_sender import Message, MqSender, make_sender, mq_user, open_to_messages

__all__ = ["mq_user"]

_COPIES = 3
_LOAD = 12


@dataclass(frozen=True)
class House:
    """A gateway with both doors open, and a sender who uses both."""

    site: Site
    gateway: GatewayProcess
    mq_sender: MqSender

    def message(self, stem: str, data: bytes, signature: str | None = None) -> Message:
        """One FI as a message with an id of its own."""
        name = f"FI.{stem}.1.1"
        (self.site.work / name).write_bytes(data)
        return Message(data, name, signature or self.site.sign(name).decode())

    def submissions(self, stem: str) -> list[dict[str, Any]]:
        """What became of the files of that name."""
        rows: list[dict[str, Any]] = self.site.listing("submissions")
        return [row for row in rows if stem in row["name"]]

    def wait_until_closed(self, count: int) -> None:
        """Return once so many submissions have come, and nothing of any is left to be done."""
        rows: list[dict[str, Any]] = self.site.listing("submissions")
        while len(rows) < count or any(row["closed"] is None for row in rows):
            self.gateway.wait_for("submission.closed")
            rows = self.site.listing("submissions")

    def forwarded(self, ticket: str) -> list[str]:
        """The ids of the declarations of ``ticket`` on the routing queue."""
        return [row["message_id"] for row in self.site.listing("queue", "list") if row["ticket"] == ticket]


@pytest.fixture(scope="module")
def house(
    tmp_path_factory: pytest.TempPathFactory, pki: Pki, signer: Credential, broker_node: Broker, mq_user: None
) -> Iterator[House]:
    """One for all tests of this file; each uses names of its own."""
    broker_node.start()
    site = make_test_site(tmp_path_factory.mktemp("twice"), pki, signer)
    sender = make_sender(broker_node)
    open_to_messages(site, sender)
    site.configure("\nretry_seconds = 5.0\n# From then on", "\nretry_seconds = 0.2\n# From then on")
    with running(site) as gateway:
        yield House(site, gateway, sender)
