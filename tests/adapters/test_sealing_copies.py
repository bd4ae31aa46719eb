"""A second copy of every checkpoint, written beside the first: what is missed is made up for, nothing is replaced."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from config.administration import Evidence
from gateway import sealing_copies
from gateway.restore import newest_copy
from gateway.sealing import Sealer
from gateway.sealing_copies import Copies, CopyMisfitError, open_copies
from signing.own.own_keys import OwnKeys
from spool import checkpoints, submissions
from spool.checkpoints import CHECKPOINTS, Checkpoints
from spool.journal import Journal
from spool.tables import events
from tests.purge_made import Archive, make_archive, make_keys


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> OwnKeys:
    """The gateway's key."""
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def site(journal: Journal, tmp_path: Path, keys: OwnKeys) -> Archive:
    """A site that is to keep copies, in a folder that is not there yet."""
    made = make_archive(tmp_path, journal, keys)
    made.settings = made.settings.model_copy(update={"evidence": Evidence(copy_folder=tmp_path / "copies")})
    return made


def sealer(site: Archive) -> Sealer:
    """That of a process that has just started."""
    files = Checkpoints(site.spool / CHECKPOINTS)
    return Sealer(site.journal, files, site.keys, copies=open_copies(site.settings.evidence), events=1)


def happen(site: Archive) -> None:
    """Something to be sealed."""
    with site.journal.write() as connection:
        submissions.note(connection, None, "user.blocked", username="payroll01")


def copies(site: Archive) -> dict[str, bytes]:
    """What is in the second place."""
    assert site.settings.evidence.copy_folder is not None
    return {path.name: path.read_bytes() for path in site.settings.evidence.copy_folder.glob("*")}


def firsts(site: Archive) -> dict[str, bytes]:
    """What is in the spool."""
    return {path.name: path.read_bytes() for path in (site.spool / CHECKPOINTS).glob("*")}


def told(site: Archive) -> list[str]:
    """What the journal says about copies, in order."""
    with site.journal.read() as connection:
        query = sa.select(events.c.name).where(events.c.name.startswith("checkpoint.")).order_by(events.c.number)
        return list(connection.execute(query).scalars())


async def test_every_checkpoint_is_in_both_places(site: Archive, tmp_path: Path) -> None:
    """Byte for byte, before the journal records it."""
    (tmp_path / "copies").mkdir()
    happen(site)
    happen(site)
    await sealer(site).turn()
    assert copies(site) == firsts(site)
    assert 2 == len(copies(site))
    assert [] == told(site)


async def test_trouble_there_stops_nothing_and_is_made_up_for(
    site: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is there and recorded; the journal says once that it began, and once that it is over."""
    happen(site)
    working = sealer(site)
    await working.turn()
    await working.turn()
    assert ["checkpoint.not_copied"] == told(site)
    with site.journal.read() as connection:
        assert checkpoints.latest(connection).ordinal == len(firsts(site)) > 1

    (tmp_path / "copies").mkdir()
    monkeypatch.setattr(sealing_copies, "_AGAIN", 0)
    await working.turn()
    await working.turn()
    assert ["checkpoint.not_copied", "checkpoint.copied"] == told(site)
    assert copies(site) == firsts(site)


async def test_one_that_a_process_that_died_had_written_is_copied_too(
    site: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it died before the copy or after it; neither is replaced."""
    (tmp_path / "copies").mkdir()
    happen(site)

    def died(*_args: object) -> None:
        raise SystemError("the process is gone")

    for name in ("bring", "_record"):
        with monkeypatch.context() as patch:
            patch.setattr(Copies if name == "bring" else Sealer, name, died)
            with pytest.raises(SystemError):
                await sealer(site).turn()
    before = firsts(site)
    assert copies(site) == before
    await sealer(site).turn()
    assert copies(site) == firsts(site) == before
    assert [] == told(site)


async def test_copies_of_another_journal_are_not_replaced(site: Archive, tmp_path: Path) -> None:
    """As after a restore: they show what the journal has no longer, and an operator is told."""
    (tmp_path / "copies").mkdir()
    happen(site)
    await sealer(site).turn()
    other = tmp_path / "copies" / "0000000002.json"
    other.write_bytes(b"of events that are lost")
    with pytest.raises(CopyMisfitError, match="it has checkpoint 2, and the journal has 1"):
        Copies(tmp_path / "copies").copy(Checkpoints(site.spool / CHECKPOINTS), 1)
    happen(site)
    await sealer(site).turn()
    assert b"of events that are lost" == other.read_bytes()
    assert ["checkpoint.not_copied"] == told(site)


async def test_a_copy_shows_what_was_taken_away(site: Archive, tmp_path: Path) -> None:
    """The newest checkpoint with its events, or one that was made anew."""
    (tmp_path / "copies").mkdir()
    happen(site)
    await sealer(site).turn()
    files, kept = Checkpoints(site.spool / CHECKPOINTS), Copies(tmp_path / "copies")
    assert not kept.fault(files)
    first = files.path(1)
    content = first.read_bytes()
    first.unlink()
    assert "checkpoint 1 is missing" in kept.fault(files)
    first.write_bytes(content + b" ")
    assert "checkpoint 1 is not what its copy is" in kept.fault(files)


async def test_the_newest_copy_says_how_much_is_lost(site: Archive, tmp_path: Path) -> None:
    """To a restore, by its last event; one that is not ours says nothing."""
    (tmp_path / "copies").mkdir()
    kept = Checkpoints(tmp_path / "copies")
    assert newest_copy(kept, {site.keys.present.certificate}) is None
    happen(site)
    happen(site)
    await sealer(site).turn()
    newest = newest_copy(kept, {site.keys.present.certificate})
    assert newest is not None
    assert (2, 2) == (newest.ordinal, newest.last)
    with pytest.raises(ValueError, match=r"."):
        newest_copy(kept, {b"another"})
