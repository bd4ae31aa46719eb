"""Over which channels, in which environments and from when to when may a sender send and be sent to?

An opening is one channel in one environment for a time.  The same channel may be opened again after it was closed, and
what has ended stays.  Who may open one is :mod:`gateway.register`'s to say; that logging in is possible without any is
on purpose, since a sender has to read why it was refused.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.registrations import ALWAYS, Period
from spool.journal import now
from spool.prepared import Prepared
from spool.register_tables import sender_channels


class Channel(StrEnum):
    """By what messages travel; a mailbox only takes what comes back."""

    SFTP = "sftp"
    MQ = "mq"
    EBOX = "ebox"


@dataclass(frozen=True, slots=True)
class Opening:
    """One channel of a sender in one environment (R, T, S), and when it is open."""

    channel: Channel
    environment: str
    period: Period = ALWAYS

    def is_for(self, channel: str, environment: str) -> bool:
        """Whether it speaks of that channel in that environment, at whatever time."""
        return self.channel == channel and self.environment == environment


def is_open(openings: Iterable[Opening], channel: str, environment: str, at: int) -> bool:
    """Whether one of ``openings`` is open for that channel and environment at ``at`` (microseconds)."""
    return any(one.is_for(channel, environment) and at in one.period for one in openings)


def openings_of(connection: Connection, sender: str) -> tuple[Opening, ...]:
    """Every opening of a sender, those of yesterday and tomorrow included, in the order in which they were made."""
    return tuple(
        Opening(Channel(channel), environment, Period(start, end))
        for channel, environment, start, end in _OPENINGS.all(connection, {"of": sender})
    )


_OPENINGS: Final = Prepared(
    sa.select(
        sender_channels.c.channel,
        sender_channels.c.environment,
        sender_channels.c.valid_from,
        sender_channels.c.valid_to,
    )
    .where(sender_channels.c.sender == sa.bindparam("of"))
    .order_by(sender_channels.c.number)
)


def add_opening(connection: Connection, sender: str, opening: Opening) -> None:
    """Write down one more opening of a sender."""
    period = {"valid_from": opening.period.start, "valid_to": opening.period.end}
    row = {"sender": sender, "channel": opening.channel, "environment": opening.environment}
    connection.execute(sa.insert(sender_channels).values(**row, **period))


def end_openings(connection: Connection, sender: str, opening: Opening, at: int) -> int:
    """End at ``at`` what is open then, or opens later, for a channel in an environment; answers how many that were.

    What would only begin later never opens.
    """
    starts, ends = sender_channels.c.valid_from, sender_channels.c.valid_to
    this = (
        (sender_channels.c.sender == sender)
        & (sender_channels.c.channel == opening.channel)
        & (sender_channels.c.environment == opening.environment)
        & (sa.func.coalesce(ends, at + 1) > at)
    )
    later = sa.func.coalesce(starts, 0) > at
    end = sa.case((later, starts), else_=at)
    return connection.execute(sa.update(sender_channels).where(this).values(valid_to=end)).rowcount


def widen(connection: Connection, sender: str, environments: Collection[str], channels: Sequence[Channel]) -> None:
    """Open channels in environments that the sender had none of before: those named, or those that it has elsewhere.

    A channel that is named is opened where it has an end, behind that, but not for a time that is over.
    """
    known = openings_of(connection, sender)
    wanted = set(channels)
    elsewhere = {one.channel for one in known if one.period.end is None}
    for environment in sorted(environments):
        new = not any(one.environment == environment for one in known)
        for channel in sorted(wanted | elsewhere if new else wanted):
            ends = [one.period.end for one in known if one.is_for(channel, environment)]
            if None not in ends:
                start = max([now(), *(end for end in ends if end is not None)]) if ends else None
                add_opening(connection, sender, Opening(channel, environment, Period(start, None)))
