"""What the door of message queues leads to, without a judge: custody, a journal, and a sender at the broker."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from channels.mq.addresses import brokers_of
from channels.mq.publisher import Destination, open_publisher
from channels.mq.topology import Topology
from config.messages import Broker as BrokerSection
from config.settings import Settings, Spool
from gateway import parties
from gateway.message_door import Behind, Bounds, open_message_door
from gateway.openings import Channel
from gateway.parties import Sender, SignatureProfile
from spool import submissions
from spool.custody import Custody, CustodyDoubtfulError, Stored
from spool.journal import Journal
from spool.submissions import Submission
from tests.broker import Broker
from tests.mq_sender import USER, Message, MqSender

SENDER = "123456"
STEM = f"DIMN.{SENDER}.20261121.00001.R"
LARGE = 300_000


async def until(holds: Callable[[], bool]) -> None:
    """Return once the broker has come to something that it tells nobody of by itself."""
    while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - there is no event of it
        await asyncio.sleep(0.02)


@dataclass
class House:
    """What the door leads to; ``taken`` is rung after every set."""

    journal: Journal
    settings: Settings
    sender: MqSender
    taken: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    full: bool = False
    asked: int = 0
    bounds: Bounds = field(init=False)

    def is_full(self) -> bool:
        """Whether intake is held up; counted."""
        self.asked += 1
        return self.full

    @property
    def custody(self) -> Custody:
        """Where sets are taken to."""
        return Custody(self.settings.spool.path / "custody", self.journal)

    @asynccontextmanager
    async def open(self, custody: Custody | None = None) -> AsyncIterator[None]:
        """Let the door be open for the time of the block."""
        brokers = brokers_of(self.settings.broker)
        async with open_publisher(Destination(brokers, Topology(), 20.0)) as publisher:
            await publisher.wait_connected()
            ring = self.taken.release
            folder = self.settings.spool.path / "messages"
            behind = Behind(custody or self.custody, self.journal, publisher, ring, self.is_full, folder)
            self.bounds = Bounds(self.settings)
            async with open_message_door(self.bounds, behind):
                yield

    async def send(self, *messages: Message, environment: str = "R") -> None:
        """Publish."""
        await asyncio.to_thread(self.sender.send, *messages, environment=environment)

    async def next(self) -> Submission:
        """The newest submission, once one more was taken."""
        await self.taken.acquire()
        return self.all()[0]

    def all(self) -> list[Submission]:
        """Every submission with its files, the newest first."""
        with self.journal.read() as connection:
            tickets = [found.ticket for found in submissions.search(connection)]
            return [found for ticket in tickets if (found := submissions.load(connection, ticket)) is not None]

    async def dead(self) -> tuple[Any, bytes]:
        """The message that is dead, once there is one."""
        found: list[tuple[Any, bytes]] = []

        def any_dead() -> bool:
            found.extend(self.sender.dead())
            return bool(found)

        await until(any_dead)
        [one] = found
        return one

    async def emptied(self, environment: str = "R") -> None:
        """Return once the broker has given us all it has; closing the door then waits until that is settled."""
        await until(lambda: not self.sender.waiting(environment))


@pytest.fixture
def house(tmp_path: Path, journal: Journal, broker: Broker, mq_sender: MqSender) -> House:
    """A spool, and a sender with a technical user and one that has none."""
    settings = Settings(
        spool=Spool(path=tmp_path / "spool", reserve=1),
        broker=BrokerSection(urls=(SecretStr(broker.url),)),
        mq=mq_sender.mq,
    )
    with journal.write() as connection:
        sender = Sender(SENDER, SignatureProfile.DETACHED, "RTS", ("*",), active=True)
        parties.add_sender(connection, sender, [Channel.MQ])
        parties.add_user(connection, SENDER, USER, [])
    return House(journal, settings, mq_sender)


def part(number: int, of: int, body: bytes = b"<a/>", stem: str = STEM) -> Message:
    """One FI with something that is no signature."""
    return Message(body, f"FI.{stem}.{of}.{number}", "bm8gc2lnbmF0dXJl")


class InDoubt(Custody):
    """Custody of whose first set nobody can tell at once whether the journal has it; it has not."""

    left = 1

    def _record(
        self, folder: Path, waited: int = 0, envelope: Mapping[str, Any] | None = None, stored: Stored | None = None
    ) -> None:
        if self.left:
            self.left -= 1
            raise CustodyDoubtfulError("the journal went away while it committed")
        super()._record(folder, waited, envelope, stored)


class NotNow(Custody):
    """Custody that fails twice, by our own trouble or by a fault of the program."""

    def __init__(self, custody: Custody, fault: Exception) -> None:
        super().__init__(custody.root, custody._journal)
        self.fault = fault
        self.left = 2

    def take(self, folder: Path, origin: Any, synced: Any = frozenset(), seen: Any = None) -> str:
        """Fail, or take it."""
        if self.left:
            self.left -= 1
            raise self.fault
        return super().take(folder, origin, synced, seen)
