"""Submissions that are done, in a real custody and a sealed journal, for purges to take away."""

from dataclasses import dataclass, field
from pathlib import Path

from config.settings import Settings
from gateway.purge import Purger, Step
from gateway.sealing import Sealer
from gateway.sealing_copies import open_copies
from signing.own.keys import create_signing_key
from signing.own.own_keys import OwnKeys
from signing.own.sign import Signer
from spool import answers, effects, purges, submissions
from spool.answers import AnswerName, StoredAnswer
from spool.checkpoints import CHECKPOINTS, Checkpoints
from spool.custody import Custody, Origin
from spool.effects import Kind
from spool.journal import Journal, now
from spool.mailbox import Mailbox
from spool.submissions import Ruling, State

SENDER = "123456"
LATER = now() + 1000 * purges.DAY
"""When every payload and answer is old enough, and no evidence is."""
FI = b"<declaration/>"


@dataclass
class Archive:
    """A site as far as a purge knows it."""

    journal: Journal
    settings: Settings
    keys: OwnKeys
    tickets: list[str] = field(default_factory=list)

    @property
    def spool(self) -> Path:
        """Where its files are."""
        return self.settings.spool.path

    @property
    def purger(self) -> Purger:
        """A purger of a process that has just started."""
        return Purger(self.settings, self.journal, self.keys)

    def folder(self, ticket: str) -> Path:
        """Where the files of a ticket are, or were."""
        with self.journal.read() as connection:
            found = submissions.load(connection, ticket)
        assert found is not None
        return Custody(self.spool / "custody", self.journal).folder(ticket, found.received_at)

    def take(self, number: int, purpose: str = "DIMN") -> str:
        """A set in custody."""
        stem = f"{purpose}.{SENDER}.20261121.{number:05}.R"
        folder = self.spool / "incoming" / "set"
        folder.mkdir(parents=True)
        for name, content in ((f"FI.{stem}.1.1", FI), (f"FS.{stem}.1.1", b"c2ln"), (f"GO.{stem}.1", b"")):
            (folder / name).write_bytes(content)
        origin = Origin("sftp", Mailbox(SENDER, "IN"), "payroll01")
        ticket = Custody(self.spool / "custody", self.journal).take(folder, origin)
        self.tickets.append(ticket)
        return ticket

    def settle(self, number: int, purpose: str = "DIMN", facts: dict[str, object] | None = None) -> str:
        """A submission of which everything is done."""
        ticket = self.take(number, purpose)
        name = AnswerName(ticket, 1, Mailbox(SENDER, "OUT"), "FO", f"ACRF.999999.20261121.{number:05}.R")
        with self.journal.write() as connection:
            submissions.settle(connection, ticket, Ruling(State.ACCEPTED, (("ACRF-0", "shown"),), facts=facts or {}))
            answers.store(connection, StoredAnswer(name, b"<ACRF/>", b"c2ln"))
            effects.plan(connection, ticket, Kind.ANSWER, [{"answer_of": ticket, "ordinal": 1}])
        self.carry_out()
        return ticket

    def carry_out(self) -> None:
        """Do what is to be done, which closes submissions."""
        with self.journal.write() as connection:
            effects.done(connection, effects.pending(connection, Kind.ANSWER, 100))

    async def seal(self) -> "Archive":
        """Put every event under a checkpoint."""
        files = Checkpoints(self.spool / CHECKPOINTS)
        await Sealer(self.journal, files, self.keys, copies=open_copies(self.settings.evidence)).seal_all()
        return self

    def purge(self, at: int = LATER) -> list[Step]:
        """A whole pass; answers the steps that did something."""
        return [step for step in self.purger.everything(at) if step.gone or step.odd or step.loose]


def gone(steps: list[Step]) -> list[tuple[str, str]]:
    """What went, as kind and ticket."""
    return [(kind.value, plan.ticket) for step in steps for kind, plan in step.gone]


def odd(steps: list[Step]) -> dict[str, str]:
    """What was passed over, and why."""
    return {each.ticket: each.reason for step in steps for each in step.odd}


def make_keys(folder: Path) -> OwnKeys:
    """A key of a gateway; making it takes longer than a test."""
    create_signing_key(folder / "key", folder / "pem", "Invented Gateway")
    return OwnKeys(Signer.open(folder / "key", folder / "pem"))


def make_archive(folder: Path, journal: Journal, keys: OwnKeys) -> Archive:
    """A site in ``folder``."""
    (folder / "none").mkdir()
    none = str(folder / "none")
    settings = Settings.model_validate(
        {
            "spool": {"path": str(folder / "spool")},
            "trust": {"authorities": none},
            "schemas": {"folder": none},
            "retention": {"without_archive": True},
        }
    )
    return Archive(journal, settings, keys)
