"""Where does the CPU of a submission go, stage by stage?

    python -m benchmarks.throughput_stages FILE serve --config SETTINGS

Part of :mod:`benchmarks.throughput`: the gateway with a clock at the doors of its stages, which writes into FILE, over
and over, how many CPU seconds were spent in each.  The clock is the thread's own, so that nothing is guessed and
waiting costs nothing.  A stage within another is counted by itself: what a verdict writes is the journal's.  What no
stage has of the event loop's thread is the SFTP door's and the loop's own; what none has of the other threads is what
handing over to them costs.  A worker tells with each result what that took.
"""

import json
import sys
import threading
import time
import types
from collections import defaultdict
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial, wraps
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from signing.evidence import Evidence, Fault

DOOR: Final = "SFTP door and event loop"
THREADS: Final = "threads"
POOL: Final = "workers' pool"
_LOGS: Final = "logs"
_JOURNAL: Final = "journal"
_CUSTODY: Final = "gather and custody"
_CHECKS: Final = "sender, repeats, mandates"
_SIGNATURE: Final = "signature"
_VALIDATION: Final = "validation"
_ANSWER: Final = "verdict and answer"
_FORWARD: Final = "forward"

STAGES: Final = (
    DOOR, _CUSTODY, _CHECKS, _SIGNATURE, _VALIDATION, _ANSWER, _FORWARD, _JOURNAL, _LOGS, THREADS, POOL,
)  # fmt: skip
"""In the order in which they are told."""

_CALLS: Final = (
    ("gateway.reception", "Reception._gather", _CUSTODY),
    ("gateway.reception", "Reception._sweep", _CUSTODY),
    ("gateway.judging", "Judging._due", _CHECKS),
    ("gateway.cases", "Cases.open", _CHECKS),
    ("gateway.pipeline", "Pipeline._record", _ANSWER),
    ("gateway.pipeline", "Pipeline._answer", _ANSWER),
    ("gateway.answer", "place_all", _ANSWER),
    ("spool.outbox", "Outbox.place", _ANSWER),
    ("gateway.forward", "Forwarder._prepare", _FORWARD),
    ("gateway.forward", "Forwarder._page", _FORWARD),
    ("gateway.forward", "Forwarder._messages", _FORWARD),
    ("gateway.forward", "Forwarder._pause", _FORWARD),
    ("gateway.forward", "_drop_finished", _FORWARD),
    ("gateway.routing_queues", "BrokerQueue._record", _FORWARD),
    ("structlog._base", "BoundLoggerBase._proxy_to_logger", _LOGS),
)
_COROUTINES: Final = (
    ("gateway.judge", "Judge._sender", _CHECKS),
    ("gateway.judge", "Judge._set", _CHECKS),
    ("gateway.judge", "Judge._repeats", _CHECKS),
    ("gateway.judge", "Judge._mandates", _CHECKS),
    ("gateway.judge", "Judge._signature", _SIGNATURE),
    ("gateway.judge", "Judge._validation", _VALIDATION),
    ("gateway.forward", "Forwarder.turn", _FORWARD),
)
_BLOCKS: Final = (
    ("spool.journal", "Journal.write", _JOURNAL),
    ("spool.journal", "Journal.read", _JOURNAL),
    ("spool.journal", "Journal.claim", _JOURNAL),
)
_IN_WORKERS: Final = {"verify_part": _SIGNATURE, "validate_set": _VALIDATION}
EVERY_SECONDS: Final = 0.25


class _Clock(threading.local):
    """What one thread has spent in each stage, and the stages that it is in."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._inside: list[str] = []
        self._since = 0.0
        _clocks.append((threading.current_thread() is threading.main_thread(), self.spent))

    def enter(self, stage: str) -> None:
        """What comes is of ``stage``."""
        self._charge()
        self._inside.append(stage)

    def leave(self) -> None:
        """What comes is of the stage that was there before."""
        self._charge()
        self._inside.pop()

    def _charge(self) -> None:
        at = time.thread_time()
        if self._inside:
            self.spent[self._inside[-1]] += at - self._since
        self._since = at


_clocks: Final[list[tuple[bool, defaultdict[str, float]]]] = []
_clock: Final = _Clock()
_told: Final[defaultdict[str, float]] = defaultdict(float)  # by workers; only the event loop adds to it


@contextmanager
def _within(stage: str) -> Iterator[None]:
    _clock.enter(stage)
    try:
        yield
    finally:
        _clock.leave()


# --- doors


def _call(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def counted(*args: Any, **kwargs: Any) -> Any:
        with _within(stage):
            return function(*args, **kwargs)

    return counted


def _coroutine(stage: str, function: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    @wraps(function)
    async def counted(*args: Any, **kwargs: Any) -> Any:
        return await _steps(stage, function(*args, **kwargs))

    return counted


@types.coroutine
def _steps(stage: str, coroutine: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """The coroutine, each of its steps in ``stage``; others run between them."""
    step: Callable[[], Any] = lambda: coroutine.send(None)  # noqa: E731 - the first of those below
    while True:
        try:
            with _within(stage):
                waits_for = step()
        except StopIteration as end:
            return end.value
        try:
            value = yield waits_for
        except BaseException as fault:
            step = _thrower(coroutine, fault)
        else:
            step = _sender(coroutine, value)


def _sender(coroutine: Coroutine[Any, Any, Any], value: Any) -> Callable[[], Any]:
    return lambda: coroutine.send(value)


def _thrower(coroutine: Coroutine[Any, Any, Any], fault: BaseException) -> Callable[[], Any]:
    return lambda: coroutine.throw(fault)


def _block(stage: str, function: Callable[..., AbstractContextManager[Any]]) -> Callable[..., Any]:
    @wraps(function)
    @contextmanager
    def counted(*args: Any, **kwargs: Any) -> Iterator[Any]:
        with _within(stage), function(*args, **kwargs) as made:
            yield made

    return counted


def in_worker(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What ``function`` answers, the CPU seconds that it took, and the task; called in a worker.

    Of a task in steps each of these, by the task that would be a trip of its own.
    """
    begun = time.process_time()
    result = function(*args, **kwargs)
    if isinstance(result, Generator):
        return _timed(result)
    return result, time.process_time() - begun, function.__name__


def _timed(steps: Generator[Any, None, Any]) -> Generator[Any, None, Any]:
    while True:
        begun = time.process_time()
        try:
            value = next(steps)
        except StopIteration as end:
            return end.value, time.process_time() - begun, _task_of(end.value)
        yield value, time.process_time() - begun, _task_of(value)


def _task_of(value: Any) -> str:
    return "verify_part" if isinstance(value, Evidence | Fault) else "validate_set"


def _timed_in_workers(begin: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    @wraps(begin)
    async def timed(self: Any, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        return await begin(self, in_worker, (function, *args), kwargs)

    return timed


def _told_by_workers(answer: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    @wraps(answer)
    async def counted(self: Any) -> Any:
        result, seconds, task = await answer(self)
        _told[_IN_WORKERS.get(task, POOL)] += seconds
        return result

    return counted


def _replace(module: str, name: str, make: Callable[[Any], Any]) -> None:
    owner: Any = import_module(module)
    *path, last = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    setattr(owner, last, make(getattr(owner, last)))


def _put_up() -> None:
    for doors, make in ((_CALLS, _call), (_COROUTINES, _coroutine), (_BLOCKS, _block)):
        for module, name, stage in doors:
            _replace(module, name, partial(make, stage))
    _replace("gateway.workers", "Workers._begin", _timed_in_workers)
    _replace("gateway.workers", "Trip.next", _told_by_workers)


# --- telling


def read(files: Iterable[Path]) -> Mapping[str, tuple[float, float]]:
    """CPU seconds by stage as they were last written into ``files``, of the gateway's own processes and of workers."""
    told = [json.loads(file.read_text()) for file in files]
    sums = {
        stage: tuple(sum(each[whose].get(stage, 0.0) for each in told) for whose in ("own", "workers"))
        for stage in STAGES
    }
    return {stage: (own, workers) for stage, (own, workers) in sums.items()}


def _spent() -> dict[str, dict[str, float]]:
    """CPU seconds so far by stage, of this process and, as they told, of workers."""
    main = time.pthread_getcpuclockid(threading.main_thread().ident or 0)
    loop, everything = time.clock_gettime(main), time.process_time()
    own: defaultdict[str, float] = defaultdict(float)
    for of_loop, spent in tuple(_clocks):
        for stage, seconds in tuple(spent.items()):
            own[stage] += seconds
            own[DOOR] -= seconds if of_loop else 0.0
    own[DOOR] += loop
    own[THREADS] = everything - sum(own.values())
    return {"own": dict(own), "workers": dict(_told)}


def _tell(file: Path) -> None:
    while True:
        part = file.with_suffix(".part")
        part.write_text(json.dumps(_spent()))
        part.rename(file)
        time.sleep(EVERY_SECONDS)


def main(file: Path, words: list[str]) -> None:
    """Be the gateway, and tell."""
    from gateway.__main__ import main as be_gateway  # noqa: PLC0415 - workers load this module too, and not that

    _put_up()
    threading.Thread(target=_tell, args=(file,), daemon=True).start()
    sys.argv = ["gateway", *words]
    be_gateway()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
