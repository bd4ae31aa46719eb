"""A gateway's answers to a guarded broker, real users in a real journal, and clients of that broker."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pika
from pika.credentials import ExternalCredentials
from pydantic import SecretStr

from channels.mq import topology
from channels.mq.declaring import administering
from channels.ports import Authentication
from config.doors import Accounts
from config.messages import Broker as BrokerSection
from config.messages import Mq
from config.settings import Settings
from gateway import accounts, parties
from gateway.broker_access import open_broker_access
from gateway.openings import Channel
from gateway.parties import Sender, SignatureProfile
from gateway.passwords import Hashing, HashingLimits
from spool.journal import Journal
from tests.authority import Credential
from tests.guarded_broker import GuardedBroker

SENDER: Final = "123456"
OTHER: Final = "654321"
PASSWORD: Final = "correct-horse-7-battery"
USER: Final = "wordholder01"
CHEAP: Final = HashingLimits(memory_kib=8192, passes=1)


@dataclass
class BrokerHouse:
    """A broker that asks a gateway, and the users of that gateway."""

    broker: GuardedBroker
    journal: Journal
    settings: Settings

    def add_sender(self, number: str, environments: str = "T", channels: Sequence[Channel] = (Channel.MQ,)) -> None:
        """Register a sender, and make what it needs at the broker."""
        with self.journal.write() as connection:
            sender = Sender(number, SignatureProfile.DETACHED, environments, ("*",), active=True)
            parties.add_sender(connection, sender, list(channels))
        with administering([pika.URLParameters(self.broker.url)]) as administration:
            mq = self.settings.mq
            assert not list(administration.declare(topology.door(mq) + topology.answers(mq, [number])))

    def add_user(
        self,
        username: str,
        way: Authentication = Authentication.PASSWORD,
        sender: str = SENDER,
        password: str = PASSWORD,
    ) -> None:
        """Register a technical user with a password that it has chosen."""
        hashing = Hashing(CHEAP)
        with self.journal.write() as connection:
            parties.add_user(connection, sender, username, [])
            accounts.set_authentication(connection, username, way)
            accounts.change_password(connection, username, hashing.hash(password))
        hashing.close()
        with administering([pika.URLParameters(self.broker.url)]) as administration:
            assert not list(administration.declare(topology.entrances(self.settings.mq, [username])))

    def block(self, username: str, *, active: bool = False) -> None:
        """What ``gateway user block`` does."""
        with self.journal.write() as connection:
            accounts.set_active(connection, username, active=active)

    @contextmanager
    def connected(self, username: str = USER, password: str = PASSWORD, vhost: str = "/") -> Iterator[Any]:
        """A client that logs in by a password."""
        credentials = pika.PlainCredentials(username, password)
        parameters = pika.ConnectionParameters("127.0.0.1", self.broker.port, vhost, credentials)
        with _connection(parameters) as connection:
            yield connection

    @contextmanager
    def certified(self, credential: Credential) -> Iterator[Any]:
        """A client that logs in by a certificate."""
        context = ssl.create_default_context(cafile=self.broker.authority)
        context.load_cert_chain(credential.certificate, credential.key)
        options = pika.SSLOptions(context, "localhost")
        parameters = pika.ConnectionParameters(
            "127.0.0.1", self.broker.tls_port, "/", ExternalCredentials(), ssl_options=options
        )
        with _connection(parameters) as connection:
            yield connection


@contextmanager
def _connection(parameters: pika.ConnectionParameters) -> Iterator[Any]:
    connection = pika.BlockingConnection(parameters)
    try:
        yield connection
    finally:
        if connection.is_open:
            connection.close()


@asynccontextmanager
async def open_broker_house(
    broker: GuardedBroker, journal: Journal, *, management: bool = True
) -> AsyncIterator[BrokerHouse]:
    """The gateway's answers for the time of the block; one sender with the channel of messages in T."""
    settings = Settings(
        accounts=Accounts(hash_memory_kib=CHEAP.memory_kib, hash_passes=CHEAP.passes),
        broker=BrokerSection(urls=(SecretStr(broker.url),)),
        mq=Mq(
            enabled=True,
            access_port=broker.access_port,
            management=SecretStr(broker.management_url) if management else None,
        ),
    )
    house = BrokerHouse(broker, journal, settings)
    await asyncio.to_thread(house.add_sender, SENDER)
    async with open_broker_access(settings, journal):
        yield house
