"""Who may connect and who may stay, counted without a network."""

import random

import pytest

from channels.sftp.admission import Admission, AdmissionLimits, Drops, drop_chance

LIMITS = AdmissionLimits(start=10, rate=30, full=100)


@pytest.mark.parametrize(
    ("starting", "per_cent"), [(0, 0), (9, 0), (10, 30), (55, 65), (99, 99), (100, 100), (5_000, 100)]
)
def test_the_chance_to_be_dropped_grows_from_start_to_full(starting: int, per_cent: int) -> None:
    """As sshd_config(5) says of MaxStartups 10:30:100."""
    assert per_cent == drop_chance(starting, LIMITS)


def admission(draw: int = 99) -> Admission:
    """One whose every draw is ``draw``; 99 drops only at full."""
    return Admission(lambda: draw)


def test_luck_decides_between_start_and_full() -> None:
    """The lowest draw is dropped from start on, the highest only at full."""
    unlucky, lucky = admission(0), admission(99)
    sources = [f"192.0.2.{number}" for number in range(120)]
    limits = AdmissionLimits(start=10, rate=30, full=100, connections=1000)
    assert 10 == sum(not unlucky.begin(source, source, limits) for source in sources)
    assert 100 == sum(not lucky.begin(source, source, limits) for source in sources)


def test_one_source_fills_nobody_elses_room() -> None:
    """It has so many connections that have not logged in; what leaves or logs in makes room."""
    limits = AdmissionLimits(source_starts=2)
    door = admission()
    assert [False, False, True, True] == [bool(door.begin(n, f"2001:db8::{n}", limits)) for n in range(1, 5)]
    assert not door.begin("neighbour", "2001:db8:0:1::1", limits)
    door.leave(1)
    assert not door.begin(5, "2001:db8::5", limits)
    assert not door.come_in(5, "user", limits)
    assert not door.begin(6, "2001:db8::6", limits)


def test_strangers_do_not_fill_the_room_of_those_who_have_been_here() -> None:
    """However many they are, a source that somebody has logged in from gets in; but it has a limit too."""
    limits = AdmissionLimits(start=5, full=10, source_starts=1000)
    door = admission(0)
    assert not door.begin("regular", "192.0.2.1", limits)
    assert not door.come_in("regular", "user", limits)
    door.leave("regular")
    strangers = [door.begin(n, f"198.51.100.{n}", limits) for n in range(50)]
    assert 5 == strangers.count("")
    regulars = [door.begin(f"regular {n}", "192.0.2.1", limits) for n in range(50)]
    assert 10 == regulars.count("")
    assert door.begin("another", "203.0.113.1", limits)


def test_those_who_are_in_are_counted_apart() -> None:
    """Whoever has not logged in takes no room from them; and their limit is none for one who comes twice at once."""
    limits = AdmissionLimits(start=5, full=10, connections=2)
    door = admission()
    for guest in range(4):
        assert not door.begin(guest, f"192.0.2.{guest}", limits)
    assert ["", "", "too many connections", "too many connections"] == [
        door.come_in(guest, f"user{guest}", limits) for guest in range(4)
    ]
    assert "too many connections" == door.begin("late", "192.0.2.9", limits)


def test_users_and_sources_have_so_many_connections() -> None:
    """Each limit by itself; one that left is counted no more."""
    limits = AdmissionLimits(user_sessions=2, source_sessions=3)
    door = admission()
    for guest in range(6):
        assert not door.begin(guest, "192.0.2.1", limits)
    assert not door.come_in(0, "first", limits)
    assert not door.come_in(1, "first", limits)
    assert "of this user" in door.come_in(2, "first", limits)
    assert not door.come_in(3, "second", limits)
    assert "from this address" in door.come_in(4, "third", limits)
    door.leave(0)
    assert not door.come_in(5, "first", limits)


class SeatsInMemory:
    """Seats of two doors in one process; ``fault`` is what their volume has."""

    def __init__(self) -> None:
        self.taken: dict[int, str] = {}
        self.fault: OSError | None = None

    def take(self, key: str, most: int) -> int | None:
        """The first number that is free."""
        if self.fault is not None:
            raise self.fault
        if list(self.taken.values()).count(key) >= most:
            return None
        seat = max(self.taken, default=0) + 1
        self.taken[seat] = key
        return seat

    def give_back(self, seat: int) -> None:
        """It is free."""
        del self.taken[seat]


@pytest.mark.parametrize(
    ("users", "addresses", "words"),
    [
        (("one", "one"), ("192.0.2.1", "192.0.2.2"), "too many connections of this user"),
        (("one", "two"), ("192.0.2.1", "192.0.2.1"), "too many connections from this address"),
    ],
)
def test_users_and_sources_have_so_many_connections_at_all_doors(
    users: tuple[str, str], addresses: tuple[str, str], words: str
) -> None:
    """Each of them by itself; who is refused takes nothing, and who leaves gives it back."""
    seats, limits = SeatsInMemory(), AdmissionLimits(user_sessions=1, source_sessions=1)
    here, there = (Admission(lambda: 99, seats) for _ in range(2))
    for door, user, address in zip((here, there), users, addresses, strict=True):
        assert not door.begin(user, address, limits)
    assert not here.come_in(users[0], users[0], limits)
    assert (words, 2) == (there.come_in(users[1], users[1], limits), len(seats.taken))
    here.leave(users[0])
    assert not there.come_in(users[1], users[1], limits)
    there.leave(users[1])
    assert not seats.taken


def test_seats_that_cannot_be_asked_for_let_nobody_in() -> None:
    """With words, and without taking anything; afterwards all is as before."""
    seats = SeatsInMemory()
    door = Admission(lambda: 99, seats)
    door.begin("guest", "192.0.2.1", LIMITS)
    seats.fault = OSError(37, "no locks available")
    assert "its volume gives no locks" in door.come_in("guest", "one", LIMITS)
    seats.fault = None
    assert not door.come_in("guest", "one", LIMITS)


def test_nobody_comes_in_who_was_not_counted_or_twice() -> None:
    """A guest is counted once, at the door."""
    door = admission()
    assert door.come_in("stranger", "user", LIMITS)
    assert not door.begin("guest", "192.0.2.1", LIMITS)
    assert not door.come_in("guest", "user", LIMITS)
    assert door.come_in("guest", "user", LIMITS)


def test_whatever_happens_the_counts_come_back_to_nothing() -> None:
    """Ten thousand steps at random, then everybody leaves, some twice: there is room for as many as before."""
    limits = AdmissionLimits(start=5, full=20, source_starts=3, connections=30, user_sessions=4, source_sessions=6)
    chance = random.Random(5)
    door = Admission(lambda: chance.randrange(100))
    for _ in range(10_000):
        guest = chance.randrange(60)
        match chance.randrange(3):
            case 0:
                door.leave(guest)
                door.begin(guest, f"192.0.2.{guest % 7}", limits)
            case 1:
                door.come_in(guest, f"user{guest % 5}", limits)
            case _:
                door.leave(guest)
        assert door.starting <= limits.full
    for guest in (*range(60), *range(60)):
        door.leave(guest)
    assert [False] * 3 + [True] == [bool(door.begin(n, "192.0.2.9", limits)) for n in range(4)]
    assert not any(door.come_in(n, "user0", limits) for n in range(3))


def test_what_happens_a_thousand_times_is_said_once_a_second() -> None:
    """With how often it happened, so that no flood fills the log."""
    drops = Drops()
    said = [drops.count("full", at=number / 1000) for number in range(3001)]
    assert [1, 1000, 1000, 1000] == [count for count in said if count]
    assert 1 == drops.count("other", at=3.0)
