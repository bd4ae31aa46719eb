"""What does one worker process do: which bounds does it have, and how does it tell what came of a task?

It takes one task after the other from its connection, does it, and sends what it answers. A task that is a generator
has steps: what each yields is sent at once, so that who asked needn't wait for the end. When nobody asks any more, the
process ends. Who starts it, and what becomes of a task whose process dies, is :mod:`gateway.workers`.
"""

import ctypes
import gc
import pickle
import resource
import signal
from collections.abc import Generator, Iterator
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple

from gateway.logs import cap_libraries
from gateway.worker_answers import read_answer

_PR_SET_PDEATHSIG: Final = 1
_MADE_BEFORE_COLLECTING: Final = 20_000
"""Objects that a worker makes before it looks for those that hold each other; Python's default is 700."""


class Answer(NamedTuple):
    """What a task answers, or one of its steps: ``value`` is what it raised if it ``failed``."""

    value: Any
    is_last: bool = True
    failed: bool = False


def serve(connection: Connection, memory: int) -> None:
    """Do what is asked over the connection until its other end is closed, in at most ``memory`` bytes of addresses."""
    _become_limited(memory)
    while True:
        try:
            task = connection.recv_bytes()
            for answer in _answers(task):
                connection.send_bytes(answer)
        except (EOFError, OSError):
            return


def _answers(task: bytes) -> Iterator[bytes]:
    try:
        function, args, kwargs = pickle.loads(task)  # noqa: S301 -- from the gateway itself
        result = function(*args, **kwargs)
        if isinstance(result, Generator):
            result = yield from _steps(result)
        answer = _written(Answer(result))
    except Exception as fault:  # whatever it is, it is for who asked
        answer = _failed(fault)
    yield answer


def _written(answer: Answer) -> bytes:
    """Its three values; what makes an answer of them is who asked."""
    return pickle.dumps(tuple(answer))


def _steps(steps: Generator[Any, None, Any]) -> Generator[bytes, None, Any]:
    """Every step as it is sent; answers what the last one is."""
    while True:
        try:
            value = next(steps)
        except StopIteration as end:
            return end.value
        yield _written(Answer(value, is_last=False))


def _failed(fault: Exception) -> bytes:
    """A failure, as it is read; one that cannot be made anew there is told by its name."""
    try:
        written = _written(Answer(fault, failed=True))
        read_answer(written)
    except Exception:
        return _written(Answer(RuntimeError(type(fault).__name__), failed=True))
    return written


def _become_limited(memory: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    cap_libraries()
    # What is loaded stays, and a task leaves hardly any circles: without this a large file took a tenth longer.
    gc.freeze()
    gc.set_threshold(_MADE_BEFORE_COLLECTING)
    # A daemon that is killed takes its workers along; without this they would live on, orphaned.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
