"""By what does a quality send and receive, and under which sender number?

The number comes with the first channel and stays, whatever is closed; no number is given twice, since no sender is ever
removed.  A channel is opened for one environment and a time.  Its technical users, named before, act for it from then.
Who has no channel open can still log in and read why: only the judge asks (:mod:`gateway.senders`).
"""

import re
from dataclasses import replace
from itertools import count
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway import parties
from gateway.accounts import DELETED
from gateway.openings import Opening, add_opening, end_openings, is_open, openings_of
from gateway.parties import Sender, SignatureProfile
from gateway.register.actor import Actor, Refusal, Why
from gateway.register.enterprises import quality_for
from gateway.register.history import record
from gateway.register.mandates import is_empty, overlap
from gateway.register.rights import EVERYTHING, Act, Role, narrowed
from gateway.register.standing import holdings
from spool.journal import now
from spool.tables import senders, technical_users

ENVIRONMENTS: Final = "RTS"
_PURPOSE: Final = re.compile(r"[A-Z0-9]{4}")
LAST: Final = 999_998
"""The highest sender number that is given; the next is the gateway's own."""


def sender_of(connection: Connection, quality: int) -> str | None:
    """The sender number of a quality, or None while it has no channel."""
    number: str | None = connection.execute(
        sa.select(senders.c.number).where(senders.c.quality == quality).order_by(senders.c.number).limit(1)
    ).scalar()
    return number


def active(connection: Connection, sender: str, channel: str, environment: str, at: int) -> bool:
    """Whether a sender has this channel open in this environment at ``at`` (microseconds)."""
    return is_open(openings_of(connection, sender), channel, environment, at)


# --- acts


def open_channel(connection: Connection, actor: Actor, quality: int, opening: Opening, *, reason: str) -> str | Refusal:
    """Open a channel for a quality; answers its sender number, which is given with the first one.

    Args:
        connection: the transaction in which it is done.
        actor: who asks.
        quality: its number.
        opening: what, where (R, T or S) and when; without a beginning from ever on, or, if it was open before, from
            now on.
        reason: why, for the history.
    """
    found = quality_for(connection, actor, Act.CHANGE_QUALITY, quality)
    if isinstance(found, Refusal):
        return found
    if opening.environment not in set(ENVIRONMENTS):
        return Refusal(Why.INVALID, "an environment is R, T or S")
    number = sender_of(connection, quality)
    known = () if number is None else openings_of(connection, number)
    rivals = [one for one in known if one.is_for(opening.channel, opening.environment)]
    if rivals and opening.period.start is None:
        opening = replace(opening, period=replace(opening.period, start=now()))
    if is_empty(opening.period):
        return Refusal(Why.INVALID, "a channel closes after it was opened")
    if any(overlap(one.period, opening.period) for one in rivals):
        return Refusal(Why.CONFLICT, f"sender {number} has that channel open then already")
    number = number or _give_number(connection, quality)
    add_opening(connection, number, opening)
    _permit(connection, number, opening.environment)
    record(connection, actor, "channel.opened", f"sender:{number}", reason, None, _facts(opening))
    return number


def close_channel(
    connection: Connection, actor: Actor, quality: int, opening: Opening, at: int, *, reason: str
) -> str | Refusal:
    """Close a channel of a quality in an environment at ``at`` (microseconds); answers its sender number.

    What would have opened later never does.
    """
    found = quality_for(connection, actor, Act.CHANGE_QUALITY, quality)
    if isinstance(found, Refusal):
        return found
    number = sender_of(connection, quality)
    if number is None or not end_openings(connection, number, opening, at):
        return Refusal(Why.CONFLICT, f"quality {quality} has no such channel that is open then or later")
    told = {"channel": opening.channel.value, "environment": opening.environment}
    record(connection, actor, "channel.closed", f"sender:{number}", reason, told, told | {"valid_to": at})
    return number


def _give_number(connection: Connection, quality: int) -> str:
    """Register a sender for a quality under a number that nobody ever had; its technical users waited for it.

    It may send what the quality's GL has access to: nobody gives more.
    """
    number = _next_number(connection)
    heads = holdings(connection, quality=quality, role=Role.GL)
    purposes = tuple(_purposes(heads[0].applications)) if heads else (EVERYTHING,)
    sender = Sender(number, SignatureProfile.DETACHED, "", purposes, active=True, quality=quality)
    parties.add_sender(connection, sender)
    take_over(connection, number, quality)
    return number


def take_over(connection: Connection, number: str, quality: int) -> None:
    """Let the technical users that waited for the quality's number act for it, and those of the sender be its."""
    own = (technical_users.c.sender == number) & technical_users.c.quality.is_(None)
    connection.execute(sa.update(technical_users).where(own).values(quality=quality))
    named = (technical_users.c.quality == quality) & (technical_users.c.state != DELETED)
    waiting = named & technical_users.c.sender.is_(None)
    connection.execute(sa.update(technical_users).where(waiting).values(sender=number))


def narrow(connection: Connection, actor: Actor, quality: int, access: frozenset[str], reason: str) -> None:
    """Take from a quality's sender the purposes that are beyond the access of its GL."""
    query = sa.select(senders.c.number, senders.c.purposes).where(senders.c.quality == quality)
    for number, purposes in connection.execute(query).all():
        left = _purposes(narrowed(frozenset(purposes), access))
        if left != sorted(purposes):
            connection.execute(sa.update(senders).where(senders.c.number == number).values(purposes=left))
            facts = {"purposes": purposes}, {"purposes": left}
            record(connection, actor, "sender.narrowed", f"sender:{number}", reason, *facts)


def _purposes(access: frozenset[str]) -> list[str]:
    """Those of the applications of an access that are purposes of files."""
    return sorted(name for name in access if name == EVERYTHING or _PURPOSE.fullmatch(name))


def _next_number(connection: Connection) -> str:
    """The number after the highest one; when those are used up, the lowest that is free."""
    highest = connection.execute(sa.select(sa.func.max(senders.c.number))).scalar()
    if highest is None or int(highest) < LAST:
        return f"{int(highest or 0) + 1:06}"
    taken = connection.execute(sa.select(senders.c.number).order_by(senders.c.number)).scalars()
    for free, used in zip(count(1), taken, strict=False):
        if int(used) != free:
            return f"{free:06}"
    raise NoNumberLeftError


class NoNumberLeftError(Exception):
    """Every sender number was given."""


def _permit(connection: Connection, number: str, environment: str) -> None:
    """Let the sender into an environment where it has a channel."""
    this = senders.c.number == number
    has = connection.execute(sa.select(senders.c.environments).where(this)).scalar_one()
    if environment not in has:
        environments = "".join(sorted({*has, environment}, key=ENVIRONMENTS.index))
        connection.execute(sa.update(senders).where(this).values(environments=environments))


def _facts(opening: Opening) -> dict[str, Any]:
    return {
        "channel": opening.channel.value,
        "environment": opening.environment,
        "valid_from": opening.period.start,
        "valid_to": opening.period.end,
    }
