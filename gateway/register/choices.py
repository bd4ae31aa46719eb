"""To whom, and by what, goes what comes back about an employer?

Its GL may choose, by type of message and environment, the recipient (itself, or a provider that has its mandate) and
the channel (the recipient's e-Box, or one that it has registered), for a time.  The newest choice counts; one for a
type before one for all types.  A choice counts only while its mandate and its channel do: else, and where nothing was
chosen, a message goes to who sent what it is about, or to the employer.  Source: the rules of the Routing Module; where
they are silent, ``docs/decisions/0022-what-comes-back.md``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.openings import Channel, is_open, openings_of
from gateway.register import enterprises
from gateway.register.actor import Actor, Refusal, Why, label
from gateway.register.channels import ENVIRONMENTS, active, sender_of
from gateway.register.enterprises import EMPLOYERS, Quality, State, quality_for
from gateway.register.history import record
from gateway.register.mandates import is_empty, mandates_of
from gateway.register.rights import Act
from gateway.registrations import Period
from spool.journal import now
from spool.register_tables import qualities, routing_choices
from spool.tables import senders

EVERY_TYPE: Final = "*"
_PURPOSE: Final = re.compile(r"[A-Z0-9]{4}|\*")


@dataclass(frozen=True, slots=True)
class Route:
    """What is chosen: about this employer, of this purpose (or ``*``) and environment, to whom, by what, when.

    Employer and recipient go by the numbers of their qualities.
    """

    employer: int
    recipient: int
    purpose: str
    environment: str
    channel: Channel
    period: Period


@dataclass(frozen=True, slots=True)
class Choice:
    """A route that was chosen, by its number."""

    number: int
    route: Route


@dataclass(frozen=True, slots=True)
class Recipient:
    """To whom a message goes, and by what.

    ``quality`` is whose e-Box it would be, None for a sender that belongs to no quality; ``sender`` is who gets it by
    SFTP or MQ, None for an e-Box; ``chosen`` says that somebody chose so, and that it is no default.
    """

    quality: int | None
    channel: Channel
    sender: str | None
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class SentBy:
    """Who sent what a message is about, and over which channel."""

    sender: str
    channel: str


# --- what counts when a message comes back


def recipient_of(
    connection: Connection,
    employer: int | None,
    purpose: str,
    environment: str,
    at: int,
    sent_by: SentBy | None = None,
) -> Recipient:
    """To whom a message about an employer goes, and by what.

    Args:
        connection: a transaction's.
        employer: the number of the employer's quality, None if it isn't known.
        purpose: the message's type, as in the name of its file.
        environment: R, T or S.
        at: the moment of sending, in microseconds.
        sent_by: who sent the submission that the message is about, if it is about one.

    Raises:
        ValueError: neither employer nor sender is given.
    """
    if employer is not None:
        for choice in _newest(connection, employer, purpose, environment, at):
            chosen = _usable(connection, choice.route, at)
            if chosen is not None:
                return chosen
    if sent_by is not None and (employer is None or not _is_closed(connection, sent_by.sender)):
        return _back_to(connection, sent_by, environment, at)
    if employer is None:
        raise ValueError("nobody is known whom it could go to")
    number = sender_of(connection, employer)
    channel = None if number is None else _open_channel(connection, number, None, environment, at)
    return Recipient(employer, Channel.EBOX, None) if channel is None else Recipient(employer, channel, number)


def _newest(connection: Connection, employer: int, purpose: str, environment: str, at: int) -> list[Choice]:
    """The newest choice for the purpose that counts then, and the newest for all purposes behind it."""
    table = routing_choices.c
    counts = (table.valid_from <= at) & (sa.func.coalesce(table.valid_to, at + 1) > at)
    here = counts & (table.employer == employer) & (table.environment == environment)
    numbers = (
        connection.execute(sa.select(sa.func.max(table.number)).where(here, table.purpose == each)).scalar()
        for each in (purpose, EVERY_TYPE)
    )
    return [one for number in numbers if number is not None for one in _found(connection, table.number == number)]


def _usable(connection: Connection, route: Route, at: int) -> Recipient | None:
    if route.recipient != route.employer and not _has_mandate(connection, route, at):
        return None
    known = enterprises.quality(connection, route.recipient)
    if known is None or not known.active:
        return None
    if route.channel is Channel.EBOX:
        return Recipient(route.recipient, Channel.EBOX, None, chosen=True)
    number = sender_of(connection, route.recipient)
    if number is None or not active(connection, number, route.channel, route.environment, at):
        return None
    return Recipient(route.recipient, route.channel, number, chosen=True)


def _is_closed(connection: Connection, sender: str) -> bool:
    """Whether a sender's quality is over, so that nobody is left who could fetch anything."""
    of = (senders.c.number == sender) & (qualities.c.state == State.CLOSED)
    query = sa.select(senders.c.number).join(qualities, qualities.c.number == senders.c.quality).where(of)
    return connection.execute(query).first() is not None


def _has_mandate(connection: Connection, route: Route, at: int) -> bool:
    return any(one.provider == route.recipient for one in mandates_of(connection, route.employer, at=at))


def _back_to(connection: Connection, sent_by: SentBy, environment: str, at: int) -> Recipient:
    """Who sent it, by the channel it used while that is open, else by another, else to its e-Box.

    Without an e-Box SFTP is left: logging in and reading is possible without an open channel.
    """
    quality = connection.execute(sa.select(senders.c.quality).where(senders.c.number == sent_by.sender)).scalar()
    channel = _open_channel(connection, sent_by.sender, sent_by.channel, environment, at)
    if channel is None and quality is not None:
        return Recipient(quality, Channel.EBOX, None)
    return Recipient(quality, channel or Channel.SFTP, sent_by.sender)


def _open_channel(
    connection: Connection, sender: str, preferred: str | None, environment: str, at: int
) -> Channel | None:
    openings = openings_of(connection, sender)
    wanted = sorted((Channel.SFTP, Channel.MQ), key=lambda channel: channel != preferred)
    return next((channel for channel in wanted if is_open(openings, channel, environment, at)), None)


# --- what is there


def choice(connection: Connection, number: int) -> Choice | None:
    """The choice of this number, or None."""
    return next(_found(connection, routing_choices.c.number == number), None)


def choices_of(connection: Connection, employer: int) -> list[Choice]:
    """Every choice that was ever made for an employer, in the order in which they were made."""
    return list(_found(connection, routing_choices.c.employer == employer))


def _found(connection: Connection, wanted: sa.ColumnElement[bool]) -> Iterator[Choice]:
    table = routing_choices.c
    columns = (table.number, table.employer, table.recipient, table.purpose, table.environment, table.channel)
    query = sa.select(*columns, table.valid_from, table.valid_to).where(wanted).order_by(table.number)
    for number, employer, recipient, purpose, environment, channel, start, end in connection.execute(query):
        route = Route(employer, recipient, purpose, environment, Channel(channel), Period(start, end))
        yield Choice(number, route)


# --- acts


def choose(connection: Connection, actor: Actor, route: Route, *, reason: str) -> Choice | Refusal:
    """Choose recipient and channel of what comes back; without a beginning from now on.

    What was chosen before for the same type and environment counts no more while this does.

    Args:
        connection: the transaction in which it is done.
        actor: who asks; of persons only the employer's GL and Co-GLs.
        route: what is chosen.
        reason: why, for the history.
    """
    giver = quality_for(connection, actor, Act.CHOOSE_ROUTING, route.employer)
    if isinstance(giver, Refusal):
        return giver
    start = now() if route.period.start is None else route.period.start
    period = Period(start, route.period.end)
    if words := _fault(giver, route, period):
        return Refusal(Why.INVALID, words)
    if route.recipient != route.employer and not _has_mandate(connection, route, start):
        return Refusal(
            Why.CONFLICT, f"quality {route.recipient} has no mandate from quality {route.employer} at that time"
        )
    if _usable(connection, route, start) is None:
        return Refusal(Why.CONFLICT, f"quality {route.recipient} has no channel {route.channel} open there then")
    row = {"employer": giver.number, "recipient": route.recipient, "purpose": route.purpose}
    row |= {"environment": route.environment, "channel": route.channel, "valid_from": start, "valid_to": period.end}
    query = sa.insert(routing_choices).values(**row, given_by=label(actor), created_at=now())
    number: int = connection.execute(query.returning(routing_choices.c.number)).scalar_one()
    chosen = Route(giver.number, route.recipient, route.purpose, route.environment, route.channel, period)
    record(connection, actor, "routing.chosen", f"routing:{number}", reason, None, facts_of(chosen))
    return Choice(number, chosen)


def _fault(giver: Quality, route: Route, period: Period) -> str:
    """What is wrong with a choice by itself; empty if nothing is."""
    if giver.kind not in EMPLOYERS:
        return "only for an employer it is chosen where messages go"
    if not _PURPOSE.fullmatch(route.purpose):
        return "a purpose is the code of a type of message, such as NOTI, or * for all of them"
    if route.environment not in set(ENVIRONMENTS) or is_empty(period):
        return "a choice is for R, T or S, and ends after it began"
    return ""


def end_choice(connection: Connection, actor: Actor, number: int, at: int, *, reason: str) -> Choice | Refusal:
    """A choice counts no more from ``at`` (microseconds) on."""
    unknown = Refusal(Why.UNKNOWN, f"there is no choice {number}")
    found = choice(connection, number)
    if found is None:
        return unknown
    route = found.route
    giver = quality_for(connection, actor, Act.CHOOSE_ROUTING, route.employer)
    if isinstance(giver, Refusal):
        return unknown if giver.why is Why.UNKNOWN else giver
    if route.period.end is not None and route.period.end <= at:
        return Refusal(Why.CONFLICT, f"choice {number} ends before that already, and no end is put off")
    end = max(at, route.period.start or at)
    connection.execute(sa.update(routing_choices).where(routing_choices.c.number == number).values(valid_to=end))
    period = Period(route.period.start, end)
    ended = Route(route.employer, route.recipient, route.purpose, route.environment, route.channel, period)
    record(connection, actor, "routing.ended", f"routing:{number}", reason, facts_of(route), facts_of(ended))
    return Choice(number, ended)


def facts_of(route: Route) -> dict[str, Any]:
    """What the history and listings say of a route; times in microseconds."""
    return {
        "employer": route.employer,
        "recipient": route.recipient,
        "purpose": route.purpose,
        "environment": route.environment,
        "channel": route.channel.value,
        "valid_from": route.period.start,
        "valid_to": route.period.end,
    }
