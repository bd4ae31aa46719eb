"""Was this file sent before, and what became of it?  (annex 30: 133)  Pure.

A TD for a name that was accepted comes too late.  A name whose submission was rejected may be used again.
 A name
whose submission was accepted is used up: the same name with other bytes is refused, the same name with the same bytes
gets the first answer again, and so does a GO that comes again alone because its sender never saw our OK.
"""

from dataclasses import dataclass

from config.errors import TemporaryError
from schemas.codes import Code, Finding
from spool.submissions import State, Submission


class EarlierUndecidedError(TemporaryError):
    """A submission of the same name came first and has no verdict yet."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """The submission is the one of ``ticket`` again."""

    ticket: str


def check_unchanged(then: Submission | None, now: Submission | None) -> None:
    """See that what a verdict rests on still holds while it is written.

    An earlier one of the name can be recorded late: by a door of another host, or out of what a dead process left.

    Args:
        then: the newest submission of its sender, directory and stem that bore on it when it was judged
        now: the one that does now

    Raises:
        EarlierUndecidedError: it is another; judged again, this one may be a repeat.
    """
    if (now and now.ticket) != (then and then.ticket):
        raise EarlierUndecidedError("another submission of this name was recorded while it was judged")


def check_repeats(
    submission: Submission, other: Submission | None, *, answered: bool = True
) -> Repeat | tuple[Finding, ...]:
    """Whether ``submission`` repeats ``other``, the newest one of its sender, directory and stem that bears on it.

    ``answered``: the answers to ``other`` are still kept, so that they can be given again.

    Raises:
        EarlierUndecidedError: that depends on a verdict still to be made.
    """
    if other is None or other.state in {State.REJECTED, State.REPEATED}:
        return ()
    if other.state is not State.ACCEPTED:
        raise EarlierUndecidedError("an earlier submission of this name has no verdict yet")
    if submission.name.startswith("TD."):
        return (Finding(Code.ALREADY_SENT, "too late to cancel: already processed"),)
    if submission.content in {other.content, ""}:
        if not answered:
            return (Finding(Code.ALREADY_SENT, "accepted before, so long ago that its answer is kept no longer"),)
        return Repeat(other.ticket)
    return (Finding(Code.ALREADY_SENT, "a file of this name was accepted before, with other content"),)
