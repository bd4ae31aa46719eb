"""A site begins again from a backup that was made beside a working gateway, on both databases."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from config.errors import ConfigurationError
from gateway import backup
from gateway.restore import BackupMisfitError, Restored, restore
from gateway.sealing import Sealer
from signing.own.keys import create_signing_key
from signing.own.own_keys import OwnKeys
from signing.own.sign import Signer
from spool import answers, chain, effects, journal_backup, relied, submissions
from spool.answers import AnswerName, StoredAnswer
from spool.checkpoints import CHECKPOINTS, Checkpoints
from spool.custody import Custody, Origin
from spool.effects import Kind
from spool.files import held_alone
from spool.journal import Journal, open_journal
from spool.mailbox import Mailbox
from spool.relied import EVIDENCE, Relied
from spool.submissions import Ruling, State, note
from spool.tables import events
from tests.postgres import Cluster

pytestmark = pytest.mark.every_database

SENDER = "123456"
FO = "FO.ACRF.999999.20261121.00001.R"
FI = f"FI.DIMN.{SENDER}.20261121.00001.R.1.1"


@pytest.fixture
def own(tmp_path: Path) -> Signer:
    """Our key."""
    create_signing_key(tmp_path / "key", tmp_path / "pem", "Invented Gateway")
    return Signer.open(tmp_path / "key", tmp_path / "pem")


@pytest.fixture
async def spool(tmp_path: Path, journal: Journal, own: Signer) -> Path:
    """One accepted submission in custody, whose answer is out and one of whose declarations waits; sealed."""
    folder = tmp_path / "spool"
    ticket = take(folder, journal, 1)
    with journal.write() as connection:
        submissions.settle(connection, ticket, Ruling(State.ACCEPTED, forms=1))
        answers.store(connection, StoredAnswer(AnswerName(ticket, 1, Mailbox(SENDER, "OUT"), "FO", FO[3:]), b"a", b"s"))
        effects.plan(connection, ticket, Kind.FORWARD, [{"offset": 0, "length": 4}])
    put(folder / "answers" / SENDER / "OUT" / FO, b"a")
    put(folder / "answers" / SENDER / "OUT" / FO.replace("00001", "00002"), b"of a verdict that came later")
    put(folder / "declarations" / ticket, b"form")
    Relied(folder / EVIDENCE).keep(relied.Kind.REVOCATION, b"an invented list")
    await Sealer(journal, Checkpoints(folder / CHECKPOINTS), OwnKeys(own)).seal_all()
    return folder


def put(path: Path, content: bytes) -> None:
    """A file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def take(spool: Path, journal: Journal, number: int) -> str:
    """Take a set into custody."""
    put(spool / "incoming" / "set" / FI.replace("00001", f"{number:05}"), b"<declaration/>")
    return Custody(spool / "custody", journal).take(
        spool / "incoming" / "set", Origin("sftp", Mailbox(SENDER, "IN"), "u")
    )


def backed_up(spool: Path, journal: Journal, own: Signer, *site: Path) -> Path:
    """A backup of the site, made while somebody holds the spool as a gateway does."""
    target = spool.with_name("backup")
    with held_alone(spool):
        backup.write(spool, journal, target, lambda data: own.sign(data, datetime.now(UTC)).cms(), site)
    return target


def restored(folder: Path, own: Signer) -> Restored:
    """The backup, put into a new site on SQLite."""
    site = folder.with_name("again")
    return restore(folder, site / "spool", site / "journal.sqlite3", {own.certificate})


def files(folder: Path) -> dict[str, bytes]:
    """What lies in a spool, hidden files apart."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("[!.]*") if path.is_file()}


def test_a_site_begins_again_with_what_it_had(spool: Path, journal: Journal, own: Signer) -> None:
    """Every file that the journal knows, and every event; what came after the moment is not there."""
    before = files(spool)
    folder = backed_up(spool, journal, own)
    take(spool, journal, 2)
    found = restored(folder, own)

    assert (0, 1) == (found.undecided, found.forwards)
    again = files(folder.with_name("again") / "spool")
    assert {name for name in before if "00002" in name} == set(before) - set(again)
    assert again == {name: content for name, content in before.items() if "00002" not in name}
    reopened = open_journal(folder.with_name("again") / "journal.sqlite3")
    with journal.read() as old, reopened.read() as new:
        assert list(chain.everything(old))[: found.head.event] == list(chain.everything(new))[: found.head.event]
        assert "journal.restored" == list(chain.everything(new))[-1].name
        assert isinstance(chain.verify(new), chain.Place)
    reopened.close()


def test_a_backup_goes_into_postgresql(spool: Path, journal: Journal, own: Signer, cluster: Cluster) -> None:
    """Whatever it came from."""
    folder = backed_up(spool, journal, own)
    place = cluster.empty_database()
    found = restore(folder, folder.with_name("again"), place, {own.certificate})
    reopened = open_journal(place)
    with reopened.read() as connection:
        assert isinstance(chain.verify(connection), chain.Place)
        assert found.head.event + 1 == chain.end(connection).number
    reopened.close()
    assert not list(folder.with_name("again").glob(".restoring*"))


def test_declarations_are_those_of_the_moment(spool: Path, journal: Journal, own: Signer) -> None:
    """One that is forwarded while the backup is made is still in it, for its journal says that it waits."""
    [waiting] = (spool / "declarations").iterdir()
    folder = spool.with_name("backup")

    def then_forward(journal: Journal, target: Path, secure: Callable[[], None]) -> chain.Place:
        place = journal_backup.snapshot(journal, target, secure)
        waiting.unlink()
        return place

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backup, "snapshot", then_forward)
        backed_up(spool, journal, own)
    assert b"form" == (folder / "declarations" / waiting.name).read_bytes()
    assert not list(spool.glob("backing-up-*"))


def test_keys_are_copied_only_when_asked_for(spool: Path, journal: Journal, own: Signer, tmp_path: Path) -> None:
    """Under their own paths, and a restore leaves them there."""
    folder = backed_up(spool, journal, own, tmp_path / "key")
    [copied] = [path for path in (folder / "site").rglob("key") if path.is_file()]
    assert (tmp_path / "key").stat().st_mode == copied.stat().st_mode
    restored(folder, own)
    assert not (folder.with_name("again") / "spool" / "site").exists()


def forged(folder: Path) -> None:
    """Change an event in the copied journal."""
    with closing(sqlite3.connect(folder / "journal.sqlite3")) as connection:
        connection.execute("UPDATE events SET name = 'forged' WHERE number = 2")
        connection.commit()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda folder: (folder / "backup.json").unlink(), "not finished"),
        (lambda folder: put(folder / "backup.json", b"{}"), "The file is not the one that was signed"),
        (lambda folder: put(folder / "files.sha256", b""), "files.sha256 was changed"),
        (lambda folder: put(folder / "custody" / "more", b""), "custody/more was put in"),
        (lambda folder: shutil.rmtree(folder / "evidence"), " is missing"),
        (forged, "journal.sqlite3 was changed"),
    ],
)
@pytest.mark.sqlite_only
def test_a_backup_that_was_changed_is_put_nowhere(
    spool: Path, journal: Journal, own: Signer, harm: Callable[[Path], None], words: str
) -> None:
    """What does not fit is named."""
    folder = backed_up(spool, journal, own)
    harm(folder)
    with pytest.raises(BackupMisfitError, match=words):
        restored(folder, own)
    assert not folder.with_name("again").exists()


@pytest.mark.sqlite_only
def test_a_journal_that_was_changed_before_is_found_too(spool: Path, journal: Journal, own: Signer) -> None:
    """Everything is as it was signed, but the chain does not hold; nothing is left but the empty spool."""
    with journal.write() as connection:
        connection.execute(sa.update(events).where(events.c.number == 2).values(name="forged"))
    folder = backed_up(spool, journal, own)
    with pytest.raises(BackupMisfitError, match="event 2 was changed"):
        restored(folder, own)
    assert [".lock"] == [path.name for path in (folder.with_name("again") / "spool").iterdir()]
    assert not (folder.with_name("again") / "journal.sqlite3").exists()


@pytest.mark.sqlite_only
def test_nothing_is_written_over(spool: Path, journal: Journal, own: Signer) -> None:
    """Neither a backup nor a spool nor a journal; an empty journal, as a new site has it, gives way."""
    folder = backed_up(spool, journal, own)
    with pytest.raises(ConfigurationError, match="has something in it"):
        backed_up(spool, journal, own)
    site = folder.with_name("again")
    put(site / "spool" / "custody" / "somebody's", b"")
    fresh = open_journal(site / "journal.sqlite3", create=True)
    with pytest.raises(ConfigurationError, match="custody has something in it"):
        restored(folder, own)
    shutil.rmtree(site / "spool")
    with fresh.write() as connection:
        note(connection, None, "something.happened")
    with pytest.raises(ConfigurationError, match="the journal has something in it: events"):
        restored(folder, own)
    fresh.close()
    for path in site.glob("journal*"):
        path.unlink()
    open_journal(site / "journal.sqlite3", create=True).close()
    assert 1 == restored(folder, own).forwards
