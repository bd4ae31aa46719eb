"""May one more connection begin, and may one more log in?

Connections that have not logged in are dropped at random before there are too many, as OpenSSH does (sshd_config,
MaxStartups ``start:rate:full``): from ``start`` on with a chance of ``rate`` per cent, growing to all of them at
``full``.  Besides, one source may have only so many of them, so that one flooder fills nobody else's room; and sources
that somebody has logged in from have room of their own, which all the strangers of the world don't fill.  Everything is
counted on the one event loop, in the step that also decides: a limit cannot be passed by coming twice at once.  Where
several processes are one door, those who have logged in take seats that all of them share (:mod:`spool.seats`); those
who have not are counted by each process for itself.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final, Protocol

from channels.sources import counted_as

_A_SECOND: Final = 1.0
_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """How many connections there may be; ``rate`` in per cent, the others are numbers of connections.

    ``start``, ``full`` and ``source_starts`` are for those that have not logged in, the others for those that have.
    """

    start: int = 50
    rate: int = 30
    full: int = 150
    source_starts: int = 20
    connections: int = 200
    user_sessions: int = 20
    source_sessions: int = 100


def drop_chance(starting: int, limits: AdmissionLimits) -> int:
    """With how many per cent the next connection is dropped if ``starting`` are there that have not logged in."""
    if starting < limits.start:
        return 0
    if starting >= limits.full:
        return 100
    return limits.rate + (100 - limits.rate) * (starting - limits.start) // (limits.full - limits.start)


class Seats(Protocol):
    """What several processes may have only so many of together."""

    def take(self, key: str, most: int) -> int | None:
        """One of the ``most`` seats of ``key``, or None if all are taken."""

    def give_back(self, seat: int) -> None:
        """It may be another's."""


class Admission:
    """Who is there; ``draw`` gives a number from 0 to 99 at random, ``seats`` are those of several processes."""

    def __init__(self, draw: Callable[[], int], seats: Seats | None = None) -> None:
        self._draw = draw
        self._seats = seats
        self._seated: dict[Hashable, list[int]] = {}
        self._starting: dict[Hashable, str] = {}
        self._strangers: set[Hashable] = set()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._inside: dict[Hashable, tuple[str, str]] = {}
        self._starts: Counter[str] = Counter()
        self._users: Counter[str] = Counter()
        self._sources: Counter[str] = Counter()

    @property
    def starting(self) -> int:
        """How many have not logged in."""
        return len(self._starting)

    def begin(self, guest: Hashable, source: str, limits: AdmissionLimits) -> str:
        """Count a new connection; answers why not if it may not be, else nothing."""
        place = counted_as(source)
        if self._starts[place] >= limits.source_starts:
            return "too many connections from this address that have not logged in"
        if len(self._inside) >= limits.connections:
            return "too many connections"
        if self._is_full(place, limits):
            return "too many connections that have not logged in"
        if place not in self._known:
            self._strangers.add(guest)
        self._starting[guest] = place
        self._starts[place] += 1
        return ""

    def come_in(self, guest: Hashable, username: str, limits: AdmissionLimits) -> str:
        """A connection that was counted has logged in; answers why it may not stay, else nothing."""
        place = self._starting.get(guest)
        if place is None:
            return "not one of ours"
        if len(self._inside) >= limits.connections:
            return "too many connections"
        if self._users[username] >= limits.user_sessions:
            return "too many connections of this user"
        if self._sources[place] >= limits.source_sessions:
            return "too many connections from this address"
        if self._seats is not None and (words := self._take_seats(self._seats, guest, username, place, limits)):
            return words
        self._no_longer_starting(guest)
        self._inside[guest] = (username, place)
        self._users[username] += 1
        self._sources[place] += 1
        self._remember(place)
        return ""

    def leave(self, guest: Hashable) -> None:
        """A connection is gone, counted or not."""
        self._no_longer_starting(guest)
        username, place = self._inside.pop(guest, ("", ""))
        _take_one(self._users, username)
        _take_one(self._sources, place)
        self._give_back_seats(guest)

    def _take_seats(self, seats: Seats, guest: Hashable, username: str, place: str, limits: AdmissionLimits) -> str:
        wanted = (
            (f"user {username}", limits.user_sessions, "too many connections of this user"),
            (f"source {place}", limits.source_sessions, "too many connections from this address"),
        )
        taken = self._seated[guest] = []
        for key, most, words in wanted:
            try:
                seat = seats.take(key, most)
            except OSError:
                self._give_back_seats(guest)
                return "the gateway cannot count connections just now: its volume gives no locks"
            if seat is None:
                self._give_back_seats(guest)
                return words
            taken.append(seat)
        return ""

    def _give_back_seats(self, guest: Hashable) -> None:
        for seat in self._seated.pop(guest, ()):
            if self._seats is not None:
                self._seats.give_back(seat)

    def _is_full(self, place: str, limits: AdmissionLimits) -> bool:
        if place in self._known:
            return len(self._starting) - len(self._strangers) >= limits.full
        return self._draw() < drop_chance(len(self._strangers), limits)

    def _remember(self, place: str) -> None:
        self._known[place] = None
        self._known.move_to_end(place)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _no_longer_starting(self, guest: Hashable) -> None:
        self._strangers.discard(guest)
        _take_one(self._starts, self._starting.pop(guest, ""))


def _take_one(counts: Counter[str], key: str) -> None:
    if counts[key] > 1:
        counts[key] -= 1
    else:
        del counts[key]


class Drops:
    """How often something is said that may happen thousands of times a second: once a second, with a count."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._said: dict[str, float] = {}

    def count(self, reason: str, at: float) -> int:
        """It happened at ``at`` (seconds); answers how often since it was last said if it is to be said now, or 0."""
        self._counts[reason] += 1
        if at < self._said.get(reason, at - _A_SECOND) + _A_SECOND:
            return 0
        self._said[reason] = at
        return self._counts.pop(reason)
