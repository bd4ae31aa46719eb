"""How does a picture of a page become a third of its size?  By the 256 colours that it has most of.

A page is text on a few grounds: what is left out are shades at the edges of letters.  PNG of the W3C's second edition,
8 bits a channel, not interlaced, is read; one with a palette is written.
"""

import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Final

_BEGINNING: Final = b"\x89PNG\r\n\x1a\n"
_CHANNELS: Final = {2: 3, 6: 4}
_COLOURS: Final = 256

Colour = tuple[int, ...]


def small(picture: bytes) -> bytes:
    """The same picture in 256 colours.

    Raises:
        ValueError: it is no such picture.
    """
    parts = list(_parts(picture))
    width, height, bits, kind, _, _, laced = struct.unpack(">IIBBBBB", dict(parts)[b"IHDR"])
    if bits != 8 or laced or kind not in _CHANNELS:
        raise ValueError("expected 8 bits a channel, not interlaced, RGB or RGBA")
    data = zlib.decompress(b"".join(content for name, content in parts if name == b"IDAT"))
    channels = _CHANNELS[kind]
    rows = [
        [row[at : at + 3] for at in range(0, len(row), channels)] for row in _rows(data, width * channels, channels)
    ]
    counted = Counter(bytes(colour) for row in rows for colour in row)
    palette = [tuple(colour) for colour, _ in counted.most_common(_COLOURS)]
    places = {colour: _nearest(tuple(colour), palette) for colour in counted}
    lines = b"".join(b"\0" + bytes(places[bytes(colour)] for colour in row) for row in rows)
    return _BEGINNING + b"".join(
        (
            _part(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _part(b"PLTE", b"".join(map(bytes, palette))),
            _part(b"IDAT", zlib.compress(lines, 9)),
            _part(b"IEND", b""),
        )
    )


def _nearest(colour: Colour, palette: list[Colour]) -> int:
    return min(range(len(palette)), key=lambda at: sum((a - b) ** 2 for a, b in zip(colour, palette[at], strict=True)))


def _parts(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not picture.startswith(_BEGINNING):
        raise ValueError("this is no PNG")
    at = len(_BEGINNING)
    while at < len(picture):
        length, name = struct.unpack_from(">I4s", picture, at)
        yield name, picture[at + 8 : at + 8 + length]
        at += 12 + length


def _part(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _rows(data: bytes, length: int, channels: int) -> Iterator[bytearray]:
    """Every row as it was before its filter."""
    before = bytearray(length)
    for start in range(0, len(data), length + 1):
        row = bytearray(data[start + 1 : start + 1 + length])
        for at in range(length):
            left = row[at - channels] if at >= channels else 0
            corner = before[at - channels] if at >= channels else 0
            row[at] = (row[at] + _predicted(data[start], left, before[at], corner)) & 0xFF
        yield row
        before = row


def _predicted(kind: int, left: int, above: int, corner: int) -> int:
    """What a filter of that kind has taken away (PNG, 9.2)."""
    if kind == 4:
        guess = left + above - corner
        return min((left, above, corner), key=lambda one: abs(guess - one))
    return (0, left, above, (left + above) // 2)[kind]
