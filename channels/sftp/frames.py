"""Which requests of a client are whole?

On its channel a request is its length, four bytes, and so many bytes (draft-ietf-secsh-filexfer-02, 3); where a packet
of SSH ends means nothing.  What is kept is bounded by the channel's window: beyond it the channel is told to wait.
"""

import asyncio
from collections import deque
from typing import Final, Protocol

_LENGTH: Final = 4
_MANY: Final = 1000
_PIECE: Final = 4096


class Source(Protocol):
    """Where bytes come from."""

    def pause_reading(self) -> None:
        """Bring no more."""

    def resume_reading(self) -> None:
        """Bring more."""


class TooLongError(ValueError):
    """A request is longer than any may be."""


class Frames:
    """The requests of one channel, as they come in; ``longest`` is how many bytes one may have.

    ``room`` is how many bytes may wait to be taken before ``source`` is told to bring no more.
    """

    def __init__(self, source: Source, longest: int, room: int) -> None:
        self._source = source
        self._longest = longest
        self._room = room
        self._pieces: deque[bytes | memoryview] = deque()
        self._size = 0
        self._wanted: int | None = None
        self._paused = False
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None

    def feed(self, data: bytes | memoryview) -> None:
        """Bytes have come; beyond many pieces tiny ones are put together, or there could be a million of them."""
        if len(self._pieces) > _MANY and len(self._pieces[-1]) + len(data) <= _PIECE:
            self._pieces[-1] = b"".join((self._pieces[-1], data))
        else:
            self._pieces.append(data)
        self._size += len(data)
        if not self._paused and self._size >= self._room:
            self._paused = True
            self._source.pause_reading()
        if self._size >= (self._wanted or _LENGTH):
            self._wake()

    def end(self) -> None:
        """No more will come."""
        self._ended = True
        self._wake()

    def take(self) -> bytes | None:
        """The next request, without its length; None if it is not whole.

        Raises:
            TooLongError: it will never be.
        """
        if self._wanted is None:
            if self._size < _LENGTH:
                return None
            piece = self._pieces[0]
            if len(piece) == _LENGTH + int.from_bytes(piece[:_LENGTH], "big") <= self._longest and not self._paused:
                # Nearly every request is in a packet of its own.
                self._size -= len(piece)
                return bytes(self._pieces.popleft()[_LENGTH:])
            self._wanted = int.from_bytes(self._cut(_LENGTH), "big")
            if self._wanted > self._longest:
                raise TooLongError("a request is too long")
        if self._size < self._wanted:
            return None
        request, self._wanted = self._cut(self._wanted), None
        if self._paused and self._size < self._room:
            self._paused = False
            self._source.resume_reading()
        return request

    async def next(self) -> bytes:
        """The next request, once it is whole.

        Raises:
            EOFError: none will be.
            TooLongError: as :meth:`take`.
        """
        while True:
            request = self.take()
            if request is not None:
                return request
            if self._ended:
                raise EOFError
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _cut(self, count: int) -> bytes:
        """The first ``count`` bytes, which are there."""
        self._size -= count
        pieces = []
        while count:
            piece = self._pieces.popleft()
            if len(piece) > count:
                self._pieces.appendleft(piece[count:])
                piece = piece[:count]
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)
