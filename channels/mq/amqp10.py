"""How do headers cross RabbitMQ's AMQP 1.0 plugin?  As the application properties of an AMQP 1.0 message.

The plugin of RabbitMQ 3.10 hands them over to AMQP 0-9-1 as they came, encoded, in the one header
``x-amqp-1.0-app-properties``, and hands the same header back to a reader by AMQP 1.0; other headers it doesn't see.
Here is as much of the encoding as headers that are text need (AMQP 1.0, 1.6 and 3.2.5): a map of strings.  What is
encoded otherwise is no header of ours.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import Final

HEADER: Final = "x-amqp-1.0-app-properties"
MOST_BYTES: Final = 256 * 1024
_MOST_ENTRIES: Final = 64

_DESCRIPTORS: Final = (b"\x00\x53\x74", b"\x00\x80\x00\x00\x00\x00\x00\x00\x00\x74")
_MAP8, _MAP32 = 0xC1, 0xD1
# Strings, symbols and binaries: a length of one byte or of four, and as many bytes.
_SHORT: Final = frozenset({0xA0, 0xA1, 0xA3})
_LONG: Final = frozenset({0xB0, 0xB1, 0xB3})


class NotHeadersError(ValueError):
    """It isn't a map of strings within bounds."""


def encode(headers: Mapping[str, str]) -> bytes:
    """The application properties that say ``headers``."""
    items = [part for item in headers.items() for part in item]
    body = b"".join(_text(item) for item in items)
    return _DESCRIPTORS[0] + struct.pack(">BII", _MAP32, len(body) + 4, len(items)) + body


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack(">BB", 0xA1, len(data)) + data if len(data) < 256 else struct.pack(">BI", 0xB1, len(data)) + data


def decode(section: bytes) -> dict[str, str]:
    """What those application properties say.

    Raises:
        NotHeadersError: it can't be read so.
    """
    if len(section) > MOST_BYTES:
        raise NotHeadersError("too long")
    try:
        items = list(_items(section))
    except (struct.error, UnicodeDecodeError, IndexError):
        raise NotHeadersError("cut off, or not text") from None
    headers = dict(zip(items[::2], items[1::2], strict=True))
    if 2 * len(headers) != len(items):
        raise NotHeadersError("a name stands there twice")
    return headers


def _items(section: bytes) -> Iterator[str]:
    begun = next((len(one) for one in _DESCRIPTORS if section.startswith(one)), None)
    if begun is None:
        raise NotHeadersError("other properties")
    code = section[begun]
    if code not in {_MAP8, _MAP32}:
        raise NotHeadersError("not a map")
    layout = ">BB" if code == _MAP8 else ">II"
    size, count = struct.unpack_from(layout, section, begun + 1)
    width = struct.calcsize(layout) // 2
    at = begun + 1 + 2 * width
    if size != len(section) - (begun + 1 + width) or count % 2 or count > 2 * _MOST_ENTRIES:
        raise NotHeadersError("not a map, or too many")
    for _ in range(count):
        value, at = _item(section, at)
        yield value
    if at != len(section):
        raise NotHeadersError("more than a map")


def _item(section: bytes, at: int) -> tuple[str, int]:
    code = section[at]
    if code in _SHORT:
        (length,), begun = struct.unpack_from(">B", section, at + 1), at + 2
    elif code in _LONG:
        (length,), begun = struct.unpack_from(">I", section, at + 1), at + 5
    else:
        raise NotHeadersError("not text")
    end = begun + length
    if end > len(section):
        raise NotHeadersError("cut off")
    return section[begun:end].decode(), end
