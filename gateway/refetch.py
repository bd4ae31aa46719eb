"""When is a place asked again for revocation data?  Pure: the clock and chance are arguments.

As a rule once in a period, a little earlier or later so that gateways don't all come at the same moment; earlier when
what was fetched runs out before; sooner and sooner less often while it fails. A submission that waits makes a place due
at once, and keeps it due every few seconds while its server is away. Data that came but didn't help are asked for more
and more rarely: the answer is elsewhere. A clock that was put back makes due what was planned by the old one.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

_FIRST: Final = timedelta(seconds=1)
_WHILE_ASKED: Final = timedelta(seconds=5)
_WHILE_UNASKED: Final = timedelta(minutes=15)
_FRUITLESS: Final = timedelta(minutes=5)
_SOONEST: Final = timedelta(minutes=1)
_FORGOTTEN: Final = timedelta(minutes=15)
_SETTING_THE_CLOCK: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with one place.

    ``due`` is when it is asked next, ``tried`` when it was last; ``failures`` counts those in a row, ``fruitless`` the
    answers in a row after which somebody asked again. ``asked``: a submission waits for it.
    """

    due: datetime
    tried: datetime | None = None
    failures: int = 0
    fruitless: int = 0
    asked: bool = False


def by_the_clock(standing: Standing, at: datetime, period: timedelta) -> Standing:
    """The same, unless a moment in it shows that the clock has been put back since: then it is due at once."""
    was_tried_later = standing.tried is not None and standing.tried > at + _SETTING_THE_CLOCK
    return Standing(at) if was_tried_later or standing.due > at + 2 * period else standing


def when_asked(standing: Standing, at: datetime) -> Standing:
    """A submission waits for this place since ``at``; many that wait are as good as one."""
    if standing.asked:
        return standing
    if standing.tried is None:
        return replace(standing, due=min(at, standing.due), asked=True)
    if standing.failures:
        soon = standing.tried + _doubled(standing.failures, _WHILE_ASKED)
        return replace(standing, due=min(soon, standing.due), asked=True)
    fruitless = standing.fruitless + 1 if at - standing.tried < _FORGOTTEN else 1
    soon = standing.tried + _doubled(fruitless, _FRUITLESS)
    return replace(standing, due=min(soon, standing.due), fruitless=fruitless, asked=True)


def after_answer(
    standing: Standing, at: datetime, period: timedelta, chance: float, fresh_until: datetime | None
) -> Standing:
    """Good data came.

    Args:
        standing: as it was before
        at: the present
        period: how often to ask, as a rule
        chance: from 0 to 1
        fresh_until: when these data run out, if that is known
    """
    due = at + period * (0.9 + 0.2 * chance)
    if fresh_until is not None:
        early = fresh_until - (fresh_until - at) / 10
        due = min(due, max(early, at + min(period, _SOONEST)))
    return Standing(due, tried=at, fruitless=standing.fruitless)


def after_failure(standing: Standing, at: datetime, period: timedelta, chance: float) -> Standing:
    """Nothing came, or nothing of use; the arguments are those of :func:`after_answer`."""
    failures = standing.failures + 1
    ceiling = _WHILE_ASKED if standing.asked else min(period, _WHILE_UNASKED)
    wait = _doubled(failures, ceiling) * (0.8 + 0.2 * chance)
    return replace(standing, due=at + wait, tried=at, failures=failures)


def _doubled(times: int, ceiling: timedelta) -> timedelta:
    return min(ceiling, _FIRST * (1 << min(times - 1, 30)))
