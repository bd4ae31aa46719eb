"""How what a broker delivers is read so that no message can end the connection, and none is held in memory whole.

pika decodes the headers of a message before anybody asks for them, and what it cannot decode (a table nested a thousand
deep, a time beyond the year 9999, a float that is no number) ends the connection; the broker would deliver the message
again, for ever.  Here such headers are left out and the rest of the properties is kept.  pika also gathers the body of
a message in memory; here it goes to a `Sink`, frame by frame, as soon as it comes.

Source: AMQP 0-9-1, 2.3.5.2 (content header: class, weight, size, flags, properties) and 4.2.5.5 (field tables carry
their length).  It knows nothing of what messages mean.
"""

import gc
import struct
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from pika import exceptions, frame, spec
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.channel import ContentFrameAssembler

UNREADABLE: Final = "\0unreadable"
"""Stands alone in the headers of a message whose own could not be read; no sender's header has a NUL in its name."""

_ONE_PIECE: Final = 64 * 1024
"""Bytes of a message that are copied once more, so that its frames go out together."""

_BEFORE_PROPERTIES: Final = 12
_CONTENT_TYPE, _CONTENT_ENCODING, _HEADERS = 1 << 15, 1 << 14, 1 << 13


class Sink(Protocol):
    """Where the body of one message goes."""

    def write(self, fragment: bytes) -> None:
        """Take the next bytes; never raises."""


class TolerantConnection(AsyncioConnection):  # type: ignore[misc]  # pika's classes have no types
    """A connection that no header of a message can end; ``is_held_up`` while the broker takes nothing."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.is_held_up = False
        super().__init__(*arguments, **named)
        self.add_on_connection_blocked_callback(lambda *_: self._hold_up(now=True))
        self.add_on_connection_unblocked_callback(lambda *_: self._hold_up(now=False))

    def _hold_up(self, *, now: bool) -> None:
        self.is_held_up = now

    def _output_marshaled_frames(self, marshaled_frames: Sequence[bytes]) -> None:
        # pika hands each frame to the system by itself, and the broker wakes for each.
        size = sum(map(len, marshaled_frames))
        if size > _ONE_PIECE:
            super()._output_marshaled_frames(marshaled_frames)
            return
        super()._output_marshaled_frames([b"".join(marshaled_frames)])
        self.frames_sent += len(marshaled_frames) - 1

    def _read_frame(self) -> tuple[int, Any]:
        # As deep as a nested table leads, a collection would run other objects' finalizers, which would fail there.
        gc.disable()
        try:
            read: tuple[int, Any] = super()._read_frame()
        except (ValueError, OverflowError, RecursionError, struct.error, exceptions.InvalidFieldTypeException):
            return without_headers(self._frame_buffer)
        finally:
            gc.enable()
        return read


def without_headers(data: bytes) -> tuple[int, Any]:
    """Decode the content header frame at the start of ``data`` without its table of headers: its length and itself.

    Raises:
        InvalidFrameError: it is another frame, or the fault is not in its headers.
    """
    kind, channel, size = struct.unpack(">BHL", data[: spec.FRAME_HEADER_SIZE])
    if kind != spec.FRAME_HEADER:
        raise exceptions.InvalidFrameError("a frame that cannot be read")
    payload = data[spec.FRAME_HEADER_SIZE : spec.FRAME_HEADER_SIZE + size]
    _, _, body_size = struct.unpack_from(">HHQ", payload)
    properties = spec.BasicProperties()
    try:
        properties.decode(_cut_headers(payload[_BEFORE_PROPERTIES:]))
    except Exception as fault:
        raise exceptions.InvalidFrameError("properties that cannot be read") from fault
    properties.headers = {UNREADABLE: True}
    return spec.FRAME_HEADER_SIZE + size + spec.FRAME_END_SIZE, frame.Header(channel, body_size, properties)


def _cut_headers(properties: bytes) -> bytes:
    (flags,) = struct.unpack_from(">H", properties)
    start = struct.calcsize(">H")
    for flag in (_CONTENT_TYPE, _CONTENT_ENCODING):
        if flags & flag:
            start += 1 + properties[start]
    (length,) = struct.unpack_from(">I", properties, start)
    end = start + struct.calcsize(">I") + length
    return struct.pack(">H", flags & ~_HEADERS) + properties[struct.calcsize(">H") : start] + properties[end:]


class StreamingAssembler(ContentFrameAssembler):  # type: ignore[misc]  # pika's classes have no types
    """Gives the bodies of deliveries to sinks; a delivery reaches its consumer with its sink in the place of bytes.

    Args:
        open_sink: called with the headers of a delivery and the size of its body in bytes, when they came.
    """

    def __init__(self, open_sink: Callable[[Any, int], Sink]) -> None:
        super().__init__()
        self._open_sink = open_sink
        self._sink: Sink | None = None

    def process(self, frame_value: Any) -> Any:
        """Take one frame; answers the message when it is whole."""
        delivered = self._method_frame is not None and isinstance(self._method_frame.method, spec.Basic.Deliver)
        if delivered and isinstance(frame_value, frame.Header):
            self._sink = self._open_sink(frame_value.properties, frame_value.body_size)
        elif self._sink is not None and isinstance(frame_value, frame.Body):
            self._sink.write(frame_value.fragment)
            # What is counted is the length; the bytes are where they belong.
            return self._count(frame_value.fragment)
        return self._with_sink(super().process(frame_value))

    def _count(self, fragment: bytes) -> Any:
        self._seen_so_far += len(fragment)
        if self._seen_so_far > self._header_frame.body_size:
            raise exceptions.BodyTooLongError(self._seen_so_far, self._header_frame.body_size)
        return self._with_sink(self._finish()) if self._seen_so_far == self._header_frame.body_size else None

    def _with_sink(self, whole: Any) -> Any:
        if whole is None or self._sink is None:
            return whole
        method, header, _ = whole
        sink, self._sink = self._sink, None
        return method, header, sink


def stream_bodies(channel: Any, open_sink: Callable[[Any, int], Sink]) -> None:
    """Let the bodies of what is delivered on pika's ``channel`` go to sinks from now on.

    A sink that was opened reaches nobody when the channel is lost, or the consumer cancelled, before its body is whole.
    """
    channel._content_assembler = StreamingAssembler(open_sink)  # noqa: SLF001 - pika gathers in memory, and has no other place to say so
