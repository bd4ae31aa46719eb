"""How a connection to the broker is kept: connected again for ever, and how long to wait before each try.

A connection that lived for a while was a good one: after losing it the first new try is made at once.  The others wait
longer and longer, with jitter, so that many gateways do not come back in step; a refused log-in waits a minute at
least, for it does not heal by trying, and brokers lock out those who try often.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random, wait_random_exponential

from channels.mq.addresses import Brokers
from channels.mq.connection import BrokerUnavailable, ConfirmingChannel, LoginRefused, open_channel

STEADY_SECONDS = 30.0
"""A connection that lived this long was a good one."""

_WAIT_AWAY = wait_random_exponential(multiplier=0.5, min=0.2, max=30)
_WAIT_REFUSED = wait_random(min=60, max=120)

_KINDS = 3

Use = Callable[[ConfirmingChannel], Awaitable[None]]


async def stay_connected(brokers: Brokers, use: Use, log: structlog.stdlib.BoundLogger) -> None:
    """Connect, let ``use`` have the channel until it returns or raises, and connect again; ends by cancellation only.

    ``use`` returns when ``channel.lost`` is done.  The events are `broker.lost`, `broker.away` and `broker.refused`.
    """

    async def once() -> None:
        loop = asyncio.get_running_loop()
        async with open_channel(brokers) as channel:
            since = loop.time()
            await use(channel)
        lost = channel.lost.result() if channel.lost.done() else None
        log.warning("broker.lost", reason=_words(lost))
        if loop.time() - since < STEADY_SECONDS:
            raise BrokerUnavailable(_words(lost)) from lost

    def tell(state: RetryCallState) -> None:
        event = "broker.refused" if _was_refused(state) else "broker.away"
        seconds = round(state.upcoming_sleep, 1)
        log.warning(event, reason=_words(_failure(state)), attempt=state.attempt_number, retry_in=seconds)

    while True:
        # What is unknown is temporary too.
        await AsyncRetrying(wait=_delay, retry=retry_if_exception_type(Exception), before_sleep=tell)(once)


def _delay(state: RetryCallState) -> float:
    return (_WAIT_REFUSED if _was_refused(state) else _WAIT_AWAY)(state)


def _was_refused(state: RetryCallState) -> bool:
    return isinstance(_failure(state), LoginRefused)


def _failure(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def _words(fault: BaseException | None) -> str:
    """What a log may say of it: kinds, and the broker's code; words may quote an address, and so a password."""
    kinds: list[str] = []
    while fault is not None and len(kinds) < _KINDS:
        code = getattr(fault, "reply_code", None)
        kinds.append(type(fault).__name__ + (f" {code}" if isinstance(code, int) else ""))
        fault = fault.__cause__
    return ", by ".join(kinds)
