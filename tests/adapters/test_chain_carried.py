"""The chain of a journal, carried away: who has the file and the gateway's certificate needs nothing else of it."""

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway import chain_file, exporting
from gateway.chain_file import ChainMisfitError
from gateway.exporting import Exporter
from gateway.sealing import Sealer, UnsealableError, sealed_as
from signing.own.own_keys import OwnKeys
from spool import chain, purges, submissions
from spool.checkpoints import CHECKPOINTS, Checkpoints, Sealed
from spool.journal import Journal, now
from spool.tables import checkpoints as recorded
from spool.tables import events
from tests.purge_made import FI, LATER, SENDER, Archive, make_archive, make_keys

pytestmark = pytest.mark.every_database

_GATEWAY = "import sys; from gateway.cli import run; sys.exit(run(sys.argv[1:]))"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> OwnKeys:
    """The gateway's key."""
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
async def site(journal: Journal, tmp_path: Path, keys: OwnKeys) -> Archive:
    """A site with three submissions, and a checkpoint for every three events."""
    site = make_archive(tmp_path, journal, keys)
    for number in (1, 2, 3):
        site.settle(number)
    await seal(site)
    return site


async def seal(site: Archive) -> None:
    """Put every event under a checkpoint, of three at most."""
    await Sealer(site.journal, Checkpoints(site.spool / CHECKPOINTS), site.keys, events=3).seal_all()


def exported(site: Archive, name: str, *, with_facts: bool = False) -> Path:
    """The chain in a file outside of the site."""
    path = site.spool.parent / name
    Exporter(site.settings, site.journal, site.keys).write_chain(path, with_facts=with_facts)
    return path


def words_of(path: Path, site: Archive) -> str:
    """What does not fit in a file."""
    with pytest.raises(ChainMisfitError) as caught:
        chain_file.verify(path, {site.keys.present.certificate})
    return str(caught.value)


def contents(path: Path) -> list[dict[str, object]]:
    """What the lines of a file say."""
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def test_a_process_without_site_or_settings_verifies_it(site: Archive, tmp_path: Path) -> None:
    """By the command, in a folder with nothing but the file and the certificate; a changed file is refused."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    certificate = x509.load_der_x509_certificate(site.keys.present.certificate)
    (elsewhere / "gateway.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    exported(site, "chain").rename(elsewhere / "chain.jsonl.gz")
    command = [sys.executable, "-c", _GATEWAY, "evidence", "verify", "chain.jsonl.gz", "--certificate", "gateway.pem"]
    environment = {"PYTHONPATH": ":".join(sys.path)}

    done = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False)

    with site.journal.read() as connection:
        end = chain.end(connection).number
    assert (0, "") == (done.returncode, done.stderr)
    assert f"The chain holds: {-(-end // 3)} checkpoints over the events up to {end}, exported at " in done.stdout
    assert ["chain.jsonl.gz", "gateway.pem"] == sorted(path.name for path in elsewhere.iterdir())


def test_nothing_of_what_happened_leaves_unless_it_is_asked_for(site: Archive) -> None:
    """Digests alone; with facts, everything that the digests cover."""
    digests, facts = exported(site, "digests"), exported(site, "facts", with_facts=True)
    for path in (digests, facts):
        assert chain_file.verify(path, {site.keys.present.certificate})

    ticket = site.tickets[0].encode()
    assert not any(word in gzip.decompress(digests.read_bytes()) for word in (ticket, SENDER.encode(), b"custody", FI))
    assert all(word in gzip.decompress(facts.read_bytes()) for word in (ticket, b"custody.taken"))


async def test_what_was_carried_away_holds_after_a_purge_and_so_does_what_is_then(site: Archive) -> None:
    """Facts go from the journal; the file of before still says them, that of afterwards has their digests."""
    before = exported(site, "before", with_facts=True)
    for at in (LATER, LATER, now() + 3651 * purges.DAY):
        site.purge(at)
        await seal(site)
    after, bare = exported(site, "after", with_facts=True), exported(site, "bare")

    for path in (before, after, bare):
        assert chain_file.verify(path, {site.keys.present.certificate})
    old, new = ([said for said in contents(path) if "event" in said] for path in (before, after))
    assert [said["event"] for said in old] == [said["event"] for said in new[: len(old)]]
    assert all("of" in said for said in old)
    assert not any("of" in said for said in new[: len(old)])
    assert [said for said in contents(bare) if "event" in said][: len(old)] == new[: len(old)]


def _forge(site: Archive) -> None:
    with site.journal.write() as connection:
        connection.execute(sa.update(events).where(events.c.number == 5).values(name="forged"))


def _put_in(site: Archive) -> None:
    with site.journal.write() as connection:
        connection.execute(sa.update(events).where(events.c.number == 5).values(digest=""))


def _take_out(site: Archive) -> None:
    with site.journal.write() as connection:
        connection.execute(sa.delete(events).where(events.c.number == 5))


def _forget_checkpoint(site: Archive) -> None:
    with site.journal.write() as connection:
        connection.execute(sa.delete(recorded).where(recorded.c.ordinal == 2))


def _replace_checkpoint(site: Archive) -> None:
    files = Checkpoints(site.spool / CHECKPOINTS)
    files.path(2).unlink()
    files.path(2).write_bytes(files.path(1).read_bytes())


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (_forge, "event 5 was changed, or is not where it was written"),
        (_put_in, "event 5 was put in: it has no digest"),
        (_take_out, "event 6 does not follow event 4: one between is missing"),
        (_forget_checkpoint, "has checkpoint 3 where checkpoint 2 or the end has to be"),
        (_replace_checkpoint, "has checkpoint 1 where checkpoint 2 or the end has to be"),
    ],
)
def test_a_journal_that_does_not_hold_gives_a_file_that_does_not(
    site: Archive, harm: Callable[[Archive], None], words: str
) -> None:
    """Our signature at the end makes nothing true that the journal does not have."""
    harm(site)
    assert words in words_of(exported(site, "harmed"), site)


def test_a_checkpoint_that_is_gone_is_named_and_no_file_made(site: Archive) -> None:
    """It cannot be written down, and the file would not hold without."""
    Checkpoints(site.spool / CHECKPOINTS).path(2).unlink()
    with pytest.raises(UnsealableError, match="checkpoint 2 is missing"):
        exported(site, "without")
    assert not (site.spool.parent / "without").exists()


def test_an_export_ends_where_it_began_and_holds_nobody_up(site: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that come meanwhile are not in it, however few are read at a time."""
    monkeypatch.setattr(exporting, "_BATCH", 1)
    written = list[int]()
    load = sealed_as

    def then_something_happens(files: Checkpoints, ordinal: int) -> Sealed:
        with site.journal.write() as connection:
            submissions.note(connection, None, "user.blocked", username="payroll01")
        written.append(ordinal)
        return load(files, ordinal)

    with site.journal.read() as connection:
        end = chain.end(connection).number
    monkeypatch.setattr(exporting, "sealed_as", then_something_happens)
    held = chain_file.verify(exported(site, "meanwhile"), {site.keys.present.certificate})
    assert (end, len(written)) == (held.last, held.checkpoints)
