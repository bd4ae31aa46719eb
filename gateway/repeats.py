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


def check_repeats(submission: Submission, other: Submission | None) -> Repeat | tuple[Finding, ...]:
    """Whether ``submission`` repeats ``other``, the newest one of its sender, directory and stem that bears on it.

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
        return Repeat(other.ticket)
    return (Finding(Code.ALREADY_SENT, "a file of this name was accepted before, with other content"),)
