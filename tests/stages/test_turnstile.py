"""The OK to a GO comes later while more submissions wait than can be judged soon; everybody passes in the end."""

import asyncio
from collections.abc import Callable, Collection

from config.errors import TemporaryError
from gateway.turnstile import Turnstile, Waiting


class Judged:
    """What waits for a verdict, as a test says; ``asked`` has who was asked about."""

    def __init__(self, count: int = 0, senders: Collection[str] = ()) -> None:
        self.count = count
        self.senders = set(senders)
        self.asked: list[set[str]] = []
        self.is_away = False

    def look(self, senders: Collection[str]) -> Waiting:
        """Answer it."""
        self.asked.append(set(senders))
        if self.is_away:
            raise TemporaryError("the journal is away")
        return Waiting(self.count, self.senders & set(senders))

    def turnstile(self, most: int = 2, seconds: float = 600.0) -> Turnstile:
        """One that looks here."""
        return Turnstile(self.look, most, seconds)


class Gone:
    """Sets that passed, in order."""

    def __init__(self, turnstile: Turnstile) -> None:
        self._turnstile = turnstile
        self._taken = asyncio.Event()
        self.senders: list[str] = []

    async def take(self, sender: str) -> None:
        """Pass, and be taken when the test says so."""
        async with self._turnstile.passing(sender):
            self.senders.append(sender)
            await self._taken.wait()

    def end(self) -> None:
        """All that passed are in custody."""
        self._taken.set()

    async def have(self, count: int) -> None:
        """Return when so many have passed."""
        await until(lambda: len(self.senders) >= count)


async def until(happened: Callable[[], bool]) -> None:
    """Return when it has."""
    async with asyncio.timeout(30):
        while not happened():  # noqa: ASYNC110 - a thread that looks tells nobody
            await asyncio.sleep(0)


async def test_whoever_comes_while_little_waits_passes_at_once() -> None:
    """The journal is asked once for as many as there is room for."""
    judged = Judged()
    turnstile = judged.turnstile(most=3)
    for _ in range(3):
        async with turnstile.passing("1"):
            pass
    assert judged.asked == [{"1"}]


async def test_who_has_submissions_waiting_waits_until_there_is_room() -> None:
    """And it is looked again and again whether there is."""
    judged = Judged(2, ["1"])
    gone = Gone(judged.turnstile())
    async with asyncio.TaskGroup() as group:
        group.create_task(gone.take("1"))
        await until(lambda: len(judged.asked) >= 2)
        assert gone.senders == []
        judged.count = 1
        await gone.have(1)
        gone.end()


async def test_who_has_nothing_waiting_passes_however_much_others_have() -> None:
    """But only with one set at a time."""
    judged = Judged(1000, ["1"])
    gone = Gone(judged.turnstile())
    async with asyncio.TaskGroup() as group:
        for sender in ("1", "1", "2", "2"):
            group.create_task(gone.take(sender))
        await gone.have(1)
        seen = len(judged.asked)
        await until(lambda: len(judged.asked) >= seen + 2)
        assert gone.senders == ["2"]
        judged.count = -10
        await gone.have(4)
        gone.end()


async def test_senders_take_turns() -> None:
    """One with three sets lets another's set pass before its second."""
    judged = Judged(2, ["1", "2"])
    gone = Gone(judged.turnstile(most=4))
    async with asyncio.TaskGroup() as group:
        for sender in ("1", "1", "1", "2"):
            group.create_task(gone.take(sender))
        await gone.have(2)
        assert sorted(gone.senders) == ["1", "2"]
        judged.count = -10
        await gone.have(4)
        gone.end()


async def test_those_on_their_way_into_custody_take_up_room() -> None:
    """The journal does not have them yet."""
    judged = Judged(1, ["1"])
    gone = Gone(judged.turnstile())
    async with asyncio.TaskGroup() as group:
        group.create_task(gone.take("1"))
        await gone.have(1)
        group.create_task(gone.take("1"))
        await until(lambda: len(judged.asked) >= 3)
        assert gone.senders == ["1"]
        gone.end()
        await gone.have(2)


async def test_nobody_waits_longer_than_is_said() -> None:
    """Nothing is refused; and what follows is asked about anew."""
    judged = Judged(1000, ["1"])
    async with asyncio.timeout(30), judged.turnstile(seconds=0.01).passing("1"):
        pass
    assert judged.asked


async def test_all_pass_while_the_journal_is_away() -> None:
    """Custody finds out whether it can be written."""
    judged = Judged()
    judged.is_away = True
    gone = Gone(judged.turnstile(most=1))
    async with asyncio.TaskGroup() as group:
        for sender in ("1", "1", "2"):
            group.create_task(gone.take(sender))
        await gone.have(3)
        gone.end()


async def test_who_is_cut_off_while_it_waits_keeps_nobody() -> None:
    """The next one passes in its place."""
    judged = Judged(2, ["1"])
    turnstile = judged.turnstile()
    gone = Gone(turnstile)
    cut = asyncio.create_task(gone.take("1"))
    await until(lambda: bool(judged.asked))
    cut.cancel()
    await asyncio.wait([cut])
    judged.count = 1
    async with asyncio.TaskGroup() as group:
        group.create_task(gone.take("1"))
        await gone.have(1)
        gone.end()
    assert gone.senders == ["1"]
