"""One worker process as the event loop sees it: started, asked, listened to, ended when its time is up.

It is asked one task at a time, over a socket of its own, without threads or locks. Which worker does what, and what is
said when one is lost, is :mod:`gateway.workers`.
"""

import asyncio
import multiprocessing
import os
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from typing import Final, cast

from gateway.worker_answers import StrangeAnswerError, read_answer
from gateway.worker_process import Answer, serve

SERVER_GONE: Final = 255
"""The exit status of a worker that ended with the process that makes them, which alone would know its own."""

_SIZE: Final = struct.Struct("!i")  # as multiprocessing writes it before a message
_LOADED: Final = ["gateway.ends_with_parent", "gateway.one_trip", "gateway.register.marker", "schemas.components"]
_SAFE_PATH: Final = "PYTHONSAFEPATH"
_JOIN_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 0.1
_MOST_UNREAD: Final = 100
"""Answers that may wait to be asked for: no task of ours has so many steps."""

_one_at_a_time: Final = threading.Lock()
"""Starting a process and asking how one has ended read the same answers of the process that makes them."""


class EndedError(Exception):
    """The worker has ended before its task: with this exit status, or because a step took too long."""

    def __init__(self, exit_status: int | None, *, hung: bool) -> None:
        super().__init__(exit_status)
        self.exit_status = exit_status
        self.hung = hung


class Link(asyncio.Protocol):
    """A worker.  Make it with :func:`start`; ``gone`` is called when its process has ended or is let go.

    What it says is not trusted: one that says more than ``most`` bytes for a task, what cannot be read, or anything
    that it was not asked for, is ended.  ``asked`` counts its tasks.
    """

    def __init__(self, process: BaseProcess, most: int, gone: Callable[["Link"], None]) -> None:
        self._process = process
        self._most = most
        self._gone = gone
        self._transport: asyncio.WriteTransport | None = None
        self._received = bytearray()
        self._room = 0
        self._answers: deque[Answer] = deque()
        self._is_asked = False
        self._joined: asyncio.Task[int | None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._seconds = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._hung = False
        self.is_open = True
        self.asked = 0

    def ask(self, task: bytes, seconds: float) -> None:
        """Give it a task, which :mod:`pickle` wrote; each of its steps may take so many seconds."""
        self.asked += 1
        self._is_asked, self._room = True, self._most
        self._seconds = seconds
        self._time()
        if self._transport is not None:
            self._transport.write(_SIZE.pack(len(task)) + task)

    async def answer(self) -> Answer:
        """What its task says next.

        Raises:
            EndedError: it says nothing any more.
        """
        while not self._answers:
            if not self.is_open:
                raise EndedError(await self.exit_status(), hung=self._hung)
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._answers.popleft()

    @property
    def is_leaving(self) -> bool:
        """Whether it has ended, was let go, or has said more than anybody asked for."""
        return not self.is_open or self._transport is None or self._transport.is_closing() or bool(self._answers)

    async def exit_status(self) -> int | None:
        """How the process ended, for which it waits a little; minus a signal's number."""
        if self._joined is None:
            self._joined = asyncio.create_task(asyncio.to_thread(_ended, self._process))
        return await asyncio.shield(self._joined)

    def kill(self) -> None:
        """End it at once, whatever it does."""
        if self.is_open:
            with suppress(ProcessLookupError):
                self._process.kill()

    def let_go(self) -> None:
        """Let it end, as it has nothing to do."""
        if self._transport is not None:
            self._transport.close()

    # --- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """There is a socket."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is none of asyncio's classes

    def data_received(self, data: bytes) -> None:
        """Some of an answer, or of several."""
        self._received += data
        try:
            while (body := self._next()) is not None:
                self._take(_read(body))
        except Exception:  # whatever it is: what such a worker says next, to whom, nobody knows
            self._end()

    def _next(self) -> bytes | None:
        """The bytes of the next answer, when all of them are there."""
        if len(self._received) < _SIZE.size:
            return None
        [size] = _SIZE.unpack_from(self._received)
        if not (self._is_asked and 0 <= size <= self._room and len(self._answers) < _MOST_UNREAD):
            raise StrangeAnswerError("an answer that was not asked for")
        end = _SIZE.size + size
        if len(self._received) < end:
            return None
        body = bytes(self._received[_SIZE.size : end])
        del self._received[:end]
        self._room -= size
        return body

    def _take(self, answer: Answer) -> None:
        self._answers.append(answer)
        self._is_asked = not answer.is_last
        self._time(stop=answer.is_last)
        self._wake()

    def _end(self) -> None:
        """End it, and hear nothing more of it: a child of its may hold the socket."""
        self.kill()
        self._received.clear()
        self.let_go()

    def connection_lost(self, _fault: Exception | None) -> None:
        """The process has ended, or was let go."""
        self.is_open = False
        self._time(stop=True)
        self._wake()
        self._gone(self)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _time(self, *, stop: bool = False) -> None:
        """Begin the time of the next step."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if stop else asyncio.get_running_loop().call_later(self._seconds, self._expire)

    def _expire(self) -> None:
        self._hung = True
        self._end()


def _read(body: bytes) -> Answer:
    value, is_last, failed = read_answer(body)
    return Answer(value, is_last=bool(is_last), failed=bool(failed))


def _ended(process: BaseProcess) -> int | None:
    with _one_at_a_time:
        process.join(_JOIN_SECONDS)
        if process.exitcode is None:  # it has closed its socket and lives on
            process.kill()
            process.join(_JOIN_SECONDS)
        return process.exitcode


async def start(memory: int, gone: Callable[[Link], None]) -> Link:
    """A new worker with at most ``memory`` bytes of addresses.

    Raises:
        OSError, EOFError: this machine lets none start just now.
    """
    try:
        process, ours = await _begun(memory)
    except (EOFError, ConnectionError):
        # What makes them may have died a moment ago, and it shows only now.
        await asyncio.sleep(_AGAIN_SECONDS)
        process, ours = await _begun(memory)
    loop = asyncio.get_running_loop()
    _, link = await loop.create_unix_connection(lambda: Link(process, memory, gone), sock=ours)
    return link


async def _begun(memory: int) -> tuple[BaseProcess, socket.socket]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_LOADED)
    # Not in another thread: the server ends with the thread that has started it.
    with _safe_path():
        forkserver.ensure_running()
    return await asyncio.to_thread(_started, context, memory)


def _started(context: ForkServerContext, memory: int) -> tuple[BaseProcess, socket.socket]:
    ours, its = socket.socketpair()
    try:
        with Connection(its.detach()) as end:
            process = context.Process(target=serve, args=(end, memory), daemon=True)
            with _one_at_a_time:
                process.start()
    except BaseException:
        ours.close()
        raise
    return process, ours


@contextmanager
def _safe_path() -> Iterator[None]:
    """Let no process that is started in the block import from the current folder, as Python does with ``-c``.

    A gateway that was started in a checkout would judge by the checkout's code, and not by what is installed.
    """
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before
