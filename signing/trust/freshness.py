"""At which moments does a revocation list or an OCSP response count?

From when it was made until its next update (RFC 5280, 5.1.2.4 and 5.1.2.5; RFC 6960, 4.2.2.1), or until it is older
than the terms of its authority allow, whatever comes first. One that names no next update counts as long as the terms
allow, or for half an hour. One made after the moment that is judged counts too, so that a submission which waited for a
fresh list can be decided; one that claims to be made in the future does not.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

AHEAD = timedelta(minutes=5)  # what clocks of authorities may differ from ours
_WITHOUT_NEXT_UPDATE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Dates:
    """When a list or response was made, and when the next one will be there; in UTC."""

    this_update: datetime
    next_update: datetime | None


@dataclass(frozen=True, slots=True)
class Moment:
    """What is judged: ``at`` is when a submission was received, ``now`` when it is judged, both with their time zone.

    ``later_revocation_counts`` says whether a certificate that was revoked between the two is revoked.
    """

    at: datetime
    now: datetime
    later_revocation_counts: bool = False

    def is_made(self, dates: Dates) -> bool:
        """Whether something exists already by our own clock, give or take five minutes."""
        return dates.this_update <= max(self.at, self.now) + AHEAD

    def counts(self, dates: Dates, max_age: timedelta | None) -> bool:
        """Whether something says anything about the moment."""
        return self.is_made(dates) and self.at <= last_moment(dates, max_age)

    def revokes(self, revoked_at: datetime) -> bool:
        """Whether a certificate revoked then is revoked by what is judged."""
        return self.later_revocation_counts or revoked_at <= self.at


def last_moment(dates: Dates, max_age: timedelta | None) -> datetime:
    """The last moment about which something says anything.

    Args:
        max_age: how old it may be by the terms of its authority
    """
    age = max_age if dates.next_update or max_age else _WITHOUT_NEXT_UPDATE
    limits = [dates.next_update, _later(dates.this_update, age) if age else None]
    return min(limit for limit in limits if limit)


def _later(start: datetime, duration: timedelta) -> datetime:
    try:
        return start + duration
    except OverflowError:
        return datetime.max.replace(tzinfo=start.tzinfo)
