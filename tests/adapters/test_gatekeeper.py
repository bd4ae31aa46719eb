"""Passwords and failed log-ins over a real journal: one hash for everybody, bounded, and locks that last."""

import asyncio
import threading
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from channels.ports import Answer, Attempt, Authentication, TooManyAtOnceError
from gateway import accounts, defender, gatekeeper
from gateway.defender import LockRules
from gateway.gatekeeper import Gatekeeper
from gateway.passwords import Hashing, HashingLimits
from spool.holds import Word
from spool.journal import Journal, now
from tests.adapters.gatehouse import CHEAP, DAY, NEW_PASSWORD, PASSWORD, Register, open_register, policy

SECOND = 1_000_000
HERE, THERE = "192.0.2.1", "198.51.100.9"
USER = "wordholder01"


@pytest.fixture
async def register(journal: Journal) -> AsyncIterator[Register]:
    """One user with a password, one with a key, one with both."""
    async with open_register(journal) as opened:
        opened.add(USER, Authentication.PASSWORD, password=PASSWORD)
        opened.add("keyholder01", Authentication.KEY, password=PASSWORD)
        opened.add("bothholder01", Authentication.BOTH, password=PASSWORD)
        yield opened


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The time as the gatekeeper sees it, in microseconds; a test moves it on."""
    moment = [now()]
    monkeypatch.setattr(gatekeeper, "now", lambda: moment[0])
    return moment


async def answer(register: Register, password: str, username: str = USER, source: str = HERE) -> Answer:
    """What there is to say to a password."""
    return (await register.gatekeeper.check_password(Attempt(username, source, password))).answer


async def fail(register: Register, times: int, username: str = USER, source: str = HERE) -> None:
    """So many wrong passwords, each of which is looked at."""
    for _ in range(times):
        assert Answer.WRONG is await answer(register, "wrong-password-1", username, source)


@pytest.mark.parametrize(
    ("username", "password", "after_key", "expected"),
    [
        (USER, PASSWORD, False, Answer.GOOD),
        (USER, NEW_PASSWORD, False, Answer.WRONG),
        (USER, PASSWORD, True, Answer.WRONG),
        (USER, "", False, Answer.WRONG),
        (USER, "x" * 100_000, False, Answer.WRONG),
        ("nobody01", PASSWORD, False, Answer.WRONG),
        ("keyholder01", PASSWORD, False, Answer.WRONG),
        ("bothholder01", PASSWORD, False, Answer.WRONG),
        ("bothholder01", PASSWORD, True, Answer.GOOD),
        ("blocked01", PASSWORD, False, Answer.WRONG),
        ("wordless01", PASSWORD, False, Answer.WRONG),
        ("late00001", PASSWORD, False, Answer.WRONG),
    ],
)
async def test_every_try_costs_one_hash_whoever_it_is(
    register: Register, username: str, password: str, after_key: bool, expected: Answer
) -> None:
    """Known or unknown, with a password or without, blocked or not: the time tells nothing."""
    register.add("blocked01", Authentication.PASSWORD, password=PASSWORD)
    register.add("wordless01", Authentication.PASSWORD)
    register.add("late00001", Authentication.PASSWORD)
    with register.journal.write() as connection:
        accounts.set_active(connection, "blocked01", active=False)
        accounts.give_password(connection, "late00001", register.hashing.hash(PASSWORD), now() - 1)
    before = register.hashing.compared
    verdict = await register.gatekeeper.check_password(Attempt(username, HERE, password, after_key))
    assert expected is verdict.answer
    assert 1 == register.hashing.compared - before
    assert (verdict.account is None) is (expected is not Answer.GOOD)


# --- a storm


class Slow(Hashing):
    """Hashes that take until they are told, and count how many are made at once."""

    def __init__(self, limits: HashingLimits) -> None:
        super().__init__(limits)
        self.go = threading.Event()
        self.begun = threading.Semaphore(0)
        self.at_once = 0
        self.most = 0
        self._counting = threading.Lock()

    def is_right(self, password: str, kept: str | None) -> bool:
        """As ever, later."""
        with self._counting:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        self.begun.release()
        self.go.wait()
        with self._counting:
            self.at_once -= 1
        return super().is_right(password, kept)


@pytest.fixture
async def slow(journal: Journal) -> AsyncIterator[tuple[Gatekeeper, Slow]]:
    """A gatekeeper that makes two hashes at once and lets three more wait."""
    hashing = Slow(HashingLimits(memory_kib=1024, passes=1, at_once=2, waiting=3))
    keeper = Gatekeeper(journal, hashing, policy(user_tries=1000, source_tries=1000))
    yield keeper, hashing
    hashing.go.set()
    keeper.close()


async def test_a_storm_of_log_ins_takes_no_more_memory(slow: tuple[Gatekeeper, Slow]) -> None:
    """So many hashes at once, so many waiting, the rest refused at once; when the storm is over all is as before."""
    keeper, hashing = slow
    tries = [asyncio.ensure_future(keeper.check_password(Attempt(f"user{n:05}", HERE, "x"))) for n in range(200)]
    await asyncio.to_thread(hashing.begun.acquire)
    done, waiting = [attempt for attempt in tries if attempt.done()], [a for a in tries if not a.done()]
    assert (195, 5) == (len(done), len(waiting))
    assert all(isinstance(attempt.exception(), TooManyAtOnceError) for attempt in done)
    hashing.go.set()
    verdicts = await asyncio.gather(*waiting)
    assert {Answer.WRONG} == {verdict.answer for verdict in verdicts}
    assert hashing.most <= 2
    await keeper.check_password(Attempt("user00000", HERE, "x"))


async def test_a_client_that_goes_away_gives_its_place_back_when_the_hash_is_made(
    slow: tuple[Gatekeeper, Slow],
) -> None:
    """Asking and leaving at once, again and again, is no way to more hashes at a time."""
    keeper, hashing = slow
    for number in range(2):
        attempt = asyncio.ensure_future(keeper.check_password(Attempt(f"user{number:05}", HERE, "x")))
        await asyncio.to_thread(hashing.begun.acquire)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
    waiting = [asyncio.ensure_future(keeper.check_password(Attempt("user00009", HERE, "x"))) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyAtOnceError):
        await keeper.check_password(Attempt("user00009", HERE, "x"))
    hashing.go.set()
    await asyncio.gather(*waiting)


# --- locks


async def test_after_so_many_failures_the_right_password_is_not_looked_at(register: Register) -> None:
    """Nor is any other, until the lock is over; the event says who, where and until when."""
    await fail(register, 5)
    compared = register.hashing.compared
    assert Answer.LOCKED is await answer(register, PASSWORD)
    assert compared == register.hashing.compared
    assert register.gatekeeper.is_locked(USER, HERE)
    [event] = register.noted("defender.locked")
    assert (USER, HERE, 5) == (event["username"], event["source"], event["failures"])


async def test_locks_grow_and_outlive_the_gateway(register: Register, clock: list[int]) -> None:
    """Each failure after the first lock doubles the next, whether the gateway was started anew or not."""
    await fail(register, 5)
    for minutes in (1, 2, 4, 8):
        again = Gatekeeper(register.journal, register.hashing, policy())
        renewed = Register(register.journal, register.hashing, again)
        clock[0] += minutes * 60 * SECOND - 1
        await again.standing(())
        assert again.is_locked(USER, HERE)
        assert Answer.LOCKED is await answer(renewed, PASSWORD)
        clock[0] += 1
        assert not again.is_locked(USER, HERE)
        await fail(renewed, 1)


async def test_a_success_begins_anew(register: Register) -> None:
    """Somebody who mistypes now and then is never locked out, and leaves no event of a lock that was none."""
    for _ in range(3):
        await fail(register, 4)
        assert Answer.GOOD is await answer(register, PASSWORD)
    assert [] == register.noted("defender.locked")


async def test_a_lock_holds_where_the_failures_came_from(register: Register) -> None:
    """Whoever guesses elsewhere locks nobody else out, nor the other users at that address."""
    await fail(register, 5, source=THERE)
    assert Answer.LOCKED is await answer(register, PASSWORD, source=THERE)
    assert Answer.GOOD is await answer(register, PASSWORD)
    register.add("neighbour01", Authentication.PASSWORD, password=PASSWORD)
    assert Answer.GOOD is await answer(register, PASSWORD, "neighbour01", THERE)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        (HERE, f"::ffff:{HERE}", True),
    ],
)
async def test_an_ipv6_customer_is_one_source(register: Register, first: str, second: str, same: bool) -> None:
    """An address of the same /64 is locked too, one of the next is not; IPv4 in IPv6 is IPv4."""
    await fail(register, 5, source=first)
    assert register.gatekeeper.is_locked(USER, second) is same
    assert (await answer(register, PASSWORD, source=second) is Answer.LOCKED) is same


async def test_a_source_that_tries_name_after_name_is_locked(register: Register) -> None:
    """For every name, those included that it never tried; names that don't exist count like those that do."""
    for number in range(20):
        await fail(register, 1, f"guess{number:05}", THERE)
    assert register.gatekeeper.is_locked("", THERE)
    assert Answer.LOCKED is await answer(register, PASSWORD, source=THERE)


async def test_a_success_in_between_does_not_clear_a_source(register: Register) -> None:
    """Somebody with a password of his own guesses no longer at those of others."""
    for number in range(20):
        assert Answer.GOOD is await answer(register, PASSWORD, source=THERE)
        await fail(register, 1, f"guess{number:05}", THERE)
    assert Answer.LOCKED is await answer(register, PASSWORD, source=THERE)


async def test_guessing_from_everywhere_locks_the_password_but_not_where_it_is_used(journal: Journal) -> None:
    """A hundred addresses guessing at one user shut out the next address, and not its own."""
    async with open_register(journal, everywhere_tries=10) as register:
        register.add(USER, Authentication.PASSWORD, password=PASSWORD)
        assert Answer.GOOD is await answer(register, PASSWORD)
        for number in range(10):
            await fail(register, 1, source=f"203.0.113.{number}")
        assert Answer.LOCKED is await answer(register, PASSWORD, source=THERE)
        assert Answer.GOOD is await answer(register, PASSWORD)
        assert not register.gatekeeper.is_locked(USER, THERE)


@pytest.mark.every_database
async def test_many_tries_at_once_are_no_more_than_one_after_another(journal: Journal) -> None:
    """Of a hundred that come together, as many are looked at as the limit says."""
    async with open_register(journal, HashingLimits(1024, 1, at_once=8, waiting=200)) as register:
        tries = [answer(register, f"wrong-password-{number}") for number in range(100)]
        answers = await asyncio.gather(*tries)
        assert (5, 95) == (answers.count(Answer.WRONG), answers.count(Answer.LOCKED))
        assert 5 == register.hashing.compared


async def test_a_gateway_that_dies_over_a_try_has_counted_it(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failures are written down before the password is looked at."""

    def dying(*_arguments: object) -> bool:
        raise MemoryError

    monkeypatch.setattr(Hashing, "is_right", dying)
    for _ in range(5):
        with pytest.raises(MemoryError):
            await answer(register, PASSWORD)
    monkeypatch.undo()
    assert Answer.LOCKED is await answer(register, PASSWORD)


def test_a_success_takes_back_its_own_failure_and_no_lock_of_others(journal: Journal) -> None:
    """Two tries at once from one address: the good one does not lift what the bad one has locked, nor lengthen it."""
    rules, at = LockRules(source_tries=2), now()
    with journal.write() as connection:
        good = defender.charge(connection, "first0001", HERE, rules, at)
        bad = defender.charge(connection, "second001", HERE, rules, at + 1)
        assert good is not None
        assert bad is not None
        defender.take_back(connection, good, at + 2)
        assert {("", HERE): at + 1 + 60 * SECOND} == defender.locks(connection, at + 3)
        late = defender.charge(connection, "first0001", HERE, rules, at + 61 * SECOND)
        assert late is not None
        assert ("", HERE) in defender.locks(connection, at + 61 * SECOND)
        defender.take_back(connection, late, at + 62 * SECOND)
        assert {} == defender.locks(connection, at + 62 * SECOND)


async def test_failed_keys_lock_the_user_at_the_address(register: Register) -> None:
    """But not its password from everywhere: nobody guesses a key."""
    for _ in range(7):
        await register.gatekeeper.failed("keyholder01", THERE)
    assert register.gatekeeper.is_locked("keyholder01", THERE)
    assert not register.gatekeeper.is_locked("keyholder01", HERE)
    with register.journal.read() as connection:
        rows = {(row.username, row.source): row.failures for row in defender.all_failures(connection)}
    assert {("keyholder01", THERE): 5, ("", THERE): 5} == rows


async def test_an_operator_lifts_a_lock(register: Register) -> None:
    """Of a user, of an address or all, in another process; the door knows when it next looks round."""
    await fail(register, 5)
    with register.journal.write() as connection:
        assert 2 == defender.lift(connection, Word("operator", "he called"), username=USER)
    assert register.gatekeeper.is_locked(USER, HERE)
    await register.gatekeeper.standing(())
    assert not register.gatekeeper.is_locked(USER, HERE)
    assert Answer.GOOD is await answer(register, PASSWORD)
    assert [
        {"actor": "operator", "reason": "he called", "username": USER, "source": None, "lifted": 2}
    ] == register.noted("defender.lifted")


async def test_what_is_long_past_is_forgotten(register: Register, clock: list[int]) -> None:
    """And whatever strangers do, only so much is kept; what is known of a user's own address stays longest."""
    assert Answer.GOOD is await answer(register, PASSWORD)
    for number in range(5):
        clock[0] += SECOND
        await fail(register, 1, f"guess{number:05}", f"203.0.113.{number}")
    with register.journal.write() as connection:
        assert defender.forget(connection, LockRules(rows=10_000), clock[0]) == 0
        assert defender.forget(connection, LockRules(rows=6), clock[0]) > 0
        assert ["guess00003", "guess00004"] == sorted(
            row.username for row in defender.all_failures(connection) if row.username and row.source
        )[-2:]
    clock[0] += 2 * DAY
    await register.gatekeeper.standing(())
    with register.journal.read() as connection:
        assert [] == list(defender.all_failures(connection))
    with register.journal.write() as connection:
        assert defender.forget(connection, LockRules(), clock[0] + 91 * DAY) == 1


# --- passwords


async def test_a_password_grows_old(register: Register, clock: list[int]) -> None:
    """After so many days it only serves to choose another."""
    clock[0] += 179 * DAY
    assert Answer.GOOD is await answer(register, PASSWORD)
    clock[0] += 2 * DAY
    assert Answer.CHANGE is await answer(register, PASSWORD)


async def test_the_latest_passwords_are_not_chosen_again(register: Register) -> None:
    """Five of them; the sixth is free."""
    words = [PASSWORD, *(f"quite-a-new-one-{number}" for number in range(6))]
    for old, new in pairwise(words):
        verdict = await register.gatekeeper.change_password(Attempt(USER, HERE, old), new)
        assert Answer.GOOD is verdict.answer
    latest = Attempt(USER, HERE, words[-1])
    for used in words[2:]:
        verdict = await register.gatekeeper.change_password(latest, used)
        assert (Answer.CHANGE, True) == (verdict.answer, "used before" in verdict.words)
    assert Answer.GOOD is (await register.gatekeeper.change_password(latest, words[1])).answer


async def test_hashes_follow_the_parameters(register: Register) -> None:
    """A password kept with the cost of yesterday is kept with that of today after the next log-in."""
    dearer = Hashing(HashingLimits(memory_kib=2048, passes=1))
    keeper = Gatekeeper(register.journal, dearer, policy())
    for _ in range(2):
        assert Answer.GOOD is (await keeper.check_password(Attempt(USER, HERE, PASSWORD))).answer
    with register.journal.read() as connection:
        kept = accounts.current_password(connection, USER)
    assert kept is not None
    assert kept.hash.startswith("$argon2id$v=19$m=2048,t=1,p=1$")
    keeper.close()


def test_what_is_kept_is_no_password() -> None:
    """Two of the same are kept differently, and nonsense in the journal is nobody's password."""
    hashing = Hashing(CHEAP)
    first, second = hashing.hash(PASSWORD), hashing.hash(PASSWORD)
    assert first != second
    assert hashing.is_right(PASSWORD, first)
    assert not hashing.is_right(PASSWORD, "nonsense")
    assert not hashing.is_right("nobody's", None)
    hashing.close()
