"""How is work done for many at once that costs hardly more than for one?

Whoever asks while nothing runs is served at once.  What is asked while it runs is done together afterwards: nobody
waits for others to come, and the more ask, the less each of them costs.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")


class Together(Generic[_Asked, _Answer]):
    """Calls ``work`` in a thread for all that was asked meanwhile.  To be used in one event loop.

    Args:
        work: answers each of those that it gets, in their order; an exception among the answers is raised to whoever
            asked for that one, one that it raises to all of them.
        most: how many it gets at most.
    """

    def __init__(self, work: Callable[[Sequence[_Asked]], Sequence[_Answer | Exception]], most: int) -> None:
        self._work = work
        self._most = most
        self._waiting: deque[tuple[_Asked, asyncio.Future[_Answer]]] = deque()
        self._running: asyncio.Task[None] | None = None
        self._is_called = False

    async def ask(self, asked: _Asked) -> _Answer:
        """What ``work`` answers, or raises.  If whoever asks is cancelled, the work is done all the same."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_Answer] = loop.create_future()
        self._waiting.append((asked, answer))
        if not self._is_called:
            # Those who ask in the same turn of the loop are served together.
            self._is_called = True
            loop.call_soon(self._go_on)
        return await answer

    def _go_on(self) -> None:
        self._is_called = False
        if self._waiting and self._running is None:
            lot = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            self._running = asyncio.create_task(self._serve(lot))
            self._running.add_done_callback(self._served)

    def _served(self, _task: asyncio.Task[None]) -> None:
        self._running = None
        self._go_on()

    async def _serve(self, lot: list[tuple[_Asked, asyncio.Future[_Answer]]]) -> None:
        answers: Sequence[_Answer | Exception]
        try:
            answers = await asyncio.to_thread(self._work, [asked for asked, _ in lot])
        except Exception as fault:
            answers = [fault] * len(lot)
        for (_, waiting), answer in zip(lot, answers, strict=True):
            if waiting.done():
                continue
            if isinstance(answer, Exception):
                waiting.set_exception(answer)
            else:
                waiting.set_result(answer)
