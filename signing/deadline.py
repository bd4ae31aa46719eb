"""How much computing may the judgement of one certificate cost?

Shapes and sizes are bounded where they are read. This is the bound behind those bounds, for the chain that nobody has
thought of: so many seconds of processor time, not of the clock, so that a busy machine refuses nobody. Only the main
thread of a process can be stopped in this way, which is where a worker does its work; elsewhere there is no limit.

What an operator's own files cost, such as a long revocation list that is read for the first time, is no fault of the
sender's and isn't counted.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

# A finalizer swallows whatever is raised in it, so once isn't enough.
_AGAIN_SECONDS = 0.5


class TooCostlyError(BaseException):
    """The time is up; no ``except Exception`` on the way swallows that."""


@contextmanager
def processor_seconds(limit: float) -> Iterator[None]:
    """Stop what the block does after so many seconds of processor time.

    Raises:
        TooCostlyError: from within the block
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, limit, _AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def uncounted() -> Iterator[None]:
    """Stop the clock of :func:`processor_seconds`, if it is running, while the block works on what is our own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    left, again = signal.setitimer(signal.ITIMER_PROF, 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, left, again)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    raise TooCostlyError
