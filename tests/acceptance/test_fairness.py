"""One sender's thousands of files that wait do not make another wait, through a whole gateway."""

import sqlalchemy as sa

from gateway.parties import SignatureProfile
from spool import submissions
from spool.journal import now, open_journal
from spool.submissions import State, Submission
from spool.tables import submissions as rows
from spool.tickets import new_ticket
from tests.gateway_process import SENDER, Site, running, today

MANY = 10_000
IN_HAND = 200
GREEDY = "654321"


def waiting(site: Site) -> dict[str, int]:
    """How many submissions of each sender have no verdict."""
    journal = open_journal(site.settings.journal.place)
    count = sa.select(rows.c.sender, sa.func.count()).where(rows.c.state == State.RECEIVED).group_by(rows.c.sender)
    with journal.read() as connection:
        found = {row[0]: row[1] for row in connection.execute(count)}
    journal.close()
    return found


def let_many_wait(site: Site) -> None:
    """As many sets of one sender in custody as one can number in a day; of each there is only the GO."""
    site.add_sender(GREEDY, "greedy01", SignatureProfile.DETACHED, site.pki.issue("Greedy"))
    journal, at = open_journal(site.settings.journal.place), now()
    stems = (f"DIMN.{GREEDY}.{today()}.{number:05}.R" for number in range(MANY))
    with journal.write() as connection:
        submissions.add(
            connection,
            *(
                Submission(
                    new_ticket(), at, "sftp", GREEDY, "greedy01", "IN", f"GO.{stem}.1", stem, "", State.RECEIVED, 0
                )
                for stem in stems
            ),
        )
    journal.close()


def test_ten_thousand_files_of_one_sender_do_not_make_another_wait(site: Site) -> None:
    """What comes behind them is let in, judged and answered while nearly all of them still wait."""
    let_many_wait(site)
    names = site.write_set(f"DIMN.{SENDER}.{today()}.00001.R")
    with running(site) as gateway:
        sent = site.sftp("cd IN", *(f"put {name}" for name in names))
        assert 0 == sent.returncode, sent.stderr
        taken = gateway.wait_for("custody.taken")
        before = waiting(site).get(GREEDY, 0)
        gateway.wait_for("answer.placed", lambda line: line["ticket"] == taken["ticket"])
        left = waiting(site)

    assert MANY // 2 < left[GREEDY] <= before
    assert SENDER not in left
    # What was begun with before it came is judged first, and no more of that sender than what is taken in hand at once.
    steps = [(line["event"], line.get("ticket")) for line in gateway.seen]
    begin, end = (steps.index((event, taken["ticket"])) for event in ("custody.taken", "submission.judged"))
    assert sum(event == "submission.judged" for event, _ in steps[begin:end]) < IN_HAND
