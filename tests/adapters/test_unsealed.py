"""Nothing is taken in while what happens to it cannot be proved; it goes on by itself."""

import shutil
from pathlib import Path

import pytest
import structlog

from channels.mq.staging import Room, Staging, StagingLimits
from config.administration import Evidence
from gateway.sealing import Sealer, UnsealableError
from signing.own.keys import create_signing_key
from signing.own.own_keys import OwnKeys
from signing.own.sign import Signer
from spool import chain
from spool.checkpoints import CHECKPOINTS, Checkpoints
from spool.intake import Intake, IntakeLimits
from spool.journal import Journal
from spool.mailbox import Mailbox, MailboxRefusal, Trouble
from spool.submissions import note
from spool.unsealed import Unsealed, overdue

pytestmark = pytest.mark.every_database

BOX = Mailbox("123456", "IN")
FI = "FI.DIMN.123456.20261121.00001.R.1.1"


@pytest.fixture
def sealer(journal: Journal, tmp_path: Path) -> Sealer:
    """Seals whatever there is, and lets no event wait for a second."""
    create_signing_key(tmp_path / "key", tmp_path / "pem", "Invented Gateway")
    keys = OwnKeys(Signer.open(tmp_path / "key", tmp_path / "pem"))
    return Sealer(journal, Checkpoints(tmp_path / CHECKPOINTS), keys, age=0, unsealed=Unsealed(tmp_path, 1_000_000))


def happen(journal: Journal) -> None:
    """One event."""
    with journal.write() as connection:
        note(connection, "A", "something.happened")


def told(journal: Journal) -> list[str]:
    """The events about intake."""
    with journal.read() as connection:
        return [event.name for event in chain.everything(connection) if event.ticket is None]


async def test_without_a_place_for_checkpoints_both_doors_refuse(sealer: Sealer, tmp_path: Path) -> None:
    """Until it is there again; both the stop and the end of it are events."""
    unsealed = sealer.unsealed
    assert unsealed is not None
    intake = Intake(tmp_path / "incoming", IntakeLimits(1_000_000, 50, 0, unsealed=unsealed))
    intake.recover()
    staging = Staging(tmp_path / "bodies", StagingLimits(100, 100, 0), lambda: unsealed.stops_intake)
    await sealer.turn()
    intake.set_aside(intake.begin(BOX, FI))
    assert Room.ENOUGH is staging.room()

    (tmp_path / "evidence").rename(tmp_path / "away")
    (tmp_path / "evidence").write_bytes(b"no folder")
    happen(sealer.journal)
    with structlog.testing.capture_logs() as logs, pytest.raises(OSError, match="evidence"):
        await sealer.turn()
    with pytest.raises(MailboxRefusal, match="cannot write its evidence") as refused:
        intake.begin(BOX, FI)
    assert Trouble.FULL is refused.value.trouble
    assert Room.NOT_WANTED is staging.room()
    assert [("intake.stopped", "error")] == [(line["event"], line["log_level"]) for line in logs]

    (tmp_path / "evidence").unlink()
    (tmp_path / "away").rename(tmp_path / "evidence")
    await sealer.turn()
    intake.set_aside(intake.begin(BOX, FI))
    assert Room.ENOUGH is staging.room()
    assert ["intake.stopped", "intake.resumed"] == told(sealer.journal)


async def test_what_cannot_be_sealed_stops_intake_when_it_is_overdue(sealer: Sealer, tmp_path: Path) -> None:
    """The folder is fine; but checkpoints of another journal lie in it."""
    unsealed = Unsealed(tmp_path, -1)
    happen(sealer.journal)
    await sealer.seal_all()
    foreign = Checkpoints(tmp_path / "foreign")
    shutil.copytree(sealer.files.folder, foreign.folder)
    shutil.copy(foreign.path(1), foreign.path(2))
    happen(sealer.journal)
    stuck = Sealer(sealer.journal, foreign, sealer.keys, age=0, unsealed=unsealed)
    with pytest.raises(UnsealableError):
        await stuck.turn()
    assert unsealed.stops_intake
    assert "wait for a checkpoint" in unsealed.words


def test_the_limit_is_what_the_settings_say() -> None:
    """Exactly so old is not too old."""
    assert not overdue(None, 10, 5)
    assert not overdue(5, 10, 5)
    assert overdue(4, 10, 5)


def test_the_limit_leaves_time_to_seal() -> None:
    """A gateway that stops before it would seal is a fault of its settings."""
    with pytest.raises(ValueError, match="max_unsealed_seconds must be more than seal_seconds"):
        Evidence(seal_seconds=10, max_unsealed_seconds=10)
