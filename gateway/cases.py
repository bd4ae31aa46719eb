"""What is known of a submission when it comes to be judged, and where is it from?"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

from sqlalchemy.engine import Connection

from config.errors import TemporaryError
from config.settings import Settings
from gateway import circumstances, message_profiles, parties
from gateway.circumstances import Circumstances
from gateway.examination import Anomalies, ValidatedSet
from gateway.parties import Sender
from gateway.repeats import Repeat
from gateway.scanning import Scanned
from gateway.verdict import UnfinishedJudgementError
from gateway.workers import Trip
from schemas import catalogue
from schemas.catalogue import Catalogue
from schemas.filename import FileName, parse
from signing.verify import Evidence, Fault
from spool import holds, submissions
from spool.custody import Custody
from spool.holds import Hold
from spool.journal import Journal, now
from spool.submissions import StoredFile, Submission


@dataclass(slots=True)
class Case:
    """What is known of one submission while it is judged; each check adds what it found out."""

    submission: Submission
    sender: Sender
    namesake: Submission | None
    folder: Path
    declarations: Path
    types: Catalogue
    withdrawn: bool = False
    hold: Hold | None = None
    dropped: bool = False
    answered: bool = True
    repeat: Repeat | None = None
    evidence: list[Evidence | None] = field(default_factory=list)
    fault: Fault | None = None
    trip: Trip | None = None
    scanned: list[Scanned] = field(default_factory=list)
    validated: ValidatedSet | None = None
    anomalies: Anomalies = field(default_factory=Anomalies)

    @property
    def received_at(self) -> datetime:
        """The moment that everything is judged at, however long the judgement had to wait."""
        return datetime.fromtimestamp(self.submission.received_at / 1_000_000, tz=UTC)

    @property
    def name(self) -> FileName:
        """The name the set goes by; asked for only after it was found to be well formed."""
        name = parse(self.submission.name)
        if not isinstance(name, FileName):
            raise TypeError("the name was not checked")
        return name

    @property
    def declared(self) -> ValidatedSet:
        """What the validation found; asked for only after it found nothing wrong."""
        if self.validated is None:
            raise UnfinishedJudgementError("nothing was validated")
        return self.validated

    @property
    def parts(self) -> list[StoredFile]:
        """The FI files, in the order of their part numbers."""
        return [file for file in self.submission.files if file.name.startswith("FI.")]


class Cases:
    """Opens them, with the settings and the register as they are then."""

    def __init__(self, settings: Settings, journal: Journal, custody: Custody) -> None:
        self._settings = settings
        self._journal = journal
        self._custody = custody

    def open(self, ticket: str) -> Case | None:
        """The case of ``ticket``, or None if it has a verdict already.  Blocks on journal and disk.

        Raises:
            TypesUnusable: the site's own types of message can't be read now.
        """
        with self._journal.read() as connection:
            submission = _without_verdict(connection, ticket)
            if submission is None:
                return None
            sender = parties.find_sender(connection, submission.sender)
            about = circumstances.of(connection, submission)
        if sender is None:
            raise LookupError("the sender of a submission is not registered")
        return self._case(submission, sender, about, catalogue.current(self._settings.schemas.folder))

    def open_plain(self, connection: Connection, tickets: Iterable[str]) -> dict[str, Case]:
        """Those of them that have no verdict, and that nothing bears on but themselves, by ticket.

        Most are such, and many cost hardly more than one.  What is wrong with another is told when it is opened alone.
        """
        try:
            types = catalogue.current(self._settings.schemas.folder)
        except TemporaryError:
            return {}
        found, at = {}, now()
        sender_of = cache(partial(parties.find_sender, connection))
        for ticket in tickets:
            # What the journal has of one may make no sense: that is its own trouble, and not the others'.
            with suppress(LookupError, ValueError, TypeError):
                submission = _without_verdict(connection, ticket)
                if submission is None or not holds.is_plain(connection, submission, at):
                    continue
                if (sender := sender_of(submission.sender)) is not None:
                    found[ticket] = self._case(submission, sender, Circumstances(), types)
        return found

    def _case(self, submission: Submission, sender: Sender, about: Circumstances, types: Catalogue) -> Case:
        ticket = submission.ticket
        case = Case(
            submission=submission,
            sender=message_profiles.as_user(sender, submission, self._settings.mq.profiles),
            namesake=about.namesake,
            folder=self._custody.folder(ticket, submission.received_at),
            declarations=self._settings.spool.path / "declarations" / ticket,
            types=types,
            withdrawn=about.withdrawn,
        )
        case.hold, case.dropped, case.answered = about.hold, about.dropped, about.answered
        return case


def _without_verdict(connection: Connection, ticket: str) -> Submission | None:
    submission = submissions.load(connection, ticket)
    return submission if submission is not None and submission.state in submissions.OPEN_STATES else None
