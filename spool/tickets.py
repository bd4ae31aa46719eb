"""What is a ticket made of, and what does it say by itself?

13 upper-case alphanumerics (annex 30, 215): 8 for the millisecond in which it was made, 5 at random.
"""

import secrets
import time
from typing import Final

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_OF_TIME: Final = 8
_RANDOM: Final = 5
_AROUND: Final = 36**_OF_TIME
"""Milliseconds after which the digits of the time begin anew: 89 years, next in 2059."""

_MILLISECOND: Final = 1_000


def new_ticket() -> str:
    """A ticket of now.

    Tickets sort by time, and two of one millisecond differ but for one chance in sixty million; the journal's key
    refuses that one.
    """
    stamp, digits = time.time_ns() // 1_000_000, ""
    for _ in range(_OF_TIME):
        stamp, digit = divmod(stamp, 36)
        digits = _DIGITS[digit] + digits
    return digits + _random_digits()


def _random_digits() -> str:
    # One question to the kernel, not one for each digit.
    number, digits = secrets.randbelow(36**_RANDOM), ""
    for _ in range(_RANDOM):
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits


def seconds_since(ticket: str, at: int) -> float | None:
    """Seconds from the making of ``ticket`` to ``at`` (microseconds); None of what was never made here.

    Custody is taken in the moment in which the ticket is made, so that nobody has to be asked when that was.  If the
    clock was set back since, none have passed.
    """
    try:
        made_at = int(ticket[:_OF_TIME], 36)
    except ValueError:
        return None
    passed = (at // _MILLISECOND - made_at) % _AROUND
    return 0.0 if passed > _AROUND // 2 else passed / 1000
