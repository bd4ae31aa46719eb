"""What counts for how long: authorities and their lists, our own certificates, the keys and certificates of senders?"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import nsmallest
from typing import Final

from sqlalchemy.engine import Connection

from config.errors import ConfigurationError
from config.settings import Settings, Signing
from gateway.register import expiry
from gateway.watch import authority_expiries
from signing.own import own_keys
from signing.trust.authorities import Authorities, current
from spool.expiries import Ending

MOST: Final = 50
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Dates:
    """An accepted authority: when the oldest of its lists was made, until when they count, when it ends itself."""

    name: str
    made: datetime | None
    fresh_until: datetime | None
    ends: datetime


@dataclass(frozen=True, slots=True)
class Own:
    """A certificate of the gateway, by the setting that names it."""

    setting: str
    ends: datetime
    signs: bool


@dataclass(frozen=True, slots=True)
class Registered:
    """What senders' keys and certificates end soon: how many do, and the nearest of these."""

    count: int
    nearest: tuple[Ending, ...]


def days_left(end: datetime, at: datetime) -> int:
    """Whole days that are left, negative when it has passed."""
    return (end - at) // _DAY


class Trusted:
    """The accepted authorities; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: Authorities | None = None
        self._dates: tuple[Dates, ...] = ()

    def look(self, settings: Settings) -> tuple[Dates, ...]:
        """Every accepted authority.

        Raises:
            TemporaryError: they cannot be read now.
            ConfigurationError: one of them is not what it should be.
        """
        authorities = current(settings.trust.authorities)
        with self._lock:
            if authorities is not self._seen:
                # Reading a large list takes a while, and ``current`` gives the same object until something has changed.
                self._dates = tuple(_dates(authorities))
                self._seen = authorities
            return self._dates


def _dates(authorities: Authorities) -> Sequence[Dates]:
    ends = authority_expiries(authorities)
    return [
        Dates(entry.name, entry.made, entry.fresh_until, end.not_after)
        for entry, end in zip(authorities, ends, strict=True)
    ]


def own_certificates(settings: Signing, at: datetime) -> tuple[Own, ...]:
    """Our own certificates that sign at ``at`` or later; none where they cannot be read."""
    try:
        found = own_keys.own_certificates(settings)
    except ConfigurationError:
        return ()
    return tuple(Own(one.setting, one.not_after, one.signs(at)) for one in found if not one.is_replaced(at))


def registered(connection: Connection, at: int) -> Registered:
    """What ends of active senders in the time in which they are warned, from ``at`` (microseconds) on."""
    found = list(expiry.endings(connection, at))
    return Registered(len(found), tuple(nsmallest(MOST, found, key=lambda one: (one.expires_at, one.subject))))
