"""How do rounds run beside what a role has open?"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def running(
    turns: Iterable[Coroutine[Any, Any, None]], stop: Callable[[], Awaitable[None]] | None = None
) -> AsyncIterator[None]:
    """Let the rounds run for the time of the block; what stops one of them stops the block.  ``stop`` comes last."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(turn) for turn in turns]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
    finally:
        if stop is not None:
            await stop()
