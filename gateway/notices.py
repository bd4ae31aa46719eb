"""What is told to senders who are reached by message, and answers none of their files: maintenance, planned or off.

One message for each sender, into a queue that keeps the newest alone, so that who looks finds what holds. It has the
same id however often it is published, and is published anew where nobody remembers that it was: after a start, or by
the process that takes over. Who comes by SFTP reads the same in the banner and in STATUS.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Final

import structlog

from channels.mq import amqp10, topology
from channels.mq.connection import ChannelRefused, Refused, Unroutable
from channels.mq.messages import OutgoingMessage
from channels.mq.publisher import Publisher
from config.settings import Settings
from gateway.broker_needs import senders_by_message
from spool import maintenance
from spool.journal import Journal, now
from spool.maintenance import News

log = structlog.get_logger()

KIND: Final = "maintenance"

_LOOK_SECONDS: Final = 30.0


def notice_of(news: News, sender: str, exchange: str, zone: tzinfo) -> OutgoingMessage:
    """The message that tells ``sender`` the news, times in ``zone``."""
    window = None if news.window is None else maintenance.terms(news.window, zone)
    headers = {"Notice": KIND}
    return OutgoingMessage(
        exchange=exchange,
        routing_key=sender,
        message_id=f"{KIND}-{news.number}-{'off' if window is None else 'on'}",
        body=json.dumps({KIND: window}).encode(),
        headers={**headers, amqp10.HEADER: amqp10.encode(headers)},
        content_type="application/json",
    )


@dataclass(slots=True)
class Notices:
    """Tells each sender by message what it was not told yet; ``make`` makes the queues of some at the broker."""

    journal: Journal
    publisher: Publisher
    exchange: str
    zone: tzinfo
    make: Callable[[list[str]], Awaitable[None]]
    _told: set[tuple[str, str]] = field(default_factory=set)

    async def turn(self) -> float:
        """Tell what is new; answers after how many seconds to look again.

        Raises:
            BrokerUnavailable: not everybody could be told.
            JournalError: it can't be read.
        """
        if messages := await asyncio.to_thread(self._untold):
            await self.publisher.wait_connected()
            await self.make([one.routing_key for one in messages])
            for one in messages:
                await self._tell(one)
        return _LOOK_SECONDS

    async def _tell(self, notice: OutgoingMessage) -> None:
        try:
            await self.publisher.publish(notice)
        except (Unroutable, Refused, ChannelRefused) as fault:  # where an operator makes the queues, and has not yet
            log.warning("notice.not_published", sender=notice.routing_key, reason=f"{type(fault).__name__}: {fault}")
        else:
            self._told.add((notice.routing_key, notice.message_id))
            log.info("notice.published", sender=notice.routing_key, notice=notice.message_id)

    def _untold(self) -> list[OutgoingMessage]:
        with self.journal.read() as connection:
            news = maintenance.news(connection, now())
        if news is None:
            self._told.clear()
            return []
        senders = (one.number for one in senders_by_message(self.journal))
        messages = (notice_of(news, sender, self.exchange, self.zone) for sender in senders)
        return [one for one in messages if (one.routing_key, one.message_id) not in self._told]


def notices_of(settings: Settings, journal: Journal, publisher: Publisher, zone: tzinfo) -> Notices:
    """What tells the senders of a site."""

    async def make(senders: list[str]) -> None:
        if settings.routing.declare:
            await publisher.make(topology.notices(settings.mq, senders))

    return Notices(journal, publisher, topology.notice_exchange(settings.mq.answers), zone, make)
