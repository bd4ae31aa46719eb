"""How does a command take a moment or a period, and hand it on in the journal's microseconds?"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import click

from gateway.parties import microseconds
from gateway.registrations import EARLIEST, LATEST, Period

F = TypeVar("F", bound=Callable[..., Any])

MOMENT: Final = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"])
"""A day, which begins in UTC, or a moment with its zone."""

_LENGTH: Final = re.compile("([0-9]{1,6})([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def length_of(text: str) -> timedelta | None:
    """How long ``90s``, ``30m``, ``2h``, ``3d`` and ``1w`` are; None for what is no length."""
    found = _LENGTH.fullmatch(text)
    return None if found is None else timedelta(**{_UNITS[found[2]]: int(found[1])})


class MomentOrLength(click.ParamType[datetime | timedelta]):
    """A moment as `MOMENT` takes it, or how far it lies from another."""

    name = "moment or length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime | timedelta:
        """The moment, with its zone, or the length."""
        if isinstance(value, datetime | timedelta):
            return value
        length = length_of(value)
        if length is not None:
            return length
        moment = MOMENT.convert(value, param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


WHEN: Final = MomentOrLength()
"""A moment, or a length such as ``2h``; `counted` makes a moment of either."""


def counted(said: datetime | timedelta, base: datetime) -> datetime:
    """The moment that was said, or that lies so far from ``base``.

    Raises:
        UsageError: there is no such moment.
    """
    if isinstance(said, datetime):
        return said
    try:
        return base + said
    except OverflowError:
        raise click.UsageError("a moment lies in the years 1 to 9999 of UTC") from None


def with_period(function: F) -> F:
    """Add ``--from`` and ``--to``; the command gets ``start`` and ``end``."""
    words = "Before this moment.  [default: no end]"
    function = click.option("--to", "end", type=MOMENT, metavar="WHEN", help=words)(function)
    words = "From then on; a bare date is UTC.  [default: at once]"
    return click.option("--from", "start", type=MOMENT, metavar="WHEN", help=words)(function)


def with_end(function: F) -> F:
    """Add ``--at``; the command gets ``at``."""
    words = "When it ends; a bare date is UTC.  [default: now]"
    return click.option("--at", type=MOMENT, metavar="WHEN", help=words)(function)


def period_of(start: datetime | None, end: datetime | None) -> Period:
    """The period between two moments that were typed.

    Raises:
        UsageError: it ends before it begins.
    """
    period = Period(microseconds_of(start), microseconds_of(end))
    if period.start is not None and period.end is not None and period.start >= period.end:
        raise click.UsageError("--to must be later than --from")
    return period


def microseconds_of(moment: datetime | None) -> int | None:
    """A moment as it was typed, as the journal writes it.

    Raises:
        UsageError: it could not be told again.
    """
    if moment is None:
        return None
    at = microseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    if not EARLIEST <= at <= LATEST:
        raise click.UsageError("a moment lies in the years 1 to 9999 of UTC")
    return at
