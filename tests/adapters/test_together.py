"""Work that is done for many at once: who is served with whom, and who is told of what fails."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from gateway.together import Together


class Held:
    """Work that goes on when it is let; it answers twice what it was asked."""

    def __init__(self) -> None:
        self.lots: list[list[int]] = []
        self.let = threading.Semaphore(0)

    def __call__(self, asked: Sequence[int]) -> Sequence[int | Exception]:
        """Wait, and answer; of 13 it cannot."""
        self.lots.append(list(asked))
        self.let.acquire()
        return [ValueError("unlucky") if each == 13 else 2 * each for each in asked]


async def until_running(work: Held, lots: int) -> None:
    """Return once so many lots were begun."""
    while len(work.lots) < lots:  # noqa: ASYNC110 - a thread begins them
        await asyncio.sleep(0.001)


async def test_what_is_asked_while_it_runs_is_done_together_afterwards() -> None:
    """The first waits for nobody; those after it wait for the first, and for nobody else."""
    work = Held()
    together = Together(work, 100)
    first = asyncio.create_task(together.ask(1))
    await until_running(work, 1)
    others = [asyncio.create_task(together.ask(number)) for number in (2, 3, 4)]
    await asyncio.sleep(0)
    work.let.release(2)

    assert [2, 4, 6, 8] == await asyncio.gather(first, *others)
    assert [[1], [2, 3, 4]] == work.lots


async def test_those_who_ask_in_one_turn_are_served_together_but_not_too_many() -> None:
    """In their order."""
    work = Held()
    work.let.release(3)
    together = Together(work, 2)

    assert [2, 4, 6, 8, 10] == await asyncio.gather(*(together.ask(number) for number in range(1, 6)))
    assert [[1, 2], [3, 4], [5]] == work.lots


async def test_what_fails_for_one_is_told_to_it_alone() -> None:
    """The others have their answers."""
    work = Held()
    work.let.release()
    together = Together(work, 100)
    answers = await asyncio.gather(*(together.ask(number) for number in (1, 13, 2)), return_exceptions=True)

    assert [2, 4] == [answers[0], answers[2]]
    assert isinstance(answers[1], ValueError)


async def test_what_fails_altogether_is_told_to_all_and_the_next_are_served() -> None:
    """As when the journal was away."""
    away = [True]

    def work(asked: Sequence[int]) -> Sequence[int]:
        if away.pop() if away else False:
            raise OSError("away")
        return asked

    together = Together(work, 100)
    answers = await asyncio.gather(together.ask(1), together.ask(2), return_exceptions=True)

    assert [OSError, OSError] == [type(each) for each in answers]
    assert 3 == await together.ask(3)


async def test_who_is_cancelled_keeps_no_other_from_its_answer() -> None:
    """The work is done all the same."""
    work = Held()
    together = Together(work, 100)
    one, other = asyncio.create_task(together.ask(1)), asyncio.create_task(together.ask(2))
    await until_running(work, 1)
    one.cancel()
    work.let.release()

    assert 4 == await other
    with pytest.raises(asyncio.CancelledError):
        await one
