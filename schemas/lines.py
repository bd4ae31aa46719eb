"""In which line and column of its file does a byte stand?

Lines end as XML says: with a line feed, a carriage return or both. Columns count characters, and a byte order mark is
none. Source: XML 1.0, 2.11.
"""

from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

from schemas.anomaly import Anomaly, Place
from schemas.locate import Fault, Mark

_PIECE_BYTES: Final = 1048576
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_INNER: Final = bytes(range(0x80, 0xC0))  # bytes of a character in UTF-8 that aren't its first


class _Counter:
    """Counts on through a file, from its first byte."""

    def __init__(self, content: BinaryIO, encoding: str) -> None:
        self._content = content
        self._inner = _INNER if encoding == "UTF-8" else b""
        self._line = 1
        self._column = 1
        self._at = 0

    def go(self, mark: Mark) -> Place:
        """On to a place that isn't before the last one."""
        while self._at < mark.offset and (piece := self._content.read(min(_PIECE_BYTES, mark.offset - self._at))):
            if piece.endswith(b"\r") and self._at + len(piece) < mark.offset:
                piece += self._content.read(1)
            self._pass(piece if self._at else piece.removeprefix(_BYTE_ORDER_MARK))
            self._at += len(piece)
        return Place(self._line, self._column, mark.offset, mark.path, mark.position)

    def _pass(self, piece: bytes) -> None:
        if b"\r" in piece:
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        last = piece.rfind(b"\n")
        characters = len(piece[last + 1 :].translate(None, self._inner))
        self._line += piece.count(b"\n")
        self._column = characters + 1 if last >= 0 else self._column + characters


def placed(content: BinaryIO, faults: Sequence[Fault], encoding: str) -> Iterator[Anomaly]:
    """Faults with their lines and columns, in the order of their offsets.

    Args:
        content: the document, from its first byte on
        faults: in any order
        encoding: of the document, which tells what a character is
    """
    counter = _Counter(content, encoding)
    for fault in sorted(faults, key=lambda fault: fault.mark.offset):
        yield Anomaly(fault.broken, fault.form, counter.go(fault.mark))
