"""May a client be sent away now that the door closes?  Pure.

Nobody can tell a batch that is about to send its next file from a client that rests but by time: between two requests
of a program lie milliseconds.  So who is at work is left alone, who has been quiet for a moment is sent away, and who
has brought a part of a set that nothing has closed yet gets longer.  How long all of that may take together is the
door's affair; half of it before the end, a program that never rests for long is sent away in a shorter pause: later it
would be in the middle of a file.
"""

from dataclasses import dataclass
from typing import Final

GOODBYE: Final = "the gateway stops, and nothing of yours was under way; connect again in a while"
"""What a client reads that is sent away while it does nothing."""

_QUIET: Final = 2.0
_QUIET_LATE: Final = 0.3
_QUIET_IN_A_SET: Final = 8.0
_QUIET_AT_THE_DOOR: Final = 8.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How a connection stands.

    ``is_inside`` says whether it has logged in, ``is_busy`` whether it has a file open or a request that is not
    answered or not read yet, ``quiet_for`` how many seconds ago the last answer was given.
    """

    is_inside: bool
    is_busy: bool
    quiet_for: float


def is_long_quiet(standing: Standing) -> bool:
    """Whether the client may be sent away, whatever it has brought."""
    if not standing.is_inside:
        return standing.quiet_for >= _QUIET_AT_THE_DOOR
    return not standing.is_busy and standing.quiet_for >= _QUIET_IN_A_SET


def is_quiet(standing: Standing, *, is_late: bool) -> bool:
    """Whether the client may be sent away if nothing that it has brought waits for the rest of its set.

    ``is_late`` says whether half of the time is over.
    """
    enough = _QUIET_LATE if is_late else _QUIET
    return standing.is_inside and not standing.is_busy and standing.quiet_for >= enough
