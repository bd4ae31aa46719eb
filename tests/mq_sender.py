"""A large employer that publishes to the broker: a user of its own there, and messages as it likes them."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pika
import pytest

from channels.mq import topology
from channels.mq.declaring import administering
from config.messages import Mq
from tests.broker import Broker
from tests.gateway_process import Site

USER = "payroll01"
_PASSWORD = secrets.token_hex(8)


@dataclass(frozen=True)
class Message:
    """A message as its sender wrote it; None leaves a property out."""

    body: bytes
    name: object = None
    signature: object = None
    message_id: str | None = field(default_factory=lambda: secrets.token_hex(8))
    user_id: str | None = USER
    headers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def properties(self) -> pika.BasicProperties:
        """What goes with the body."""
        named = {"FileName": self.name, "Signature": self.signature}
        headers = {key: value for key, value in named.items() if value is not None} | dict(self.headers)
        return pika.BasicProperties(headers=headers, message_id=self.message_id, user_id=self.user_id, delivery_mode=2)


@dataclass(frozen=True)
class MqSender:
    """Somebody with a connection to ``broker`` whenever there is something to send; ``mq`` has exchanges of its own."""

    broker: Broker
    mq: Mq
    entrance: str = ""

    def send(self, *messages: Message, environment: str = "R") -> None:
        """Publish, and return once the broker has confirmed every one.

        Raises pika's ChannelClosedByBroker when the broker does not let it.
        """
        connection = pika.BlockingConnection(pika.URLParameters(self.broker.url_of(USER, _PASSWORD)))
        try:
            channel = connection.channel()
            channel.confirm_delivery()
            for message in messages:
                exchange = self.entrance or self.mq.exchange
                channel.basic_publish(exchange, environment, message.body, message.properties, mandatory=True)
        finally:
            if connection.is_open:
                connection.close()

    def waiting(self, environment: str = "R") -> int:
        """How many messages the broker still has for the gateway, those in its hands not counted."""
        with self._channel() as channel:
            declared = channel.queue_declare(topology.in_queue(self.mq.exchange, environment), passive=True)
            return int(declared.method.message_count)

    def dead(self) -> list[tuple[Any, bytes]]:
        """Take what is dead of this sender's: properties and body of each."""
        with self._channel() as channel:
            found = []
            while (got := channel.basic_get(topology.DEAD, auto_ack=True))[0] is not None:
                found.append((got[1], got[2]))
        return [one for one in found if str(one[0].headers.get("Queue", "")).startswith(self.mq.exchange)]

    def answers(self, sender: str, count: int) -> list[tuple[Any, bytes]]:
        """Wait for so many answers and take them: properties and body of each."""
        with self._channel() as channel:
            found: list[tuple[Any, bytes]] = []
            for method, properties, body in channel.consume(
                topology.out_queue(self.mq.answers, sender), inactivity_timeout=60
            ):
                assert method is not None, f"only {len(found)} answers came"
                channel.basic_ack(method.delivery_tag)
                found.append((properties, body))
                if len(found) == count:
                    return found
        return found

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        connection = pika.BlockingConnection(pika.URLParameters(self.broker.url))
        try:
            yield connection.channel()
        finally:
            connection.close()


def make_sender(broker: Broker, sender: str = "123456") -> MqSender:
    """A sender at the broker, with exchanges and queues that only one test uses."""
    name = secrets.token_hex(4)
    mq = Mq(enabled=True, exchange=f"in-{name}", answers=f"out-{name}")
    with administering([pika.URLParameters(broker.url)]) as administration:
        assert not list(administration.declare(topology.door(mq) + topology.answers(mq, [sender])))
    return MqSender(broker, mq)


def open_to_messages(site: Site, sender: MqSender) -> str:
    """Let a site take what ``sender`` publishes, and answer it; answers the name of the site's own routing queue."""
    name = f"declarations.{sender.mq.exchange}"
    site.configure("urls = []", f'urls = ["{sender.broker.url}"]')
    site.configure('exchange = "declarations"', f'exchange = "{name}"')
    site.configure('queue = "declarations"', f'queue = "{name}"')
    site.configure('alternate = "declarations.unrouted"', f'alternate = "{name}.unrouted"')
    enabled = f'enabled = true\nexchange = "{sender.mq.exchange}"\nanswers = "{sender.mq.answers}"'
    site.configure('enabled = false\nexchange = "batch.in"\nanswers = "batch.out"', enabled)
    return name


@pytest.fixture(scope="session")
def mq_user(broker_node: Broker) -> None:
    """The technical user is a user of the session's broker, who may write anything."""
    broker_node.add_user(USER, _PASSWORD, configure="", write=".*", read=".*")


@pytest.fixture
def mq_sender(broker: Broker, mq_user: None) -> MqSender:
    """A sender at the broker of the session, with exchanges and queues of its own."""
    return make_sender(broker)
