"""How does a command take a moment or a period, and hand it on in the journal's microseconds?"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import click

from gateway.parties import microseconds
from gateway.registrations import EARLIEST, LATEST, Period

F = TypeVar("F", bound=Callable[..., Any])

MOMENT: Final = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"])
"""A day, which begins in UTC, or a moment with its zone."""


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
