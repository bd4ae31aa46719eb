"""Is this one DER element to the last byte, with nothing before, between or behind?

Parsers forgive: indefinite lengths, lengths with leading zeros, strings in pieces, bytes at the end. Each of them lets
two different files carry one signature, so the frame is walked before a parser sees it (X.690 clause 10).
Values inside primitive elements, the order of sets and the meaning of tags are not looked at. Only object identifiers
have a bound: parsers take a time for them that grows with the square of their length.

Bytes that somebody signed are taken out of a parsed structure by ``encoding`` alone.
"""

from typing import Any

from asn1crypto import core, parser

_MAX_DEPTH = 48
_MAX_IDENTIFIER_BYTES = 128
_OBJECT_IDENTIFIER = 0x06
_CONSTRUCTED = 0x20
_SEQUENCE_AND_SET = (0x30, 0x31)


def is_der(content: bytes, around: int = 0) -> bool:
    """Whether ``content`` is exactly one element whose every length is definite, minimal, exact and bearable.

    ``around`` is how many elements it stands in, each in the next: no more than so many may.
    """
    try:
        end = _walk(content, 0, len(content), around)
    except (ValueError, IndexError):
        return False
    return end == len(content)


def encoding(value: Any) -> bytes:
    """The bytes of a value that asn1crypto loaded, as they came; none for a field that isn't there.

    Its own ``dump`` takes a length that ends in the byte 80 for an indefinite one and then writes the value anew, in
    its own way: of one signature in 256 it would judge other bytes than those sent, or raise.
    """
    if isinstance(value, core.Void):
        return b""
    inner = value.chosen if isinstance(value, core.Choice) else value
    encoded: bytes = parser.emit(inner.class_, inner.method, inner.tag, inner.contents)
    for class_, tag in value.explicit or ():
        encoded = parser.emit(class_, 1, tag, encoded)
    return encoded


def element(tag: int, content: bytes) -> bytes:
    """An element with this tag, which is one byte, around ``content``."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + content


def contents(encoded: bytes) -> bytes:
    """What is in an element that this program made, without its tag, which is one byte, and its length.

    Raises:
        ValueError, IndexError: it isn't one element to its last byte.
    """
    begin, length = _length(encoded, 1)
    if begin + length != len(encoded):
        raise ValueError("this is not one element")
    return encoded[begin:]


def _walk(content: bytes, start: int, limit: int, depth: int) -> int:
    """Walk one element from ``start`` and return where it ends."""
    tag = content[start]
    begin, length = _length(content, start + 1)
    end = begin + length
    if end > limit or depth > _MAX_DEPTH or not _tag_is_plain(tag):
        raise ValueError
    if tag == _OBJECT_IDENTIFIER and length > _MAX_IDENTIFIER_BYTES:
        raise ValueError
    if tag & _CONSTRUCTED:
        position = begin
        while position < end:
            position = _walk(content, position, end, depth + 1)
    return end


def _tag_is_plain(tag: int) -> bool:
    is_universal = tag < 0x40
    if is_universal and tag & _CONSTRUCTED:
        return tag in _SEQUENCE_AND_SET
    return tag & 0x1F != 0x1F


def _length(content: bytes, position: int) -> tuple[int, int]:
    """Where the value begins and how long it is."""
    first = content[position]
    if first < 0x80:
        return position + 1, first
    size = first & 0x7F
    encoded = content[position + 1 : position + 1 + size]
    value = int.from_bytes(encoded, "big")
    if len(encoded) != size or not encoded or encoded[0] == 0 or value < 0x80:
        raise ValueError
    return position + 1 + size, value
