"""What the broker is told of as taken: many messages by one word, and never one that is still open."""

import asyncio
from typing import Any

import pytest

from channels.mq.acknowledging import Acknowledgements


class Written:
    """A channel that keeps what the broker would be told: numbers, negative for several at once, 0 for handed back."""

    def __init__(self) -> None:
        self.is_open = True
        self.told: list[int] = []

    def basic_ack(self, tag: int, *, multiple: bool = False) -> None:
        """Taken."""
        self.told.append(-tag if multiple else tag)

    def basic_nack(self, _tag: int, **_: Any) -> None:
        """Handed back."""
        self.told.append(0)


@pytest.fixture
def channel() -> Written:
    """A channel."""
    return Written()


async def _told(channel: Written, came: int, *taken: int) -> list[int]:
    acknowledgements = Acknowledgements(channel)
    for tag in range(1, came + 1):
        acknowledgements.came(tag)
    for tag in taken:
        acknowledgements.take(tag)
    await asyncio.sleep(0)
    return channel.told


async def test_those_with_nothing_open_before_them_are_acknowledged_together(channel: Written) -> None:
    """In whatever order they were taken."""
    assert [-3] == await _told(channel, 5, 2, 3, 1)


async def test_those_behind_an_open_one_are_acknowledged_each(channel: Written) -> None:
    """One word for several would cover the open one too."""
    assert [-1, 3, 5] == await _told(channel, 5, 5, 3, 1)


async def test_what_is_handed_back_is_not_covered_later(channel: Written) -> None:
    """It is withheld, then handed back; those around it are acknowledged without it."""
    acknowledgements = Acknowledgements(channel)
    for tag in (1, 2, 3):
        acknowledgements.came(tag)
    acknowledgements.take(3)
    acknowledgements.take(1)
    await asyncio.sleep(0)
    assert [-1, 3] == channel.told
    acknowledgements.hand_back(2)
    acknowledgements.came(4)
    acknowledgements.take(4)
    acknowledgements.flush()

    assert [-1, 3, 0, -4] == channel.told


async def test_on_a_lost_channel_nothing_is_said(channel: Written) -> None:
    """The broker delivers all of it again."""
    channel.is_open = False

    assert [] == await _told(channel, 2, 1, 2)
