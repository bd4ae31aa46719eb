"""The messages of one set: what they brought, what custody is told of them, and what those who wait for them are."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from channels.mq.consumer import Settled
from channels.mq.delivery import Delivery
from channels.mq.envelope import Letter
from schemas.filename import set_key
from spool.custody import Origin
from spool.mailbox import Mailbox
from spool.redelivery import Message
from spool.waiting import Incomplete

Key = tuple[Mailbox, str]
"""What the messages of one set share: the mailbox, and what `set_key` says of their names."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One message of a set, here since ``arrived`` (the loop's clock); ``settled`` gets what becomes of it."""

    delivery: Delivery
    letter: Letter
    username: str
    mailbox: Mailbox
    arrived: float
    settled: asyncio.Future[Settled]

    @property
    def key(self) -> Key:
        """What the messages of its set share."""
        return self.mailbox, set_key(self.letter.name)

    @property
    def message(self) -> Message:
        """What it is known by when it comes again."""
        name, delivery = self.letter.name, self.delivery
        return Message(self.mailbox, self.username, delivery.message_id, name, delivery.body.sha256)

    def write(self, folder: Path) -> None:
        """Put its file, and its signature if it has one, into ``folder``; syncs nothing.

        Raises:
            OSError: the disk did not take them, or the body is gone.
        """
        if self.delivery.body.is_too_large:
            (folder / self.letter.name).touch()
        else:
            self.delivery.body.place(folder / self.letter.name)
        if self.letter.signature is not None:
            (folder / self.letter.signature_name).write_bytes(self.letter.signature)


@dataclass(slots=True)
class MessageSet:
    """Messages of one set, by the names of their files; ``timer`` ends its time."""

    parts: dict[str, Part] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None

    @classmethod
    def of(cls, part: Part) -> "MessageSet":
        """A set of one message."""
        return cls({part.letter.name: part})

    def stop_the_clock(self) -> None:
        """Let its time not end by itself."""
        if self.timer is not None:
            self.timer.cancel()

    @property
    def as_incomplete(self) -> Incomplete | None:
        """What counts while it waits; None if none of its messages is here any more."""
        if not self.parts:
            return None
        since = min(part.arrived for part in self.parts.values())
        size = sum(part.delivery.body.held for part in self.parts.values())
        return Incomplete(next(iter(self.parts.values())).mailbox.sender, since, size)

    @property
    def origin(self) -> Origin:
        """Who brought it."""
        parts = sorted(self.parts.values(), key=lambda part: part.letter.name)
        return Origin(
            "mq",
            parts[0].mailbox,
            parts[0].username,
            {part.letter.name: part.delivery.message_id for part in parts},
            tuple((finding.error_id, finding.detail) for part in parts for finding in part.letter.findings),
        )

    def settle(self, settled: Settled) -> None:
        """Tell everybody who waits."""
        for part in self.parts.values():
            if not part.settled.done():
                part.settled.set_result(settled)

    def fail(self, fault: Exception) -> None:
        """Tell everybody who waits that something went wrong that nobody expected."""
        for part in self.parts.values():
            if not part.settled.done():
                part.settled.set_exception(fault)
