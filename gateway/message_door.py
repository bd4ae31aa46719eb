"""The door of message queues with everything behind it: bodies, sets, custody; opened by the daemon."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from channels.mq.connection import brokers_of
from channels.mq.consumer import Desk, Limits
from channels.mq.door import open_door
from channels.mq.publisher import Publisher
from channels.mq.staging import Staging, StagingLimits
from config.errors import ConfigurationError
from config.settings import Settings
from gateway.message_profiles import has_profile
from gateway.message_reception import MessageReception, Rules
from spool.custody import Custody
from spool.journal import Journal
from spool.waiting import WaitingLimits

_SENDERS_AT_LEAST: Final = 4
"""One sender may have this part of the sets that wait."""

_WAITING_PARTS: Final = 8
"""A set of nine parts, the most there can be, waits with eight."""


@dataclass(frozen=True, slots=True)
class Behind:
    """What the door leads to, and who sends what is dead on its way; ``is_full`` while intake is held up.

    ``folder`` is this process's alone: what an earlier one left there is removed.
    """

    custody: Custody
    journal: Journal
    publisher: Publisher | None
    taken: Callable[[], None]
    is_full: Callable[[], bool]
    folder: Path


@asynccontextmanager
async def open_message_door(settings: Settings, behind: Behind) -> AsyncIterator[None]:
    """Take messages of senders for the time of the block, if the settings say so.

    Raises:
        ConfigurationError: there is no broker, or its addresses or files cannot be used.
    """
    mq, spool = settings.mq, settings.spool
    if not mq.enabled:
        yield
        return
    if behind.publisher is None:
        raise ConfigurationError(["mq.enabled: broker.urls names no broker"])
    brokers = brokers_of(settings.broker)
    largest = min(mq.max_message_bytes, settings.intake.max_file_bytes)
    together = max(settings.intake.max_waiting_bytes, largest)
    staging = Staging(behind.folder / "bodies", StagingLimits(largest, together, spool.reserve), behind.is_full)
    waiting = WaitingLimits(max(1, mq.max_waiting_sets // _SENDERS_AT_LEAST), mq.max_waiting_sets, together // 2)
    rules = Rules(
        grace=mq.parts_grace_seconds,
        waiting=waiting,
        file_bytes=largest,
        hashed=lambda user: has_profile(mq.profiles, user),
        exchange=mq.exchange,
        held_up=behind.is_full,
    )
    reception = MessageReception(behind.folder / "sets", behind.custody, behind.journal, rules, behind.taken)
    limits = Limits(mq.prefetch + _WAITING_PARTS * mq.max_waiting_sets, mq.delivery_limit)
    desk = Desk(reception.receive, behind.publisher.publish, staging, limits)
    async with open_door(brokers, mq.exchange, desk, reception.close):
        yield
