"""Requests are whole or not, wherever the packets that bring them end."""

import asyncio
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sftp.frames import Frames, TooLongError


class Tap:
    """Where bytes come from; it remembers whether it may bring more."""

    def __init__(self) -> None:
        self.is_open = True

    def pause_reading(self) -> None:
        """No more."""
        self.is_open = False

    def resume_reading(self) -> None:
        """More."""
        self.is_open = True


def framed(*requests: bytes) -> bytes:
    """Requests as a client sends them."""
    return b"".join(len(request).to_bytes(4, "big") + request for request in requests)


def taken(frames: Frames) -> list[bytes]:
    """Every request that is whole."""
    return [b"".join(pieces) for pieces in iter(frames.take, None)]


@given(st.lists(st.binary(max_size=30), max_size=8), st.lists(st.integers(0, 200), max_size=8))
def test_the_ends_of_packets_mean_nothing(requests: list[bytes], ends: list[int]) -> None:
    """However the bytes are cut up, the requests are the same, and each is there as soon as it is whole."""
    frames, stream, found = Frames(Tap(), longest=30, room=1000), framed(*requests), []
    for start, end in zip([0, *sorted(ends)], [*sorted(ends), len(stream)], strict=True):
        frames.feed(stream[start : max(start, end)])
        found += taken(frames)
        whole = 0
        while whole < len(requests) and len(framed(*requests[: whole + 1])) <= end:
            whole += 1
        assert found == requests[:whole]


@pytest.mark.parametrize("cut", [1, 4, 5])
def test_one_that_is_too_long_is_not_waited_for(cut: int) -> None:
    """Its length tells, before any of its bytes has come."""
    frames = Frames(Tap(), longest=30, room=1000)
    for piece in (framed(bytes(31))[:cut], framed(bytes(31))[cut:]):
        frames.feed(piece)

    with pytest.raises(TooLongError):
        frames.take()


def test_what_waits_is_bounded() -> None:
    """At the room's end the client's channel brings no more, until something was taken."""
    tap = Tap()
    frames = Frames(tap, longest=30, room=60)
    frames.feed(framed(bytes(26), bytes(26)))
    full = tap.is_open
    frames.take()

    assert (False, True) == (full, tap.is_open)


def test_the_end_comes_after_what_came_before() -> None:
    """Whole requests are still answered; half of one is not."""

    async def read() -> list[bytes]:
        frames, found = Frames(Tap(), longest=30, room=1000), []
        reading = asyncio.ensure_future(frames.next())
        await asyncio.sleep(0)
        frames.feed(framed(b"first", b"second") + b"\0\0")
        found += [b"".join(await reading), b"".join(await frames.next())]
        last = asyncio.ensure_future(frames.next())
        await asyncio.sleep(0)
        frames.end()
        with pytest.raises(EOFError):
            await last
        return found

    assert [b"first", b"second"] == asyncio.run(read())


def test_tiny_packets_cost_little_more_than_their_bytes() -> None:
    """A request that comes in pieces of two bytes is whole at its end, and took no object a piece to wait."""
    room = 512 * 1024
    request = bytes(range(256)) * (room // 256)
    stream, frames = framed(request), Frames(Tap(), longest=room, room=room)
    pieces = [stream[start : start + 2] for start in range(0, len(stream), 2)]
    tracemalloc.start()
    try:
        for piece in pieces:
            frames.feed(piece[:1] + piece[1:])  # bytes of its own, as a packet's are
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert [request] == taken(frames)
    assert most < 2 * room
