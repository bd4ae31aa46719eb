"""The door of message queues with everything behind it: bodies, sets, custody; opened by the daemon."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
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


@dataclass(slots=True)
class Bounds:
    """What the limits of ``settings`` bound: of a door while one is open, and of the next."""

    settings: Settings
    staging: Staging | None = field(default=None, init=False)
    reception: MessageReception | None = field(default=None, init=False)

    def take_over(self, settings: Settings) -> None:
        """Let sizes and the patience of ``settings`` count for messages that come from now on."""
        intake, mq = settings.intake, settings.mq
        sizes = {"max_file_bytes": intake.max_file_bytes, "max_waiting_bytes": intake.max_waiting_bytes}
        ours = {"max_message_bytes": mq.max_message_bytes, "parts_grace_seconds": mq.parts_grace_seconds}
        sections = {
            "intake": self.settings.intake.model_copy(update=sizes),
            "mq": self.settings.mq.model_copy(update=ours),
        }
        self.settings = self.settings.model_copy(update=sections)
        largest, together = _sizes(self.settings)
        if self.staging is not None:
            self.staging.limits = replace(self.staging.limits, body=largest, together=together)
        if self.reception is not None:
            rules = self.reception.rules
            waiting = replace(rules.waiting, size=together // 2)
            self.reception.rules = replace(rules, grace=mq.parts_grace_seconds, waiting=waiting, file_bytes=largest)


def _sizes(settings: Settings) -> tuple[int, int]:
    """Bytes of the largest body, and of all together."""
    largest = min(settings.mq.max_message_bytes, settings.intake.max_file_bytes)
    return largest, max(settings.intake.max_waiting_bytes, largest)


@asynccontextmanager
async def open_message_door(bounds: Bounds, behind: Behind) -> AsyncIterator[None]:
    """Take messages of senders for the time of the block, if the settings say so.

    Raises:
        ConfigurationError: there is no broker, or its addresses or files cannot be used.
    """
    settings = bounds.settings
    mq, spool = settings.mq, settings.spool
    if not mq.enabled:
        yield
        return
    if behind.publisher is None:
        raise ConfigurationError(["mq.enabled: broker.urls names no broker"])
    brokers = brokers_of(settings.broker)
    largest, together = _sizes(settings)
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
    bounds.staging, bounds.reception = staging, reception
    async with open_door(brokers, mq.exchange, desk, reception.close):
        yield
