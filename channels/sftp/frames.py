"""Which requests of a client are whole?

On its channel a request is its length, four bytes, and so many bytes (draft-ietf-secsh-filexfer-02, 3); where a packet
of SSH ends means nothing.  What is kept is bounded by the channel's window: beyond it the channel is told to wait.
"""

import asyncio
from collections import deque
from typing import Final, Protocol

from channels.sftp.packets import PIECE, Piece

_LENGTH: Final = 4
_MANY: Final = 1000


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
        self._pieces: deque[Piece] = deque()
        self._size = 0
        self._wanted: int | None = None
        self._paused = False
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None

    def feed(self, *pieces: Piece) -> None:
        """Bytes have come; beyond many pieces tiny ones are put together, or there could be a million of them."""
        kept = self._pieces
        if len(kept) + len(pieces) <= _MANY:
            kept.extend(pieces)
        else:
            for piece in pieces:
                if len(kept) > _MANY and len(kept[-1]) + len(piece) <= PIECE:
                    kept[-1] = b"".join((kept[-1], piece))
                else:
                    kept.append(piece)
        self._size += sum(map(len, pieces))
        if not self._paused and self._size >= self._room:
            self._paused = True
            self._source.pause_reading()
        if self._size >= (self._wanted or _LENGTH):
            self._wake()

    def end(self) -> None:
        """No more will come."""
        self._ended = True
        self._wake()

    def take(self) -> list[Piece] | None:
        """The next request, without its length, in the pieces that it has come in; None if it is not whole.

        Raises:
            TooLongError: it will never be.
        """
        if self._wanted is None:
            if self._size < _LENGTH:
                return None
            piece = self._pieces[0]
            if len(piece) == _LENGTH + int.from_bytes(piece[:_LENGTH], "big") <= self._longest and not self._paused:
                # Nearly every short request is in a packet of its own.
                self._size -= len(piece)
                return [self._pieces.popleft()[_LENGTH:]]
            self._wanted = int.from_bytes(b"".join(self._cut(_LENGTH)), "big")
            if self._wanted > self._longest:
                raise TooLongError("a request is too long")
        if self._size < self._wanted:
            return None
        request, self._wanted = self._cut(self._wanted), None
        if self._paused and self._size < self._room:
            self._paused = False
            self._source.resume_reading()
        return request

    async def next(self) -> list[Piece]:
        """The next request, once it is whole, in pieces as :meth:`take` gives it.

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

    def _cut(self, count: int) -> list[Piece]:
        """The first ``count`` bytes, which are there."""
        self._size -= count
        cut: list[Piece] = []
        while count:
            piece = self._pieces.popleft()
            if len(piece) > count:
                self._pieces.appendleft(piece[count:])
                piece = piece[:count]
            cut.append(piece)
            count -= len(piece)
        return cut
