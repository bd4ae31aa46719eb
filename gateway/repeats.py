"""Was this file sent before, and what became of it?  (annex 30: 133)  Pure.

A TD for a name that was accepted comes too late.  A name whose submission was rejected may be used again.
 A name
whose submission was accepted is used up: the same name with other bytes is refused, the same name with the same bytes
gets the first answer again, and so does a GO that comes again alone because its sender never saw our OK.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from config.errors import TemporaryError
from schemas.codes import Code, Finding
from spool.submissions import OPEN_STATES, State, Submission


class EarlierUndecidedError(TemporaryError):
    """A submission of the same name came first and has no verdict yet."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """The submission is the one of ``ticket`` again."""

    ticket: str


def check_repeats(submission: Submission, earlier: Sequence[Submission]) -> Repeat | tuple[Finding, ...]:
    """Whether ``submission`` repeats one of ``earlier`` (same sender, directory and stem, newest first).

    Raises:
        EarlierUndecidedError: that depends on a verdict still to be made.
    """
    for other in earlier:
        if other.state in {*OPEN_STATES, State.QUARANTINED}:
            raise EarlierUndecidedError("an earlier submission of this name has no verdict yet")
        if other.state is State.ACCEPTED:
            if submission.name.startswith("TD.") and not submission.content:
                return (Finding(Code.ALREADY_SENT, "too late to cancel: already processed"),)
            if submission.content in {other.content, ""}:
                return Repeat(other.ticket)
            return (Finding(Code.ALREADY_SENT, "a file of this name was accepted before, with other content"),)
    return ()
