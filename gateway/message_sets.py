"""The messages of one set: what they brought, what custody is told of them, and what those who wait for them are."""

import asyncio
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from channels.mq.consumer import Settled
from channels.mq.delivery import Delivery
from channels.mq.envelope import Letter
from schemas.filename import set_key
from spool.custody import Origin
from spool.mailbox import Mailbox
from spool.submissions import StoredFile
from spool.syncing import write_read_only
from spool.waiting import Incomplete

Key = tuple[Mailbox, str]
"""What the messages of one set share: the mailbox, and what `set_key` says of their names."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One message of a set, here since ``arrived`` (`time.monotonic`); ``settled`` gets what becomes of it."""

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

    def write(self, folder: Path) -> list[StoredFile]:
        """Put its file, and its signature if it has one, into ``folder``, read-only; syncs nothing.

        Raises:
            OSError: the disk did not take them, or the body is gone.
        """
        letter, body = self.letter, self.delivery.body
        if body.is_too_large:
            stored = [_written(folder, letter.name, b"")]
        else:
            body.place(folder / letter.name)
            stored = [StoredFile(letter.name, body.size, body.sha256)]
        if letter.signature is not None:
            stored.append(_written(folder, letter.signature_name, letter.signature))
        return stored


def _written(folder: Path, name: str, data: bytes) -> StoredFile:
    write_read_only(f"{folder}/{name}", data)
    return StoredFile(name, len(data), sha256(data).hexdigest())


@dataclass(slots=True)
class MessageSet:
    """Messages of one set, by the names of their files; ``timer`` ends its time.

    Complete ``since`` then (`time.monotonic`), its sender waits for us alone.
    """

    parts: dict[str, Part] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None
    since: float | None = None

    @classmethod
    def of(cls, part: Part) -> "MessageSet":
        """A set of one message."""
        return cls({part.letter.name: part}, since=part.arrived)

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
        return Incomplete(next(iter(self.parts.values())).mailbox.sender, since, self.size)

    @property
    def size(self) -> int:
        """Its bytes, without signatures."""
        return sum(part.delivery.body.held for part in self.parts.values())

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
            self.since,
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
