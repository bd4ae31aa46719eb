"""Submissions and verdicts written straight into a journal."""

from zoneinfo import ZoneInfo

from spool import answers, effects, submissions
from spool.answers import AnswerName, StoredAnswer
from spool.effects import Kind
from spool.journal import Journal, now
from spool.mailbox import Mailbox
from spool.submissions import Ruling, State, StoredFile, Submission

BRUSSELS = ZoneInfo("Europe/Brussels")
MINE, OTHER = "123456", "654321"
STEM = "ACRF.999999.20261121.00001.R"


def receive(journal: Journal, ticket: str, sender: str = MINE, name: str = "", at: int | None = None) -> Submission:
    """A submission in custody."""
    name = name or f"GO.DIMN.{sender}.20261121.00001.R.1"
    received = now() if at is None else at
    stem = name.partition(".")[2].removesuffix(".1")
    stored = (StoredFile(name, 0, "e3b0" * 16),)
    submission = Submission(
        ticket, received, "sftp", sender, "payroll01", "IN", name, stem, "c", State.RECEIVED, 0, files=stored
    )
    with journal.write() as connection:
        submissions.add(connection, submission)
    return submission


def answer(journal: Journal, ticket: str, stem: str = STEM, sender: str = MINE, codes: tuple[str, ...] = ()) -> None:
    """A verdict with its answer."""
    findings = tuple((code, "shown as it is") for code in codes)
    state = State.REJECTED if codes else State.ACCEPTED
    name = AnswerName(ticket, 1, Mailbox(sender, "OUT"), "FO", stem)
    with journal.write() as connection:
        submissions.settle(connection, ticket, Ruling(state, findings, forms=3))
        answers.store(connection, StoredAnswer(name, b"<ACRF/>", b"c2ln"))
        effects.plan(connection, ticket, Kind.ANSWER, [{"answer_of": ticket, "ordinal": 1}])
