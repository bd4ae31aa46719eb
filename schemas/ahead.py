"""How is a large document judged by its schema while something else looks at what was judged already?

In a thread, one piece ahead: libxml2 lets go of the interpreter while it parses, and takes about as long as the look
at the forms, so that on two cores both take the time of one. Nothing is looked at that the schema has not judged
before; only the document is fed one piece further when the look finds a fault. A small document is judged where it is
asked for, as all are where no thread can be started.

The parser is used by one thread alone, from its first piece to its last: libxml2's table of names belongs to a thread.
"""

import hashlib
import mmap
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, NamedTuple

from schemas.codes import Finding
from schemas.judgement import Judgement

_ROOM: Final = 32 * 1024**2
LARGE: Final = 1024**2
"""Bytes of a document from which on a thread is worth its while."""


class Judged(NamedTuple):
    """A piece of a document: whether it breaks a rule of the schema, or a finding that refuses the document."""

    piece: bytes
    is_broken: bool
    finding: Finding | None


class JudgedPieces:
    """Judges the pieces of a document, in their order.  To be left as a block is, however the reading ends.

    Args:
        judgement: nothing was fed to it yet.
        size: of the document, as far as is known; in bytes.
    """

    def __init__(self, judgement: Judgement, size: int) -> None:
        self._judgement = judgement
        self._digest = hashlib.sha256()
        self._thread = _threaded() if size >= LARGE else None
        self._has_begun = threading.Semaphore(0)
        self._ahead: Future[Judged] | None = None

    def __enter__(self) -> "JudgedPieces":
        """Nothing is done yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for what is judged ahead, which nobody asks for any more."""
        if self._thread is not None:
            self._thread.shutdown()

    @property
    def sha256(self) -> str:
        """The digest (hex) of the document, when all of it has been given out."""
        return self._digest.hexdigest()

    def of(self, pieces: Iterator[bytes]) -> Iterator[Judged]:
        """Each piece, judged; after one that is broken or has a finding no more may be asked for."""
        if self._thread is None:
            yield from map(self._judge, pieces)
            return
        ahead = self._begin(self._thread, next(pieces, None))
        while ahead is not None:
            judged = ahead.result()
            ends = judged.is_broken or judged.finding is not None
            ahead = None if ends else self._begin(self._thread, next(pieces, None))
            yield judged

    def close(self) -> Judged:
        """Say that the document ends here."""
        return self._close() if self._thread is None else self._thread.submit(self._close).result()

    def settle(self) -> None:
        """Wait until nothing is judged, so that the schema can be used for something else."""
        if self._ahead is not None:
            self._ahead.exception()

    def _begin(self, thread: ThreadPoolExecutor, piece: bytes | None) -> Future[Judged] | None:
        if piece is None:
            self._ahead = None
            return None
        self._ahead = thread.submit(self._judge_aside, piece)
        # Or it would wait for the interpreter until all of the piece before is looked at.
        self._has_begun.acquire()
        return self._ahead

    def _judge_aside(self, piece: bytes) -> Judged:
        self._has_begun.release()
        return self._judge(piece)

    def _judge(self, piece: bytes) -> Judged:
        # The parser first: it lets go of the interpreter at once, and after the digest would wait to get it back.
        finding = self._judgement.feed(piece)
        self._digest.update(piece)
        return Judged(piece, bool(self._judgement.rule_broken), finding)

    def _close(self) -> Judged:
        finding = self._judgement.close()
        return Judged(b"", bool(self._judgement.rule_broken), finding)


def _threaded() -> ThreadPoolExecutor | None:
    try:
        # A thread that dies of a lack of memory before it has begun would be waited for.
        mmap.mmap(-1, _ROOM).close()
    except OSError:
        return None
    thread = ThreadPoolExecutor(1)
    try:
        thread.submit(int).result()
    except RuntimeError:  # there is no room for one
        return None
    return thread
