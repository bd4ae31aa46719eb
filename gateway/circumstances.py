"""What does the journal say of a submission beside itself?  Of most, nothing."""

from dataclasses import dataclass

from sqlalchemy.engine import Connection

from spool import holds, submissions
from spool.holds import Hold
from spool.journal import now
from spool.purges import are_answers_gone
from spool.submissions import Submission
from spool.withdrawals import is_withdrawn


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What bears on a submission.

    ``namesake`` is the newest of its name that does, and whether its answers are still kept is ``answered``; a TD came
    after one that is ``withdrawn``; ``hold`` keeps it waiting, unless an operator has it refused (``dropped``).
    """

    namesake: Submission | None = None
    answered: bool = True
    withdrawn: bool = False
    hold: Hold | None = None
    dropped: bool = False


def of(connection: Connection, submission: Submission) -> Circumstances:
    """Those of ``submission`` now."""
    at = now()
    if holds.is_plain(connection, submission, at):
        return Circumstances()
    namesake = submissions.namesake(connection, submission)
    return Circumstances(
        namesake=namesake,
        answered=namesake is None or not are_answers_gone(connection, namesake.ticket),
        withdrawn=is_withdrawn(connection, submission),
        hold=holds.standing_on(connection, submission, at),
        dropped=holds.dropped(connection, submission.ticket) is not None,
    )
